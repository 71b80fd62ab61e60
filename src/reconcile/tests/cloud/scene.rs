//! A test scene: one tenant and its platform.

use serde_json::Value;

use super::super::*;
use super::platform::{Platform, at, configuration, deployment, wanted};
use crate::model::plan::Drafts;
use crate::model::record::Ending;
use crate::model::{Dialect, Guard, Status};
use crate::reconcile::{Effect, Entries};

pub(super) struct Scene {
    pub(super) platform: Platform,
    pub(super) journal: Journal,
    pub(super) drafts: Drafts,
    pub(super) colour: &'static str,
    pub(super) now: Timestamp,
    pub(super) notes: Vec<String>,
    /// The result of each write.
    pub(super) endings: Vec<Ending>,
    /// The guards that the operator allowed.
    pub(super) allowed: BTreeSet<Guard>,
    /// A managed field that a rule ignores.
    pub(super) ignored: Option<&'static str>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let platform = Platform { flows: vec!["f-1"], ..Platform::default() };
        Self {
            platform,
            journal: Journal::default(),
            drafts: Drafts::Refuse,
            colour: "#111111",
            now: at(0),
            notes: Vec::new(),
            endings: Vec::new(),
            allowed: BTreeSet::new(),
            ignored: None,
        }
    }

    /// A scene in which everything matches git and has a base.
    pub(super) fn in_sync() -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.run(), "Synced");
        assert_eq!(scene.writes(), ["create", "publish", "deploy"]);
        scene
    }

    pub(super) fn writes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.platform.writes)
    }

    pub(super) fn spec(&self) -> Spec {
        let Run { spec, .. } = run_with(0, Mode::Enforce, Journal::default());
        let mut spec = Spec::clone(&spec);
        spec.tenant.dialect = Dialect::Cloud;
        spec.versions = Versions::Unenforced;
        spec.memory = crate::model::Memory::Kept;
        spec.limits.drafts = self.drafts;
        spec.limits.allowed.clone_from(&self.allowed);
        let reference = serde_json::json!({"name": "web"});
        let mut web = serde_json::json!({"messenger": {"styles": {"primaryColor": self.colour}}});
        if let Some(field) = self.ignored {
            web[field] = "as git says".into();
        }
        let mut web = wanted(configuration(), web);
        web.desired.ignored = self.ignored.into_iter().map(str::to_owned).collect();
        spec.resources = vec![
            web,
            wanted(
                deployment(),
                serde_json::json!({"configuration": reference, "flow": {"name": "Inbound"}, "allowAllDomains": true}),
            ),
        ];
        spec
    }

    /// Performs one whole run.
    pub(super) fn run(&mut self) -> String {
        self.run_until(usize::MAX)
    }

    /// Performs a run whose process dies after this many effects.
    pub(super) fn run_until(&mut self, effects: usize) -> String {
        self.platform.drafts = self.drafts;
        self.platform.adopted |= self.drafts == Drafts::Adopt;
        let mut run = Run::new(Arc::new(self.spec()), self.journal.clone());
        let mut event = Event::Begin;
        for number in 0.. {
            let next = step(run, event, self.now);
            run = next.run;
            let mut asked = None;
            for effect in next.effects {
                match effect {
                    Effect::Report(note) => self.notes.push(note.to_string()),
                    effect => asked = Some(effect),
                }
            }
            assert!(number < 500, "the run does not end: {:?}", self.platform.writes);
            if number >= effects {
                return "killed".into();
            }
            event = match (asked, run.end()) {
                (_, Some(End::Held(Hold { reason, .. }))) => return format!("Held: {reason}"),
                (_, Some(End::Refused(refusals))) => {
                    let guards: Vec<&str> = refusals.iter().map(|refusal| refusal.guard.name()).collect();
                    return format!("{}: refused by {}", word(run.end().unwrap()), guards.join(", "));
                }
                (_, Some(End::Degraded(fault))) => return format!("Degraded: {fault}"),
                (_, Some(end)) => return word(end).into(),
                (None, None) => Event::Proceed,
                (Some(effect), None) => self.perform(effect, &run),
            };
        }
        String::new()
    }

    pub(super) fn perform(&mut self, effect: Effect, run: &Run) -> Event {
        self.platform.now = Some(self.now);
        match effect {
            Effect::Observe(look) => Event::Observed(self.platform.look(&look)),
            Effect::Save(records) => {
                for record in records {
                    if let Record::Resolved { ending, .. } = &record {
                        self.endings.push(*ending);
                    }
                    self.journal.absorb(record);
                }
                Event::Saved
            }
            Effect::Write(writes) => {
                Event::Answered(writes.iter().map(|write| self.platform.write(write)).collect())
            }
            Effect::WakeAt(until) => {
                self.now = self.now.max(until);
                Event::Woke
            }
            Effect::ReadAudit(_) => all_proven(run),
            other => panic!("no effect of this dialect: {other:?}"),
        }
    }

    pub(super) fn served(&self) -> Option<(u64, Value)> {
        let (body, _) = self.platform.deployment.as_ref()?;
        let version: u64 = body["configuration"]["version"].as_str()?.parse().ok()?;
        let pinned = self.platform.configuration.as_ref()?.versions.get(version as usize - 1)?;
        Some((version, pinned["messenger"]["styles"]["primaryColor"].clone()))
    }
}

/// Returns an end as one word; an interrupted run has no status.
fn word(end: &End) -> &'static str {
    end.status().map_or("Interrupted", Status::word)
}

/// An audit log page with an entry for each receipt of a run.
pub(super) fn all_proven(run: &Run) -> Event {
    let entry = |receipt: &Receipt| Entry {
        id: format!("{}-{}", receipt.target, receipt.version),
        at: receipt.made_at.unwrap_or(receipt.sent_at),
        action: "Update".into(),
        object: receipt.target.object_ref(),
        actor: Actor { id: "us".into(), name: String::new(), kind: ActorKind::Client },
        remote_ip: None,
        version: None,
        changes: Vec::new(),
    };
    let entries = run.receipts.iter().chain(&run.journal.0.owed).map(entry).collect();
    Event::Entries(Entries { entries, ..Entries::default() })
}
