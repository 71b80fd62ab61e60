//! A progress bar for what takes over a second, and the notes of runs as talk.

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
use crate::platform::{Heard, Told};
use crate::reconcile::Note;
use crate::render::value::{counted, escape};

/// What is shorter than this needs no bar.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// A bar that appears once the work has taken a while.
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
    /// All of them.
    All,
    /// All but those that the result repeats.
    WithoutResults,
    /// All of them with `-v`, none without.
    Verbose,
}

impl Progress {
    /// A bar over so many pieces of work.
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

    /// The same, for work whose result says again what the notes would say.
    pub fn silent(output: &Output, what: &str, length: usize) -> Self {
        Self { notes: Notes::WithoutResults, ..Self::new(output, what, length) }
    }

    /// The same bar; it prints the notes of runs with `-v` only.
    pub fn alone(output: &Output, what: &str, length: usize) -> Self {
        Self { notes: Notes::Verbose, ..Self::new(output, what, length) }
    }

    /// There are so many pieces of work, as is known by now.
    pub fn over(&self, length: usize) {
        self.bar.set_length(length as u64);
    }

    /// Tells of long waits for a rate limit.
    pub fn heard(&self) -> Heard {
        let (bar, output) = (self.bar.clone(), self.output);
        Arc::new(move |told| {
            if let Told::Waits { organization, wait } = told {
                let wait_s = wait.as_secs() + 1;
                let line = format!("organization {organization} is rate limited; going on in {wait_s} s");
                bar.suspend(|| output.talk(&escape(&line)));
            }
        })
    }

    /// One piece is done.
    pub fn step(&self) {
        self.bar.inc(1);
        self.appear();
    }

    /// One piece is done, of as many as are known by now.
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

    /// The work is over.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The operator wants the runs to end.
    pub fn cancel(&self) {
        let line = "stopping: what is under way is ended first; stop it again to leave that to the journal";
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
            // Long work says what it waits for.
            Note::AwaitingAudit { polls, .. } if *polls > 0 => self.output.talk(&line),
            // The course of things; the result says it again.
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
        // Where nobody sees the bar, a line does.
        if let Some(told) = self.advances.told(tenant, advance).filter(|_| self.bar.is_hidden()) {
            self.talk(&escape(&format!("{tenant}: {told}")));
        }
    }

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}
