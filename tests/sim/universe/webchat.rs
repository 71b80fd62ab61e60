//! The `webchat` dialect in a universe, and its demands: one write for a change, which must match a version
//! if the server checks it, and which a job copies to other organizations.

use std::collections::BTreeSet;
use std::sync::Arc;

use genesync::api::webchat;
use genesync::emulator::{self, Actor, Fault as Script_, FaultAction, FaultMatch, Handled};
use genesync::model::write::{Accepted, Job, StartJob};
use genesync::model::{
    Desired, Fault, Look, Observed, OrganizationId, Outcome, Receipt, Record, Seen, Stored, Target, Write,
};
use genesync::plan;
use genesync::reconcile::{AuditQuery, End, Entries};
use serde_json::json;

use super::process::Simulation;
use super::words::outcome_name;
use super::{CLIENT, Mutant, Universe};

/// Returns what git says at one of its values.
pub fn desired(value: u64) -> Desired {
    let body = json!({
        "greetings": {"enabled": true, "messages": [format!("hello {value}")], "delayMs": value * 10},
        "features": {"flags": {"enableRichText": value.is_multiple_of(2)}, "audiences": ["b", "a"]},
    });
    Desired { body: Arc::new(body.as_object().cloned().unwrap()), exclusive: false, ignored: BTreeSet::new() }
}

fn managed(property: &str) -> bool {
    [
        "greetings.enabled",
        "greetings.messages",
        "greetings.delayMs",
        "features.flags.enableRichText",
        "features.audiences",
    ]
    .iter()
    .any(|managed| {
        property == *managed
            || property.starts_with(&format!("{managed}."))
            || managed.starts_with(&format!("{property}."))
    })
}

impl Simulation {
    pub(super) fn demand_peace(&mut self) -> Result<(), String> {
        let mut end = None;
        for _ in 0..3 {
            end = self.run(None)?.end;
            if self.universe().is_peace(end.as_ref()) {
                break;
            }
        }
        if !self.universe().is_peace(end.as_ref()) {
            return self
                .universe()
                .fail(format!("it did not converge in three runs without faults: {end:?}"));
        }
        self.universe().demand_equal()?;
        let writes = self.universe().world.writes();
        for _ in 0..3 {
            let changes = self.run(None)?.changes;
            let more = self.universe().world.writes() - writes;
            if changes != Some(0) || more > 0 {
                let what = format!("it is not silent at rest: {changes:?} changes, {more} more writes");
                return self.universe().fail(what);
            }
        }
        let universe = self.universe();
        universe.demand_reported()?;
        universe.demand_accounted()
    }
}

impl Universe {
    /// Returns whether a run ended as it should in a world without faults. A stale read can make the core
    /// take one write for another; it reports its doubt, and an entry never proves what it recorded.
    fn is_peace(&self, status: Option<&End>) -> bool {
        let owed = self.journal().owed;
        let doubtful = |receipt: &Receipt| self.doubtful.contains(receipt.target.organization.as_str());
        match status {
            Some(End::Synced) => owed.is_empty(),
            Some(End::Unconfirmed(None)) => owed.iter().all(doubtful),
            _ => false,
        }
    }

    /// Mara edits something on the platform's own screens.
    pub(super) fn mara_edits(&mut self, organization: &str, value: u64) {
        let patch = if self.people.percent(self.script.managed_edit) {
            json!({"greetings": {"delayMs": 5_000 + value}})
        } else if self.people.percent(self.script.unmanaged_edit) {
            json!({"banner": {"text": format!("b{value}")}, "greetings": {"tone": value}})
        } else {
            return;
        };
        self.counts.hit("edit");
        let version = self.world.edit(organization, &Actor::user("Mara"), &patch, self.now);
        self.say(format!("Mara edits {organization}: version {version}"));
    }

    pub(super) fn observe(&mut self, look: &Look, is_newest: bool) -> Result<Seen, Fault> {
        let organization = &look.target.organization;
        let operation = webchat::read(organization);
        let response = self.send(&look.target, &operation, None).map_err(|(fault, _)| fault)?;
        let observed = webchat::observed(&response)?;
        // A copy that was made during this read is judged by the earlier knowledge.
        self.demand_no_blind_write();
        if is_newest {
            self.known.insert(organization.to_string(), observed.version().unwrap_or(0));
        }
        Ok(observed.into())
    }

    pub(super) fn read_audit(&mut self, query: &AuditQuery) -> Result<Entries, Fault> {
        let organizations: Vec<&OrganizationId> = query.organizations().collect();
        let operation = webchat::audit(&organizations, query.from, query.to, 1);
        let response = self.send(&query.targets[0], &operation, None).map_err(|(fault, _)| fault)?;
        Ok(Entries { entries: webchat::entries(&response)?.entries, ..Entries::default() })
    }

    pub(super) fn poll(&mut self, source: &Target, id: &str) -> Result<Job, Fault> {
        let operation = webchat::poll(&source.organization, id);
        webchat::job(&self.send(source, &operation, None).map_err(|(fault, _)| fault)?)
    }

    pub(super) fn put(&mut self, write: &Write) -> Outcome<Accepted> {
        self.demand_intent(std::slice::from_ref(&write.target));
        let organization = &write.target.organization;
        let mut operation = webchat::write(write);
        if self.mutant == Mutant::NoIfMatch {
            operation.if_match = self.world.configuration(organization.as_str()).map(|stored| stored.version);
        }
        let outcome = match self.send(&write.target, &operation, Some(write.deadline)) {
            Ok(response) => webchat::answer(&response, webchat::accepted),
            Err((fault, left)) => self.unanswered(fault, left),
        };
        if matches!(outcome, Outcome::Accepted(_)) {
            self.counts.hit("accepted");
        }
        let (if_match, became) = (operation.if_match, outcome_name(&outcome));
        self.say(format!("PUT {organization} If-Match {if_match:?}: {became}"));
        outcome
    }

    pub(super) fn replicate(&mut self, start: &StartJob) -> Outcome<Job> {
        self.demand_intent(&start.targets);
        if self.dice.percent(self.script.job_failure) {
            self.counts.hit("job failure");
            let failing =
                start.targets.iter().map(|target| target.organization.to_string()).take(1).collect();
            let requests = FaultMatch { path: Some("**/replicate".into()), ..FaultMatch::default() };
            let action = FaultAction::FailTargets(failing);
            self.world.add_faults(vec![Script_ { requests, nth: 1, times: 1, action }]);
        }
        let outcome = match self.send(&start.source, &webchat::replicate(start), Some(start.deadline)) {
            Ok(response) => webchat::answer(&response, webchat::job),
            Err((fault, left)) => self.unanswered(fault, left),
        };
        self.say(format!("job to {} organization(s): {}", start.targets.len(), outcome_name(&outcome)));
        outcome
    }

    /// Delivers the request. A server that does not enforce versions accepts any version.
    pub(super) fn deliver_webchat(&mut self, mut request: emulator::Request, commit: u64) -> Handled {
        let organization = request.path.split('/').find(|part| part.starts_with("org-")).map(str::to_owned);
        let Some(organization) = organization.filter(|_| request.method == "PUT") else {
            return self.world.handle(&request, self.now);
        };
        let planned: u64 = request.header("if-match").and_then(|version| version.parse().ok()).unwrap_or(0);
        let current = self.world.configuration(&organization).map_or(0, |stored| stored.version);
        if self.script.unenforced && current > 0 {
            request = request.with_header("if-match", &current.to_string());
        }
        let handled = self.world.handle(&request, self.now);
        let made = self.world.configuration(&organization).map_or(0, |stored| stored.version);
        if made == current {
            return handled;
        }
        let unseen = |record: &&emulator::AuditRecord| {
            record.organization_id == organization && (planned + 1..=current).contains(&record.version)
        };
        let ours = |record: &emulator::AuditRecord| record.actor.id == CLIENT;
        // Without version checks a stale read cannot be distinguished from a fresh one.
        if self.world.audit().iter().filter(unseen).any(ours) && !self.stale_ever {
            self.crossed = Some(format!("version {made} of {organization} overwrote a newer one of ours"));
        }
        let newest = self.written.entry(organization.clone()).or_default();
        if commit < *newest {
            self.crossed = Some(format!(
                "version {made} of {organization} has the value of r{commit}, after r{newest} was written"
            ));
        }
        *newest = commit.max(*newest);
        handled
    }

    fn demand_equal(&self) -> Result<(), String> {
        for target in self.tenant.targets() {
            let Some(stored) = self.world.configuration(target.organization.as_str()) else {
                return self.fail(format!("{} has no configuration", target.organization));
            };
            let observed = Observed::Present(Stored {
                version: stored.version,
                body: Arc::new(stored.body.clone()),
                modified_at: None,
                modified_by: None,
                instance: None,
            });
            let wanted = &self.git.1[0];
            let evidence = plan::Evidence::default();
            let changes = plan::diff::changes(wanted.object.kind, &wanted.desired, &observed, &evidence).0;
            if !changes.is_empty() {
                return self.fail(format!("{} differs from git: {changes:?}", target.organization));
            }
        }
        Ok(())
    }

    /// Returns whether a write changed an unmanaged field that a person had set in the version before.
    fn hides_an_edit(&self, copy: &emulator::AuditRecord) -> bool {
        let before = self.world.audit().iter().find(|record| {
            record.organization_id == copy.organization_id
                && record.version + 1 == copy.version
                && record.actor.id != CLIENT
        });
        // A write that was planned from the last read hides nothing that the core did not know.
        if self.known.get(&copy.organization_id).is_some_and(|known| copy.version <= known + 1) {
            return false;
        }
        let touched = |property: &str| copy.changes.iter().any(|change| change.property == property);
        before.is_some_and(|edit| {
            edit.changes.iter().any(|change| !managed(&change.property) && touched(&change.property))
        })
    }

    /// Demands that the core reports when a write without a precondition overwrote another user's change, or
    /// reports that it does not know the result of the write.
    fn demand_reported(&self) -> Result<(), String> {
        let reported = |organization: &&String| {
            self.overwrote.contains(*organization)
                || self.unclear.iter().any(|(unclear, _)| unclear == *organization)
        };
        match self.gone_over.iter().find(|organization| !reported(organization)) {
            Some(organization) if !self.stale_ever => {
                self.fail(format!("a write overwrote a change in {organization} and did not report it"))
            }
            _ => Ok(()),
        }
    }

    /// Demands that every version that we made has a durable receipt, and every receipt a version, except
    /// those that the core reported as unclear.
    fn demand_accounted(&self) -> Result<(), String> {
        let made: BTreeSet<(String, u64)> = self
            .world
            .audit()
            .iter()
            .filter(|record| record.actor.id == CLIENT)
            .map(|record| (record.organization_id.clone(), record.version))
            .collect();
        let mut receipts = BTreeSet::new();
        for record in &self.records {
            if let Record::Resolved { receipts: found, .. } = record {
                receipts.extend(
                    found.iter().map(|receipt| (receipt.target.organization.to_string(), receipt.version)),
                );
            }
        }
        let reported = |made: &(String, u64)| self.unclear.contains(made) || self.doubtful.contains(&made.0);
        if let Some((organization, version)) =
            made.iter().find(|made| !receipts.contains(*made) && !reported(made))
        {
            return self.fail(format!("version {version} of {organization} is ours and has no receipt"));
        }
        if let Some((organization, version)) =
            receipts.iter().find(|receipt| !made.contains(*receipt) && !reported(receipt))
        {
            return self.fail(format!(
                "there is a receipt for version {version} of {organization}, which we did not make"
            ));
        }
        Ok(())
    }

    /// Demands that a write of ours changes managed fields only, compared with the version that it overwrote.
    pub(super) fn demand_no_blind_write(&mut self) {
        let fresh: Vec<_> = self.world.audit()[self.audited..].to_vec();
        self.audited += fresh.len();
        for record in fresh.iter().filter(|record| record.actor.id == CLIENT) {
            // A write without a precondition may overwrite an edit, which genesync then has to report,
            // possibly later.
            let is_held_to_a_version =
                !self.script.unenforced && !record.action.name().ends_with("replicate");
            if !is_held_to_a_version && self.hides_an_edit(record) {
                self.counts.hit("overwritten");
                self.gone_over.insert(record.organization_id.clone());
            }
            let stray = record.changes.iter().find(|change| !managed(&change.property));
            if let (Some(change), true) = (stray, is_held_to_a_version) {
                let (version, organization) = (record.version, &record.organization_id);
                let property = &change.property;
                self.demand(Err(format!(
                    "version {version} of {organization} overwrote a change that it had not seen: {property}"
                )));
            }
        }
    }
}
