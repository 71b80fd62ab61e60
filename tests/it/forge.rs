//! The comment on a pull request: against a server that behaves as the forges' APIs do, also when they fail.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Ran, ran};

const TOKEN: &str = "canary-forge-token-1";

/// The server's action for the next request that matches a method and a part of a path.
struct Fault {
    method: &'static str,
    path: &'static str,
    act: Act,
}

enum Act {
    /// Answers with this, and does nothing.
    Say(u16, &'static str, Value),
    /// Executes the request, and closes the connection.
    Lose,
}

#[derive(Default)]
struct State {
    comments: Vec<Value>,
    statuses: Vec<Value>,
    faults: VecDeque<Fault>,
    requests: Vec<String>,
    /// Whether the token is a user's; otherwise it is a workflow's.
    is_user: bool,
}

/// GitHub and GitLab on loopback. The server ends with the test's process.
struct Server {
    url: String,
    state: Arc<Mutex<State>>,
    folder: tempfile::TempDir,
}

impl Server {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream, &shared);
            }
        });
        Self { url, state, folder: tempfile::tempdir().unwrap() }
    }

    fn fault(&self, method: &'static str, path: &'static str, act: Act) {
        self.state.lock().unwrap().faults.push_back(Fault { method, path, act });
    }

    fn post(&self, provider: &str, text: &str, more: &[&str]) -> Ran {
        let file = self.folder.path().join("plan.md");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
        command.env_clear().stdin(Stdio::null()).env("GENESYNC_FORGE_TOKEN", TOKEN);
        command.args(["pr-comment", "--provider", provider, "--api", &self.url, "--repository", "bank/chat"]);
        command.args(["--number", "7", "--commit", "c0ffee", "--file"]).arg(file).args(more);
        let ran = ran(command.output().unwrap());
        assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "the token was printed");
        ran
    }

    /// Returns the texts of the comments, without their first two lines.
    fn comments(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let text =
            |comment: &Value| comment["body"].as_str().unwrap().splitn(3, '\n').last().unwrap().to_owned();
        state.comments.iter().map(text).collect()
    }

    /// Returns the requests since the last call, without reads.
    fn writes(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state.lock().unwrap().requests);
        requests.into_iter().filter(|request| !request.starts_with("GET")).collect()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length, mut is_known) = (String::new(), 0, false);
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        is_known |=
            header == format!("authorization: bearer {TOKEN}") || header == format!("private-token: {TOKEN}");
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut state = state.lock().unwrap();
    state.requests.push(format!("{method} {path}"));
    let at = state.faults.iter().position(|fault| fault.method == method && path.contains(fault.path));
    let fault = at.and_then(|at| state.faults.remove(at));
    let (status, headers, answer) = match &fault {
        Some(Fault { act: Act::Say(status, headers, answer), .. }) => (*status, *headers, answer.clone()),
        _ if !is_known => (401, "", json!({"message": "Bad credentials"})),
        _ => {
            let (status, answer) = handle(&mut state, &method, &path, &body);
            (status, "", answer)
        }
    };
    if matches!(fault, Some(Fault { act: Act::Lose, .. })) {
        return;
    }
    let answer = answer.to_string();
    let length = answer.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let stream = reader.get_mut();
    // The client may have closed the connection.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes()));
}

fn handle(state: &mut State, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_thread = ["/repos/bank/chat/issues/7/comments", "/projects/bank%2Fchat/merge_requests/7/notes"]
        .contains(&path);
    let me = if state.is_user { json!({"id": 5, "type": "User"}) } else { json!({"id": 41, "type": "Bot"}) };
    match method {
        "GET" if path == "/user" && state.is_user => (200, me),
        "GET" if path == "/user" => (403, json!({"message": "Resource not accessible by integration"})),
        "GET" if is_thread => {
            let page: usize =
                query.split("&page=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
            (200, state.comments.iter().skip((page - 1) * 100).take(100).cloned().collect())
        }
        "POST" if is_thread => {
            let id = state.comments.len() as u64 + 1;
            state.comments.push(json!({"id": id, "body": asked["body"], "user": me, "author": me}));
            (201, state.comments.last().unwrap().clone())
        }
        "PATCH" | "PUT" => {
            let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
            let comment = state.comments.iter_mut().find(|comment| comment["id"] == id);
            let Some(comment) = comment else { return (404, json!({"message": "Not Found"})) };
            comment["body"] = asked["body"].clone();
            (200, comment.clone())
        }
        "POST" if path.contains("/check-runs") || path.contains("/statuses/") => {
            state.statuses.push(json!({"path": path, "body": asked}));
            (201, json!({"id": 1}))
        }
        _ => (404, json!({"message": "Not Found"})),
    }
}

#[test]
fn one_comment_is_created_updated_in_place_and_left_if_unchanged() {
    for (provider, update) in [
        ("github", "PATCH /repos/bank/chat/issues/comments/1"),
        ("gitlab", "PUT /projects/bank%2Fchat/merge_requests/7/notes/1"),
    ] {
        for is_user in [true, false] {
            // GitLab's tokens always belong to a user.
            if provider == "gitlab" && !is_user {
                continue;
            }
            let server = Server::new();
            server.state.lock().unwrap().is_user = is_user;
            assert!(server.post(provider, "plan A", &[]).expect(0).stderr.contains("comment posted"));
            assert_eq!(server.writes().len(), 1);
            let silent = server.post(provider, "plan A", &[]).expect(0);
            assert_eq!(
                (silent.stdout, silent.stderr, server.writes()),
                (String::new(), String::new(), vec![])
            );
            assert!(server.post(provider, "plan B", &[]).expect(0).stderr.contains("comment updated"));
            assert_eq!(
                (server.comments(), server.writes()),
                (vec!["plan B".to_owned()], vec![update.to_owned()])
            );
            // Another plan has its own comment.
            server.post(provider, "plan C", &["--key", "staging"]).expect(0);
            assert_eq!(server.comments(), ["plan B", "plan C"]);
        }
    }
}

#[test]
fn our_comment_is_found_on_a_later_page_and_others_are_not_changed() {
    let server = Server::new();
    let marker = "<!-- genesync:plan -->\n<!-- x -->\nforged";
    server.state.lock().unwrap().comments =
        (1..=150).map(|id| json!({"id": id, "body": marker, "user": {"id": 99, "type": "User"}})).collect();
    server.post("github", "plan A", &[]).expect(0);
    server.post("github", "plan B", &[]).expect(0);
    let comments = server.comments();
    assert_eq!((comments.len(), comments[150].as_str()), (151, "plan B"));
    assert!(comments[..150].iter().all(|comment| comment == "forged"));
}

#[test]
fn what_the_forge_refuses_is_reported_with_what_to_do() {
    for (status, said, hint) in [
        (403, "Resource not accessible by integration", "pull-requests: write"),
        (403, "Unable to create comment because issue is locked.", "unlock the conversation"),
        (422, "Body is too long (maximum is 65536 characters)", "plan fewer tenants"),
        (404, "Not Found", "check the repository and the pull request"),
    ] {
        let server = Server::new();
        server.fault("POST", "/comments", Act::Say(status, "", json!({"message": said})));
        let ran = server.post("github", "plan A", &[]).expect(7);
        assert!(
            ran.stderr.contains(&format!("the forge answered {status}: {said}")) && ran.stderr.contains(hint),
            "{}",
            ran.stderr
        );
        assert_eq!(server.writes().len(), 1, "a refused request is not sent again");
    }
    let server = Server::new();
    let long = server.post("github", &"x".repeat(70_000), &[]).expect(2);
    assert!(
        long.stderr.contains("the limit is 65536 bytes") && server.writes().is_empty(),
        "{}",
        long.stderr
    );
    let missing = Command::new(env!("CARGO_BIN_EXE_genesync"))
        .env_clear()
        .args(["pr-comment", "--provider", "github", "--file", "/nowhere.md"])
        .output()
        .unwrap();
    assert_eq!(ran(missing).code, 2);
}

#[test]
fn a_forge_that_asks_to_wait_is_waited_for() {
    let server = Server::new();
    let slow = json!({"message": "You have exceeded a secondary rate limit"});
    server.fault("GET", "/comments", Act::Say(429, "retry-after: 0\r\n", slow.clone()));
    server.fault("POST", "/comments", Act::Say(403, "retry-after: 0\r\n", slow.clone()));
    server.fault(
        "POST",
        "/comments",
        Act::Say(403, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1\r\n", slow),
    );
    server.fault("GET", "/comments", Act::Say(502, "", json!(null)));
    server.post("github", "plan A", &[]).expect(0);
    assert_eq!((server.comments(), server.writes().len()), (vec!["plan A".to_owned()], 3));
}

#[test]
fn an_answer_that_is_lost_makes_no_second_comment() {
    let server = Server::new();
    server.fault("POST", "/comments", Act::Lose);
    assert!(server.post("github", "plan A", &[]).expect(0).stderr.contains("comment posted"));
    assert_eq!((server.comments(), server.writes().len()), (vec!["plan A".to_owned()], 1));
    // The update was not executed: a gateway failed before the forge got it.
    server.fault("PATCH", "/comments", Act::Say(502, "", json!(null)));
    server.post("github", "plan B", &[]).expect(0);
    assert_eq!((server.comments(), server.writes().len()), (vec!["plan B".to_owned()], 2));
    // genesync reads back an update whose answer is lost.
    server.fault("PATCH", "/comments", Act::Lose);
    server.post("github", "plan C", &[]).expect(0);
    assert_eq!((server.comments(), server.writes().len()), (vec!["plan C".to_owned()], 1));
}

#[test]
fn the_commit_gets_a_check_or_otherwise_a_status() {
    let server = Server::new();
    let link = "https://ci.example/run/1";
    server
        .post(
            "github",
            "### genesync plan: 1 of 2 tenants change\n\nmore",
            &["--plan-exit-code", "0", "--link", link],
        )
        .expect(0);
    server.fault("POST", "/check-runs", Act::Say(403, "", json!({"message": "no"})));
    server.post("github", "### x", &["--plan-exit-code", "1"]).expect(0);
    server.post("gitlab", "### x", &["--plan-exit-code", "5"]).expect(0);
    let statuses = server.state.lock().unwrap().statuses.clone();
    assert_eq!(statuses[0]["path"], "/repos/bank/chat/check-runs");
    let check = &statuses[0]["body"];
    assert_eq!(
        (&check["conclusion"], &check["head_sha"], &check["details_url"]),
        (&json!("success"), &json!("c0ffee"), &json!(link))
    );
    assert_eq!(check["output"]["title"], "genesync plan: 1 of 2 tenants change");
    assert_eq!(
        (&statuses[1]["path"], &statuses[1]["body"]["state"]),
        (&json!("/repos/bank/chat/statuses/c0ffee"), &json!("failure"))
    );
    assert_eq!(
        (&statuses[2]["path"], &statuses[2]["body"]["state"]),
        (&json!("/projects/bank%2Fchat/statuses/c0ffee"), &json!("pending"))
    );
}

#[test]
fn a_token_is_not_sent_without_https() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
    let server = Server::new();
    let file = server.folder.path().join("plan.md");
    std::fs::write(&file, "x").unwrap();
    command.env_clear().env("GENESYNC_FORGE_TOKEN", TOKEN).args(["pr-comment", "--provider", "github"]);
    command
        .args(["--api", "http://forge.example", "--repository", "bank/chat", "--number", "7", "--file"])
        .arg(file);
    let ran = ran(command.output().unwrap()).expect(7);
    assert!(ran.stderr.contains("use https"), "{}", ran.stderr);
}

#[test]
fn a_comment_that_another_user_edited_is_restored() {
    let server = Server::new();
    server.post("github", "plan A\n\n| a | b |", &[]).expect(0);
    {
        let mut state = server.state.lock().unwrap();
        let body = state.comments[0]["body"].as_str().unwrap().to_owned();
        // Other line ends are no edit.
        state.comments[0]["body"] = body.replace('\n', "\r\n").into();
    }
    assert_eq!(server.post("github", "plan A\n\n| a | b |", &[]).expect(0).stderr, "");
    {
        let mut state = server.state.lock().unwrap();
        let body = state.comments[0]["body"].as_str().unwrap().to_owned();
        state.comments[0]["body"] = body.replace("plan A", "no changes").into();
    }
    assert!(server.post("github", "plan A\n\n| a | b |", &[]).expect(0).stderr.contains("comment updated"));
}
