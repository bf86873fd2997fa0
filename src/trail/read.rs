//! One file's records, each taken for what it is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::call::{self, Note};
use super::caller::{self, Interest};
use super::gather::{Digits, Event, Gathered};
use super::glance::{Glance, Kind, Text};
use super::observe::{TrailError, source};
use super::record::{HIDDEN, Record, normal_time};
use super::scan::{Broken, Seen, line};
use super::sign;
use crate::catalog::Catalog;
use crate::finding::{Code, Finding};
use crate::ledger::{Bare, Days, Heartbeat, Origin, Outcome, Session, Use};

/// What is asked of every file.
pub(super) struct Reading<'a> {
    pub(super) interest: &'a Interest,
    pub(super) catalog: &'a Catalog,
    pub(super) skip_unreadable: bool,
}

/// Takes the records of one file.
pub(super) struct Reader<'a> {
    reading: &'a Reading<'a>,
    name: &'a str,
    digits: Digits,
    records: BTreeMap<&'static str, u64>,
    broken: usize,
    /// The day of which data events of a type were noted last: most records of a file are of one day.
    noted: BTreeMap<String, String>,
    out: Gathered,
}

/// So many broken records of one file are told one by one.
const TOLD: usize = 20;

impl<'a> Reader<'a> {
    pub(super) fn new(reading: &'a Reading<'a>, name: &'a str, digits: Digits) -> Self {
        let (records, noted) = (BTreeMap::new(), BTreeMap::new());
        Self { reading, name, digits, records, broken: 0, noted, out: Gathered::default() }
    }

    /// Takes a record, or one that cannot be read; `bytes` is the whole file.
    pub(super) fn item(&mut self, item: Result<Seen<'_>, Broken>, bytes: &[u8]) -> Result<(), Broken> {
        let broken = match item {
            Ok(seen) => match self.record(&seen) {
                Ok(()) => return Ok(()),
                Err(reason) => Broken { place: seen.place, reason, last: false },
            },
            Err(broken) => broken,
        };
        if !self.reading.skip_unreadable {
            return Err(broken);
        }
        *self.records.entry("unreadable").or_default() += 1;
        self.broken += 1;
        if self.broken <= TOLD {
            let rest = if broken.last { "; so was all that follows in the file" } else { "" };
            let message = format!("skipped: {}{rest}", self.error(&broken, bytes));
            self.out.unreadable.insert(Finding::new(Code::UnreadableInput, message));
        }
        Ok(())
    }

    /// The error that a broken record is.
    pub(super) fn error(&self, broken: &Broken, bytes: &[u8]) -> TrailError {
        let (index, offset) = (broken.place.index, broken.place.offset);
        let reason = broken.reason.clone();
        TrailError::Record { name: self.name.to_owned(), index, line: line(bytes, offset), offset, reason }
    }

    /// What the file showed.
    pub(super) fn finish(mut self) -> Gathered {
        if let Some(more) = self.broken.checked_sub(TOLD).filter(|more| *more > 0) {
            let message = format!("skipped: {more} more record(s) of `{}` that cannot be read", self.name);
            self.out.unreadable.insert(Finding::new(Code::UnreadableInput, message));
        }
        let mut source = source(self.name);
        source.records = self.records.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        self.out.sources.insert(self.digits.id(), source);
        self.out
    }

    fn record(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let glance = &seen.glance;
        let kind = glance.kind();
        *self.records.entry(kind.as_str()).or_default() += 1;
        if let Some(address) = caller::person(kind, glance)
            && !self.out.addresses.contains(address)
        {
            self.out.addresses.insert(address.to_owned());
        }
        match kind {
            Kind::Unknown => self.out.not_known(unknown(glance), self.digits, self.name, seen.place.index),
            Kind::ApiCall => {
                self.cover(glance)?;
                let session = self.session(glance);
                let sign = sign::is_sign(&glance.event_source, &glance.event_name);
                if session.is_some() || sign {
                    self.call(seen, session, sign)?;
                }
            }
            Kind::NetworkActivity => {
                if let Some(session) = self.session(glance) {
                    self.network(seen, session)?;
                }
            }
            Kind::Console => {
                if let Some(session) = self.session(glance) {
                    let record = Record::parse(seen.text).map_err(|error| error.to_string())?;
                    let event = Event::of(&record, seen.text, self.digits);
                    self.bare(&record, &delivered(session, &record), &caller::origin(&record), &event);
                }
            }
            Kind::ServiceEvent | Kind::Insight | Kind::Digest | Kind::Aggregated => {}
        }
        Ok(())
    }

    fn session(&self, glance: &Glance<'_>) -> Option<Session> {
        glance.user_identity.as_ref().and_then(|caller| self.reading.interest.session(&caller.kind, &caller.arn))
    }

    /// Notes which resource types' data events the trail holds, and when.
    fn cover(&mut self, glance: &Glance<'_>) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Touched<'a> {
            #[serde(rename = "type", default, borrow)]
            kind: Text<'a>,
        }
        if let Some(resources) = glance.resources
            && glance.is_data()
            && self.reading.interest.wants_account(&glance.recipient_account_id)
        {
            let touched: Vec<Option<Touched<'_>>> =
                serde_json::from_str(resources.get()).map_err(|error| super::scan::reason(&error))?;
            let day = glance.event_time.get(..10).filter(|_| glance.event_time.ends_with('Z'));
            for kind in touched.iter().flatten().map(|one| &*one.kind).filter(|kind| !kind.is_empty()) {
                if day.is_some() && self.noted.get(kind).map(String::as_str) == day {
                    continue;
                }
                // What has no time says nothing of any day.
                let Some(time) = normal_time(&glance.event_time) else { continue };
                self.out.coverage.saw(kind, &Days::between(&time, &time));
                self.noted.extend(day.map(|day| (kind.to_owned(), day.to_owned())));
            }
        }
        Ok(())
    }

    fn call(&mut self, seen: &Seen<'_>, session: Option<Session>, sign: bool) -> Result<(), String> {
        let record = Record::parse(seen.text).map_err(|error| error.to_string())?;
        let event = Event::of(&record, seen.text, self.digits);
        let caller_role = caller_role(&record);
        let outcome = call::outcome(&record, self.reading.catalog);
        let ours = session.is_some() && caller_role.is_some() && !self.reading.interest.roles.is_empty();
        if sign && !ours && outcome == Outcome::Succeeded && self.reading.interest.wants_account(sign::account(&record)) {
            for sign in sign::signs(&record, caller_role.as_deref()) {
                self.out.signed(sign, &event);
            }
        }
        let Some(session) = session.map(|session| delivered(session, &record)) else { return Ok(()) };
        let origin = caller::origin(&record);
        if outcome.authorised()
            && let Some(heartbeat) = heartbeat(&record, &session, &origin)
        {
            self.out.beat(heartbeat, &event);
        }
        self.uses(&record, &session, &outcome, &origin, &event);
        Ok(())
    }

    /// A call that a VPC endpoint refused. The service never saw it, so it shows no need; a call that passed the endpoint has a
    /// record of its own.
    fn network(&mut self, seen: &Seen<'_>, session: Session) -> Result<(), String> {
        let record = Record::parse(seen.text).map_err(|error| error.to_string())?;
        if let Some(code) = record.error_code.clone().filter(|code| !code.is_empty()) {
            let event = Event::of(&record, seen.text, self.digits);
            let session = delivered(session, &record);
            self.uses(&record, &session, &Outcome::Denied(code), &caller::origin(&record), &event);
        }
        Ok(())
    }

    fn uses(&mut self, record: &Record, session: &Session, outcome: &Outcome, origin: &Origin, event: &Event) {
        let calls = call::calls(record, self.reading.catalog);
        if matches!(calls.note, Note::Unmapped) {
            self.out.not_mapped(format!("{}:{}", record.event_source, record.event_name), event);
        }
        if calls.needs.is_empty() {
            self.bare(record, session, origin, event);
        }
        let by_agent = record.user_agent.contains(AGENT);
        for need in calls.needs {
            let used = Use {
                session: session.clone(),
                action: need.action,
                resource: need.resource,
                resource_known: need.resource_known,
                region: record.aws_region.clone(),
                outcome: outcome.clone(),
                origin: origin.clone(),
                context: need.context,
                by_agent,
            };
            self.out.used(used, event);
        }
    }

    /// A call that shows no need. It says where an instance's credentials are, and of other sessions nothing.
    fn bare(&mut self, record: &Record, session: &Session, origin: &Origin, event: &Event) {
        if session.is_instance() {
            let name = format!("{}:{}", record.event_source, record.event_name);
            let (session, region, origin) = (session.clone(), record.aws_region.clone(), origin.clone());
            self.out.bare(Bare { session, event: name, region, origin }, event);
        }
    }
}

/// How the SSM agent names itself in user agents, such as `aws-sdk-go/1.55.5 (…) amazon-ssm-agent/`.
const AGENT: &str = "amazon-ssm-agent";

/// The session, with what only the whole record says.
fn delivered(session: Session, record: &Record) -> Session {
    Session { ec2_delivered: record.user_identity.ec2_role_delivery.is_some(), ..session }
}

/// The role of an instance that made a call itself.
fn caller_role(record: &Record) -> Option<String> {
    let identity = &record.user_identity;
    let session = caller::session(&identity.kind, identity.arn.as_deref().unwrap_or_default())?;
    session.is_instance().then_some(session.role)
}

/// What an instance's agent says of itself. A report about another instance, or by something else than the agent, is none.
fn heartbeat(record: &Record, session: &Session, origin: &Origin) -> Option<Heartbeat> {
    let given = |name: &str| record.request_parameters.get(name)?.as_str().filter(|text| *text != HIDDEN);
    let field = |name: &str| given(name).unwrap_or_default();
    let own = field("instanceId") == session.name || field("instanceId").is_empty();
    let report = record.event_source == sign::SYSTEMS_MANAGER && record.event_name == "UpdateInstanceInformation";
    let version = field("agentVersion");
    let plain = version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (report && own && session.is_instance() && record.user_agent.contains(AGENT)).then(|| Heartbeat {
        session: session.clone(),
        agent_version: if plain { version.to_owned() } else { String::new() },
        platform: field("platformType").to_owned(),
        origin: origin.clone(),
    })
}

/// What is said of a record of an unknown kind.
fn unknown(glance: &Glance<'_>) -> String {
    let clip = |text: &str| text.chars().take(100).collect::<String>();
    let (kind, category) = (clip(&glance.event_type), clip(&glance.event_category));
    format!("of type `{kind}`, category `{category}` and version `{}`", clip(&glance.event_version))
}
