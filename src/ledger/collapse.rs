//! Names that explode collapse to their common shape.
//!
//! A workload that writes ten million objects has ten million resources and one habit. The resources of otherwise equal uses
//! form a tree, cut at every `/` and `:` of the ARN's resource part. Where a node of it has more children than the limit, all
//! of them become one child `*`, whose subtrees are united and then treated alike; and where there is a `*` already, it takes
//! its siblings in.
//!
//! INVARIANT (collapse-merge): collapse(A ∪ B) = collapse(collapse(A) ∪ collapse(B)). So it does not matter how a trail is cut
//! into files, and when a ledger is collapsed on the way.
//!
//! The evidence of a finished ledger does not tell events apart, so where names are collapsed after that, counts are lower
//! bounds; first, last and samples stay exact.
//!
//! INVARIANT (collapse-covers): every use is covered by one that stays, with at least its evidence.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Ledger, Use};
use crate::finding::{Code, Finding};
use crate::iam::{Action, Arn, Pattern};

/// What can be united with more of its kind, in any order and as often as one likes.
pub trait Fold {
    /// Takes the other in.
    fn fold(&mut self, other: Self);
}

impl Fold for Evidence {
    fn fold(&mut self, other: Self) {
        self.merge(other);
    }
}

/// Collapses the resources of a ledger's uses; the findings say where.
pub fn collapse(ledger: &mut Ledger, limit: usize) -> Vec<Finding> {
    let (uses, shapes) = collapse_uses(std::mem::take(&mut ledger.uses), limit);
    ledger.uses = uses;
    findings(ledger, &shapes)
}

/// A use whose resource is a shape that took the place of several names; deeper names may go on behind it.
pub type Shape = Use;

/// Says which names were collapsed, one finding for each action. Of shapes inside shapes the outermost is told, and none that
/// collapsed further, so that it does not matter when a ledger was collapsed on the way.
#[must_use]
pub fn findings(ledger: &Ledger, shapes: &BTreeSet<Shape>) -> Vec<Finding> {
    let mut groups: BTreeMap<Use, Vec<String>> = BTreeMap::new();
    for shape in shapes {
        groups.entry(Use { resource: Pattern::any(), ..shape.clone() }).or_default().push(shape.resource.to_string());
    }
    let mut kept: BTreeMap<Use, Vec<String>> = BTreeMap::new();
    for used in ledger.uses.keys() {
        let group = Use { resource: Pattern::any(), ..used.clone() };
        if groups.contains_key(&group) {
            kept.entry(group).or_default().push(used.resource.to_string());
        }
    }
    let mut actions: BTreeMap<&Action, BTreeSet<&str>> = BTreeMap::new();
    for (group, texts) in &groups {
        let names = kept.get(group).map(Vec::as_slice).unwrap_or_default();
        let stays = |text: &&String| names.iter().any(|name| is_below(name, text));
        let outermost = |text: &&String| !texts.iter().any(|other| other != *text && is_below(text, other));
        let told = texts.iter().filter(stays).filter(outermost).map(String::as_str);
        actions.entry(&group.action).or_default().extend(told);
    }
    actions.into_iter().filter(|(_, shapes)| !shapes.is_empty()).map(|(action, shapes)| say(action, &shapes)).collect()
}

fn say(action: &Action, shapes: &BTreeSet<&str>) -> Finding {
    let more = if shapes.len() > NAMED { format!(" and {} more", shapes.len() - NAMED) } else { String::new() };
    let first: Vec<String> = shapes.iter().take(NAMED).map(|shape| format!("`{shape}`")).collect();
    let message = format!("`{action}` was used on too many names; the ledger keeps only their shape: {}{more}", first.join(", "));
    Finding::new(Code::CollapsedNames, message)
}

/// Whether a name is this shape or goes on behind it.
fn is_below(name: &str, shape: &str) -> bool {
    name.strip_prefix(shape).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATORS))
}

/// How many shapes a finding names.
const NAMED: usize = 3;

/// [`collapse`] for uses with any kind of evidence. Returns also the shapes that folding made.
pub fn collapse_uses<E: Fold>(uses: impl IntoIterator<Item = (Use, E)>, limit: usize) -> (BTreeMap<Use, E>, BTreeSet<Shape>) {
    let mut groups: BTreeMap<Use, Group<E>> = BTreeMap::new();
    for (mut used, evidence) in uses {
        let text = used.resource.to_string();
        let resource = std::mem::replace(&mut used.resource, Pattern::any());
        match Arn::parse(&text).filter(|_| !resource.has_variable()) {
            Some(arn) => {
                let head = text.get(..text.len() - arn.resource.len()).unwrap_or_default().to_owned();
                let node = groups.entry(used).or_default().trees.entry(head).or_default();
                node.insert(segments(arn.resource), evidence);
            }
            None => merge(&mut groups.entry(used).or_default().other, resource, evidence),
        }
    }
    let (mut uses, mut shapes) = (BTreeMap::new(), BTreeSet::new());
    for (used, group) in groups {
        let mut put = |resource: Pattern, evidence: E| merge(&mut uses, Use { resource, ..used.clone() }, evidence);
        for (resource, evidence) in group.other {
            put(resource, evidence);
        }
        for (head, mut tree) in group.trees {
            tree.condense(limit);
            tree.each(head, &mut |name, evidence| {
                let resource = Pattern::parse(name);
                match evidence {
                    Some(evidence) => put(resource, evidence),
                    None => drop(shapes.insert(Use { resource, ..used.clone() })),
                }
            });
        }
    }
    (uses, shapes)
}

fn merge<K: Ord, E: Fold>(into: &mut BTreeMap<K, E>, key: K, evidence: E) {
    match into.entry(key) {
        Entry::Vacant(slot) => {
            slot.insert(evidence);
        }
        Entry::Occupied(mut slot) => slot.get_mut().fold(evidence),
    }
}

/// Uses that differ in nothing but the resource.
struct Group<E> {
    /// By the ARN up to its fifth colon.
    trees: BTreeMap<String, Node<E>>,
    /// Resources that are no ARN.
    other: BTreeMap<Pattern, E>,
}

impl<E> Default for Group<E> {
    fn default() -> Self {
        Self { trees: BTreeMap::new(), other: BTreeMap::new() }
    }
}

/// The pieces of a resource, each but the first with the separator before it.
fn segments(resource: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(resource);
    let mut pieces = 0;
    std::iter::from_fn(move || {
        let text = rest?;
        pieces += 1;
        let cut = text.char_indices().skip(1).find(|(_, c)| pieces < DEEPEST && SEPARATORS.contains(c));
        let (piece, behind) = cut.and_then(|(at, _)| text.split_at_checked(at)).unzip();
        rest = behind;
        Some(piece.unwrap_or(text))
    })
}

/// The most pieces; what follows stays with the last. A name of nothing but slashes would make a tree as deep as it is long.
const DEEPEST: usize = 32;

/// What cuts a resource into pieces.
const SEPARATORS: [char; 2] = ['/', ':'];

/// The separator that a piece begins with, if it has one.
fn separator(segment: &str) -> Option<char> {
    segment.chars().next().filter(|c| SEPARATORS.contains(c))
}

struct Node<E> {
    /// The evidence of the name that ends here.
    own: Option<E>,
    children: BTreeMap<String, Node<E>>,
    /// Whether this node was made by folding others.
    folded: bool,
}

impl<E> Default for Node<E> {
    fn default() -> Self {
        Self { own: None, children: BTreeMap::new(), folded: false }
    }
}

impl<E: Fold> Node<E> {
    fn insert<'a>(&mut self, path: impl Iterator<Item = &'a str>, evidence: E) {
        let mut node = self;
        for segment in path {
            node = node.children.entry(segment.to_owned()).or_default();
        }
        node.take_own(Some(evidence));
    }

    fn take_own(&mut self, evidence: Option<E>) {
        match (&mut self.own, evidence) {
            (Some(mine), Some(other)) => mine.fold(other),
            (slot @ None, other) => *slot = other,
            (Some(_), None) => {}
        }
    }

    fn unite(&mut self, other: Self) {
        self.take_own(other.own);
        self.folded |= other.folded;
        for (segment, child) in other.children {
            self.children.entry(segment).or_default().unite(child);
        }
    }

    /// Folds from the top down: what is united below a fold is counted as if it had always been one.
    fn condense(&mut self, limit: usize) {
        for class in [None, Some('/'), Some(':')] {
            let any = format!("{}*", class.map(String::from).unwrap_or_default());
            let count = self.children.keys().filter(|segment| separator(segment) == class).count();
            let siblings = count.saturating_sub(usize::from(self.children.contains_key(&any)));
            if count > limit || (siblings > 0 && siblings < count) {
                let mut one = Self { folded: true, ..Self::default() };
                for (segment, child) in std::mem::take(&mut self.children) {
                    if separator(&segment) == class {
                        one.unite(child);
                    } else {
                        self.children.insert(segment, child);
                    }
                }
                self.children.insert(any, one);
            }
        }
        self.children.values_mut().for_each(|child| child.condense(limit));
    }

    /// Gives every name below here with its evidence, and every name that folding made without.
    fn each(self, name: String, put: &mut dyn FnMut(&str, Option<E>)) {
        if self.folded {
            put(&name, None);
        }
        if self.own.is_some() {
            put(&name, self.own);
        }
        for (segment, child) in self.children {
            child.each(format!("{name}{segment}"), put);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::{Origin, Outcome, Session, SourceId};

    fn used(resource: &str) -> Use {
        let text = |t: &str| t.to_owned();
        Use {
            session: Session { account: text("1"), role: text("R"), name: text("i-1"), ec2_delivered: true },
            action: Action::parse("s3:GetObject").unwrap(),
            resource: Pattern::parse(resource),
            resource_known: true,
            region: text("r"),
            outcome: Outcome::Succeeded,
            origin: Origin::Other(String::new()),
            context: BTreeMap::new(),
            by_agent: false,
        }
    }

    fn ledger(names: &[&str]) -> Ledger {
        let seen = |name: &str| Evidence::of("2026-09-01T00:00:00Z", name, &SourceId("a".to_owned()));
        Ledger { uses: names.iter().map(|name| (used(name), seen(name))).collect(), ..Ledger::default() }
    }

    fn check(names: &[&str], limit: usize, expected: &[&str]) {
        let mut ledger = ledger(names);
        let findings = collapse(&mut ledger, limit);
        let kept: Vec<String> = ledger.uses.keys().map(|used| used.resource.to_string()).collect();
        assert_eq!(kept, expected);
        assert_eq!(findings.is_empty(), kept.len() == names.len(), "{findings:?}");
        assert_eq!(ledger.uses.values().map(|e| e.samples.len()).sum::<usize>(), names.len(), "all evidence is kept");
    }

    #[test]
    fn fan_out_folds() {
        let s3 = "arn:aws:s3:::b";
        let [a, b, c] = ["a", "b", "c"].map(|name| format!("{s3}/{name}"));
        check(&[&a, &b], 2, &[&a, &b]);
        check(&[&a, &b, &c], 2, &["arn:aws:s3:::b/*"]);
        // The last piece is shared, and stays.
        let [a, b, c] = ["a", "b", "c"].map(|name| format!("{s3}/{name}/log"));
        check(&[&a, &b, &c], 2, &["arn:aws:s3:::b/*/log"]);
        // United below a fold, the next level has too many.
        let names = ["a/1", "a/2", "b/3", "c/4"].map(|name| format!("{s3}/{name}"));
        check(&names.each_ref().map(String::as_str), 2, &["arn:aws:s3:::b/*/*"]);
        // Colons and slashes are counted apart, and accounts are never folded.
        check(&["arn:aws:logs:r:1:g:a/b", "arn:aws:logs:r:1:g:a:c"], 1, &["arn:aws:logs:r:1:g:a/b", "arn:aws:logs:r:1:g:a:c"]);
        check(&["arn:aws:sns:r:1:t", "arn:aws:sns:r:2:t"], 1, &["arn:aws:sns:r:1:t", "arn:aws:sns:r:2:t"]);
        check(&["*", "arn:aws:s3:::b"], 1, &["arn:aws:s3:::b", "*"]);
        // A star in a name is no shape.
        check(&["arn:aws:s3:::b/${*}", "arn:aws:s3:::b/c"], 2, &["arn:aws:s3:::b/${*}", "arn:aws:s3:::b/c"]);
    }

    #[test]
    fn names_of_nothing_but_slashes_do_not_exhaust_the_stack() {
        let deep = format!("arn:aws:s3:::b{}", "/".repeat(100_000));
        check(&[&deep], 2, &[&deep]);
    }

    fn names() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("arn:aws:s3:::[ab](/[abcd*]|:[ab]){0,4}", 0..14)
    }

    fn of(names: &[String]) -> Ledger {
        ledger(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    proptest! {
        /// INVARIANT (collapse-merge), with its special case that collapsing again changes nothing.
        #[test]
        fn when_to_collapse_does_not_matter(a in names(), b in names(), limit in 1_usize..4) {
            let mut late = of(&a);
            late.merge(of(&b));
            let late_findings = collapse(&mut late, limit);
            let (mut early, mut other) = (of(&a), of(&b));
            let mut shapes = BTreeSet::new();
            let mut some = |ledger: &mut Ledger| {
                let (uses, made) = collapse_uses(std::mem::take(&mut ledger.uses), limit);
                ledger.uses = uses;
                shapes.extend(made);
            };
            some(&mut early);
            some(&mut other);
            early.merge(other);
            some(&mut early);
            prop_assert_eq!(&late, &early);
            prop_assert_eq!(late_findings, findings(&early, &shapes));
            collapse(&mut early, limit);
            prop_assert_eq!(&late, &early);
        }

        /// INVARIANT (collapse-covers).
        #[test]
        fn no_use_is_lost(names in names(), limit in 1_usize..4) {
            let whole = of(&names);
            let mut small = whole.clone();
            collapse(&mut small, limit);
            for (used, evidence) in &whole.uses {
                let covers = |(shape, held): (&Use, &Evidence)| {
                    shape.resource.covers_arn(&used.resource) && evidence.samples.is_subset(&held.samples)
                };
                prop_assert!(small.uses.iter().any(covers), "{used:?}");
            }
        }
    }
}
