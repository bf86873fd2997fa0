//! A proxy that spoils answers on their way.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::lookup_server::http::{Request, Response, Server, head, read_request, write_response};

/// What is done to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Too fast, in the words of both protocols.
    Throttled,
    /// The caller may not.
    Denied,
    /// The service is at fault.
    Internal,
    /// No answer, and the connection ends.
    Cut,
    /// The body ends in its middle, and the connection with it.
    CutBody,
    /// The body is half, and its length says so.
    HalfBody,
    /// One byte of the body is another.
    OtherByte,
    /// The body comes more slowly than anybody waits.
    Slow,
    /// No answer for longer than anybody waits.
    Silent,
}

/// A proxy in front of a server; it ends with this value.
pub(crate) struct Proxy {
    server: Server,
    seen: Arc<AtomicUsize>,
}

impl Proxy {
    /// Passes requests on to `upstream` and spoils the answers that `which` says: of this request, the so manieth.
    pub(crate) fn start(upstream: &str, which: impl Fn(usize, &Request) -> Option<Fault> + Send + Sync + 'static) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = seen.clone();
        let server = Server::start(move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = read_request(&mut reader) {
                let number = counter.fetch_add(1, Ordering::Relaxed);
                let fault = which(number, &request);
                if answer(&mut stream, &upstream, &request, fault).is_none() {
                    return;
                }
            }
        });
        Self { server, seen }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }
}

/// Answers; `None` where the connection is to end.
fn answer(stream: &mut TcpStream, upstream: &str, request: &Request, fault: Option<Fault>) -> Option<()> {
    let json = request.header("x-amz-target").is_empty().then_some(()).is_none();
    let refusal = |status: u16, code: &str| Response {
        status,
        headers: vec![(
            "content-type".to_owned(),
            if json { "application/x-amz-json-1.1" } else { "application/xml" }.to_owned(),
        )],
        body: if json {
            format!(r#"{{"__type":"{code}","message":"spoilt"}}"#).into_bytes()
        } else {
            format!("<Error><Code>{code}</Code><Message>spoilt</Message></Error>").into_bytes()
        },
    };
    match fault {
        Some(Fault::Throttled) if json => return write_response(stream, &refusal(400, "ThrottlingException")).ok(),
        Some(Fault::Throttled) => return write_response(stream, &refusal(503, "SlowDown")).ok(),
        Some(Fault::Denied) if json => return write_response(stream, &refusal(400, "AccessDeniedException")).ok(),
        Some(Fault::Denied) => return write_response(stream, &refusal(403, "AccessDenied")).ok(),
        Some(Fault::Internal) => return write_response(stream, &refusal(500, "InternalError")).ok(),
        Some(Fault::Cut) => return None,
        Some(Fault::Silent) => {
            std::thread::sleep(PATIENCE * 3);
            return None;
        }
        _ => {}
    }
    let mut response = pass_on(upstream, request);
    let half = response.body.len() / 2;
    match fault {
        Some(Fault::CutBody) => {
            stream.write_all(&head(&response)).ok()?;
            stream.write_all(&response.body[..half]).ok()?;
            None
        }
        Some(Fault::HalfBody) => {
            response.body.truncate(half);
            response.headers.retain(|(name, _)| name != "content-length");
            write_response(stream, &response).ok()
        }
        Some(Fault::OtherByte) => {
            if let Some(byte) = response.body.get_mut(half) {
                *byte ^= 0x55;
            }
            write_response(stream, &response).ok()
        }
        Some(Fault::Slow) => {
            stream.write_all(&head(&response)).ok()?;
            for piece in response.body.chunks(half.max(1)) {
                stream.write_all(piece).ok()?;
                std::thread::sleep(PATIENCE * 2);
            }
            None
        }
        _ => write_response(stream, &response).ok(),
    }
}

/// So long the clients of these tests wait for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

/// The server's own answer.
fn pass_on(upstream: &str, request: &Request) -> Response {
    let mut stream = TcpStream::connect(upstream).unwrap();
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().filter(|(name, _)| name != "connection") {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("connection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut bytes = Vec::new();
    // The fake of CloudTrail keeps connections, so the length tells where the answer ends.
    let mut piece = [0; 16 << 10];
    let (mut end, mut length) = (None, None);
    loop {
        let read = stream.read(&mut piece).unwrap();
        bytes.extend_from_slice(&piece[..read]);
        if end.is_none() {
            end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
            length = end.and_then(|end| length_of(&bytes[..end]));
        }
        let whole = end.is_some_and(|end| length.is_some_and(|n| bytes.len() >= end + n) || request.method == "HEAD");
        if read == 0 || whole {
            break;
        }
    }
    let head = String::from_utf8(bytes[..end.unwrap()].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    let headers: Vec<_> = headers.filter(|(name, _)| name != "connection").collect();
    assert!(headers.iter().all(|(name, _)| name != "transfer-encoding"), "answers have a length");
    Response { status, headers, body: bytes[end.unwrap()..].to_vec() }
}

fn length_of(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}
