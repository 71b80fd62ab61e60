//! Sends messages to a receiver on this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::*;
use crate::model::FaultKind;
use crate::model::TenantName;
use crate::notify::{Cause, MessageState, Troubled, Why};

const LONG: Duration = Duration::from_secs(20);

/// Answers one request for each connection, in order, and returns the requests in a channel.
fn receiver(answers: Vec<String>) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/canary-path?sig=canary-query", listener.local_addr().unwrap());
    let (sent, received) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            // The client may close the connection before the end of the response.
            let _ = stream.write_all(answer.as_bytes());
            sent.send((head, serde_json::from_slice(&body).unwrap())).unwrap();
        }
    });
    (url, received)
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn example() -> Message {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let reason = "api.mypurecloud.ie did not answer within 15000 ms";
    let troubled = |tenant: &str, since: &str| Troubled {
        tenant: TenantName::new(tenant),
        since: at(since),
        reason: reason.into(),
    };
    Message {
        version: 1,
        id: "degraded/transient/3f2a91c0@1772444460#1-first".into(),
        group: "degraded/transient/3f2a91c0".into(),
        instance: "genesync".into(),
        state: MessageState::Firing,
        why: Why::First,
        cause: Cause::Degraded(FaultKind::Transient),
        reason: reason.into(),
        since: at("2026-03-02T09:41:00Z"),
        until: None,
        count: 14,
        tenants: vec![
            troubled("northbank", "2026-03-02T09:41:00Z"),
            troubled("sundale-clinic", "2026-03-02T09:41:02Z"),
        ],
        more: 12,
        repeat: 0,
    }
}

async fn send(url: &str, format: NotifyFormat) -> Result<(), Undelivered> {
    Sender::new(&Secret::new(url.into()), format, &Default::default()).unwrap().send(&example()).await
}

/// Returns the first JSON block below a heading of the documentation.
fn documented(heading: &str) -> Value {
    let docs = include_str!("../../../docs/watching.md");
    let section = docs.split(&format!("\n### {heading}\n")).nth(1).unwrap();
    serde_json::from_str(section.split("```json\n").nth(1).unwrap().split("```").next().unwrap()).unwrap()
}

#[tokio::test]
async fn messages_arrive_as_documented() {
    let (url, received) = receiver(vec![answer("200 OK", "ok"), answer("204 No Content", "")]);
    send(&url, NotifyFormat::Json).await.unwrap();
    let (head, body) = received.recv_timeout(LONG).unwrap();
    assert!(head.starts_with("post /services/canary-path?sig=canary-query http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    assert_eq!(body, documented("JSON"), "{body:#}");
    send(&url, NotifyFormat::Slack).await.unwrap();
    let (_, body) = received.recv_timeout(LONG).unwrap();
    assert_eq!(body, documented("Slack"), "{body:#}");
}

#[test]
fn every_cause_is_documented() {
    let docs = include_str!("../../../docs/watching.md");
    let failing = [
        FaultKind::Transient,
        FaultKind::Throttled,
        FaultKind::Denied,
        FaultKind::NotFound,
        FaultKind::Rejected,
        FaultKind::Local,
    ];
    let causes =
        [Cause::Drift, Cause::Held, Cause::Refused, Cause::Unconfirmed, Cause::Invalid, Cause::SourceStale];
    for cause in causes.into_iter().chain(failing.map(Cause::Degraded)) {
        let json = serde_json::to_value(Message { cause, ..example() }).unwrap();
        assert_eq!(json["cause"], cause.name());
        assert!(docs.contains(&format!("| `{}` |", cause.name())), "{}", cause.name());
        match cause {
            Cause::Degraded(failing) => {
                assert_eq!(json["failing"], failing.name());
                assert!(docs.contains(&format!("`{}`", failing.name())), "{}", failing.name());
            }
            _ => assert!(json.get("failing").is_none()),
        }
    }
}

#[tokio::test]
async fn an_error_has_a_short_part_of_the_response_and_never_the_url() {
    let long = format!("invalid_payload \u{1b}[2J{}", "x".repeat(100_000));
    let (url, _received) = receiver(vec![
        answer("400 Bad Request", &long),
        answer("429 Too Many Requests\r\nretry-after: 30", ""),
        answer("503 Service Unavailable\r\nretry-after: 99999999", "later"),
        answer("302 Found\r\nlocation: http://127.0.0.1:1/", ""),
        "not http at all".into(),
        String::new(),
    ]);
    let mut reasons = Vec::new();
    for _ in 0..6 {
        let error = send(&url, NotifyFormat::Json).await.unwrap_err();
        reasons.push((error.reason, error.retry_after.map(|wait| wait.as_secs())));
    }
    assert!(
        reasons[0].0.starts_with("the receiver answered 400: invalid_payload \\u{1b}[2Jxxx"),
        "{reasons:?}"
    );
    assert!(reasons[0].0.chars().count() < 250, "{reasons:?}");
    assert_eq!(reasons[1], ("the receiver answered 429".into(), Some(30)));
    assert_eq!(reasons[2], ("the receiver answered 503: later".into(), Some(3600)));
    assert_eq!(reasons[3].0, "the receiver answered 302");
    // No process listens on this port.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = send(&format!("http://{closed}/canary-path"), NotifyFormat::Json).await.unwrap_err();
    reasons.push((gone.reason, None));
    for (reason, _) in &reasons {
        assert!(!reason.contains("canary") && !reason.is_empty(), "{reason}");
    }
}

#[test]
fn a_url_is_https_or_this_machine_and_is_never_printed() {
    let new = |url: &str| Sender::new(&Secret::new(url.into()), NotifyFormat::Slack, &Default::default());
    for good in ["https://hooks.slack.example/services/canary", "http://127.0.0.1:1/?a=1", "http://[::1]:1/"]
    {
        let sender = new(good).unwrap();
        assert!(!format!("{sender:?}").contains("canary"), "{sender:?}");
    }
    for bad in ["http://hooks.slack.example/canary", "canary", "file:///canary", "https://", ""] {
        let error = new(bad).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[test]
fn a_wait_is_seconds_or_a_date_and_is_limited() {
    assert_eq!(asked(" 7 "), Some(Duration::from_secs(7)));
    assert_eq!(asked("Wed, 21 Oct 2099 07:28:00 GMT"), Some(ASKED_MAX));
    assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), None);
    assert_eq!(asked("soon"), None);
}
