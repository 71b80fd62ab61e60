//! Benchmark: the waits of authors and reviewers: a check after a save or a keystroke, a picture, a page.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use genesync::model::ObjectKind;
use genesync::render::picture::look::looks;
use genesync::render::picture::{png, sheet};
use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::measure::{self, Figures, RUNS};
use crate::{GENESYNC, Outcome, corpus, report};

/// Tenants of the repository with the saved files, two files each.
const SAVED_TENANTS: usize = 500;
/// Measured saves, keystrokes and pictures.
const TIMES: usize = 21;
/// Tenants in the page, and how many of them change.
const PAGE_TENANTS: usize = 1_000;
const PAGE_CHANGED: usize = 50;
/// Lines of the file for keystrokes.
const TYPED_LINES: usize = 300;

/// The results.
#[derive(Default)]
pub struct Authors {
    /// From a save to the findings, in milliseconds.
    save_ms: Figures,
    /// From a keystroke to the findings, in milliseconds.
    keystroke_ms: Figures,
    /// A sheet of all screens as SVG, in milliseconds.
    picture_ms: Figures,
    /// Converting it to PNG, in milliseconds.
    png_ms: Figures,
    /// `plan` as text, in milliseconds.
    plan_ms: Figures,
    /// `plan` with the page, in milliseconds.
    page_ms: Figures,
    /// Size of the page, in MB.
    page_mb: f64,
}

/// Measures everything.
pub fn measure_all(scratch: &Path) -> Outcome<Authors> {
    let mut authors = Authors::default();
    let repository = scratch.join("authors");
    corpus::write(&repository, SAVED_TENANTS)?;
    saves(&repository, &mut authors)?;
    keystrokes(&repository, &mut authors)?;
    pictures(&mut authors)?;
    page(scratch, &mut authors)?;
    Ok(authors)
}

/// A child process that is killed when the value is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn web(repository: &Path, number: usize) -> std::path::PathBuf {
    repository.join("tenants").join(corpus::tenant_name(number)).join("web.yaml")
}

fn saves(repository: &Path, authors: &mut Authors) -> Outcome<()> {
    let mut command = Command::new(GENESYNC);
    command.args(["validate", "--watch"]).arg(repository).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running(command.spawn()?);
    let mut lines = BufReader::new(running.0.stdout.take().ok_or("no output")?).lines();
    let mut checked = || -> Outcome<()> {
        loop {
            let line = lines.next().ok_or("the process ended")??;
            if line.contains("checked in") {
                return Ok(());
            }
        }
    };
    checked()?;
    let path = web(repository, 417);
    let text = fs::read_to_string(&path)?;
    for round in 0..=TIMES {
        // The file is alternately invalid and valid, so that each save changes the findings.
        let saved = if round % 2 == 0 { text.replace("delayMs", "delayMz") } else { text.clone() };
        std::thread::sleep(Duration::from_millis(100));
        let begun = Instant::now();
        fs::write(&path, saved)?;
        checked()?;
        if round > 0 {
            authors.save_ms.0.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("saves measured");
    fs::write(&path, text)?;
    Ok(())
}

struct Editor {
    _child: Running,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Editor {
    fn start() -> Outcome<Self> {
        let mut child =
            Command::new(GENESYNC).arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) =
            (child.stdin.take().ok_or("no input")?, child.stdout.take().ok_or("no output")?);
        Ok(Self { _child: Running(child), stdin, stdout: BufReader::new(stdout) })
    }

    fn send(&mut self, message: &Value) -> Outcome<()> {
        let text = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.stdin.flush()?)
    }

    /// Reads until a message with this method arrives; an empty method means any answer.
    fn until(&mut self, method: &str) -> Outcome<Value> {
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if self.stdout.read_line(&mut line)? == 0 {
                    return Err("the server ended".into());
                }
                match line.trim_end().split_once(": ") {
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.parse()?
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            let mut body = vec![0; length];
            self.stdout.read_exact(&mut body)?;
            let message: Value = serde_json::from_slice(&body)?;
            if message["method"] == method || (method.is_empty() && message.get("result").is_some()) {
                return Ok(message);
            }
        }
    }
}

fn keystrokes(repository: &Path, authors: &mut Authors) -> Outcome<()> {
    let path = web(repository, 200);
    let mut text = fs::read_to_string(&path)?;
    while text.lines().count() < TYPED_LINES {
        text.push_str("  # a line of those that people write to each other in manifests\n");
    }
    let uri = format!("file://{}", path.canonicalize()?.display());
    let mut editor = Editor::start()?;
    editor
        .send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}))?;
    editor.until("")?;
    editor.send(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}))?;
    editor.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}}}))?;
    editor.until("textDocument/publishDiagnostics")?;
    for round in 0..=TIMES {
        let typed = text.replacen("delayMs:", &format!("delayM{}:", "z".repeat(round % 4)), 1);
        let begun = Instant::now();
        editor.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"textDocument": {"uri": uri, "version": round + 2}, "contentChanges": [{"text": typed}]}}))?;
        editor.until("textDocument/publishDiagnostics")?;
        if round > 0 {
            authors.keystroke_ms.0.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("keystrokes measured");
    Ok(())
}

fn pictures(authors: &mut Authors) -> Outcome<()> {
    let body = json!({
        "widget": {"theme": {"colors": {"primary": "#0B3D91", "background": "#FFFFFF"}, "typography": {"fontSize": "16px"}}},
        "greetings": {"enabled": true, "messages": [
            "Welcome to Northbank. How can we help with your banking today?",
            "For your security, never share your PIN, password or one-time codes in this chat.",
        ]},
        "availability": {"schedule": "custom", "rules": [{"dayOfWeek": "MONDAY", "startTime": "09:00", "endTime": "17:00"}]},
    });
    let body = body.as_object().ok_or("no map")?;
    for round in 0..=TIMES {
        let begun = Instant::now();
        let sheet = sheet::sheet("northbank", &looks(ObjectKind::WebMessaging, body), &|_| true);
        let drawn = begun.elapsed();
        let png = png::draw(&sheet.svg, 1.0)?;
        if round > 0 && !png.is_empty() {
            authors.picture_ms.0.push(drawn.as_secs_f64() * 1e3);
            authors.png_ms.0.push((begun.elapsed() - drawn).as_secs_f64() * 1e3);
        }
    }
    println!("pictures measured");
    Ok(())
}

fn page(scratch: &Path, authors: &mut Authors) -> Outcome<()> {
    let repository = scratch.join("reviewed");
    corpus::write(&repository, PAGE_TENANTS)?;
    let emulator = Emulator::start(GENESYNC)?;
    let settings = scratch.join("reviewed.toml");
    let mut text = format!("state-dir = {:?}\n[endpoints]\n", scratch.join("state-reviewed"));
    for region in corpus::regions() {
        writeln!(text, "{region} = {:?}", emulator.url)?;
    }
    fs::write(&settings, text)?;
    let genesync = |arguments: &[&str]| {
        let mut command = Command::new(GENESYNC);
        command.args(arguments).arg(&repository).arg("--quiet").arg("--settings").arg(&settings);
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_ID", &emulator.client.0);
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_SECRET", &emulator.client.1);
        command
    };
    let reason =
        ["--allow", "run-tenants", "--allow", "tenant-changes", "--reason", "the first apply of a benchmark"];
    measure::run(genesync(&["apply"]).args(reason), scratch)?;
    for number in 0..PAGE_CHANGED {
        let path = web(&repository, number * (PAGE_TENANTS / PAGE_CHANGED));
        let text = fs::read_to_string(&path)?;
        // Larger text shows on every screen of the conversation, in every size.
        let larger = (14..20).find(|px| text.contains(&format!("fontSize: {px}px"))).ok_or("no size")?;
        fs::write(
            &path,
            text.replace(&format!("fontSize: {larger}px"), &format!("fontSize: {}px", larger + 3)),
        )?;
    }
    let out = scratch.join("plan.html");
    let out = out.to_str().ok_or("the folder has no name")?;
    for round in 0..=RUNS {
        let plain = measure::run(&mut genesync(&["plan"]), scratch)?;
        let page = measure::run(&mut genesync(&["plan", "--out", out]), scratch)?;
        report::progress("page", round);
        if round > 0 {
            authors.plan_ms.0.push(plain.wall.as_secs_f64() * 1e3);
            authors.page_ms.0.push(page.wall.as_secs_f64() * 1e3);
        }
    }
    authors.page_mb = fs::metadata(out)?.len() as f64 / 1e6;
    Ok(())
}

/// The heading of the section in the page.
pub const HEADING: &str = "## 9. Authors and reviewers";

/// Renders the section of the page.
pub fn section(authors: &Authors) -> String {
    let met = |met: bool| if met { "**met**" } else { "**not met**" };
    format!(
        "{HEADING}\n\nA repository of {} files. One file is saved {TIMES} times, alternately invalid and valid, while `genesync validate --watch` runs, and one of\n\
         {TYPED_LINES} lines is edited through `genesync lsp`. A sheet shows every screen of one tenant, drawn in the process. `genesync plan` covers {PAGE_TENANTS} tenants on the\n\
         emulator of the same machine, of which {PAGE_CHANGED} change, as text and with `--out plan.html`.\n\n\
         | | target | measured | verdict |\n| --- | --- | --- | --- |\n\
         | a save to its findings, ms | under 100 | {} | {} |\n\
         | a keystroke to its findings, ms | under 30 | {} | {} |\n\
         | a sheet of pictures as SVG, ms | under 10 | {} | {} |\n\
         | the same converted to PNG, additional ms | - | {} | - |\n\
         | the plan as text, ms | - | {} | - |\n\
         | the plan with its page, ms | under 2000 | {} | {} |\n\
         | the page, MB | under 5 | {:.2} | {} |\n",
        SAVED_TENANTS * 2,
        authors.save_ms.shown(1),
        met(authors.save_ms.spread().1 < 100.0),
        authors.keystroke_ms.shown(1),
        met(authors.keystroke_ms.spread().1 < 30.0),
        authors.picture_ms.shown(1),
        met(authors.picture_ms.median() < 10.0),
        authors.png_ms.shown(0),
        authors.plan_ms.shown(0),
        authors.page_ms.shown(0),
        met(authors.page_ms.median() < 2000.0),
        authors.page_mb,
        met(authors.page_mb < 5.0),
    )
}
