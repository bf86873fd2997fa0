//! What sessions did, from CloudTrail's event history: for accounts without a trail.
//!
//! Event history holds management events of the last 90 days, region by region. Each instance's session is looked up by its name,
//! which is the instance's id, and the calls of others that show features by their event's name.
//!
//! INVARIANT (history-whole): what is given is all that event history holds of every look-up, or there is an error.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::task::JoinSet;

use super::lookup::{By, Desk, Lookup, Patience, fetch};
use super::pace::Pace;
use super::spool::{DAY, Spool, SpoolError, Stretch};
use crate::catalog::Catalog;
use crate::catalog::history::RoleName;
use crate::trail::{Input, Observer, TrailError};

/// An instance whose session is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// The region it is in.
    pub region: String,
    /// Whether it runs: then it must have been seen.
    pub running: bool,
}

/// What is asked of event history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The account; a spool belongs to one.
    pub account: String,
    /// Every region in which the instances may have made calls.
    pub regions: BTreeSet<String>,
    /// The instances.
    pub instances: BTreeSet<Instance>,
    /// ARNs of roles for whose sessions is asked; then nothing else is, see [`super::past`].
    pub roles: BTreeSet<String>,
    /// How many days back.
    pub days: u32,
}

/// What a spool says of the question that its pages answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Asked {
    account: String,
    lookups: BTreeSet<Lookup>,
    days: u32,
    from: i64,
    to: i64,
}

impl Asked {
    /// Whether the pages of one answer the other. Instances come and go between two runs; each look-up stands for itself.
    fn is_same(&self, other: &Self) -> bool {
        (&self.account, self.days) == (&other.account, other.days)
    }
}

/// How to go about it.
#[derive(Clone)]
pub struct Options {
    /// How patient a look-up is.
    pub patience: Patience,
    /// The distance between two requests in a region; `None` is what AWS allows.
    pub spacing: Option<Duration>,
    /// How many look-ups of a region are under way at once, so that slow answers do not cost turns.
    pub workers: usize,
    /// What time it is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Told after each page.
    pub progress: Arc<dyn Fn(&Progress) + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        let (clock, progress) = (Arc::new(Timestamp::now), Arc::new(|_: &Progress| {}));
        Self { patience: Patience::default(), spacing: None, workers: 4, clock, progress }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// How many pages came in this run.
    pub pages: u64,
    /// How much of all look-ups' time is done, from 0 to 1.
    pub done: f64,
    /// How long the rest will take if it goes on as it went.
    pub left: Option<Duration>,
}

/// Why event history could not be had.
#[derive(Debug, thiserror::Error)]
pub enum EventHistoryError {
    /// The caller may not ask. The account's administrator can change that.
    #[error(
        "event history of `{region}` is refused ({reason}); it needs the permission cloudtrail:LookupEvents and credentials that are still valid"
    )]
    Denied {
        /// The region.
        region: String,
        /// What AWS says.
        reason: String,
    },
    /// AWS does not accept the question. This typically indicates a bug in policyc, or a clock that is wrong.
    #[error("the look-up `{lookup}` is not accepted: {reason}")]
    Refused {
        /// The look-up.
        lookup: String,
        /// What AWS says.
        reason: String,
    },
    /// No answer after many tries. Nobody's fault; what was fetched is kept.
    #[error(
        "the look-up `{lookup}` was not answered after {tries} tries ({reason}); start again later, what is there is not asked for again"
    )]
    Unanswered {
        /// The look-up.
        lookup: String,
        /// How often it was tried.
        tries: u32,
        /// The last failure.
        reason: String,
    },
    /// An answer is not as the API reference says.
    #[error("the answer to the look-up `{lookup}` cannot be used: {reason}")]
    Malformed {
        /// The look-up.
        lookup: String,
        /// What is wrong.
        reason: String,
    },
    /// A running instance must have been seen; an empty policy would be the alternative.
    #[error(
        "event history shows no call of the running instance(s) `{0}`; check account, regions and whether the role is really theirs, or wait a quarter of an hour after their start; if they are to make none, name each with `--silent-instance ID`"
    )]
    Silent(String),
    /// A region without a client. A bug of the caller.
    #[error("no client was given for the region `{0}`")]
    NoClient(String),
    /// A task ended without a result. This typically indicates a bug in policyc.
    #[error("a look-up ended before its time: {0}")]
    Lost(String),
    /// The folder of pages.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Question {
    /// Everything to look up: each instance's session and each event that shows a feature, in every region.
    #[must_use]
    pub fn lookups(&self, catalog: &Catalog) -> BTreeSet<Lookup> {
        let rules = catalog.features().iter().flat_map(|feature| &feature.signs);
        let events: BTreeSet<&str> =
            rules.filter_map(|rule| rule.operator.as_deref()?.split_once(':')).map(|(_, name)| name).collect();
        let sessions = self.instances.iter().map(|instance| (By::Username, instance.id.as_str()));
        let named = |arn: &'_ String, form: RoleName| match form {
            RoleName::Arn => arn.clone(),
            RoleName::Name => arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        };
        let forms = &catalog.event_history.role_names;
        let roles: Vec<String> = self.roles.iter().flat_map(|arn| forms.iter().map(move |form| named(arn, *form))).collect();
        let roles = roles.iter().map(|name| (By::ResourceName, name.as_str()));
        let events = events.into_iter().map(|name| (By::EventName, name)).filter(|_| self.roles.is_empty());
        let wanted: BTreeSet<(By, &str)> = sessions.chain(roles).chain(events).collect();
        let of = |region: &String| {
            let region = region.clone();
            wanted.iter().map(move |(by, value)| Lookup { region: region.clone(), by: *by, value: (*value).to_owned() })
        };
        self.regions.iter().flat_map(of).collect()
    }
}

/// What was fetched.
#[derive(Debug)]
pub struct Fetched {
    spool: Spool,
    /// The look-ups that found events.
    found: Vec<Lookup>,
    /// Which of them have events on which day, counted from 1970.
    days: BTreeMap<i64, Vec<(usize, Stretch)>>,
    /// The earliest and the latest time asked for.
    pub window: (Timestamp, Timestamp),
    /// Where event history forgot the beginning of the window while it was read: the earliest time that every look-up reached.
    pub since: Timestamp,
}

impl Fetched {
    /// The events in the form that [`crate::trail`] reads: an input for each look-up and day, from the earliest day on. Each is read
    /// from the folder when its turn comes.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input<'_>> {
        self.days.values().flat_map(|parts| self.inputs_of(parts)).collect()
    }

    fn inputs_of<'a>(&'a self, parts: &'a [(usize, Stretch)]) -> impl Iterator<Item = Input<'a>> {
        parts.iter().filter_map(move |(at, stretch)| {
            let lookup = self.found.get(*at)?;
            let open = move || self.spool.events(lookup, stretch).map_err(std::io::Error::other);
            let begin = Timestamp::from_second(stretch.from).unwrap_or_default();
            Some(Input::new(format!("{lookup} from {begin} on"), open))
        })
    }

    /// Reads all events day by day, so that memory does not grow with the time asked for.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn observe(&self, observer: &mut Observer<'_>) -> Result<(), TrailError> {
        for (day, parts) in &self.days {
            observer.add(&self.inputs_of(parts).collect::<Vec<_>>())?;
            // An event has one time, so none of this day comes again with a later one.
            if let Ok(next) = Timestamp::from_second((day + 1) * DAY) {
                observer.forget(next.to_zoned(TimeZone::UTC).date());
            }
        }
        Ok(())
    }

    /// Removes the pages: their records have been read.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn remove(self) -> Result<(), EventHistoryError> {
        Ok(self.spool.remove()?)
    }
}

/// Fetches everything that event history holds of the question. What lies in the folder from an earlier run is not asked for again.
///
/// # Errors
/// Whatever keeps one look-up from being complete, and a running instance of which nothing was seen.
pub async fn fetch_all(
    question: &Question,
    clients: &BTreeMap<String, Client>,
    folder: &Path,
    catalog: &Catalog,
    options: &Options,
) -> Result<Fetched, EventHistoryError> {
    let limits = &catalog.event_history;
    let now = (options.clock)().as_second();
    let to = now - i64::from(limits.delivery_minutes) * 60;
    let from = (to - i64::from(question.days) * DAY).max(earliest(now, limits.days));
    let lookups = question.lookups(catalog);
    let asked = Asked { account: question.account.clone(), lookups: lookups.clone(), days: question.days, from, to };
    let (spool, before) = Spool::open(folder, asked.clone(), Asked::is_same)?;
    let asked = Asked { lookups: asked.lookups, ..before };
    let spool = Arc::new(spool);
    let run = Arc::new(Run::new(&asked, spool.clone(), limits.days, options));

    let mut tasks = JoinSet::new();
    for region in &question.regions {
        let client = clients.get(region).ok_or_else(|| EventHistoryError::NoClient(region.clone()))?;
        let pace = Arc::new(options.spacing.map_or_else(|| Pace::per_second(limits.requests_per_second), Pace::every));
        let queue: VecDeque<Lookup> = lookups.iter().filter(|l| l.region == *region).cloned().collect();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..options.workers.max(1) {
            tasks.spawn(run.clone().work(client.clone(), pace.clone(), queue.clone()));
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|e| EventHistoryError::Lost(e.to_string()))??;
    }
    drop(tasks);
    drop(run);
    let spool = Arc::try_unwrap(spool).map_err(|_| EventHistoryError::Lost("its folder is still in use".to_owned()))?;
    let (mut found, mut since) = (Vec::new(), asked.from);
    for lookup in lookups {
        since = since.max(spool.since(&lookup)?);
        if spool.found(&lookup)? {
            found.push(lookup);
        }
    }
    silent(question, &found)?;
    let mut days: BTreeMap<i64, Vec<(usize, Stretch)>> = BTreeMap::new();
    for (at, lookup) in found.iter().enumerate() {
        for stretch in spool.stretches(lookup)? {
            days.entry(stretch.from.div_euclid(DAY)).or_default().push((at, stretch));
        }
    }
    let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or_default();
    Ok(Fetched { spool, found, days, window: (time(asked.from), time(asked.to)), since: time(since) })
}

/// The earliest time that is asked for. Clocks differ, by five minutes at most or no signature would hold, and what is asked for
/// before the beginning is an error.
fn earliest(now: i64, days: u32) -> i64 {
    now - i64::from(days) * DAY + 600
}

fn silent(question: &Question, found: &[Lookup]) -> Result<(), EventHistoryError> {
    let seen: BTreeSet<&str> = found.iter().filter(|l| l.by == By::Username).map(|l| l.value.as_str()).collect();
    let silent = question.instances.iter().filter(|i| i.running && !seen.contains(i.id.as_str()));
    let silent: Vec<&str> = silent.map(|i| i.id.as_str()).collect();
    if silent.is_empty() { Ok(()) } else { Err(EventHistoryError::Silent(silent.join("`, `"))) }
}

/// One run over all look-ups.
struct Run {
    spool: Arc<Spool>,
    from: i64,
    to: i64,
    days: u32,
    options: Options,
    begun: std::time::Instant,
    /// How many pages came, and the share of each look-up that is left.
    state: Mutex<(u64, BTreeMap<Lookup, f64>)>,
    total: f64,
    /// What was left when the run began.
    first: f64,
}

impl Run {
    fn new(asked: &Asked, spool: Arc<Spool>, days: u32, options: &Options) -> Self {
        let left: BTreeMap<Lookup, f64> = asked.lookups.iter().map(|l| (l.clone(), 1.0)).collect();
        let total = left.len() as f64;
        let (from, to) = (asked.from, asked.to);
        let (begun, options) = (std::time::Instant::now(), options.clone());
        Self { spool, from, to, days, options, begun, state: Mutex::new((0, left)), total, first: total }
    }

    /// Takes look-ups from the queue until it is empty.
    async fn work(
        self: Arc<Self>,
        client: Client,
        pace: Arc<Pace>,
        queue: Arc<Mutex<VecDeque<Lookup>>>,
    ) -> Result<(), EventHistoryError> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(lookup) = next else { return Ok(()) };
            let earliest = || earliest((self.options.clock)().as_second(), self.days);
            let told = |reached: i64| self.told(&lookup, reached);
            let (spool, patience) = (&*self.spool, self.options.patience);
            let desk = Desk { client: &client, pace: &pace, spool, patience, earliest: &earliest, told: &told };
            fetch(&desk, &lookup, self.from, self.to).await?;
        }
    }

    fn told(&self, lookup: &Lookup, reached: i64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        let share = (reached - self.from).max(0) as f64 / (self.to - self.from).max(1) as f64;
        state.1.insert(lookup.clone(), share);
        let left: f64 = state.1.values().sum();
        let gone = self.first - left;
        let time = (gone > 0.0).then(|| self.begun.elapsed().mul_f64((left / gone).min(1e6)));
        let progress = Progress { pages: state.0, done: 1.0 - left / self.total.max(1.0), left: time };
        drop(state);
        (self.options.progress)(&progress);
    }
}
