//! The language server, over its standard streams, as an editor uses it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::tenant;

struct Editor {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    asked: u64,
}

impl Editor {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
        let mut child =
            command.env_clear().arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut editor = Self { child, stdin, stdout, asked: 0 };
        editor.ask("initialize", json!({"capabilities": {}}));
        editor.tell("initialized", json!({}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.stdin.flush().unwrap();
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the server ended");
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap()
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stdout.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.read();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{message}");
                return message["result"].clone();
            }
        }
    }

    /// Returns the next diagnostics of a file.
    fn diagnostics(&mut self, uri: &str) -> Vec<Value> {
        loop {
            let message = self.read();
            if message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri {
                return message["params"]["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    fn open(&mut self, uri: &str, text: &str) -> Vec<Value> {
        self.tell(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}}),
        );
        self.diagnostics(uri)
    }

    fn change(&mut self, uri: &str, text: &str) -> Vec<Value> {
        self.tell(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": text}]}),
        );
        self.diagnostics(uri)
    }

    fn at(&mut self, method: &str, uri: &str, text: &str, part: &str) -> Value {
        let before = &text[..text.find(part).unwrap() + part.len()];
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().unwrap().encode_utf16().count();
        self.ask(
            method,
            json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}),
        )
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).unwrap();
    }
}

fn uri(folder: &Path, path: &str) -> String {
    format!("file://{}", folder.join(path).canonicalize().unwrap().display())
}

const BASE: &str = "apiVersion: genesync/v1alpha1
kind: WebMessaging
metadata: {name: house}
spec:
  widget: {theme: {colors: {primary: \"#0B5CAD\", background: \"#FFFFFF\"}}}
  greetings: {delayMs: 2000}
";

#[test]
fn an_editor_gets_findings_hovers_completions_and_fixes() {
    let folder = tempfile::tempdir().unwrap();
    let web = "  extends: [house]\n  greetings: {enabled: true, messages: [Grüß Gott 👋], delayMs: 1500}\n";
    let mut files = tenant("acme", &[1], web);
    files.push(("bases/house.yaml".into(), BASE.into()));
    for (path, text) in &files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (own, base) = (uri(folder.path(), "tenants/acme/web.yaml"), uri(folder.path(), "bases/house.yaml"));
    let mut editor = Editor::start();
    let text = files[1].1.clone();
    assert_eq!(editor.open(&own, &text), Vec::<Value>::new());
    assert_eq!(editor.open(&base, BASE), Vec::<Value>::new());

    // Not saved yet, and wrong in both files: the layer's pale colour is reported in the layer.
    let pale = BASE.replace("#0B5CAD", "#F2A900");
    let found = editor.change(&base, &pale);
    assert_eq!((found.len(), found[0]["code"].as_str()), (1, Some("contrast")), "{found:?}");
    assert_eq!(found[0]["range"]["start"], json!({"line": 4, "character": 37}));
    // It is shown in every open file that has it: the tenant's own file has none of it.
    assert_eq!(editor.diagnostics(&own), Vec::<Value>::new());
    let misspelt = text.replace("delayMs", "delayMz");
    let found = editor.change(&own, &misspelt);
    assert!(found[0]["message"].as_str().unwrap().contains("did you mean `delayMs`?"), "{found:?}");

    let range = found[0]["range"].clone();
    let fixes = editor.ask(
        "textDocument/codeAction",
        json!({"textDocument": {"uri": own}, "range": range, "context": {"diagnostics": []}}),
    );
    let edit = &fixes[0]["edit"]["changes"][&own][0];
    assert_eq!((&edit["newText"], &edit["range"]), (&json!("delayMs"), &range));
    // The astral character before it is two UTF-16 units wide.
    assert_eq!(
        range["start"]["character"].as_u64().unwrap() as usize,
        misspelt.lines().nth(5).unwrap().split("delayMz").next().unwrap().encode_utf16().count()
    );
    assert_eq!(editor.change(&own, &text), Vec::<Value>::new());

    let reported = editor.at("textDocument/hover", &own, &text, "delayMs: 15")["contents"]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    for part in [
        "`greetings.delayMs` = `1500`",
        "won `tenants/acme/web.yaml:6:",
        "beat `bases/house.yaml:6:",
        "`2000`",
        "Milliseconds before the first message",
    ] {
        assert!(reported.contains(part), "{part}: {reported}");
    }
    let reported = editor.at("textDocument/hover", &base, &pale, "primary: \"#F2")["contents"]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reported.contains("2.01 of 4.5, fails"), "{reported}");
    assert_eq!(editor.at("textDocument/hover", &own, &text, "apiVersi")["contents"]["kind"], "markdown");

    let typing = format!("{text}  availability:\n    schedule: ");
    editor.change(&own, &typing);
    let offered = editor.at("textDocument/completion", &own, &typing, "schedule: ");
    let labels: Vec<&str> =
        offered.as_array().unwrap().iter().filter_map(|item| item["label"].as_str()).collect();
    assert_eq!(labels, ["always", "custom"]);
    editor.tell("textDocument/didClose", json!({"textDocument": {"uri": own}}));
    assert_eq!(editor.diagnostics(&own), Vec::<Value>::new());
    assert_eq!(editor.ask("shutdown", Value::Null), Value::Null);
}

/// Sends bytes to a new server and closes the stream. Returns the exit code and both outputs.
fn session(input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
    command.env_clear().arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_editor_that_leaves_without_shutdown_gets_exit_code_1() {
    for (is_polite, code) in [(true, 0), (false, 1)] {
        let mut editor = Editor::start();
        if is_polite {
            editor.ask("shutdown", Value::Null);
        }
        editor.tell("exit", Value::Null);
        // The stream stays open: an editor that waits for the exit does not close it.
        assert_eq!(editor.child.wait().unwrap().code(), Some(code), "{is_polite}");
    }
    let (code, _, error) = session("");
    assert_eq!(code, 1);
    assert!(error.contains("without the request `shutdown`"), "{error}");
}

#[test]
fn headers_are_read_in_any_case_and_end_within_four_kilobytes() {
    let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}})
        .to_string();
    let framed = |name: &str| format!("{name}: {}\r\n\r\n{begin}", begin.len());
    for name in ["content-length", "CONTENT-LENGTH", "Content-Length"] {
        assert!(session(&framed(name)).1.contains("\"capabilities\""), "{name}");
    }
    let (code, said, error) = session(&format!("X: {}\r\n{}", "x".repeat(5_000), framed("Content-Length")));
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(error.contains("over 4096 bytes of headers"), "{error}");
}

#[test]
fn a_carriage_return_alone_ends_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let files = tenant("acme", &[1], "  greetings: {enabled: true, messages: [\"Hello \"]}\n");
    for (path, text) in &files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace('\n', "\r")).unwrap();
    }
    let own = uri(folder.path(), "tenants/acme/web.yaml");
    let found = Editor::start().open(&own, &files[1].1.replace('\n', "\r"));
    assert_eq!(found[0]["range"]["start"], json!({"line": 4, "character": 40}), "{found:?}");
    // The output counts lines as editors do, and shows the right line.
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
    let output = command.env_clear().arg("validate").arg(folder.path()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("tenants/acme/web.yaml:5:41"), "{printed}");
    assert!(printed.contains("5 |   greetings: {enabled: true"), "{printed}");
}
