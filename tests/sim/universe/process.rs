//! The processes of one seed: the one that holds the lease, and one that has lost it and may continue for a
//! while. Each is a run in the product's own driver, polled by hand: it moves only when it is its turn, and
//! dies at its current stop.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use genesync::driver::drive::{self, Go};
use genesync::driver::ports::Reads as _;
use genesync::model::{Dialect, Guard, Refusal};
use genesync::reconcile::{End, Hold, HoldCause, Run};

use super::ports::{Hand, Stop};
use super::{Counts, Mutant, Universe};

/// The limit of stops of a run: every loop of the core is bounded.
const STOPS_MAX: u32 = 4_000;

/// The driver's answer to a run that has a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Go(Go),
    /// A guard of the history, or of the whole pass, refuses it.
    Refused,
}

/// A process with a run of the tenant.
struct Process {
    hand: Arc<Hand>,
    driven: LocalBoxFuture<'static, Run>,
}

/// How far a process got.
enum Came {
    To(Stop),
    ToItsEnd(Box<Run>),
}

/// The result of a run.
pub struct Ran {
    /// The number of remaining effects that may still be performed.
    pub left: u64,
    /// Its result; none after a crash.
    pub end: Option<End>,
    /// The number of changes in its first plan.
    pub changes: Option<usize>,
}

/// One seed: its universe and its processes.
pub struct Simulation {
    universe: Arc<Mutex<Universe>>,
    /// A process that has lost its lease and may not know it.
    former: Option<Process>,
}

impl Process {
    /// Polls it until it stops again.
    fn go_on(&mut self) -> Came {
        match self.driven.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(run) => Came::ToItsEnd(Box::new(run)),
            Poll::Pending => Came::To(self.hand.stop().unwrap()),
        }
    }

    /// Lets it do its next action, or get the result.
    fn next(&mut self) -> Came {
        self.hand.go_on();
        self.go_on()
    }
}

impl Simulation {
    pub fn new(seed: u64, dialect: Dialect, mutant: Mutant) -> Self {
        Self::of(Universe::new(seed, dialect, mutant))
    }

    pub fn of(universe: Universe) -> Self {
        Self { universe: Arc::new(Mutex::new(universe)), former: None }
    }

    pub fn universe(&self) -> MutexGuard<'_, Universe> {
        self.universe.lock().unwrap()
    }

    /// Plays the seed: chaos, healing, the demands.
    pub fn play(&mut self) -> Result<Counts, String> {
        let mut left = self.universe().script.steps;
        while left > 0 {
            left = self.run(Some(left))?.left;
        }
        self.universe().heal();
        let dialect = self.universe().tenant.dialect;
        match dialect {
            Dialect::Webchat => self.demand_peace()?,
            Dialect::Cloud => self.demand_cloud_peace()?,
        }
        Ok(self.universe().counts.clone())
    }

    /// Plays one run from the journal on the disk, with whichever process holds the lease at its end.
    pub fn run(&mut self, mut left: Option<u64>) -> Result<Ran, String> {
        let (mut process, mut came) = self.begin(left.is_some());
        for _ in 0..STOPS_MAX {
            self.universe().check()?;
            match came {
                Came::ToItsEnd(run) => {
                    let mut universe = self.universe();
                    universe.settled(&run, "it");
                    let changes = run.first_plan().map(|plan| plan.changes().count());
                    return Ok(Ran { left: left.unwrap_or(0), end: run.end().cloned(), changes });
                }
                Came::To(stop @ Stop::Before(_)) => {
                    if let Some(left) = &mut left {
                        *left = left.saturating_sub(1);
                        if self.strikes(&process, stop) {
                            return Ok(Ran { left: *left, end: None, changes: None });
                        }
                        // A run that is taken over begins again. To bound this, the last runs are not taken
                        // over.
                        let may_lose = *left > 0 && self.former.is_none();
                        if may_lose && self.universe().takes_over(stop) {
                            self.former = Some(process);
                            (process, came) = self.begin(true);
                            continue;
                        }
                    }
                    self.former_acts()?;
                }
                Came::To(stop @ Stop::Hearing(_)) => {
                    if let Some(left) = left
                        && self.universe().crashes(stop)
                    {
                        return Ok(Ran { left, end: None, changes: None });
                    }
                }
            }
            came = process.next();
        }
        self.universe().fail(format!("a run did not end within {STOPS_MAX} stops"))
    }

    /// Begins a run, and drives it to its first stop.
    fn begin(&self, is_chaos: bool) -> (Process, Came) {
        let (run, word) = {
            let mut universe = self.universe();
            let run = Run::new(Arc::new(universe.spec()), universe.journal());
            let word = if is_chaos { universe.word() } else { Word::Go(Go::Now) };
            let revision = run.spec().revision.clone();
            universe.say(format!("run from {revision}: {word:?}"));
            (run, word)
        };
        let hand = Arc::new(Hand::new(&self.universe, word != Word::Go(Go::Now)));
        let driven = drive(run, word, Arc::clone(&hand)).boxed_local();
        let mut process = Process { hand, driven };
        let came = process.go_on();
        (process, came)
    }

    /// Draws the faults of the process that holds the lease, and returns whether it dies.
    fn strikes(&self, process: &Process, stop: Stop) -> bool {
        let mut universe = self.universe();
        universe.people_act();
        if universe.crashes(stop) {
            return true;
        }
        if universe.script.asks_git && process.hand.commit != universe.git.0 && universe.processes.percent(50)
        {
            process.hand.superseded.cancel();
        }
        let stopping = universe.script.stop;
        if universe.processes.percent(stopping) {
            universe.say(format!("the operator stops it {stop}"));
            process.hand.stopped.cancel();
        }
        false
    }

    /// Sometimes lets the process that lost its lease do one more action, or notice its loss.
    fn former_acts(&mut self) -> Result<(), String> {
        if self.former.is_none() || !self.universe().processes.percent(25) {
            return Ok(());
        }
        let Some(mut former) = self.former.take() else { return Ok(()) };
        self.universe().say(format!("the former process continues {}", former.hand.stop().unwrap()));
        if self.universe().processes.percent(10) {
            former.hand.lost.store(true, Ordering::Relaxed);
        }
        let mut came = former.next();
        if let Came::To(Stop::Hearing(_)) = came {
            came = former.next();
        }
        self.universe().check()?;
        match came {
            Came::ToItsEnd(run) => self.universe().settled(&run, "the former process"),
            Came::To(_) => self.former = Some(former),
        }
        Ok(())
    }
}

/// Drives a run as the product does.
async fn drive(run: Run, word: Word, hand: Arc<Hand>) -> Run {
    let hand = hand.as_ref();
    match word {
        Word::Go(go) => drive::whole(run, go, hand, hand, hand).await,
        Word::Refused => {
            let run = drive::prepare(run, hand, hand, hand).await;
            let refusal = Refusal { guard: Guard::Rewind, message: "an older commit".into() };
            if run.end().is_some() { run } else { drive::refuse(run, refusal, hand.now()) }
        }
    }
}

impl Universe {
    /// Returns the driver's answer to a run that has a plan.
    fn word(&mut self) -> Word {
        let chance = self.script.held_back;
        match (self.processes.percent(chance), self.processes.percent(50)) {
            (false, _) => Word::Go(Go::Now),
            (true, true) => Word::Go(Go::After(0)),
            (true, false) => Word::Refused,
        }
    }

    fn crashes(&mut self, stop: Stop) -> bool {
        let (chance, what) = match stop {
            Stop::Before(_) => (self.script.crash_before, "crash before"),
            Stop::Hearing(_) => (self.script.crash_after, "crash after"),
        };
        let crashes = self.dice.percent(chance);
        if crashes {
            self.counts.hit(what);
            self.say(format!("CRASH {stop}"));
        }
        crashes
    }

    fn takes_over(&mut self, stop: Stop) -> bool {
        let chance = self.script.lease;
        let takes = self.processes.percent(chance);
        if takes {
            self.counts.hit("takeover");
            self.say(format!("TAKEOVER {stop}"));
            self.fence += 1;
        }
        takes
    }

    fn settled(&mut self, run: &Run, who: &str) {
        let end = run.end();
        self.say(format!("{who} has settled: {end:?}"));
        self.counts.hit(match end {
            Some(End::Held(Hold { cause: HoldCause::Flapping, .. })) => "fought over",
            Some(End::Held(_)) => "held",
            Some(End::Waiting(_)) => "held back",
            Some(End::Refused(_)) => "refused",
            Some(End::LeaseLost) => "lease lost",
            Some(End::Superseded) => "superseded",
            Some(End::Cancelled(_)) => "stopped",
            _ => "another end",
        });
    }
}
