//! Which texts are there, as far as a set of patterns can tell them apart?
//!
//! All patterns of one dimension run side by side over one unknown text: a state is the set of positions at which they
//! stand. What is asked is one-sided: some patterns should match and some should not. So a state that stands at the
//! same wanted positions and at fewer unwanted ones leads at least as far (an antichain), and sixteen overlapping
//! `*xy*` do not make 2^16 states: the state that has seen none of them stands for all the others.
//!
//! INVARIANT (latest star): once a pattern stands at a `*`, its earlier positions are dropped. From an earlier position
//! of the same field every match runs through that `*`, which can consume what led there.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::bits::{Bits, keep_maximal};
use super::inclusion::disjoint;
use super::pattern::{Pattern, Token, Variable, fold};

/// One piece of a found text: a character, or the unknown value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Symbol {
    Char(char),
    /// Consumed by the same variable and by every `*` that may stand for its value.
    Variable {
        variable: Variable,
        colons: bool,
        folded: bool,
    },
}

/// Patterns of which any may match, and what is wanted of them.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    pub(crate) patterns: Vec<Cow<'a, Pattern>>,
    /// The truth of the group is whether none matches.
    pub(crate) negated: bool,
    /// The truth that is wanted.
    pub(crate) want: bool,
    /// A text that misses what is wanted is no answer; `None`, or otherwise the goal that is reached by it.
    pub(crate) goal: Option<usize>,
}

impl Group<'_> {
    /// Whether a match of one of its patterns helps.
    pub(crate) fn wants_match(&self) -> bool {
        self.want != self.negated
    }

    /// Whether one of its patterns has to match.
    fn is_choice(&self) -> bool {
        self.goal.is_none() && self.wants_match()
    }
}

/// A text with the goals that it reaches.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) text: Vec<Symbol>,
    pub(crate) reached: Bits,
}

/// What ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget;

/// Steps left; every unit of work of the prover takes one.
#[derive(Debug)]
pub(crate) struct Steps(pub(crate) u64);

impl Steps {
    pub(crate) fn take(&mut self, steps: usize) -> Result<(), OverBudget> {
        self.0 = self.0.checked_sub(u64::try_from(steps).unwrap_or(u64::MAX)).ok_or(OverBudget)?;
        Ok(())
    }
}

/// The characters that stand for "any other one", in order of preference.
const OTHERS: &str = "xyzabcdefghijklmnopqrstuvw0123456789-_.";
const MORE_OTHERS: &str = "XYZABCDEFGHIJKLMNOPQRSTUVW/@+=,~!#%&()[]<>|;'\" ";

/// Letters whose fold has a second source beside their upper case.
const SECOND_UPPER: &[(char, char)] =
    &[('k', '\u{212a}'), ('å', '\u{212b}'), ('ω', '\u{2126}'), ('ß', '\u{1e9e}'), ('θ', '\u{3f4}')];

/// A set of positions over all patterns, sorted.
type Active = Rc<[u32]>;

struct Machine<'a> {
    groups: Vec<Group<'a>>,
    /// Token at each position; `None` at the end of a pattern.
    tokens: Vec<Option<Token>>,
    /// Pattern number of each position.
    owner: Vec<u32>,
    /// Per pattern: would a match help, is it part of a group that must match?
    wanted: Vec<bool>,
    /// Per group: first and one-past-last pattern number.
    spans: Vec<(u32, u32)>,
    starts: Vec<u32>,
    /// May texts contain characters beyond those of actions?
    any_text: bool,
}

/// The maximal sets of goals that texts can reach, each with a shortest text found for it.
///
/// `any_text` is false for actions, whose characters are limited. Groups that must match are taken one pattern at a
/// time: side by side, their patterns would only multiply the states.
pub(crate) fn explore(groups: &[Group<'_>], goals: usize, any_text: bool, steps: &mut Steps) -> Result<Vec<Found>, OverBudget> {
    let all: Bits = groups.iter().filter_map(|group| group.goal).fold(Bits::none(goals), |mut all, goal| {
        all.insert(goal);
        all
    });
    let mut found = Vec::new();
    let sizes: Vec<usize> = groups.iter().map(|group| if group.is_choice() { group.patterns.len() } else { 1 }).collect();
    let mut picks = vec![0; groups.len()];
    if sizes.contains(&0) {
        return Ok(found);
    }
    loop {
        let machine = Machine::new(narrowed(groups, &picks, steps)?, any_text);
        if run(&machine, goals, &all, &mut found, steps)? || !advance(&mut picks, &sizes) {
            return Ok(keep_maximal(found, |found| &found.reached));
        }
    }
}

/// The next combination of picks; false after the last.
fn advance(picks: &mut [usize], sizes: &[usize]) -> bool {
    for (pick, size) in picks.iter_mut().zip(sizes) {
        *pick += 1;
        if *pick < *size {
            return true;
        }
        *pick = 0;
    }
    false
}

/// The groups with the picked pattern alone where one must match, and without patterns that cannot match beside it.
fn narrowed<'g>(groups: &'g [Group<'_>], picks: &[usize], steps: &mut Steps) -> Result<Vec<Group<'g>>, OverBudget> {
    let picked = |(group, pick): (&'g Group<'_>, &usize)| group.patterns.get(*pick).filter(|_| group.is_choice());
    let chosen: Vec<&'g Pattern> = groups.iter().zip(picks).filter_map(picked).map(Cow::as_ref).collect();
    let mut narrow = Vec::with_capacity(groups.len());
    for (group, pick) in groups.iter().zip(picks) {
        steps.take(group.patterns.len())?;
        let patterns = match picked((group, pick)) {
            Some(own) => vec![Cow::Borrowed(own.as_ref())],
            None => {
                let fits = |own: &&Cow<'_, Pattern>| chosen.iter().all(|choice| !disjoint(own, choice));
                group.patterns.iter().filter(fits).map(|own| Cow::Borrowed(own.as_ref())).collect()
            }
        };
        narrow.push(Group { patterns, ..*group });
    }
    Ok(narrow)
}

/// Adds what this machine finds; true where all goals are reached at once.
fn run(machine: &Machine<'_>, goals: usize, all: &Bits, found: &mut Vec<Found>, steps: &mut Steps) -> Result<bool, OverBudget> {
    let mut search = Search::default();
    search.add(machine, machine.start(), None, steps)?;
    let mut at = 0;
    while let Some((state, _)) = search.states.get(at) {
        let state = Rc::clone(state);
        steps.take(state.len() + 1)?;
        if let Some(reached) = machine.reached(&state, goals)
            && !found.iter().any(|other| reached.within(&other.reached))
        {
            let done = all.within(&reached);
            found.push(Found { text: search.text(at), reached });
            if done {
                return Ok(true);
            }
        }
        for (symbol, next) in machine.successors(&state, steps)? {
            search.add(machine, next, Some((at, symbol)), steps)?;
        }
        at += 1;
    }
    Ok(false)
}

#[derive(Default)]
struct Search {
    states: Vec<(Active, Option<(usize, Symbol)>)>,
    /// By the wanted part of a state: the unwanted parts seen with it.
    seen: HashMap<Vec<u32>, Vec<Vec<u32>>>,
}

impl Search {
    fn add(
        &mut self,
        machine: &Machine<'_>,
        state: Vec<u32>,
        from: Option<(usize, Symbol)>,
        steps: &mut Steps,
    ) -> Result<(), OverBudget> {
        if machine.is_dead(&state) {
            return Ok(());
        }
        let (wanted, unwanted): (Vec<u32>, Vec<u32>) = state.iter().partition(|at| machine.is_wanted(**at));
        let rivals = self.seen.entry(wanted).or_default();
        steps.take(rivals.iter().map(|rival| rival.len() / 8 + 1).sum())?;
        if rivals.iter().any(|rival| subset(rival, &unwanted)) {
            return Ok(());
        }
        rivals.retain(|rival| !subset(&unwanted, rival));
        rivals.push(unwanted);
        self.states.push((state.into(), from));
        Ok(())
    }

    fn text(&self, mut at: usize) -> Vec<Symbol> {
        let mut text = Vec::new();
        while let Some((_, Some((before, symbol)))) = self.states.get(at) {
            text.push(symbol.clone());
            at = *before;
        }
        text.reverse();
        text
    }
}

/// Whether one sorted list is contained in another.
fn subset(small: &[u32], large: &[u32]) -> bool {
    let mut rest = large.iter();
    small.len() <= large.len() && small.iter().all(|item| rest.any(|other| other == item))
}

impl<'a> Machine<'a> {
    fn new(groups: Vec<Group<'a>>, any_text: bool) -> Self {
        let (tokens, owner, wanted) = (Vec::new(), Vec::new(), Vec::new());
        let (spans, starts) = (Vec::new(), Vec::new());
        let mut machine = Self { groups: Vec::new(), tokens, owner, wanted, spans, starts, any_text };
        for group in &groups {
            let first = number(machine.wanted.len());
            for pattern in &group.patterns {
                let owner = number(machine.wanted.len());
                machine.starts.push(number(machine.tokens.len()));
                machine.tokens.extend(pattern.tokens().iter().cloned().map(Some));
                machine.tokens.push(None);
                machine.owner.resize(machine.tokens.len(), owner);
                machine.wanted.push(group.wants_match());
            }
            machine.spans.push((first, number(machine.wanted.len())));
        }
        machine.groups = groups;
        machine
    }

    fn token(&self, at: u32) -> Option<&Token> {
        self.tokens.get(at as usize).and_then(Option::as_ref)
    }

    fn owner(&self, at: u32) -> u32 {
        self.owner.get(at as usize).copied().unwrap_or(u32::MAX)
    }

    fn is_wanted(&self, at: u32) -> bool {
        self.wanted.get(self.owner(at) as usize).copied().unwrap_or(false)
    }

    fn start(&self) -> Vec<u32> {
        let mut state = Vec::new();
        self.starts.iter().for_each(|at| self.enter(*at, &mut state));
        self.reduce(state)
    }

    /// Adds a position and what can be reached from it without consuming anything.
    fn enter(&self, at: u32, state: &mut Vec<u32>) {
        state.push(at);
        if matches!(self.token(at), Some(Token::Any { .. })) {
            self.enter(at + 1, state);
        }
    }

    /// Sorts, and drops what stands before the latest star of its pattern.
    fn reduce(&self, mut state: Vec<u32>) -> Vec<u32> {
        state.sort_unstable();
        state.dedup();
        let mut kept: Vec<u32> = Vec::with_capacity(state.len());
        let mut finished = None;
        for at in state.into_iter().rev() {
            let owner = self.owner(at);
            if finished == Some(owner) {
                continue;
            }
            if matches!(self.token(at), Some(Token::Any { .. })) {
                finished = Some(owner);
            }
            kept.push(at);
        }
        kept.reverse();
        kept
    }

    /// Whether some group that must match no longer can.
    fn is_dead(&self, state: &[u32]) -> bool {
        self.groups.iter().zip(&self.spans).any(|(group, (first, end))| {
            group.is_choice() && {
                let from = state.partition_point(|at| self.owner(*at) < *first);
                state.get(from).is_none_or(|at| self.owner(*at) >= *end)
            }
        })
    }

    /// The goals that the text up to here reaches; `None` where it misses something that must be.
    fn reached(&self, state: &[u32], goals: usize) -> Option<Bits> {
        let accepting: Vec<u32> = state.iter().filter(|at| self.token(**at).is_none()).map(|at| self.owner(*at)).collect();
        let mut reached = Bits::none(goals);
        for (group, (first, end)) in self.groups.iter().zip(&self.spans) {
            let from = accepting.partition_point(|owner| owner < first);
            let matched = accepting.get(from).is_some_and(|owner| owner < end);
            match (group.wants_match() == matched, group.goal) {
                (true, Some(goal)) => reached.insert(goal),
                (false, None) => return None,
                _ => {}
            }
        }
        Some(reached)
    }

    /// The states one symbol further, in a fixed order.
    fn successors(&self, state: &[u32], steps: &mut Steps) -> Result<Vec<(Symbol, Vec<u32>)>, OverBudget> {
        let mut exact: BTreeMap<char, Vec<u32>> = BTreeMap::new();
        let mut open: Vec<u32> = Vec::new();
        let mut letters: Vec<Symbol> = Vec::new();
        for at in state {
            match self.token(*at) {
                Some(Token::Literal(c)) => exact.entry(*c).or_default().push(*at),
                Some(Token::Folded(c)) => self.sources(*c).for_each(|c| exact.entry(c).or_default().push(*at)),
                Some(Token::Any { colons } | Token::One { colons }) => {
                    open.push(*at);
                    if !colons {
                        exact.entry(':').or_default();
                    }
                }
                Some(Token::Variable { variable, colons, folded }) => {
                    open.push(*at);
                    let letter = Symbol::Variable { variable: variable.clone(), colons: *colons, folded: *folded };
                    if self.is_wanted(*at) && !letters.contains(&letter) {
                        letters.push(letter);
                    }
                }
                None => {}
            }
        }
        steps.take(state.len() + (exact.len() + letters.len() + 1) * (open.len() + 1))?;
        let other = self.other(&exact).map(|c| (c, Vec::new()));
        let symbols = other.into_iter().chain(exact).map(|(c, at)| (Symbol::Char(c), at));
        let letters = letters.into_iter().map(|letter| (letter, Vec::new()));
        Ok(symbols.chain(letters).map(|(symbol, at)| self.step(symbol, &at, &open)).collect())
    }

    fn step(&self, symbol: Symbol, exact: &[u32], open: &[u32]) -> (Symbol, Vec<u32>) {
        let mut next = Vec::with_capacity(exact.len() + open.len() + 1);
        exact.iter().for_each(|at| self.enter(at + 1, &mut next));
        for at in open {
            let Some(token) = self.token(*at) else { continue };
            if consumes(token, &symbol) {
                let stays = matches!(token, Token::Any { .. });
                self.enter(if stays { *at } else { at + 1 }, &mut next);
            }
        }
        (symbol, self.reduce(next))
    }

    /// The characters whose fold is `c`.
    fn sources(&self, c: char) -> impl Iterator<Item = char> {
        let upper = c.to_uppercase().next().filter(|upper| *upper != c && fold(*upper) == c && self.any_text);
        let second = SECOND_UPPER.iter().find(|(lower, _)| *lower == c && self.any_text).map(|(_, other)| *other);
        [Some(c), upper, second].into_iter().flatten()
    }

    /// A character that none of the given ones is.
    fn other(&self, taken: &BTreeMap<char, Vec<u32>>) -> Option<char> {
        let mut plain = OTHERS.chars();
        if !self.any_text {
            return plain.find(|c| !taken.contains_key(c));
        }
        plain.chain(MORE_OTHERS.chars()).chain('\u{a1}'..).find(|c| !taken.contains_key(c) && *c != ':')
    }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Whether a wildcard or variable takes this symbol.
fn consumes(token: &Token, symbol: &Symbol) -> bool {
    match (token, symbol) {
        (Token::Any { .. } | Token::One { .. }, Symbol::Char(c)) => token.accepts(*c),
        (Token::Any { colons }, Symbol::Variable { colons: may_hold, .. }) => *colons || !may_hold,
        (
            Token::Variable { variable, colons, folded },
            Symbol::Variable { variable: value, colons: may_hold, folded: any_case },
        ) => variable == value && (*colons || !may_hold) && (*folded || !any_case),
        _ => false,
    }
}
