//! From names that were seen to the folder they share.
//!
//! Two kinds of names change from day to day: dates and numbers, and random identifiers. A folder is opened once two
//! names in it are of those kinds, or three of any kind. The root of a name space is opened only for S3 objects, and
//! only for names that change: a bucket whose folders have plain names keeps them one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::Rung;
use crate::iam::Pattern;

/// How many plain names in one folder open it.
const SEVERAL: usize = 3;

/// A name without what leads to it, and the needs it stands for.
pub type Names<'a> = BTreeMap<&'a str, BTreeSet<usize>>;

/// A pattern for some of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// What matches the names, to be put behind what leads to them.
    pub pattern: Pattern,
    /// How general it is.
    pub rung: Rung,
    /// The needs of the names it stands for.
    pub needs: BTreeSet<usize>,
}

/// Finds the shapes of names that are paths with `/`. `open_root`: whether names may share the root.
#[must_use]
pub fn shapes(names: &Names<'_>, open_root: bool) -> Vec<Shape> {
    let mut found = Vec::new();
    let split: Vec<(Vec<&str>, &BTreeSet<usize>)> =
        names.iter().map(|(name, needs)| (name.split('/').collect(), needs)).collect();
    let folder = Folder { path: Vec::new(), names: split.iter().map(|(s, n)| (s.as_slice(), *n)).collect() };
    folder.visit(open_root, &mut found);
    found
}

/// A name's segments below a folder, and its needs.
type Below<'a> = (&'a [&'a str], &'a BTreeSet<usize>);

struct Folder<'a> {
    path: Vec<&'a str>,
    names: Vec<Below<'a>>,
}

impl<'a> Folder<'a> {
    fn visit(&self, open_root: bool, found: &mut Vec<Shape>) {
        let mut children: BTreeMap<&str, Vec<Below<'a>>> = BTreeMap::new();
        for (segments, needs) in &self.names {
            if let Some((first, rest)) = segments.split_first() {
                children.entry(first).or_default().push((rest, needs));
            }
        }
        if self.names.len() > 1 && !self.is_root() && self.opens(&children) {
            return found.push(self.shape(Pattern::any()));
        }
        if self.is_root() && open_root {
            self.open_root(&mut children, found);
        }
        for (child, names) in children {
            let path: Vec<&str> = self.path.iter().copied().chain([child]).collect();
            let (leaves, below): (Vec<_>, Vec<_>) = names.into_iter().partition(|(rest, _)| rest.is_empty());
            for (_, needs) in leaves {
                found.push(Shape { pattern: Pattern::literal(&path.join("/")), rung: Rung::Exact, needs: needs.clone() });
            }
            if !below.is_empty() {
                Folder { path, names: below }.visit(open_root, found);
            }
        }
    }

    /// Takes out of the root's children those that change from day to day, files and folders each for themselves. Beside plain
    /// names only those of one form are a series.
    fn open_root(&self, children: &mut BTreeMap<&'a str, Vec<Below<'a>>>, found: &mut Vec<Shape>) {
        let alone = self.names.len() > 1 && self.opens(children);
        let opened: Vec<&str> = children.keys().copied().filter(|child| alone || is_identifier(child)).collect();
        for leaves in [true, false] {
            let own = |child: &&str| children.get(child).is_some_and(|names| names.iter().any(|(r, _)| r.is_empty() == leaves));
            let mut series: BTreeMap<Option<String>, Vec<&str>> = BTreeMap::new();
            for label in opened.iter().copied().filter(own) {
                series.entry((!alone).then(|| form_of(label))).or_default().push(label);
            }
            for labels in series.into_values().filter(|labels| alone || labels.len() > 1) {
                let pattern = if alone { Some(root_pattern(&labels)) } else { same_form(&labels) };
                let Some(pattern) = pattern else { continue };
                let rest = if leaves || pattern.is_any() { pattern } else { pattern.then(&Pattern::parse("/*")) };
                let mut needs = BTreeSet::new();
                for label in labels {
                    let Some(names) = children.get_mut(label) else { continue };
                    needs.extend(names.iter().filter(|(rest, _)| rest.is_empty() == leaves).flat_map(|(_, n)| n.iter().copied()));
                    names.retain(|(rest, _)| rest.is_empty() != leaves);
                }
                found.push(Shape { pattern: self.lead().then(&rest), rung: Rung::Prefix, needs });
            }
        }
    }

    /// Absolute names begin with an empty segment, which is no folder yet.
    fn is_root(&self) -> bool {
        self.path.iter().all(|s| s.is_empty())
    }

    fn opens(&self, children: &BTreeMap<&str, Vec<Below<'a>>>) -> bool {
        let all = |is: fn(&str) -> bool| children.keys().all(|c| is(c));
        let fleeting = all(is_identifier) || (children.len() > 1 && all(changes));
        let leaves: Vec<&str> =
            children.iter().filter(|(_, n)| n.iter().any(|(rest, _)| rest.is_empty())).map(|(c, _)| *c).collect();
        let files = leaves.len() >= SEVERAL || leaves.iter().filter(|c| changes(c)).count() >= 2;
        let series = children.keys().filter(|c| is_identifier(c)).count() >= 2;
        fleeting || (!self.is_root() && (files || series))
    }

    fn lead(&self) -> Pattern {
        Pattern::literal(&self.path.iter().map(|s| format!("{s}/")).collect::<String>())
    }

    fn shape(&self, rest: Pattern) -> Shape {
        let needs = self.names.iter().flat_map(|(_, n)| n.iter().copied()).collect();
        Shape { pattern: self.lead().then(&rest), rung: Rung::Prefix, needs }
    }
}

/// What fleeting names at the root of a bucket have in common: the places of their digits and letters, a beginning up to what
/// changes, an ending, or nothing.
fn root_pattern(labels: &[&str]) -> Pattern {
    if let Some(form) = same_form(labels) {
        return form;
    }
    let common = labels.iter().copied().reduce(common_prefix).unwrap_or_default();
    let mut stem = common.rfind(SEPARATORS).and_then(|end| common.get(..=end)).unwrap_or_default();
    // A year or month that all have in common is another one next month.
    while let Some((before, number)) = stem.trim_end_matches(SEPARATORS).rsplit_once(SEPARATORS)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        stem = stem.get(..=before.len()).unwrap_or(before);
    }
    if stem.len() > 2 && stem.bytes().any(|b| b.is_ascii_alphabetic()) {
        return Pattern::literal(stem).then(&Pattern::any());
    }
    let ending = |label: &&str| label.rsplit_once('.').map(|(_, ending)| ending.to_owned()).filter(|e| !e.is_empty());
    match labels.split_first().map(|(first, rest)| (ending(first), rest)) {
        Some((Some(last), rest)) if rest.iter().all(|label| ending(label).as_deref() == Some(&last)) => {
            Pattern::any().then(&Pattern::literal(&format!(".{last}")))
        }
        _ => Pattern::any(),
    }
}

const SEPARATORS: [char; 4] = ['-', '_', '.', '='];

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// A name with every letter and digit made the same.
fn form_of(label: &str) -> String {
    label.chars().map(|c| if is_word(c) { 'x' } else { c }).collect()
}

/// The form of names that are equally long and parted in the same places: words that all share, and `?` for every character of
/// those that hold digits or differ. Numbers of one digit will have two some day.
fn same_form(labels: &[&str]) -> Option<Pattern> {
    let first = *labels.first()?;
    if labels.iter().any(|label| form_of(label) != form_of(first)) {
        return None;
    }
    // Of one identifier alone it is not known which letters another one would have.
    let random = labels.len() == 1;
    let is_plain =
        |word: &str| word.bytes().all(|b| !b.is_ascii_digit()) && !(random && word.bytes().all(|b| b.is_ascii_hexdigit()));
    let mut form = Pattern::literal("");
    let mut at = 0;
    for word in first.split_inclusive(|c| !is_word(c)) {
        let own = word.trim_end_matches(|c| !is_word(c));
        let place = at..at + own.len();
        let plain = is_plain(own) && labels.iter().all(|label| label.get(place.clone()) == Some(own));
        if !plain && own.len() < 2 {
            return None;
        }
        let text = if plain { Pattern::literal(own) } else { Pattern::parse(&"?".repeat(own.len())) };
        form = form.then(&text).then(&Pattern::literal(word.get(own.len()..).unwrap_or_default()));
        at += word.len();
    }
    Some(form)
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let length: usize = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    a.get(..length).unwrap_or_default()
}

/// Whether a name looks like one of a series: it holds a digit, and is not one of the plain names that do.
fn changes(label: &str) -> bool {
    is_identifier(label) || (label.bytes().any(|b| b.is_ascii_digit()) && !is_region(label) && !is_version(label))
}

/// Whether a name by itself looks like a date, a number or a random identifier.
fn is_identifier(label: &str) -> bool {
    let value = label.rsplit_once('=').map_or(label, |(_, v)| v);
    let stem = value.split('.').next().unwrap_or(value);
    let digits = stem.bytes().filter(u8::is_ascii_digit).count();
    let number = !stem.is_empty()
        && stem.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'_' || b == b'T' || b == b'Z')
        && digits > 0;
    let hex = stem.len() >= 12 && digits > 1 && stem.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let token = stem
        .rsplit('-')
        .next()
        .is_some_and(|t| t.len() >= 12 && t.bytes().all(|b| b.is_ascii_alphanumeric()) && t.bytes().any(|b| b.is_ascii_digit()));
    number || hex || token
}

/// Names of regions end in a number and are no series.
fn is_region(label: &str) -> bool {
    let parts: Vec<&str> = label.split('-').collect();
    let number = |p: &&str| p.len() == 1 && p.bytes().all(|b| b.is_ascii_digit());
    parts.len() >= 3 && parts.first().is_some_and(|p| p.len() == 2) && parts.last().is_some_and(number)
}

fn is_version(label: &str) -> bool {
    label.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.len() < 3 && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], open_root: bool, expect: &[&str]) {
        let map: Names<'_> = names.iter().enumerate().map(|(n, name)| (*name, BTreeSet::from([n]))).collect();
        let shapes = shapes(&map, open_root);
        let found: BTreeSet<String> = shapes.iter().map(|s| s.pattern.to_string()).collect();
        assert_eq!(found, expect.iter().map(|s| (*s).to_owned()).collect(), "{names:?}");
        for (n, name) in names.iter().enumerate() {
            let covered = shapes.iter().any(|s| s.needs.contains(&n) && s.pattern.covers(&Pattern::literal(name)));
            assert!(covered, "{name} is lost");
        }
    }

    #[test]
    fn folders_open_when_several_names_share_them() {
        check(&["app/settings.yaml"], true, &["app/settings.yaml"]);
        check(&["assets/logo.svg", "assets/missing.svg"], true, &["assets/logo.svg", "assets/missing.svg"]);
        check(&["assets/a", "assets/b", "assets/c"], true, &["assets/*"]);
        check(&["releases/app-1.tgz", "releases/app-2.tgz"], true, &["releases/*"]);
        check(&["in/2026/09/01/a46c1bc53136.json", "in/2026/09/02/ef6a90f59e42.json"], true, &["in/*"]);
        check(&["s/alice-9xb3zclk5cu2ww2os.log", "s/bob-0ssmkik3b8dbv3t6k.log"], true, &["s/*"]);
    }

    #[test]
    fn plain_folders_stay_apart() {
        check(&["a/x", "b/y", "c/z"], true, &["a/x", "b/y", "c/z"]);
        check(&["logs/us-east-1/x", "logs/us-east-1/y"], true, &["logs/us-east-1/x", "logs/us-east-1/y"]);
        check(&["/app/db/host", "/app/db/user"], false, &["/app/db/host", "/app/db/user"]);
    }

    #[test]
    fn the_root_opens_only_for_names_that_change() {
        check(&["report-1.csv", "report-2.csv"], true, &["report-*"]);
        check(&["report-2026-09-29.csv", "report-2026-09-30.csv"], true, &["report-????-??-??.csv"]);
        check(&["backup-2026-09-29.tar", "backup-2026-09-30"], true, &["backup-*"]);
        check(&["2026-09-29.csv", "2026-09-30-1.csv"], true, &["*.csv"]);
        check(&["20260929.csv", "20260930.csv"], true, &["????????.csv"]);
        check(&["2026-09-29/in", "2026-09-30/in"], true, &["????-??-??/*"]);
        check(&["2026/a/b", "2026/c/d"], true, &["????/*"]);
        check(&["dt=2026-09-29/a", "dt=2026-09-30/b"], true, &["dt=????-??-??/*"]);
        check(&["1", "2"], true, &["*"]);
        check(&["2025", "2026", "2026/x"], true, &["????", "????/*"]);
        check(
            &["1b4e28ba-2fa1-11d2-883f-0016d3cca427", "6fa459ea-ee8a-3ca4-894e-db77e160355e"],
            true,
            &["????????-????-????-????-????????????"],
        );
        check(
            &["1b4e28ba-2fa1-11d2-883f-0016d3cca427", "6fa459ea-ee8a-3ca4-894e-db77e160355e"],
            false,
            &["1b4e28ba-2fa1-11d2-883f-0016d3cca427", "6fa459ea-ee8a-3ca4-894e-db77e160355e"],
        );
        check(&["a.txt", "b.txt", "c.txt"], true, &["a.txt", "b.txt", "c.txt"]);
    }

    #[test]
    fn plain_names_do_not_close_a_series() {
        check(&["data/2026-09-26/in.csv", "data/2026-09-27/in.csv", "data/config.json"], true, &["data/*"]);
        check(&["data/2026-09-26/in.csv", "data/latest/in.csv"], true, &["data/2026-09-26/in.csv", "data/latest/in.csv"]);
        check(&["2026-09-26/in.csv", "2026-09-27/in.csv", "config.json"], true, &["????-??-??/*", "config.json"]);
        check(&["1.csv", "2.csv", "config.csv"], true, &["1.csv", "2.csv", "config.csv"]);
        check(
            &["2026-09-26/in", "2026-09-27/in", "20260926.csv", "20260927.csv", "top"],
            true,
            &["????-??-??/*", "????????.csv", "top"],
        );
        check(&["2026-09-26/in.csv", "20260927", "config.json"], true, &["2026-09-26/in.csv", "20260927", "config.json"]);
    }

    #[test]
    fn signs_of_patterns_in_names_stand_for_themselves() {
        check(&["a/*"], true, &["a/${*}"]);
        check(&["x${y}/1", "x${y}/2"], true, &["x${$}{y}/*"]);
    }
}
