//! Prints results on stdout and messages on stderr. A closed pipe is not an error.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};

/// Whether a write to stdout failed. It is global because stdout is.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// The printer of a command.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    quiet: bool,
    verbose: bool,
}

impl Output {
    /// Makes a printer. `quiet` prints only results and errors, `verbose` also prints details.
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose }
    }

    /// Prints a result on stdout, without styles if stdout is not a terminal.
    pub fn data(&self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // `| head` closes the pipe on purpose. Other errors, such as a full disk, lose the result.
            if error.kind() != io::ErrorKind::BrokenPipe {
                UNWRITTEN.store(true, Ordering::SeqCst);
                self.error(&format!("cannot write the result: {error}"));
            }
        }
    }

    /// Returns whether a result was lost. Then the exit code must not be 0.
    pub fn lost_a_result(&self) -> bool {
        UNWRITTEN.load(Ordering::SeqCst)
    }

    /// Prints a progress message, unless `--quiet`.
    pub fn talk(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Prints a detail, with `--verbose` only.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.stderr(text);
        }
    }

    /// Prints an error.
    pub fn error(&self, text: &str) {
        let style = AnsiColor::Red.on_default().bold();
        self.stderr(&format!("{style}error{style:#}: {text}"));
    }

    /// Prints a warning.
    pub fn warning(&self, text: &str) {
        let style = AnsiColor::Yellow.on_default().bold();
        self.stderr(&format!("{style}warning{style:#}: {text}"));
    }

    /// Prints a hint.
    pub fn hint(&self, text: &str) {
        let style = Style::new().bold();
        self.stderr(&format!("{style}hint{style:#}: {text}"));
    }

    fn stderr(&self, text: &str) {
        let mut stderr = anstream::stderr().lock();
        let _ = writeln!(stderr, "{text}");
    }

    /// Returns whether to draw a progress bar.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Returns whether details are printed.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }
}
