//! CloudTrail's `LookupEvents` on loopback, with the rules of its API reference.
//!
//! Newest first; 1 to 50 events a page; one attribute a call; opaque tokens that are bound to their query and expire; 90 days;
//! one region; management events only; two requests a second in each region, then `ThrottlingException`; events that arrive
//! late; pages without events but with a token; `CloudTrailEvent` as a JSON string. Its clock and its rate are the test's.
//!
//! Source: AWS CloudTrail API Reference, LookupEvents; AWS CloudTrail User Guide, "Viewing CloudTrail event history".

#![allow(dead_code)] // each test that takes it in uses a part of it

pub(crate) mod http;
mod rules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use http::{Request, Response, Server};
pub(crate) use rules::Stored;

/// How the server behaves.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// The server's clock: seconds since 1970.
    pub(crate) now: i64,
    /// So many seconds pass on that clock with every request that it answers.
    pub(crate) tick: i64,
    /// So many requests of a region pass in every `per`, by the real clock.
    pub(crate) rate: usize,
    pub(crate) per: Duration,
    /// How many requests a token lives.
    pub(crate) token_life: usize,
    /// Every so manieth page is empty and has a token; 0 is never.
    pub(crate) empty: usize,
    /// From this request on nothing is allowed any more: the place at which a run is cut off.
    pub(crate) deny_from: usize,
    /// How long an answer takes.
    pub(crate) latency: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            now: 0,
            tick: 0,
            rate: 2,
            per: Duration::from_secs(1),
            token_life: usize::MAX,
            empty: 0,
            deny_from: usize::MAX,
            latency: Duration::ZERO,
        }
    }
}

/// A request as the server saw it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) region: String,
    pub(crate) query: Value,
    /// What became of it: empty where it was answered, else the error's name.
    pub(crate) error: String,
    /// When, since the server started.
    pub(crate) at: Duration,
}

/// What is behind a token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    region: String,
    query: Value,
    /// The last event given, by time and id: the page goes on behind it.
    after: (i64, String),
    issued: usize,
}

pub(super) struct State {
    behaviour: Behaviour,
    events: BTreeMap<String, Vec<Stored>>,
    tokens: BTreeMap<String, Token>,
    recent: BTreeMap<String, Vec<Instant>>,
    asked: Vec<Asked>,
    answered: usize,
    pages: usize,
}

/// The server. It stops when dropped.
pub(crate) struct LookupServer {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl LookupServer {
    /// Serves these records, each in its region, where they are management events of the last 90 days.
    pub(crate) fn start(records: &[Value], behaviour: Behaviour) -> Self {
        let mut events: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
        for event in records.iter().filter_map(Stored::of) {
            events.entry(event.region.clone()).or_default().push(event);
        }
        let state = State {
            behaviour,
            events,
            tokens: BTreeMap::new(),
            recent: BTreeMap::new(),
            asked: Vec::new(),
            answered: 0,
            pages: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let (shared, start) = (state.clone(), Instant::now());
        let server = Server::answering(move |request| {
            let latency = shared.lock().unwrap().behaviour.latency;
            std::thread::sleep(latency);
            answer(&mut shared.lock().unwrap(), request, start)
        });
        Self { server, state }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Changes how it behaves from now on.
    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state.lock().unwrap().behaviour);
    }

    /// A record arrives, late or not: it is found from the moment `at` of the server's clock.
    pub(crate) fn arrive(&self, record: &Value, at: i64) {
        let event = Stored { available: at, ..Stored::of(record).unwrap() };
        self.state.lock().unwrap().events.entry(event.region.clone()).or_default().push(event);
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// How many requests were answered with a page.
    pub(crate) fn answered(&self) -> usize {
        self.state.lock().unwrap().answered
    }
}

fn answer(state: &mut State, request: &Request, start: Instant) -> Response {
    let region = request.region().to_owned();
    let query: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let done = if request.header("x-amz-target").ends_with("CloudTrail_20131101.LookupEvents") {
        rules::look_up(state, &region, &query)
    } else {
        Err(("UnknownOperationException", "no such operation".to_owned()))
    };
    let error = done.as_ref().err().map(|(name, _)| (*name).to_owned()).unwrap_or_default();
    state.asked.push(Asked { region, query, error, at: start.elapsed() });
    state.behaviour.now += state.behaviour.tick;
    let (status, body) = match done {
        Ok(page) => (200, page),
        // Throttling too is a 400 in this protocol.
        Err((name, message)) => (400, json!({ "__type": name, "message": message })),
    };
    let kind = ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned());
    Response { status, headers: vec![kind], body: serde_json::to_vec(&body).unwrap() }
}
