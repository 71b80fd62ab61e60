//! The `cloud` dialect in a universe: three writes for a change, no version that a write must match, and
//! people who edit, publish and pin. The survey and the audit reading are the product's own, request by
//! request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use genesync::api::cloud::{self, Caller, Ids, Reader};
use genesync::emulator::{self, Actor, CloudEdit, Handled, SettingsPatch, World, seed_from_json};
use genesync::model::plan::Drafts;
use genesync::model::write::Accepted;
use genesync::model::{
    Act, Counting, Desired, Fault, FaultKind, Look, Object, ObjectKind, ObjectRef, Outcome, Record, Region,
    Resource, Seen as Looked, Target, Write,
};
use genesync::platform::operation::{Operation, Response};
use genesync::reconcile::{AuditQuery, End, Entries};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::process::Simulation;
use super::words::outcome_name;
use super::{SECRET, SETTLE_MS, Universe, client};
use crate::script::Dice;

/// The names of the first pair; those of its neighbours end with a number.
const WEB: &str = "web";
const SITE: &str = "site";
/// A field of a configuration that git does not name.
const BANNER: &str = "description";
/// The decisions about drafts, one per run, until the tenant equals git.
const QUIET: [Drafts; 5] = [Drafts::Refuse, Drafts::Refuse, Drafts::Adopt, Drafts::Discard, Drafts::Adopt];

/// What the oracle remembers of the dialect.
#[derive(Default)]
pub struct Seen {
    /// The decision of this run's operator about other people's drafts.
    pub drafts: Drafts,
    /// The number of edits by people, by organization.
    deeds: BTreeMap<String, u64>,
    /// The time of the last edit, by organization.
    last: BTreeMap<String, Timestamp>,
    /// The number of edits when the newest process last began to read the organization.
    looked: BTreeMap<String, u64>,
    /// Objects of which the newest read was fresh.
    known: BTreeSet<String>,
    /// Versions of objects whose author the core reported as unclear.
    unclear: Vec<(ObjectRef, u64, u64)>,
    /// The number of our requests that may have changed something.
    writes: u64,
}

/// Returns three organizations, each with its own client and with a flow.
pub fn world() -> World {
    let id = |number: usize| format!("org-{number}");
    let clients = (0..3).map(|number| {
        let name = client(&genesync::model::OrganizationId::new(id(number)));
        json!({"id": name, "secret": SECRET, "name": "genesync", "cloud": {"organization": id(number)}})
    });
    let organizations = (0..3).map(|number| {
        let region = ["eu-west-1", "us-east-1", "ap-south-1"][number];
        json!({"id": id(number), "cloud": {"name": id(number), "region": region, "flows": [{"name": "Inbound"}],
            "supportedContent": super::profiles::seeded()}})
    });
    let seed = json!({
        "clients": clients.collect::<Vec<_>>(),
        "organizations": organizations.collect::<Vec<_>>(),
    });
    World::new(&seed_from_json(seed.to_string().as_bytes()).unwrap())
}

/// Returns the delays of the platform. A new version becomes visible within the time that a write gets to
/// settle: a version that appears later is published twice if the answer was lost.
pub fn pace(dice: &mut Dice) -> SettingsPatch {
    SettingsPatch {
        active_delay_ms: Some(dice.below(1_500)),
        visible_delay_ms: Some(dice.below(u64::from(SETTLE_MS))),
        ..SettingsPatch::default()
    }
}

fn name(of: &str, pair: usize) -> String {
    if pair == 0 { of.to_owned() } else { format!("{of} {pair}") }
}

fn pair_of(object: &Object) -> usize {
    object.name.split_once(' ').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

fn object(kind: ObjectKind, pair: usize) -> Object {
    let of = if kind == ObjectKind::MessengerConfiguration { WEB } else { SITE };
    Object { kind, name: name(of, pair).into() }
}

/// Returns what git says at one of its values.
pub fn resources(value: u64, neighbours: usize) -> Vec<Resource> {
    (0..=neighbours).flat_map(|pair| pair_at(value, pair)).collect()
}

fn pair_at(value: u64, pair: usize) -> [Resource; 2] {
    let wanted = |kind, body: Value| {
        let body = Arc::new(body.as_object().cloned().unwrap());
        let desired = Desired { body, exclusive: false, ignored: BTreeSet::new() };
        Resource { object: object(kind, pair), desired, before: None, secret: None }
    };
    [
        wanted(
            ObjectKind::MessengerConfiguration,
            json!({
                "languages": ["en-us"], "defaultLanguage": "en-us",
                "messenger": {"enabled": true, "styles": {"primaryColor": colour(value)}},
            }),
        ),
        wanted(
            ObjectKind::MessengerDeployment,
            json!({"configuration": {"name": name(WEB, pair)}, "flow": {"name": "Inbound"}, "allowAllDomains": true}),
        ),
    ]
}

fn colour(value: u64) -> String {
    format!("#{value:06}")
}

fn lost(what: &str) -> Fault {
    Fault::new(FaultKind::Transient, what.to_owned())
}

/// Performs requests in a universe, at once.
struct Wire<'a>(Mutex<&'a mut Universe>);

impl Caller for Wire<'_> {
    async fn call(&self, target: &Target, operation: &Operation) -> Result<Response, Fault> {
        let mut universe = self.0.lock().unwrap();
        let pause = 1 + universe.dice.below(20);
        universe.advance(pause);
        universe.send(target, operation, None).map_err(|(fault, _)| fault)
    }

    async fn fetch(&self, _: Region, _: &str, _: &str) -> Result<Response, Fault> {
        Err(lost("nothing here points elsewhere"))
    }

    async fn wait(&self, time: Duration) {
        self.0.lock().unwrap().advance(u64::try_from(time.as_millis()).unwrap());
    }
}

/// What an organization really holds, also if readers do not see it yet; and the pair to read.
pub struct State(pub Value, usize);

impl State {
    /// Returns the same state for another pair.
    fn of(self, pair: usize) -> Self {
        Self(self.0, pair)
    }

    fn named(&self, list: &str) -> impl Iterator<Item = &Value> {
        let name = name(if list == "configurations" { WEB } else { SITE }, self.1);
        self.0[list].as_array().into_iter().flatten().filter(move |object| object["name"] == *name)
    }

    fn web(&self) -> &Value {
        self.named("configurations").next().unwrap_or(&Value::Null)
    }

    fn site(&self) -> &Value {
        self.named("deployments").next().unwrap_or(&Value::Null)
    }

    fn newest(&self) -> &Value {
        self.web()["versions"].as_array().and_then(|versions| versions.last()).unwrap_or(&Value::Null)
    }

    fn version(&self, number: &Value) -> &Value {
        let versions = self.web()["versions"].as_array();
        versions.into_iter().flatten().find(|known| known["version"] == *number).unwrap_or(&Value::Null)
    }

    /// Returns the version that visitors get.
    fn served(&self) -> &Value {
        self.version(&self.site()["configuration"]["version"])
    }

    /// Returns publications and pins, with their authors.
    fn made(&self) -> Vec<(ObjectKind, u64, &str)> {
        let mut published = 0;
        let mut made = Vec::new();
        for record in self.0["audit"].as_array().into_iter().flatten() {
            let named = record["entity"]["name"].as_str().unwrap_or_default();
            if ![name(WEB, self.1), name(SITE, self.1)].iter().any(|name| name == named) {
                continue;
            }
            let (kind, version) = match record["entityType"].as_str().unwrap() {
                "ConfigurationVersion" => {
                    published += 1;
                    (ObjectKind::MessengerConfiguration, published)
                }
                "Deployment" => {
                    let at: Timestamp = record["eventDate"].as_str().unwrap().parse().unwrap();
                    (ObjectKind::MessengerDeployment, at.as_millisecond().unsigned_abs())
                }
                _ => continue,
            };
            made.push((kind, version, record["client"]["id"].as_str().unwrap_or("another user")));
        }
        made
    }
}

impl Simulation {
    /// Demands that, once the operator has decided about drafts, the tenant equals git, is silent, and is
    /// accounted for.
    pub(super) fn demand_cloud_peace(&mut self) -> Result<(), String> {
        let mut end = None;
        for drafts in QUIET {
            self.universe().cloud.drafts = drafts;
            end = self.run(None)?.end;
            if self.universe().is_cloud_peace(end.as_ref()) {
                break;
            }
        }
        if !self.universe().is_cloud_peace(end.as_ref()) {
            return self.universe().fail(format!("it did not become silent without faults: {end:?}"));
        }
        self.universe().cloud.drafts = Drafts::Refuse;
        self.universe().demand_served()?;
        let writes = self.universe().cloud.writes;
        for _ in 0..3 {
            let changes = self.run(None)?.changes;
            let more = self.universe().cloud.writes - writes;
            if changes != Some(0) || more > 0 {
                let what = format!("it is not silent at rest: {changes:?} changes, {more} more writes");
                return self.universe().fail(what);
            }
        }
        self.universe().demand_receipts()
    }
}

impl Universe {
    pub(super) fn state(&self, organization: &str) -> State {
        State(self.world.cloud_state(organization, self.now).unwrap_or_default(), 0)
    }

    /// Mara edits something on the platform's own screens.
    pub(super) fn mara_acts(&mut self, organization: &str, value: u64) {
        let pair = match self.script.neighbours {
            0 => 0,
            more => self.people.below(1 + more as u64) as usize,
        };
        let edit = if self.people.percent(self.script.managed_edit) {
            self.meddles(value, pair)
        } else if self.people.percent(self.script.unmanaged_edit) {
            self.decorates(value, pair)
        } else {
            return;
        };
        let mut edit: CloudEdit = serde_json::from_value(edit).unwrap();
        let (state, now) = (self.state(organization).of(pair), self.now);
        // An object that does not exist yet cannot be edited.
        if state.site().is_null() {
            edit.deployment = None;
        }
        if !edit.is_empty() && self.world.cloud_edit(organization, &Actor::user("Mara"), &edit, now).is_ok() {
            self.counts.hit("edit");
            *self.cloud.deeds.entry(organization.to_owned()).or_default() += 1;
            self.cloud.last.insert(organization.to_owned(), now);
            self.say(format!("Mara edits {organization}: {}", serde_json::to_string(&edit).unwrap()));
        }
    }

    /// Returns an edit of fields that git manages.
    fn meddles(&mut self, value: u64, pair: usize) -> Value {
        if self.script.profiles && self.people.percent(40) {
            return self.meddles_with_profiles(value);
        }
        let (web, site) = (name(WEB, pair), name(SITE, pair));
        let draft = json!({"configuration": web, "patch": {"messenger": {"styles": {"primaryColor": colour(5_000 + value)}}}});
        let publish = json!({"configuration": web});
        match self.people.below(5) {
            0 => json!({"draft": draft}),
            1 => json!({"draft": draft, "publish": publish}),
            2 => {
                json!({"draft": draft, "publish": publish, "deployment": {"deployment": site, "version": "newest"}})
            }
            3 => json!({"deployment": {"deployment": site, "version": "1"}}),
            _ => json!({"deployment": {"deployment": site, "patch": {"allowAllDomains": false}}}),
        }
    }

    /// Returns an edit of fields that git does not manage.
    fn decorates(&mut self, value: u64, pair: usize) -> Value {
        let (web, site) = (name(WEB, pair), name(SITE, pair));
        let text = format!("sale {value}");
        let draft = json!({"configuration": web, "patch": {BANNER: text}});
        let publish = json!({"configuration": web});
        match self.people.below(5) {
            0 => json!({"draft": draft}),
            1 => json!({"publish": publish}),
            2 => json!({"draft": draft, "publish": publish}),
            3 => {
                json!({"draft": draft, "publish": publish, "deployment": {"deployment": site, "version": "newest"}})
            }
            _ => json!({"deployment": {"deployment": site, "patch": {BANNER: text}}}),
        }
    }

    fn deeds(&self, organization: &str) -> u64 {
        self.cloud.deeds.get(organization).copied().unwrap_or_default()
    }

    /// Returns whether the last edit is visible by now.
    fn shows_all(&self, organization: &str) -> bool {
        let hidden_ms = i64::try_from(self.world.settings().visible_delay_ms).unwrap();
        let last = self.cloud.last.get(organization);
        last.is_none_or(|last| self.now.as_millisecond() - last.as_millisecond() > hidden_ms)
    }

    pub(super) fn survey(&mut self, look: &Look, is_newest: bool) -> Result<Looked, Fault> {
        let organization = look.target.organization.to_string();
        let (deeds, shows) = (self.deeds(&organization), self.shows_all(&organization));
        let is_known = self.cloud.known.contains(&organization);
        let wire = Wire(Mutex::new(self));
        let reader = Reader::new(&wire, &look.target);
        let looking = async {
            if !is_known {
                reader.identify().await?;
            }
            reader.survey(look).await
        };
        let seen = looking.now_or_never().unwrap()?;
        if is_newest {
            self.cloud.looked.remove(&organization);
            self.cloud.looked.extend(shows.then(|| (organization.clone(), deeds)));
        }
        self.cloud.known.insert(organization);
        Ok(seen)
    }

    pub(super) fn ask(&mut self, query: &AuditQuery) -> Result<Entries, Fault> {
        let mut by_organization: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
        for target in &query.targets {
            by_organization.entry(target.organization.as_str()).or_default().push(target);
        }
        let mut page = Entries::default();
        for targets in by_organization.into_values() {
            let id = |target: &&Target| {
                let object = target.object_ref();
                Some((Arc::clone(query.ids.get(&object)?), object))
            };
            let ids: Ids = targets.iter().filter_map(id).collect();
            let wire = Wire(Mutex::new(self));
            let reader = Reader::new(&wire, targets[0]);
            let (entries, more) = reader.entries(&ids, query.from, query.to).now_or_never().unwrap()?;
            page.entries.extend(entries);
            page.truncated |= more;
        }
        Ok(page)
    }

    pub(super) fn write(&mut self, write: &Write, is_newest: bool) -> Outcome<Accepted> {
        self.demand_intent(std::slice::from_ref(&write.target));
        let organization = write.target.organization.to_string();
        // If no edit came in between and no read was stale, a write has its planned effect.
        let alone = self.cloud.looked.get(&organization) == Some(&self.deeds(&organization));
        if is_newest && alone && !self.stale_ever {
            self.counts.hit("judged");
            if let Some(wrong) = misstep(
                &self.state(&organization).of(pair_of(&write.target.object)),
                write,
                self.cloud.drafts,
            ) {
                self.demand(Err(format!("{}: {wrong}", write.target)));
            }
        }
        self.cloud.writes += 1;
        let operation = cloud::write(write, None).unwrap();
        let outcome = match self.send(&write.target, &operation, Some(write.deadline)) {
            Ok(response) => cloud::answer(write, &response),
            Err((fault, left)) => self.unanswered(fault, left),
        };
        if matches!(outcome, Outcome::Accepted(_)) {
            self.counts.hit("accepted");
            self.counts.hit(match (write.target.object.kind, write.act) {
                (ObjectKind::MessengerConfiguration, Act::Publish) => "publication",
                (ObjectKind::MessengerConfiguration, Act::Store) => "draft",
                (ObjectKind::MessengerDeployment, _) => "pin",
                (ObjectKind::MessagingDefaults, _) => "default",
                _ => "profile",
            });
        }
        self.say(format!("{:?} {}: {}", write.act, write.target, outcome_name(&outcome)));
        outcome
    }

    /// Delivers the request, and judges its effect on our other writes.
    pub(super) fn deliver_cloud(
        &mut self,
        organization: &str,
        request: &emulator::Request,
        commit: u64,
    ) -> Handled {
        let handled = self.world.handle(request, self.now);
        let places = ["/api/v2/webdeployments/", "/api/v2/conversations/messaging/"];
        let writes = request.method != "GET" && places.iter().any(|place| request.path.starts_with(place));
        if !writes || handled.response.as_ref().is_none_or(|response| response.status >= 300) {
            return handled;
        }
        let mut after = self.state(organization);
        for pair in 0..=self.script.neighbours {
            after = after.of(pair);
            for list in ["configurations", "deployments"] {
                if after.named(list).count() > 1 {
                    self.crossed = Some(format!("{organization} has two {list} of one name"));
                }
            }
        }
        if let Some(list) = after.doubled_profiles() {
            self.crossed = Some(format!("{organization} has two {list} of one name"));
        }
        let newest = self.written.entry(organization.to_owned()).or_default();
        if commit < *newest {
            self.crossed =
                Some(format!("{organization} has the value of r{commit}, after r{newest} was written"));
        }
        *newest = commit.max(*newest);
        handled
    }

    fn is_cloud_peace(&self, status: Option<&End>) -> bool {
        let owed = self.journal().owed;
        match status {
            Some(End::Synced) => owed.is_empty(),
            // An entry never proves a write that was wrongly taken for ours.
            Some(End::Unconfirmed(None)) => {
                owed.iter().all(|receipt| {
                    // Another user may have set the same value: the content does not show the author.
                    receipt.target.object.kind.counting() == Counting::Contents
                        || self.is_reported(&receipt.target.object_ref(), receipt.version)
                })
            }
            _ => false,
        }
    }

    /// Demands that visitors get what git says.
    fn demand_served(&self) -> Result<(), String> {
        self.demand_profiles()?;
        let messenger =
            self.git.1.iter().find(|known| known.object.kind == ObjectKind::MessengerConfiguration);
        let wanted = &messenger.unwrap().desired.body["messenger"]["styles"]["primaryColor"];
        for target in self.tenant.targets() {
            let mut state = self.state(target.organization.as_str());
            for pair in 0..=self.script.neighbours {
                state = state.of(pair);
                let served = &state.served()["messenger"]["styles"]["primaryColor"];
                if served != wanted || state.site()["allowAllDomains"] != true {
                    let site = state.site();
                    return self
                        .fail(format!("{} serves {served}, not {wanted}: {site}", target.organization));
                }
            }
        }
        Ok(())
    }

    /// Returns whether the core reported that it does not know the author of a version, or may have confused
    /// it with another.
    fn is_reported(&self, object: &ObjectRef, version: u64) -> bool {
        let covers =
            |(known, from, to): &(ObjectRef, u64, u64)| known == object && (*from..=*to).contains(&version);
        self.cloud.unclear.iter().any(covers) || self.doubtful.contains(object.organization.as_str())
    }

    pub(super) fn unclear_of_cloud(&mut self, object: &ObjectRef, from: u64, to: u64) {
        self.cloud.unclear.push((object.clone(), from, to));
    }

    /// Demands that every version of ours, and every change of a deployment, has a receipt, and that each
    /// receipt belongs to one.
    fn demand_receipts(&self) -> Result<(), String> {
        let mut made = BTreeSet::new();
        for target in self.tenant.targets() {
            let ours = client(&target.organization);
            let mut state = self.state(target.organization.as_str());
            for pair in 0..=self.script.neighbours {
                state = state.of(pair);
                let by_us = state.made().into_iter().filter(|(_, _, by)| *by == ours);
                made.extend(
                    by_us.map(|(kind, version, _)| (target.of(object(kind, pair)).object_ref(), version)),
                );
            }
            let of_profiles = state.made_of_profiles().into_iter().filter(|(_, _, by)| *by == ours);
            made.extend(
                of_profiles.map(|(profile, version, _)| (target.of(profile.object).object_ref(), version)),
            );
        }
        let mut receipts = BTreeSet::new();
        for record in &self.records {
            if let Record::Resolved { receipts: found, .. } = record {
                // Receipts for kinds without versions name the time of the write instead.
                let dated =
                    found.iter().filter(|found| found.target.object.kind.counting() != Counting::Contents);
                receipts.extend(dated.map(|found| (found.target.object_ref(), found.version)));
            }
        }
        self.demand_receipts_of_defaults()?;
        let untold = |of: &&(ObjectRef, u64)| !self.is_reported(&of.0, of.1);
        if let Some((object, version)) = made.difference(&receipts).find(untold) {
            return self.fail(format!("version {version} of {object} is ours and has no receipt"));
        }
        if let Some((object, version)) = receipts.difference(&made).find(untold) {
            return self.fail(format!("there is a receipt for version {version} of {object}, not ours"));
        }
        Ok(())
    }
}

/// Returns a forbidden effect of a write, if no edit came between the read and the write.
fn misstep(state: &State, write: &Write, drafts: Drafts) -> Option<&'static str> {
    let kind = write.target.object.kind;
    if !kind.has_drafts() && kind.pins().is_none() {
        return super::profiles::misstep(state, write);
    }
    let is_web = kind.has_drafts();
    let (draft, newest) = (&state.web()["draft"], state.newest());
    match (is_web, write.act, &write.id) {
        (true, Act::Publish, _) => {
            let adopted = drafts == Drafts::Adopt || newest.is_null();
            (!adopted && draft[BANNER] != newest[BANNER])
                .then_some("it reverts or publishes what is not ours")
        }
        (true, Act::Store, None) => (!state.web().is_null()).then_some("it makes a second configuration"),
        (true, Act::Store, Some(_)) => {
            let differs = draft[BANNER] != newest[BANNER] || draft["messenger"] != newest["messenger"];
            let hers = !draft["lastModifiedUser"].is_null() && !newest.is_null() && differs;
            let kept = write.body.get(BANNER).unwrap_or(&Value::Null) == &draft[BANNER];
            let allowed = match drafts {
                Drafts::Refuse => !hers,
                Drafts::Adopt => !hers || kept,
                Drafts::Discard => true,
            };
            (!allowed).then_some("it overwrites her draft without a decision")
        }
        (false, _, None) => (!state.site().is_null()).then_some("it makes a second deployment"),
        (false, _, Some(_)) => {
            let pinned = state.version(pin(&write.body));
            let same = pinned[BANNER] == state.served()[BANNER] || state.served().is_null();
            (!same && drafts != Drafts::Adopt).then_some("it publishes what no user published")
        }
    }
}

fn pin(body: &Map<String, Value>) -> &Value {
    body.get("configuration").map_or(&Value::Null, |pinned| &pinned["version"])
}
