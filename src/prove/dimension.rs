//! One dimension of a request at a time: the action, the resource, or the value of one context key.
//!
//! For each dimension the question is the same: some tests must hold, and which of the other statements can be broken
//! (one of their tests made false) by one choice? Only the maximal choices are kept.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use super::automaton::{Found, Group, OverBudget, Steps, Symbol, explore};
use super::bits::{Bits, keep_maximal};
use super::condition::{Quantifier, Test, Wanted};
use super::document::Matcher;
use super::evaluate::Value;
use super::inclusion::split_alignments;
use super::operand::{encode, representative_addresses};
use super::pattern::{Context, Pattern, Token};

/// A choice for one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Witness {
    Absent,
    One(Vec<Symbol>),
    Many(Vec<Vec<Symbol>>),
    /// Something that is not modelled might do it.
    Unknown,
}

/// A choice and the statements that it breaks.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) witness: Witness,
    pub(crate) broken: Bits,
}

/// A condition of one statement on this dimension; `breaks` names the statement that is to be broken.
struct Requirement<'a> {
    patterns: &'a [Pattern],
    negated: bool,
    want: bool,
    goal: Option<usize>,
}

/// What restricts the texts of a dimension.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Domain<'a> {
    /// Actions: what this pattern matches.
    Action(&'a Pattern),
    /// Any text. `aligned` leaves out texts whose resource part would begin at two colons.
    Resource { aligned: bool },
}

/// Choices for an action or a resource.
pub(crate) fn element(
    must: &[&Matcher],
    breaks: &[(usize, &Matcher)],
    statements: usize,
    domain: Domain<'_>,
    steps: &mut Steps,
) -> Result<Vec<Outcome>, OverBudget> {
    let must = must.iter().map(|m| Requirement { patterns: &m.patterns, negated: m.negated, want: true, goal: None });
    let (free, breaks): (Vec<_>, Vec<_>) = breaks.iter().partition(|(_, m)| m.negated && refers(&m.patterns));
    let breaks =
        breaks.iter().map(|(i, m)| Requirement { patterns: &m.patterns, negated: m.negated, want: false, goal: Some(*i) });
    let requirements: Vec<_> = must.chain(breaks).collect();
    let mut groups = groups(&requirements);
    let mut excluded = Vec::new();
    match domain {
        Domain::Action(pattern) => {
            groups.push(Group { patterns: vec![Cow::Borrowed(pattern)], negated: false, want: true, goal: None });
        }
        Domain::Resource { aligned } => excluded.extend(if aligned { split(&groups) } else { Vec::new() }),
    }
    if !excluded.is_empty() {
        groups.push(Group { patterns: excluded.into_iter().map(Cow::Owned).collect(), negated: true, want: true, goal: None });
    }
    let any_text = matches!(domain, Domain::Resource { .. });
    let found = explore(&groups, statements, any_text, steps)?;
    let outcome = |Found { text, mut reached }| {
        free.iter().for_each(|(i, _)| reached.insert(*i));
        Outcome { witness: Witness::One(text), broken: reached }
    };
    Ok(found.into_iter().map(outcome).collect())
}

/// Whether some pattern has a variable. Where it cannot be resolved, a negated element or test is false for every text, so
/// it counts as broken by any; the evaluator says whether it is.
fn refers(patterns: &[Pattern]) -> bool {
    patterns.iter().any(|pattern| pattern.variables().next().is_some())
}

/// The texts in which patterns of two groups that must match would see the resource part begin at different colons.
fn split(groups: &[Group<'_>]) -> Vec<Pattern> {
    let mut hard = groups.iter().filter(|group| group.goal.is_none() && group.wants_match());
    let (Some(one), Some(other)) = (hard.next(), hard.next()) else { return Vec::new() };
    let pairs = one.patterns.iter().flat_map(|a| other.patterns.iter().map(move |b| (a, b)));
    let texts: BTreeSet<Pattern> = pairs.take(ALIGNED_PAIRS).flat_map(|(a, b)| split_alignments(a, b)).collect();
    texts.into_iter().collect()
}

/// How many pairs of resource patterns are looked at for texts to leave out; beyond, more stays in.
const ALIGNED_PAIRS: usize = 400;

/// Groups for the automaton, with variables made harmless.
///
/// A variable stands for itself where at most one group wants a match: then a text in which it stands as a symbol
/// matches, of the unwanted patterns, only such that match for every value. Where two groups want matches, a value may
/// serve both in ways the symbol cannot show; wanted variables become `*` and unwanted patterns with variables vanish,
/// which only adds candidates.
fn groups<'a>(requirements: &[Requirement<'a>]) -> Vec<Group<'a>> {
    let wants = |r: &Requirement<'_>| r.want != r.negated;
    let symbols = requirements.iter().filter(|r| wants(r)).count() <= 1;
    let plain = |pattern: &&Pattern| symbols || pattern.variables().next().is_none();
    let group = |r: &Requirement<'a>| {
        let patterns = if wants(r) {
            r.patterns.iter().map(|p| if plain(&p) { Cow::Borrowed(p) } else { Cow::Owned(widened(p)) }).collect()
        } else {
            r.patterns.iter().filter(plain).map(Cow::Borrowed).collect()
        };
        Group { patterns, negated: r.negated, want: r.want, goal: r.goal }
    };
    requirements.iter().map(group).collect()
}

fn widened(pattern: &Pattern) -> Pattern {
    let widen = |token: &Token| match token {
        Token::Variable { colons, .. } => Token::Any { colons: *colons },
        other => other.clone(),
    };
    Pattern::of(pattern.tokens().iter().map(widen).collect())
}

/// What is known of a context key beyond the tests of one question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// May it have several values?
    pub(crate) many: bool,
    /// Keep both absent and present choices where one would do: another value may refer to the key as a variable.
    pub(crate) open: bool,
    /// Every test of it in all documents: they say how its values are written.
    pub(crate) kin: &'a [&'a Test],
}

/// Choices for the value of one context key, absence included.
pub(crate) fn key(
    must: &[&Test],
    breaks: &[(usize, &Test)],
    statements: usize,
    known: Known<'_>,
    steps: &mut Steps,
) -> Result<Vec<Outcome>, OverBudget> {
    let tests = Tests { many: known.many, kin: known.kin, ..Tests::new(must, breaks, statements) };
    let mut outcomes: Vec<Outcome> = tests.absent().into_iter().collect();
    let mut present = tests.present(steps)?;
    if known.open {
        present = keep_maximal(present, |outcome| &outcome.broken);
        outcomes.extend(present);
        return Ok(outcomes);
    }
    outcomes.extend(present);
    Ok(keep_maximal(outcomes, |outcome| &outcome.broken))
}

/// How the values of a key are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Flags,
    Listed,
    Mixed,
}

struct Tests<'a> {
    /// Distinct tests, those that must hold first.
    tests: Vec<&'a Test>,
    must: usize,
    /// Which statement each further test would break.
    breaks: Vec<(usize, usize)>,
    statements: usize,
    /// See [`Known`].
    many: bool,
    kin: &'a [&'a Test],
}

impl<'a> Tests<'a> {
    fn new(must: &[&'a Test], breaks: &[(usize, &'a Test)], statements: usize) -> Self {
        let mut tests: Vec<&Test> = must.to_vec();
        let mut links = Vec::new();
        for (statement, test) in breaks {
            let known = tests.iter().skip(must.len()).position(|own| own == test);
            let at = known.map_or(tests.len(), |i| i + must.len());
            if at == tests.len() {
                tests.push(test);
            }
            links.push((at, *statement));
        }
        Self { tests, must: must.len(), breaks: links, statements, many: false, kin: &[] }
    }

    /// What comes of a set of reached goals, one goal per test; `None` where a test that must hold does not.
    fn outcome(&self, reached: &Bits, witness: Witness) -> Option<Outcome> {
        (0..self.must).all(|i| reached.contains(i)).then(|| {
            let mut broken = Bits::none(self.statements);
            self.breaks.iter().filter(|(test, _)| reached.contains(*test)).for_each(|(_, statement)| broken.insert(*statement));
            Outcome { witness, broken }
        })
    }

    fn goals(&self, reaches: impl Fn(usize, &Test) -> bool) -> Bits {
        let mut goals = Bits::none(self.tests.len());
        self.tests.iter().enumerate().filter(|(i, test)| reaches(*i, test)).for_each(|(i, _)| goals.insert(i));
        goals
    }

    /// Whether test `i` should be true.
    fn want(&self, i: usize) -> bool {
        i < self.must
    }

    /// Whether test `i` is to be broken, and a variable that cannot be resolved would do it: see [`refers`].
    fn is_free(&self, i: usize, test: &Test) -> bool {
        !self.want(i) && test.negated && test.patterns().any(|pattern| pattern.variables().next().is_some())
    }

    fn absent(&self) -> Option<Outcome> {
        let goals = self.goals(|i, test| test.holds_absent() == self.want(i));
        self.outcome(&goals, Witness::Absent)
    }

    fn family(&self) -> Family {
        let mut families =
            self.kin.iter().filter(|test| !matches!(test.wanted, Wanted::Absent(_))).map(|test| match &test.wanted {
                Wanted::Text(patterns) if test.operator == "Bool" && patterns.iter().all(|p| p.variables().next().is_none()) => 1,
                Wanted::Text(_) => 0,
                Wanted::Numbers(..) => 2,
                Wanted::Instants(..) => 3,
                Wanted::Networks(_) => 4,
                Wanted::Bytes(_) | Wanted::Absent(_) => 5,
            });
        let families: BTreeSet<u8> = families.by_ref().collect();
        match families.iter().collect::<Vec<_>>().as_slice() {
            [] | [0] | [0, 1] => Family::Text,
            [1] => Family::Flags,
            [_] => Family::Listed,
            _ => Family::Mixed,
        }
    }

    fn present(&self, steps: &mut Steps) -> Result<Vec<Outcome>, OverBudget> {
        let elements = match self.family() {
            Family::Text => self.texts(steps)?,
            Family::Flags => self.listed(vec!["true".to_owned(), "false".to_owned()], steps)?,
            Family::Listed => self.listed(self.candidates(), steps)?,
            Family::Mixed => {
                let mut outcomes = self.sets(self.listed(self.candidates(), steps)?, steps)?;
                // A value that fits several types at once is not modelled: nothing can be ruled out.
                let null = self.goals(|i, test| !matches!(&test.wanted, Wanted::Absent(w) if w.contains(&false) != self.want(i)));
                outcomes.extend(self.outcome(&null, Witness::Unknown));
                return Ok(outcomes);
            }
        };
        self.sets(elements, steps)
    }

    /// Single values as texts.
    fn texts(&self, steps: &mut Steps) -> Result<Vec<Found>, OverBudget> {
        let alone = !self.many;
        let mut requirements = Vec::new();
        for (i, test) in self.tests.iter().enumerate() {
            let Wanted::Text(patterns) = &test.wanted else { continue };
            if self.is_free(i, test) {
                continue;
            }
            let hard = self.want(i) && (alone || test.quantifier == Some(Quantifier::All));
            let goal = (!hard).then_some(i);
            requirements.push(Requirement { patterns, negated: test.negated, want: self.want(i), goal });
        }
        let mut found = explore(&groups(&requirements), self.tests.len(), true, steps)?;
        for found in &mut found {
            let fixed = self.goals(|i, test| match &test.wanted {
                Wanted::Absent(wanted) => wanted.contains(&false) == self.want(i),
                _ => self.is_free(i, test) || self.want(i) && (alone || test.quantifier == Some(Quantifier::All)),
            });
            found.reached = found.reached.or(&fixed);
        }
        Ok(found)
    }

    /// Single values from a list.
    fn listed(&self, candidates: Vec<String>, steps: &mut Steps) -> Result<Vec<Found>, OverBudget> {
        steps.take(candidates.len() * self.tests.len())?;
        let context = Context::new();
        let found = candidates.into_iter().map(|text| {
            let reached = self.goals(|i, test| match &test.wanted {
                Wanted::Absent(wanted) => wanted.contains(&false) == self.want(i),
                _ => self.is_free(i, test) || test.hit(&text, &context) == self.want(i),
            });
            Found { text: text.chars().map(Symbol::Char).collect(), reached }
        });
        Ok(keep_maximal(found.collect(), |found| &found.reached))
    }

    /// Values on all sides of every boundary that a test mentions.
    fn candidates(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let (mut numbers, mut networks, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        let presence = self.tests.iter().all(|test| matches!(test.wanted, Wanted::Absent(_)));
        for test in if presence || self.family() == Family::Mixed { self.kin } else { &self.tests } {
            match &test.wanted {
                Wanted::Numbers(_, own) => numbers.extend(own),
                Wanted::Networks(own) => networks.extend(own),
                Wanted::Bytes(own) => bytes.extend(own),
                Wanted::Instants(_, own) => {
                    texts.extend(own.iter().flat_map(|i| [0, -1, 1].map(|by| i.later(by).to_string())));
                }
                Wanted::Text(own) => {
                    texts.extend(own.iter().filter_map(plain));
                    texts.extend(["true", "false", "x"].map(str::to_owned));
                }
                Wanted::Absent(_) => {}
            }
        }
        let places = numbers.iter().map(|number| number.places()).max().unwrap_or(0);
        for number in numbers {
            texts.extend([number.to_string(), number.beside(false, places).to_string(), number.beside(true, places).to_string()]);
        }
        if !networks.is_empty() {
            texts.extend(representative_addresses(&networks));
        }
        if !bytes.is_empty() {
            let other = (0..=bytes.len()).map(|n| vec![0u8; n + 1]).find(|other| !bytes.contains(&other));
            texts.extend(bytes.iter().copied().chain(other.as_ref()).map(|bytes| encode(bytes)));
        }
        let mut seen = HashSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        texts
    }

    /// Choices of one value, and of several where a test has a set operator.
    fn sets(&self, elements: Vec<Found>, steps: &mut Steps) -> Result<Vec<Outcome>, OverBudget> {
        let mut sets: Vec<(Bits, Vec<usize>)> = elements.iter().enumerate().map(|(i, e)| (e.reached.clone(), vec![i])).collect();
        if self.many {
            // With several values, one that fits is enough for these; the others need it of every value.
            let any = self.goals(|i, test| {
                !matches!(test.wanted, Wanted::Absent(_)) && (test.quantifier == Some(Quantifier::All)) != self.want(i)
            });
            let all = Bits::all(self.tests.len()).minus(&any);
            let mut seen: HashSet<Bits> = sets.iter().map(|(goals, _)| goals.clone()).collect();
            let mut at = 0;
            while let Some((goals, members)) = sets.get(at).cloned() {
                for (i, element) in elements.iter().enumerate() {
                    steps.take(1 + goals.iter().count())?;
                    let joined = goals.or(&element.reached).and(&any).or(&goals.and(&element.reached).and(&all));
                    if seen.insert(joined.clone()) {
                        sets.push((joined, members.iter().copied().chain([i]).collect()));
                    }
                }
                at += 1;
            }
        }
        let text = |i: &usize| elements.get(*i).map(|e| e.text.clone()).unwrap_or_default();
        let witness = |members: &[usize]| match members {
            [one] => Witness::One(text(one)),
            many => Witness::Many(many.iter().map(text).collect()),
        };
        Ok(sets.iter().filter_map(|(goals, members)| self.outcome(goals, witness(members))).collect())
    }
}

/// The one text of a pattern without wildcards and variables.
fn plain(pattern: &Pattern) -> Option<String> {
    let one = |token: &Token| match token {
        Token::Literal(c) | Token::Folded(c) => Some(*c),
        _ => None,
    };
    pattern.tokens().iter().map(one).collect()
}

/// The value as a request carries it, once its variables are known.
pub(crate) fn value(texts: Vec<String>) -> Value {
    match <[String; 1]>::try_from(texts) {
        Ok([one]) => Value::One(one),
        Err(many) => Value::Many(many),
    }
}
