//! Draws a progress bar for work that takes over a second, and prints the notes of runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::Output;
use crate::clock;
use crate::driver::drive::{Advance, Watcher};
use crate::driver::notes::Advances;
use crate::driver::pass;
use crate::model::TenantName;
use crate::platform::{Heard, RequestEvent};
use crate::reconcile::Note;
use crate::render::value::{counted, escape};

/// Shorter work shows no bar.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// A progress bar that appears after one second.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    output: Output,
    visible: AtomicBool,
    notes: Notes,
    stop: CancellationToken,
    advances: Advances,
}

/// Which notes of runs are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notes {
    /// All notes.
    All,
    /// All notes except those that the result repeats.
    WithoutResults,
    /// All notes with `-v`, no notes without.
    Verbose,
}

impl Progress {
    /// Makes a bar over `length` pieces of work.
    pub fn new(output: &Output, what: &str, length: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} {eta} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        Self {
            bar,
            started: clock::monotonic(),
            output: *output,
            visible: AtomicBool::new(false),
            notes: Notes::All,
            stop: CancellationToken::new(),
            advances: Advances::default(),
        }
    }

    /// Makes a bar that leaves out the notes that the result repeats.
    pub fn silent(output: &Output, what: &str, length: usize) -> Self {
        Self { notes: Notes::WithoutResults, ..Self::new(output, what, length) }
    }

    /// Makes a bar that prints the notes of runs with `-v` only.
    pub fn alone(output: &Output, what: &str, length: usize) -> Self {
        Self { notes: Notes::Verbose, ..Self::new(output, what, length) }
    }

    /// Sets the number of pieces of work.
    pub fn over(&self, length: usize) {
        self.bar.set_length(length as u64);
    }

    /// Returns a callback that prints long waits for a rate limit.
    pub fn heard(&self) -> Heard {
        let (bar, output) = (self.bar.clone(), self.output);
        Arc::new(move |reported| {
            if let RequestEvent::Waits { organization, wait } = reported {
                let wait_s = wait.as_secs() + 1;
                let line =
                    format!("organization {organization} is rate limited; genesync continues in {wait_s} s");
                bar.suspend(|| output.talk(&escape(&line)));
            }
        })
    }

    /// Counts one finished piece.
    pub fn step(&self) {
        self.bar.inc(1);
        self.appear();
    }

    /// Counts one finished piece of `length`.
    pub fn step_of(&self, length: usize) {
        self.over(length);
        self.step();
    }

    fn talk(&self, line: &str) {
        match self.notes {
            Notes::Verbose => self.output.detail(line),
            Notes::All | Notes::WithoutResults => self.output.talk(line),
        }
    }

    fn appear(&self) {
        if self.output.shows_progress()
            && self.started.elapsed() > QUIET_FOR
            && !self.visible.swap(true, Ordering::Relaxed)
        {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Stops the runs after their writes in flight.
    pub fn cancel(&self) {
        let line = "stopping after the writes in flight; interrupt again to stop at once and leave them to the journal";
        self.bar.suspend(|| self.output.talk(line));
        self.stop.cancel();
    }
}

impl pass::Progress for Progress {
    fn begin(&self, what: &'static str, tenants: usize) {
        self.bar.finish_and_clear();
        self.bar.reset();
        self.bar.set_prefix(what);
        self.bar.set_length(tenants as u64);
        self.appear();
    }

    fn step(&self) {
        Progress::step(self);
    }

    fn waiting(&self, tenants: usize, first: &TenantName, holder: &str) {
        let tenants = counted(tenants, "tenant");
        let line = format!("waiting for {tenants} leased by {holder}, such as {first}");
        self.bar.suspend(|| self.talk(&escape(&line)));
    }
}

impl Watcher for Progress {
    fn note(&self, tenant: &TenantName, note: &Note) {
        let line = escape(&format!("{tenant}: {note}"));
        self.bar.suspend(|| match note {
            Note::OutOfPlace { .. } | Note::OtherKey { .. } => self.output.warning(&line),
            _ if self.notes == Notes::Verbose => self.talk(&line),
            // A repeated poll shows what a long run waits for.
            Note::AwaitingAudit { polls, .. } if *polls > 0 => self.output.talk(&line),
            // The result repeats these notes.
            Note::Wrote { .. }
            | Note::Served { .. }
            | Note::JobStarted { .. }
            | Note::AwaitingAudit { .. }
            | Note::Landed { .. } => self.output.detail(&line),
            Note::ForeignEdit { .. } if self.notes == Notes::WithoutResults => {}
            _ => self.output.talk(&line),
        });
        self.appear();
    }

    fn advanced(&self, tenant: &TenantName, advance: Advance) {
        let Advance { done, all } = advance;
        self.bar.set_message(escape(&format!("{tenant}: {done} of {all} objects")));
        self.appear();
        // Without a visible bar, genesync prints lines.
        if let Some(reported) = self.advances.reported(tenant, advance).filter(|_| self.bar.is_hidden()) {
            self.talk(&escape(&format!("{tenant}: {reported}")));
        }
    }

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}
