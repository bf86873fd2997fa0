//! An account that answers what a test says, and the command that asks it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::http::{Request, Response, Server, plain};

pub(crate) const ACCOUNT: &str = "111122223333";

/// An access key id, a secret and a token as they look, so that they are recognised where they must not be.
pub(crate) const KEY: &str = "ASIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKENabcdefghijklmnopqrstuvwxyz0123456789";
/// The name of the caller's session: a person.
pub(crate) const SESSION: &str = "alice.liddell@example.com";

/// An account on loopback. It ends with this value.
pub(crate) struct FakeAccount {
    server: Server,
    asked: Arc<Mutex<Vec<Request>>>,
}

/// The operation that a request asks for: `Action` of the query protocol, or the target of the JSON protocol.
pub(crate) fn operation(request: &Request) -> String {
    if let Some((_, name)) = request.header("x-amz-target").rsplit_once('.') {
        return name.to_owned();
    }
    parameters(request).remove("Action").unwrap_or_else(|| request.path.clone())
}

/// The parameters of a request in the query protocol.
pub(crate) fn parameters(request: &Request) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (plain(k), plain(v))).collect()
}

fn with_type(status: u16, kind: &str, body: String) -> Response {
    Response { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: body.into_bytes() }
}

pub(crate) fn xml(status: u16, body: &str) -> Response {
    with_type(status, "text/xml", body.to_owned())
}

pub(crate) fn json(status: u16, body: &Value) -> Response {
    with_type(status, "application/x-amz-json-1.1", body.to_string())
}

/// A refusal in the query protocol.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    xml(status, &format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"))
}

/// An answer in the query protocol.
pub(crate) fn result(operation: &str, body: &str) -> Response {
    let inner = format!("<{operation}Result>{body}</{operation}Result>");
    xml(200, &format!("<{operation}Response>{inner}<ResponseMetadata/></{operation}Response>"))
}

pub(crate) fn identity() -> Response {
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/Reader/{SESSION}");
    result("GetCallerIdentity", &format!("<Arn>{arn}</Arn><UserId>AROAX:{SESSION}</UserId><Account>{ACCOUNT}</Account>"))
}

impl FakeAccount {
    /// Answers with what `answer` gives; who asks whose account it is gets the truth where it gives nothing.
    pub(crate) fn start(answer: impl Fn(&str, &Request) -> Option<Response> + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = asked.clone();
        let server = Server::answering(move |request| {
            seen.lock().unwrap().push(request.clone());
            let name = operation(request);
            answer(&name, request).unwrap_or_else(|| match name.as_str() {
                "GetCallerIdentity" => identity(),
                _ => refusal(400, "InvalidAction", "no such operation"),
            })
        });
        Self { server, asked }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

/// The command, in an environment of which nothing is inherited that says anything about AWS.
pub(crate) fn bare(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_policyc"));
    command.args(arguments).env_clear().current_dir(home).env("HOME", home).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command
}

/// The command, with credentials, a region and an endpoint.
pub(crate) fn policyc(home: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = bare(home, arguments);
    command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_SESSION_TOKEN", TOKEN);
    command
}

/// What it said: exit code, standard output, everything else. Nothing that is nobody's business is in it.
pub(crate) fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, told) = (text(&output.stdout), text(&output.stderr));
    for private in [KEY, SECRET, TOKEN, SESSION] {
        assert!(!out.contains(private) && !told.contains(private), "`{private}` in\n{out}\n{told}");
    }
    (output.status.code().unwrap(), out, told)
}

/// Compares what was asked of the account with what `policyc permissions` prints; whose account it is everybody may ask.
#[track_caller]
pub(crate) fn needs(account: &FakeAccount, home: &Path, arguments: &[&str]) {
    let all: Vec<&str> = ["permissions"].iter().chain(arguments).copied().collect();
    let (code, out, told) = said(&bare(home, &all).output().unwrap());
    assert_eq!(code, 0, "{told}");
    let policy: Value = serde_json::from_str(&out).unwrap();
    let actions = policy["Statement"].as_array().unwrap().iter().flat_map(|s| s["Action"].as_array().unwrap());
    let printed: BTreeSet<String> = actions.map(|a| a.as_str().unwrap().to_owned()).collect();
    let asked = account.asked();
    let asked = asked.iter().map(operation).filter(|name| name != "GetCallerIdentity");
    assert_eq!(printed, asked.map(|name| format!("iam:{name}")).collect(), "{arguments:?}");
}
