//! What the instances of a live stack did: from event history, from the trail of the account, or from a bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use jiff::{Timestamp, ToSpan};

use super::error::CliError;
use super::print;
use crate::aws::bucket::{Bucket, BucketError, Place, Wanted};
use crate::aws::connect::Account;
use crate::aws::discover::Discovery;
use crate::aws::estimate::{Estimate, spoken};
use crate::aws::event_history::{self, Fetched, Instance, Progress, Question};
use crate::aws::fetch::{self, Batches, Load, ReadError};
use crate::aws::lookup::Patience;
use crate::aws::past;
use crate::aws::trails::{self, Trail};
use crate::catalog::Catalog;
use crate::finding::{Code, Finding};
use crate::ledger::mask::Mask;
use crate::ledger::selectors::{EventSelectors, LoggedRole};
use crate::ledger::{Coverage, Coverages, Ledger};
use crate::stack::{Role, StackDescription};
use crate::trail::{self, Interest, Observer};

/// Where activity comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Activity {
    /// CloudTrail's event history.
    EventHistory,
    /// The trail of the account.
    Trail,
    /// The log files below an address.
    Files(Place),
}

impl std::fmt::Display for Activity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EventHistory => f.write_str("event history"),
            Self::Trail => f.write_str("the account's trail"),
            Self::Files(place) => write!(f, "s3://{}/{}", place.bucket, place.prefix),
        }
    }
}

impl std::str::FromStr for Activity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "event-history" => Ok(Self::EventHistory),
            "trail" => Ok(Self::Trail),
            place if place.starts_with("s3://") => Place::parse(place).map(Self::Files).map_err(|e| e.to_string()),
            _ => Err("expected `event-history`, `trail`, or `s3://BUCKET/PREFIX`".to_owned()),
        }
    }
}

/// Whose activity is wanted, and how far back.
#[derive(clap::Args, Debug, Clone)]
pub(super) struct ActivityArgs {
    /// Where the activity of a live stack comes from: `event-history`, `trail` (the account's own), or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "SOURCE", default_value = "event-history")]
    pub(super) from: Activity,
    /// How many days of activity of a live stack to fetch; event history has 90
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(super) days: u32,
    /// A region in which the instances of a live stack make calls, beside their own and that of global services (repeatable)
    #[arg(long, value_name = "REGION")]
    pub(super) activity_region: Vec<String>,
    /// A running instance of a live stack that is expected to have made no call; otherwise that is an error (repeatable)
    #[arg(long, value_name = "ID")]
    pub(super) silent_instance: Vec<String>,
    /// Where pages of event history lie until all are there, so that an interrupted run goes on (default: the user's cache folder)
    #[arg(long, value_name = "DIR")]
    pub(super) cache: Option<PathBuf>,
}

/// What was seen of a live stack.
pub(super) struct Seen {
    pub(super) ledger: Ledger,
    pub(super) findings: Vec<Finding>,
    /// Fetched pages that are not needed once the result is written.
    pages: Vec<Fetched>,
}

impl Seen {
    /// Removes what would have been needed to go on.
    pub(super) fn tidy(&mut self) -> Result<(), CliError> {
        self.pages.drain(..).try_for_each(Fetched::remove).map_err(|e| CliError::Aws(e.to_string()))
    }
}

/// Fetches the activity of a stack's instances, and learns from it which instances have run that are gone.
pub(super) fn fetch(account: &Account, found: &mut Discovery, args: &ActivityArgs, name: &str) -> Result<Seen, CliError> {
    let regions = regions(&found.description, args);
    let mut seen = match &args.from {
        Activity::EventHistory => from_event_history(account, found, args, &regions, name)?,
        Activity::Trail => from_trail(account, found, args, &regions)?,
        Activity::Files(place) => from_files(account, found, args, &regions, place)?,
    };
    seen.ledger = Mask::new(found.secret.iter().map(String::as_str)).sessions(seen.ledger);
    silent(found, &seen.ledger, &args.silent_instance)?;
    for (session, role) in seen.ledger.uses.keys().map(|u| (&u.session.name, &u.session.role)) {
        // The trail still knows instances that are gone.
        let is_instance = session.starts_with("i-");
        let of = roles_mut(&mut found.description).filter(|r| is_instance && r.name == *role);
        of.for_each(|r| r.instances.extend([session.clone()]));
    }
    Ok(seen)
}

pub(super) fn roles_mut(description: &mut StackDescription) -> impl Iterator<Item = &mut Role> {
    description.stacks.values_mut().flat_map(|s| s.roles.values_mut())
}

fn roles(description: &StackDescription) -> impl Iterator<Item = &Role> {
    description.stacks.values().flat_map(|s| s.roles.values())
}

/// The stack's region, those that were named, and that of the partition's global services.
fn regions(description: &StackDescription, args: &ActivityArgs) -> BTreeSet<String> {
    let global = Catalog::embedded().event_history.global_regions.get(&description.partition);
    let all = [&description.region].into_iter().chain(&args.activity_region).chain(global);
    all.cloned().collect()
}

fn interest(description: &StackDescription) -> Interest {
    let roles = roles(description).map(|r| r.name.clone()).collect();
    Interest { account: Some(description.account.clone()), roles }
}

/// An instance that runs and of which nothing was seen speaks against the source, not for an empty policy; unless somebody says that it
/// is to be so. Then the description says it as well.
fn silent(found: &mut Discovery, ledger: &Ledger, expected: &[String]) -> Result<(), CliError> {
    let seen: BTreeSet<&str> = ledger.uses.keys().map(|u| u.session.name.as_str()).collect();
    let silent = found.machines.iter().filter(|m| m.running && !seen.contains(m.id.as_str()));
    let (named, silent): (Vec<_>, Vec<_>) = silent.partition(|m| expected.contains(&m.id));
    for id in expected.iter().filter(|id| !named.iter().any(|m| m.id == **id)) {
        print::note(&format!("`{id}` is no running instance without a call, so `--silent-instance` changes nothing for it"));
    }
    if !silent.is_empty() {
        let ids: Vec<&str> = silent.iter().map(|m| m.id.as_str()).collect();
        return Err(CliError::Aws(format!(
            "no call of the running instance(s) `{}` was found; check that the source is of their account and region and covers the time, or wait a quarter of an hour after their start; if they are to make none, name each with `--silent-instance ID`",
            ids.join("`, `")
        )));
    }
    for machine in &named {
        let of = found.description.stacks.values_mut().flat_map(|s| s.roles.values_mut()).filter(|r| r.name == machine.role);
        of.for_each(|role| role.silent.extend([machine.id.clone()]));
    }
    Ok(())
}

fn from_event_history(
    account: &Account,
    found: &mut Discovery,
    args: &ActivityArgs,
    regions: &BTreeSet<String>,
    name: &str,
) -> Result<Seen, CliError> {
    let catalog = Catalog::embedded();
    let arns: BTreeSet<String> = roles(&found.description).map(|r| r.arn.clone()).collect();
    let account_id = found.description.account.clone();
    let asked = Question { account: account_id, regions: regions.clone(), days: args.days, ..Question::default() };
    announce(found, &asked, args.days);
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let description = &found.description;
    let folder = cache(args)?.join(format!("{}-{}-{plain}-{}d", description.account, description.region, args.days));
    let of_roles = Question { roles: arns, ..asked.clone() };
    let sessions = looked_up(account, &of_roles, &folder.join("roles"))?;
    let past = past::instances(&sessions.inputs()).map_err(|e| CliError::Aws(e.to_string()))?;
    for role in roles_mut(&mut found.description) {
        role.instances.extend(past.get(&role.arn).into_iter().flatten().cloned());
    }
    for role in roles(&found.description).filter(|role| !past.contains_key(&role.arn)) {
        // That would be so too if event history named roles in a form that is not known.
        let name = &role.name;
        print::note(&format!(
            "event history does not show that EC2 assumed the role `{name}`, so instances that are gone are not known"
        ));
    }
    let running: BTreeSet<&str> = found.machines.iter().filter(|m| m.running).map(|m| m.id.as_str()).collect();
    let ids: BTreeSet<&String> = roles(&found.description).flat_map(|r| &r.instances).collect();
    let instances = ids.into_iter().map(|id| Instance {
        id: id.clone(),
        region: found.description.region.clone(),
        running: running.contains(id.as_str()) && !args.silent_instance.contains(id),
    });
    let of_instances = Question { instances: instances.collect(), ..asked };
    let events = looked_up(account, &of_instances, &folder.join("sessions"))?;
    let interest = interest(&found.description);
    let mut observer = Observer::new(&interest, catalog, trail::Options::default());
    events.observe(&mut observer).map_err(|e| CliError::Trail(e.to_string()))?;
    let mut observed = observer.finish();
    // Event history shows every management event and no other.
    declare(&mut observed.ledger, Coverage { declared: true, ..Coverage::default() });
    if events.since > events.window.0 {
        print::note(&format!("event history begins at {} by now; what came before it is not in the result", events.since));
    }
    Ok(Seen { ledger: observed.ledger, findings: observed.findings, pages: vec![sessions, events] })
}

/// Says before it begins how long it will take.
fn announce(found: &Discovery, asked: &Question, days: u32) {
    let limits = &Catalog::embedded().event_history;
    let others = asked.lookups(Catalog::embedded()).len() / asked.regions.len().max(1) + roles(&found.description).count();
    let estimate = Estimate::of(&found.machines, others as u64, days, Timestamp::now(), limits);
    estimate.told(found.machines.len(), days, limits).iter().for_each(|line| print::note(line));
}

fn looked_up(account: &Account, question: &Question, folder: &Path) -> Result<Fetched, CliError> {
    let clients: BTreeMap<_, _> = (question.regions.iter())
        .map(|region| (region.clone(), aws_sdk_cloudtrail::Client::new(&in_region(&account.config, region))))
        .collect();
    let line = Line::new("event history");
    let shown = std::sync::Arc::new(move |p: &Progress| line.history(p));
    let options = event_history::Options { progress: shown, ..event_history::Options::default() };
    let fetched = account.runtime.block_on(event_history::fetch_all(question, &clients, folder, Catalog::embedded(), &options));
    let fetched = fetched.map_err(|e| CliError::Aws(e.to_string()))?;
    if Timestamp::now().duration_since(fetched.window.1).as_hours() >= 24 {
        print::note(&format!(
            "this goes on with a run that was interrupted: its window ended at {}; remove `{}` to begin anew",
            fetched.window.1,
            folder.display()
        ));
    }
    Ok(fetched)
}

fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
    config.to_builder().region(aws_config::Region::new(region.to_owned())).build()
}

fn from_trail(account: &Account, found: &Discovery, args: &ActivityArgs, regions: &BTreeSet<String>) -> Result<Seen, CliError> {
    let trails = described(account)?;
    let home = BTreeSet::from([found.description.region.clone()]);
    let chosen = trails::choose(&trails, &home).map_err(|e| CliError::Aws(e.to_string()))?;
    let mut all = Seen { ledger: Ledger::default(), findings: Vec::new(), pages: Vec::new() };
    for trail in chosen {
        print::note(&format!("the trail `{}` delivers to s3://{}/{}", trail.arn, trail.place.bucket, trail.place.prefix));
        tell(trail);
        let mut seen = read(account, found, args, regions, &trail.place)?;
        cover(&mut seen, found, trail);
        all.ledger.merge(seen.ledger);
        all.findings.extend(seen.findings);
    }
    Ok(all)
}

fn described(account: &Account) -> Result<Vec<Trail>, CliError> {
    let client = aws_sdk_cloudtrail::Client::new(&account.config);
    account.runtime.block_on(trails::find(&client, Patience::default())).map_err(|e| CliError::Aws(e.to_string()))
}

/// What people have to know of a trail.
fn tell(trail: &Trail) {
    if let Some(since) = trail.since {
        print::note(&format!("it has been logging since {since}"));
    }
    if let Some(error) = &trail.delivery_error {
        print::note(&format!("its last delivery failed: {error}"));
    }
}

/// What the source shows is known, so nothing is concluded from what was seen.
fn declare(ledger: &mut Ledger, coverage: Coverage) {
    ledger.coverage = Coverages::default();
    ledger.declare(coverage);
}

/// Says what the trail could show. Where that is not known, data events count as shown only as far as they were seen.
fn cover(seen: &mut Seen, found: &Discovery, trail: &Trail) {
    match &trail.selectors {
        Ok(selectors) => declare(&mut seen.ledger, coverage(found, selectors)),
        Err(reason) => {
            let message = format!("what the trail `{}` logs is not known: {reason}", trail.arn);
            let finding = Finding::new(Code::CoverageUnknown, message);
            seen.findings
                .push(finding.advise("ask in the account that the trail is of, and judge its selectors with `policyc coverage`"));
        }
    }
}

fn coverage(found: &Discovery, selectors: &EventSelectors) -> Coverage {
    let description = &found.description;
    let mut of = roles(description);
    let only = of.next().filter(|_| of.next().is_none());
    let role = only.map(|role| LoggedRole {
        account: description.account.clone(),
        name: role.name.clone(),
        partition: Some(description.partition.clone()),
    });
    Coverage::of(selectors, role.as_ref())
}

/// Log files at an address that was given: what they could show is known where a trail of the account delivers there.
fn from_files(
    account: &Account,
    found: &Discovery,
    args: &ActivityArgs,
    regions: &BTreeSet<String>,
    place: &Place,
) -> Result<Seen, CliError> {
    let mut seen = read(account, found, args, regions, place)?;
    let delivers = |t: &Trail| (&t.place.bucket, &t.place.prefix) == (&place.bucket, &place.prefix);
    match described(account).map(|trails| trails.into_iter().find(delivers)) {
        Ok(Some(trail)) => {
            tell(&trail);
            cover(&mut seen, found, &trail);
        }
        Ok(None) | Err(_) => print::note(
            "no trail of this account is known to deliver there, so data events count as shown only as far as they were seen",
        ),
    }
    Ok(seen)
}

fn read(
    account: &Account,
    found: &Discovery,
    args: &ActivityArgs,
    regions: &BTreeSet<String>,
    place: &Place,
) -> Result<Seen, CliError> {
    let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let wanted = Wanted {
        accounts: BTreeSet::from([found.description.account.clone()]),
        regions: regions.clone(),
        from: now.checked_sub(i64::from(args.days).days()).unwrap_or(now),
        to: now,
    };
    let client = aws_sdk_s3::Client::new(&account.config);
    let batches = account.runtime.block_on(async {
        let bucket = Bucket::open(&client, &place.bucket, Patience::default()).await?;
        let listing = bucket.list(place, &wanted).await?;
        Ok(Batches::begin(bucket, listing, Load::default()))
    });
    let batches = batches.map_err(|e: BucketError| CliError::Aws(e.to_string()))?;
    let (interest, line) = (interest(&found.description), Line::new("log files"));
    let mut observer = Observer::new(&interest, Catalog::embedded(), trail::Options::default());
    let told = |p: &fetch::Progress| line.share(p.done, &format!("{} read, of {} now", p.files, p.day));
    batches.observe(&mut observer, &told).map_err(|error| match error {
        ReadError::Bucket(error) => CliError::Aws(error.to_string()),
        error @ ReadError::Trail { .. } => CliError::Trail(error.to_string()),
    })?;
    let observed = observer.finish();
    Ok(Seen { ledger: observed.ledger, findings: observed.findings, pages: Vec::new() })
}

/// The folder for what an interrupted run needs to go on. It is outside of every repository.
fn cache(args: &ActivityArgs) -> Result<PathBuf, CliError> {
    if let Some(folder) = &args.cache {
        return Ok(folder.clone());
    }
    let of = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = of("XDG_CACHE_HOME").or_else(|| of("LOCALAPPDATA")).or_else(|| {
        of("HOME").map(|home| if cfg!(target_os = "macos") { home.join("Library/Caches") } else { home.join(".cache") })
    });
    let base = base.ok_or_else(|| CliError::usage("no cache folder is known; name one with `--cache DIR`"))?;
    Ok(base.join("policyc").join("event-history"))
}

/// How far it is, on stderr: at most every few seconds, so that a log of it stays readable.
struct Line {
    what: &'static str,
    begun: Instant,
    told: Mutex<Instant>,
}

impl Line {
    const PAUSE: Duration = Duration::from_secs(5);

    fn new(what: &'static str) -> Self {
        let now = Instant::now();
        Self { what, begun: now, told: Mutex::new(now) }
    }

    fn is_time(&self) -> bool {
        let Ok(mut told) = self.told.lock() else { return false };
        let due = told.elapsed() >= Self::PAUSE;
        if due {
            *told = Instant::now();
        }
        due
    }

    fn history(&self, progress: &Progress) {
        if self.is_time() {
            let left = progress.left.map_or_else(String::new, |left| format!(", {} left", spoken(left)));
            print::note(&format!("{}: {} pages, {:.0} %{left}", self.what, progress.pages, progress.done * 100.0));
        }
    }

    fn share(&self, share: f64, text: &str) {
        if self.is_time() && share > 0.0 {
            let left = self.begun.elapsed().mul_f64((1.0 - share) / share);
            print::note(&format!("{}: {text}, {} left", self.what, spoken(left)));
        }
    }
}
