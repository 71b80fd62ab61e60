//! The only printer: data on stdout, talk on stderr, and a reader that goes away is no error.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};

/// Whether anything meant for stdout was lost. One for the process, as stdout is.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    quiet: bool,
    verbose: bool,
}

impl Output {
    /// A printer that says nothing but results, or more than usual.
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose }
    }

    /// Prints a result. Styles are dropped where nobody could see them.
    pub fn data(&self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // `| head` closes the pipe: whoever reads has enough. A full disk is another matter.
            if error.kind() != io::ErrorKind::BrokenPipe {
                UNWRITTEN.store(true, Ordering::SeqCst);
                self.error(&format!("the result can't be written: {error}"));
            }
        }
    }

    /// Whether a result could not be written: then the exit code must not say that all is well.
    pub fn lost_a_result(&self) -> bool {
        UNWRITTEN.load(Ordering::SeqCst)
    }

    /// Says what is going on.
    pub fn talk(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Says what only some want to know.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.stderr(text);
        }
    }

    /// Says what went wrong.
    pub fn error(&self, text: &str) {
        let style = AnsiColor::Red.on_default().bold();
        self.stderr(&format!("{style}error{style:#}: {text}"));
    }

    /// Says what is not as it should be.
    pub fn warning(&self, text: &str) {
        let style = AnsiColor::Yellow.on_default().bold();
        self.stderr(&format!("{style}warning{style:#}: {text}"));
    }

    /// Says what to do next.
    pub fn hint(&self, text: &str) {
        let style = Style::new().bold();
        self.stderr(&format!("{style}hint{style:#}: {text}"));
    }

    fn stderr(&self, text: &str) {
        let mut stderr = anstream::stderr().lock();
        let _ = writeln!(stderr, "{text}");
    }

    /// Whether a progress bar has somebody to look at it.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Whether details are wanted.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }
}
