//! A universe as the ports of the product's own driver, one hand for each process. A hand stops before each
//! action, and again before it gets the result: there its process can be killed or overtaken.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use genesync::driver::drive::Watcher;
use genesync::driver::ports::{Keeps, Ports, Reads};
use genesync::model::write::{Accepted, Job, StartJob};
use genesync::model::{Dialect, Fault, FaultKind, Look, Outcome, Record, Seen, Target, TenantName, Write};
use genesync::reconcile::{AuditQuery, Entries, Note};
use genesync::store::StoreError;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Mutant, Universe};

/// The point at which a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It is about to do this.
    Before(&'static str),
    /// It has done this, and has not got the result.
    Hearing(&'static str),
}

/// The state of a process.
pub struct Hand {
    universe: Arc<Mutex<Universe>>,
    /// The fencing token of its lease.
    token: u64,
    /// The commit of its run.
    pub commit: u64,
    /// Whether its run has to wait: then it may write nothing.
    is_held_back: bool,
    stop: Mutex<Option<Stop>>,
    may_go_on: AtomicBool,
    /// Whether it knows that it lost its lease.
    pub lost: AtomicBool,
    /// The operator stops the process.
    pub stopped: CancellationToken,
    /// It knows that git has a newer commit.
    pub superseded: CancellationToken,
}

impl Hand {
    pub fn new(universe: &Arc<Mutex<Universe>>, is_held_back: bool) -> Self {
        let (token, commit) = {
            let universe = universe.lock().unwrap();
            (universe.fence, universe.git.0)
        };
        Self {
            universe: Arc::clone(universe),
            token,
            commit,
            is_held_back,
            stop: Mutex::default(),
            may_go_on: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            stopped: CancellationToken::new(),
            superseded: CancellationToken::new(),
        }
    }

    fn universe(&self) -> MutexGuard<'_, Universe> {
        self.universe.lock().unwrap()
    }

    /// Lets the process continue from its stop.
    pub fn go_on(&self) {
        self.may_go_on.store(true, Ordering::Relaxed);
    }

    /// Returns the point at which it is stopped.
    pub fn stop(&self) -> Option<Stop> {
        *self.stop.lock().unwrap()
    }

    async fn stand_still(&self, at: Stop) {
        *self.stop.lock().unwrap() = Some(at);
        let going =
            || if self.may_go_on.swap(false, Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending };
        poll_fn(|_| going()).await;
    }

    /// Does one action in the universe, when it is this process's turn.
    async fn act<T: Send>(
        &self,
        what: &'static str,
        perform: impl FnOnce(&mut Universe, bool) -> T + Send,
    ) -> T {
        self.stand_still(Stop::Before(what)).await;
        let done = {
            let mut universe = self.universe();
            let is_newest = self.token == universe.fence;
            universe.commit = self.commit;
            universe.passes();
            let done = perform(&mut universe, is_newest);
            universe.judge();
            done
        };
        self.stand_still(Stop::Hearing(what)).await;
        done
    }

    /// A process that was paused for too long does not send any more, and a run that is held back has nothing
    /// to send.
    fn may_leave(&self, universe: &mut Universe, deadline: Timestamp) -> Result<(), Fault> {
        if self.is_held_back {
            universe.demand(Err("a run that was held back, or refused, wants to write".to_owned()));
        }
        if universe.now > deadline {
            universe.counts.hit("too late to leave");
            return Err(Fault::new(FaultKind::Transient, "too late"));
        }
        Ok(())
    }
}

impl Reads for Hand {
    async fn observe(&self, look: &Look) -> Result<Seen, Fault> {
        let observe = |universe: &mut Universe, is_newest| match universe.tenant.dialect {
            Dialect::Webchat => universe.observe(look, is_newest),
            Dialect::Cloud => universe.survey(look, is_newest),
        };
        self.act("observe", observe).await
    }

    async fn job(&self, source: &Target, id: &str) -> Result<Job, Fault> {
        self.act("poll-job", |universe, _| universe.poll(source, id)).await
    }

    async fn entries(&self, query: &AuditQuery) -> Result<Entries, Fault> {
        let ask = |universe: &mut Universe, _| match universe.tenant.dialect {
            Dialect::Webchat => universe.read_audit(query),
            Dialect::Cloud => universe.ask(query),
        };
        self.act("read-audit", ask).await
    }

    fn now(&self) -> Timestamp {
        self.universe().now
    }

    async fn sleep(&self, wait: Duration) {
        let until = self.now() + SignedDuration::try_from(wait).unwrap();
        let sleep = |universe: &mut Universe, _| {
            let left = until.duration_since(universe.now).as_millis();
            universe.advance(u64::try_from(left).unwrap_or(0));
        };
        self.act("wait", sleep).await;
    }
}

impl Ports for Hand {
    async fn write(&self, write: &Write) -> Outcome<Accepted> {
        let send = |universe: &mut Universe, is_newest| match (
            self.may_leave(universe, write.deadline),
            universe.tenant.dialect,
        ) {
            (Err(fault), _) => Outcome::Unsent(fault),
            (Ok(()), Dialect::Webchat) => universe.put(write),
            (Ok(()), Dialect::Cloud) => universe.write(write, is_newest),
        };
        self.act("write", send).await
    }

    async fn start_job(&self, start: &StartJob) -> Outcome<Job> {
        let send = |universe: &mut Universe, _| match self.may_leave(universe, start.deadline) {
            Err(fault) => Outcome::Unsent(fault),
            Ok(()) => universe.replicate(start),
        };
        self.act("start-job", send).await
    }
}

impl Keeps for Hand {
    fn is_ours(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }

    /// Accepts records of the newest token, and an intent only for the commit that is current in git.
    async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        let tenant = || TenantName::new("acme");
        let append = |universe: &mut Universe, is_newest: bool| {
            if !is_newest && universe.mutant != Mutant::NoFence {
                universe.say("the store refuses an old token");
                return Err(StoreError::Fenced { tenant: tenant() });
            }
            let intends = records.iter().any(|record| matches!(record, Record::Intent(_)));
            if intends && universe.script.asks_git && self.commit != universe.git.0 {
                universe.counts.hit("superseded");
                universe.say("git has moved on");
                return Err(StoreError::Superseded { tenant: tenant() });
            }
            universe.keep(records)
        };
        self.act("save", append).await
    }
}

impl Watcher for Hand {
    fn note(&self, _: &TenantName, note: &Note) {
        self.universe().note(note);
    }

    fn stop(&self) -> &CancellationToken {
        &self.stopped
    }

    fn superseded(&self) -> Option<&CancellationToken> {
        Some(&self.superseded)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Before(what) => write!(f, "before {what}"),
            Stop::Hearing(what) => write!(f, "before hearing of {what}"),
        }
    }
}
