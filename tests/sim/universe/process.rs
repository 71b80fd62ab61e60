//! The processes of one seed: the one that holds the lease, and one that has lost it and may go on for a while.

use std::sync::Arc;

use genesync::reconcile::{Effect, End, Event, Hold, HoldCause, Run, step};

use super::words::name;
use super::{Mutant, Universe};

/// A process with a run of the tenant.
pub struct Working {
    run: Run,
    /// What it is about to do; none once its run has settled.
    asked: Option<Effect>,
    /// The fencing token that came with its lease.
    token: u64,
    /// The commit that its run is about.
    commit: u64,
}

impl Universe {
    /// One run from the journal as it is on the disk, of whichever process holds the lease at its end. Returns
    /// the effects left, the status (none after a crash), and how many changes its first plan had.
    pub fn run(&mut self, mut left: Option<u64>) -> Result<(u64, Option<End>, Option<usize>), String> {
        let mut working = self.begin()?;
        // No run needs more: every loop of the core is bounded.
        for _ in 0..2_000 {
            let Some(effect) = working.asked.take() else {
                let run = working.run;
                let changes = run.first_plan().map(|plan| plan.changes().count());
                match run.end() {
                    Some(End::Held(Hold { cause: HoldCause::Flapping, .. })) => {
                        self.counts.hit("fought over")
                    }
                    Some(End::Held(_)) => self.counts.hit("held"),
                    _ => {}
                }
                self.say(format!("settled: {:?}", run.end()));
                return Ok((left.unwrap_or(0), run.end().cloned(), changes));
            };
            if let Some(left) = &mut left {
                *left = left.saturating_sub(1);
                self.people_act();
                if self.dice.percent(self.script.crash_before) {
                    self.counts.hit("crash before");
                    self.say(format!("CRASH before {}", name(&effect)));
                    return Ok((*left, None, None));
                }
                // A run that is taken over begins anew: for that to end, the last ones are not.
                let may_lose = *left > 0 && self.former.is_none();
                if may_lose && self.processes.percent(self.script.lease) {
                    self.counts.hit("takeover");
                    self.say(format!("TAKEOVER before {}", name(&effect)));
                    self.former = Some(Working { asked: Some(effect), ..working });
                    self.fence += 1;
                    working = self.begin()?;
                    continue;
                }
            }
            self.former_acts()?;
            let event = self.perform_for(&working, effect)?;
            if let Some(left) = left
                && self.dice.percent(self.script.crash_after)
            {
                self.counts.hit("crash after");
                self.say(format!("CRASH before hearing {}", event.name()));
                return Ok((left, None, None));
            }
            working = self.feed(working, event)?;
        }
        self.fail("a run did not end in 2,000 steps")
    }

    fn begin(&mut self) -> Result<Working, String> {
        let run = Run::new(Arc::new(self.spec()), self.journal());
        self.say(format!("run from {}", run.spec().revision));
        let working = Working { run, asked: None, token: self.fence, commit: self.git.0 };
        self.feed(working, Event::Begin)
    }

    /// Feeds an event, and the word to go on where the run has a plan.
    fn feed(&mut self, working: Working, event: Event) -> Result<Working, String> {
        let Working { mut run, token, commit, .. } = working;
        let mut event = event;
        loop {
            let next = step(run, event, self.now);
            run = next.run;
            let mut asked = None;
            for effect in next.effects {
                match effect {
                    Effect::Report(note) => self.note(&note)?,
                    effect => asked = Some(effect),
                }
            }
            if asked.is_some() || run.end().is_some() {
                return Ok(Working { run, asked, token, commit });
            }
            event = Event::Proceed;
        }
    }

    /// Now and then the process that lost its lease does one more thing, or hears of its loss.
    fn former_acts(&mut self) -> Result<(), String> {
        if self.former.is_none() || !self.processes.percent(25) {
            return Ok(());
        }
        let Some(mut former) = self.former.take() else { return Ok(()) };
        let Some(effect) = former.asked.take() else { return Ok(()) };
        self.say(format!("the former process goes on with {}", name(&effect)));
        let event =
            if self.processes.percent(10) { Event::LeaseLost } else { self.perform_for(&former, effect)? };
        let former = self.feed(former, event)?;
        match former.run.end() {
            Some(status) => {
                if *status == End::LeaseLost {
                    self.counts.hit("lease lost");
                }
                self.say(format!("the former process has settled: {status:?}"));
            }
            None => self.former = Some(former),
        }
        Ok(())
    }

    /// Performs an effect as a driver does: git is asked where that is still of use, and the store takes records
    /// with the newest token only.
    fn perform_for(&mut self, working: &Working, effect: Effect) -> Result<Event, String> {
        self.commit = working.commit;
        let moved = self.script.asks_git && working.commit != self.git.0;
        if moved
            && working.run.may_be_superseded()
            && (matches!(effect, Effect::Save(_)) || self.processes.percent(50))
        {
            self.counts.hit("superseded");
            self.say("git has moved on");
            return Ok(Event::Superseded);
        }
        let is_newest = working.token == self.fence;
        if !is_newest && matches!(effect, Effect::Save(_)) && self.mutant != Mutant::NoFence {
            self.say("the store refuses an old token");
            return Ok(Event::LeaseLost);
        }
        self.perform(effect, is_newest)
    }
}
