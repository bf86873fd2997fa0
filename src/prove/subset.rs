//! The prover: is every request that some policies allow also allowed by others?
//!
//! For each Allow of the new policies there are two ways out of the baseline: no Allow of the baseline matches, or a
//! Deny of it does. Either way some statements must match and the others must not, and each of the others is broken by
//! one of its tests: the action, the resource, or a condition. [`super::dimension`] says what one choice per dimension
//! can break; this module looks for choices that together break all.
//!
//! INVARIANT (over-approximation): every request that is a counterexample corresponds to choices that are found here.
//! Where something is not modelled exactly (variables, a key tested as several types), more is found than there is, and
//! only what the evaluator confirms is reported; the rest makes the verdict `Refused`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::automaton::{OverBudget, Steps};
use super::bits::Bits;
use super::condition::{Quantifier, Test};
use super::counterexample::{Choices, confirm};
use super::dimension::{self, Domain, Known, Outcome, Witness};
use super::document::{Document, Effect, Matcher, Statement};
use super::evaluate::{ArnReading, Request};
use super::inclusion::{covers, without_default};
use super::pattern::Pattern;

/// How much work a proof may take. A step is about one comparison, so the verdict does not depend on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Steps for the whole proof, both readings together.
    pub steps: u64,
}

impl Default for Budget {
    /// Far more than any AWS-managed policy takes; a few seconds of work at most.
    fn default() -> Self {
        Self { steps: 50_000_000 }
    }
}

/// A request that the new policies allow and the baseline does not, confirmed by the evaluator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// The request.
    pub request: Request,
    /// The reading of ARN wildcards under which it gets through.
    pub reading: ArnReading,
    /// Position of the new document that allows it, from 0.
    pub document: usize,
    /// Position of the statement in that document, from 0.
    pub statement: usize,
}

/// The answer of the prover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every request that the new policies allow is allowed by the baseline, under both readings.
    Proved,
    /// Some request is not.
    NotProved(Counterexample),
    /// Neither could be shown; the text says what is not modelled or what ran out. Never counts as proved.
    Refused(String),
}

/// Whether everything that `new` allows, all its documents together, is allowed by `baseline`.
///
/// Deterministic: the same documents and budget give the same verdict, counterexample included.
#[must_use]
pub fn within(new: &[Document], baseline: &[Document], budget: &Budget) -> Verdict {
    let mut steps = Steps(budget.steps);
    let mut refusal = None;
    for reading in [ArnReading::Whole, ArnReading::Segmented] {
        let kin = kin(new.iter().chain(baseline));
        let mut proof = Proof { new, baseline, reading, kin, steps: &mut steps, doubts: BTreeSet::new(), attempts: 0 };
        match proof.run() {
            Ok(Some(counterexample)) => return Verdict::NotProved(counterexample),
            Ok(None) => {}
            Err(OverBudget) => return Verdict::Refused(format!("the budget of {} steps ran out", budget.steps)),
        }
        if !proof.doubts.is_empty() {
            let doubts: Vec<&str> = proof.doubts.iter().map(String::as_str).collect();
            refusal.get_or_insert_with(|| format!("not modelled exactly: {}", doubts.join("; ")));
        }
    }
    refusal.map_or(Verdict::Proved, Verdict::Refused)
}

/// How many candidates that the evaluator does not confirm are looked at in one reading.
const ATTEMPTS: usize = 200;

/// How many condition keys one question may be about; the search goes as deep as there are keys.
const KEYS: usize = 500;

/// The Allow that is looked at: positions of its document and of itself.
type Place<'a> = (usize, usize, &'a Statement);

struct Proof<'a> {
    new: &'a [Document],
    baseline: &'a [Document],
    reading: ArnReading,
    /// Every test of a key, anywhere: whether it may have several values and of which type they are is the same in the
    /// whole proof.
    kin: BTreeMap<&'a str, Vec<&'a Test>>,
    steps: &'a mut Steps,
    /// Why candidates were not confirmed.
    doubts: BTreeSet<String>,
    attempts: usize,
}

fn kin<'a>(documents: impl Iterator<Item = &'a Document>) -> BTreeMap<&'a str, Vec<&'a Test>> {
    let mut kin: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    for test in documents.flat_map(|d| &d.statements).flat_map(|s| &s.conditions) {
        kin.entry(&test.key).or_default().push(test);
    }
    kin
}

fn of_effect(documents: &[Document], effect: Effect) -> impl Iterator<Item = &Statement> {
    documents.iter().flat_map(|d| &d.statements).filter(move |s| s.effect == effect)
}

impl<'a> Proof<'a> {
    fn run(&mut self) -> Result<Option<Counterexample>, OverBudget> {
        let denies: Vec<&Statement> = of_effect(self.new, Effect::Deny).collect();
        let allowed: Vec<&Statement> = denies.iter().copied().chain(of_effect(self.baseline, Effect::Allow)).collect();
        let forbidden: Vec<&Statement> = of_effect(self.baseline, Effect::Deny).collect();
        for (document, content) in self.new.iter().enumerate() {
            for (statement, allow) in content.statements.iter().enumerate() {
                if allow.effect != Effect::Allow {
                    continue;
                }
                let place = (document, statement, allow);
                if let Some(found) = self.escape(place, &[allow], &allowed)? {
                    return Ok(Some(found));
                }
                for deny in &forbidden {
                    if let Some(found) = self.escape(place, &[allow, deny], &denies)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }

    /// A confirmed request that all of `must` match and none of `others`.
    fn escape(
        &mut self,
        place: Place<'a>,
        must: &[&'a Statement],
        others: &[&'a Statement],
    ) -> Result<Option<Counterexample>, OverBudget> {
        let Some(question) = Question::new(must, others, self.reading, self.steps)? else { return Ok(None) };
        if question.keys.len() > KEYS {
            self.doubts.insert(format!("more than {KEYS} condition keys at once"));
            return Ok(None);
        }
        let mut walk = Walk { proof: self, question: &question, place, hopeless: HashSet::new(), known: HashMap::new() };
        walk.choose(0, &Bits::all(question.others.len()), &mut Choices::default())
    }
}

/// A statement with what `must` already implies taken out.
struct Clause<'a> {
    action: Option<&'a Matcher>,
    resource: Option<&'a Matcher>,
    tests: Vec<&'a Test>,
}

impl<'a> Clause<'a> {
    /// The action for dimension 0, otherwise the resource.
    fn element(&self, dimension: usize) -> Option<&'a Matcher> {
        if dimension == 0 { self.action } else { self.resource }
    }

    fn on(&self, key: &str) -> impl Iterator<Item = &'a Test> {
        self.tests.iter().copied().filter(move |test| test.key == key)
    }
}

struct Question<'a> {
    must: Vec<Clause<'a>>,
    others: Vec<Clause<'a>>,
    /// The condition keys, in order.
    keys: Vec<&'a str>,
    /// Keys that patterns refer to as variables.
    referred: BTreeSet<&'a str>,
    /// Keys without which `must` does not match.
    needed: BTreeSet<&'a str>,
}

/// The keys that a statement refers to as variables wherever it matches: where one has no value, it matches nothing.
fn needed(statement: &Statement, reading: ArnReading) -> BTreeSet<&str> {
    let resource = statement.resource(reading);
    let mut keys = BTreeSet::new();
    if resource.negated {
        keys.extend(resource.patterns.iter().flat_map(without_default));
    } else {
        keys.extend(in_all(resource.patterns.iter().map(without_default)));
    }
    // These are false without their own key, so one of their values has matched.
    let matching = |test: &&Test| !test.negated && !test.if_exists && test.quantifier != Some(Quantifier::All);
    for test in statement.conditions.iter().filter(matching) {
        keys.extend(in_all(test.patterns().map(without_default)));
    }
    keys
}

fn in_all<'a>(sets: impl Iterator<Item = BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    sets.reduce(|all, set| &all & &set).unwrap_or_default()
}

impl<'a> Question<'a> {
    /// `None` where some other statement matches whenever all of `must` do.
    fn new(
        must: &[&'a Statement],
        others: &[&'a Statement],
        reading: ArnReading,
        steps: &mut Steps,
    ) -> Result<Option<Self>, OverBudget> {
        let clause = |s: &&'a Statement| Clause {
            action: Some(&s.action),
            resource: Some(s.resource(reading)),
            tests: s.conditions.iter().collect(),
        };
        let kept: Vec<Clause<'a>> = must.iter().map(clause).collect();
        let mut rest = Vec::new();
        for other in others {
            let mut other = clause(other);
            other.tests.retain(|own| must.iter().all(|m| !m.conditions.contains(own)));
            for m in must {
                for (element, own) in [(&mut other.action, &m.action), (&mut other.resource, m.resource(reading))] {
                    if let Some(large) = *element
                        && covers(large, own, steps)?
                    {
                        *element = None;
                    }
                }
            }
            if other.action.is_none() && other.resource.is_none() && other.tests.is_empty() {
                return Ok(None);
            }
            rest.push(other);
        }
        let tests = || kept.iter().chain(&rest).flat_map(|clause| clause.tests.iter().copied());
        let keys: BTreeSet<&str> = tests().map(|test| test.key.as_str()).collect();
        let elements = kept.iter().chain(&rest).flat_map(|clause| clause.resource.iter().copied());
        let patterns = elements.flat_map(|m| &m.patterns).chain(tests().flat_map(Test::patterns));
        let referred = patterns.flat_map(Pattern::variables).map(|v| v.key.as_str()).collect();
        let needed = must.iter().flat_map(|statement| needed(statement, reading)).collect();
        Ok(Some(Self { must: kept, others: rest, keys: keys.into_iter().collect(), referred, needed }))
    }

    /// Whether some of the open statements can no longer be broken from this dimension on.
    fn stuck(&self, dimension: usize, open: &Bits) -> bool {
        open.iter().any(|i| {
            self.others.get(i).is_some_and(|clause| match dimension {
                0 => false,
                1 => clause.resource.is_none() && clause.tests.is_empty(),
                n => {
                    let later = self.keys.get(n - 2..).unwrap_or_default();
                    clause.tests.iter().all(|test| !later.contains(&test.key.as_str()))
                }
            })
        })
    }
}

struct Walk<'p, 'q, 'a> {
    proof: &'p mut Proof<'a>,
    question: &'q Question<'a>,
    place: Place<'a>,
    /// Dimension and open statements from which nothing was found, not even a doubt.
    hopeless: HashSet<(usize, Bits)>,
    known: HashMap<(usize, Bits), Rc<[Outcome]>>,
}

impl Walk<'_, '_, '_> {
    /// Chooses for this dimension and all later ones. Dimension 0 is the action, 1 the resource, then the keys.
    fn choose(&mut self, dimension: usize, open: &Bits, choices: &mut Choices) -> Result<Option<Counterexample>, OverBudget> {
        if self.question.stuck(dimension, open) || self.proof.attempts >= ATTEMPTS {
            return Ok(None);
        }
        if dimension >= self.question.keys.len() + 2 {
            return Ok(self.confirm(choices));
        }
        let state = (dimension, open.clone());
        if self.hopeless.contains(&state) {
            return Ok(None);
        }
        let attempts = self.proof.attempts;
        for outcome in self.outcomes(&state)?.iter() {
            self.proof.steps.take(1 + self.question.others.len())?;
            choices.set(dimension, self.key(dimension), &outcome.witness);
            if let Some(found) = self.choose(dimension + 1, &open.minus(&outcome.broken), choices)? {
                return Ok(Some(found));
            }
        }
        choices.unset(dimension, self.key(dimension));
        if self.proof.attempts == attempts {
            self.hopeless.insert(state);
        }
        Ok(None)
    }

    fn key(&self, dimension: usize) -> Option<&str> {
        dimension.checked_sub(2).and_then(|i| self.question.keys.get(i)).copied()
    }

    fn outcomes(&mut self, state: &(usize, Bits)) -> Result<Rc<[Outcome]>, OverBudget> {
        if let Some(known) = self.known.get(state) {
            return Ok(Rc::clone(known));
        }
        let (dimension, open) = state;
        let question = self.question;
        let size = question.others.len();
        let rest = || open.iter().filter_map(|i| question.others.get(i).map(|clause| (i, clause)));
        let steps = &mut *self.proof.steps;
        let outcomes = match self.question.keys.get(dimension.wrapping_sub(2)) {
            None => {
                let must: Vec<&Matcher> = question.must.iter().filter_map(|c| c.element(*dimension)).collect();
                let breaks: Vec<_> = rest().filter_map(|(i, c)| c.element(*dimension).map(|m| (i, m))).collect();
                let actions = action_domain();
                let aligned = self.proof.reading == ArnReading::Whole;
                let domain = if *dimension == 0 { Domain::Action(&actions) } else { Domain::Resource { aligned } };
                dimension::element(&must, &breaks, size, domain, steps)?
            }
            Some(key) => {
                let must: Vec<&Test> = question.must.iter().flat_map(|c| c.on(key)).collect();
                let breaks: Vec<_> = rest().flat_map(|(i, c)| c.on(key).map(move |test| (i, test))).collect();
                let kin = self.proof.kin.get(key).map_or(&[][..], Vec::as_slice);
                let many = kin.iter().any(|test| test.quantifier.is_some());
                let known = Known { many, open: question.referred.contains(key), kin };
                let mut outcomes = dimension::key(&must, &breaks, size, known, steps)?;
                if question.needed.contains(key) {
                    outcomes.retain(|outcome| !matches!(outcome.witness, Witness::Absent));
                }
                outcomes
            }
        };
        let outcomes: Rc<[Outcome]> = outcomes.into();
        self.known.insert(state.clone(), Rc::clone(&outcomes));
        Ok(outcomes)
    }

    fn confirm(&mut self, choices: &Choices) -> Option<Counterexample> {
        let proof = &mut *self.proof;
        let (document, statement, allow) = self.place;
        match confirm(choices, &self.question.referred, (proof.new, allow), proof.baseline, proof.reading) {
            Ok(request) => Some(Counterexample { request, reading: proof.reading, document, statement }),
            Err(doubt) => {
                proof.attempts += 1;
                proof.doubts.insert(doubt);
                None
            }
        }
    }
}

/// What an action looks like: a service prefix, a colon, a name.
fn action_domain() -> Pattern {
    use super::pattern::Token::{Any, Folded, One};
    Pattern::of(vec![One { colons: false }, Any { colons: false }, Folded(':'), One { colons: false }, Any { colons: false }])
}
