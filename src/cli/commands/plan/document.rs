//! Makes the plan document, which all renderers use.

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::cli::Failure;
use crate::cli::session::Session;
use crate::driver::exit;
use crate::fleet::{Fleet, Loaded, Moved, PROJECT_IS_BROKEN, ProjectMoved};
use crate::manifest::schema;
use crate::model::hours::{self, Hours, Moment};
use crate::model::plan::fleet_digest;
use crate::model::zone;
use crate::model::{
    Change, ChangeKind, Mode, ObjectKind, Observed, Plan, Stored, TenantName, json, reference,
};
use crate::plan::guards::window;
use crate::reconcile::Run;
use crate::render;
use crate::render::document::{
    ManagementDocument, MomentDocument, PlanDocument, RefusalDocument, SpanDocument, Summary, TargetDocument,
    TenantPlan, VersionsDocument,
};
use crate::render::management::Managed;
use crate::render::page::{Looks, TenantLooks};
use crate::render::picture::look::looks as looks_of;
use crate::render::visitors::sentences;
use crate::validate::blocks;

/// How far ahead genesync lists the times at which visitors see a change, in days.
const MOMENTS_DAYS: i64 = 30;

/// Returns what changed since another revision in what git manages, for all tenants or the named ones.
pub fn management(moved: &Moved, only: &[String], today: Date) -> Vec<ManagementDocument> {
    fn managed(loaded: &Loaded) -> Option<Managed<'_>> {
        Some(Managed {
            tenant: loaded.tenant.as_ref()?,
            resources: loaded.is_read.then_some(&loaded.resources),
            time_zone: loaded.time_zone.as_deref(),
        })
    }
    fn of<'a>(side: &'a [Loaded], name: &TenantName) -> Option<Managed<'a>> {
        managed(side.iter().find(|loaded| loaded.name == *name)?)
    }
    let mut reported = Vec::new();
    for name in moved.after.iter().map(|loaded| &loaded.name).chain(&moved.gone) {
        if !only.is_empty() && !only.iter().any(|wanted| *wanted == name.as_str()) {
            continue;
        }
        let is_gone = moved.gone.contains(name);
        let (before, after) = (of(&moved.before, name), of(&moved.after, name));
        let was_there = moved.before.iter().any(|loaded| loaded.name == *name);
        let sentences = match (is_gone, before, after) {
            (true, before, _) => {
                let organization = before.map(|before| &before.tenant.primary.organization);
                let heir = moved.after.iter().filter_map(|loaded| loaded.tenant.as_ref()).find(|tenant| {
                    organization
                        .is_some_and(|known| tenant.targets().any(|target| target.organization == *known))
                });
                vec![render::management::gone(heir.map(|tenant| tenant.name.as_str()))]
            }
            // The findings report an unreadable tenant.
            (false, _, None) => Vec::new(),
            (false, None, Some(_)) if was_there => vec![render::management::unread()],
            (false, None, Some(after)) => vec![render::management::new(after)],
            (false, Some(before), Some(after)) => render::management::sentences(before, after, today),
        };
        if !sentences.is_empty() {
            reported.push(ManagementDocument { tenant: Some(name.to_string()), reported: sentences });
        }
    }
    let project = match &moved.project {
        ProjectMoved::Not => Vec::new(),
        ProjectMoved::Unread => vec![render::management::unread()],
        ProjectMoved::Read(before, now) => render::management::project(before.as_ref(), now.as_ref()),
    };
    if !project.is_empty() {
        reported.push(ManagementDocument { tenant: None, reported: project });
    }
    reported
}

/// Makes the document of a whole plan. `from` is the first time for changes that visitors see.
pub fn document(fleet: &Fleet, session: &Session, detailed: bool, from: Timestamp) -> PlanDocument {
    let mut tenants: Vec<TenantPlan> = session.runs.iter().map(|run| planned(run, fleet, from)).collect();
    let without_plan = |name: &str, state: &'static str, error: Option<String>| TenantPlan {
        tenant: name.to_owned(),
        state,
        mode: None,
        digest: None,
        visitors: Vec::new(),
        moments: Vec::new(),
        targets: Vec::new(),
        refusals: Vec::new(),
        waits: None,
        error,
    };
    tenants.extend(
        fleet
            .tenants
            .iter()
            .filter(|loaded| loaded.blocked)
            .map(|loaded| without_plan(loaded.name.as_str(), "invalid", None)),
    );
    tenants.extend(session.unmanaged.iter().map(|name| without_plan(name.as_str(), "unmanaged", None)));
    tenants.extend(
        session
            .failed
            .iter()
            .map(|(name, fault)| without_plan(name.as_str(), "failed", Some(fault.to_string()))),
    );
    tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    let plans = || session.runs.iter().filter_map(|run| run.plan());
    let count = |kind: ChangeKind| plans().map(|plan| plan.count(kind)).sum();
    let in_state = |state: &str| tenants.iter().filter(|tenant| tenant.state == state).count();
    let summary = Summary {
        tenants: tenants.len(),
        tenants_changing: plans().filter(|plan| !plan.is_empty()).count(),
        to_apply: count(ChangeKind::ToApply),
        drift: count(ChangeKind::Drift),
        conflicts: count(ChangeKind::Conflict),
        ignored: plans().map(Plan::ignored).sum(),
        invalid: in_state("invalid"),
        failed: in_state("failed"),
        watched: plans().filter(|plan| !plan.is_empty() && plan.mode == Mode::Watch).count(),
        unmanaged: in_state("unmanaged"),
    };
    let digest = fleet_digest(tenants.iter().filter_map(|tenant| tenant.digest.as_deref()));
    let refusals: Vec<RefusalDocument> = session.run_refusals().iter().map(RefusalDocument::from).collect();
    let found = exit::Planned {
        findings: blocks(&fleet.findings),
        failed: summary.failed > 0,
        refused: !refusals.is_empty() || tenants.iter().any(|tenant| !tenant.refusals.is_empty()),
        undecided: tenants.iter().flat_map(|tenant| &tenant.targets).any(|target| target.undecided.is_some()),
        to_apply: summary.to_apply > 0 || summary.conflicts > 0 || plans().any(is_unfinished),
        changes: summary.tenants_changing > 0,
    };
    let (unmanaged_changes, platform_changes) = render::unmanaged::documents(plans());
    PlanDocument {
        revision: fleet.revision.to_string(),
        digest,
        summary,
        tenants,
        refusals,
        opens: session.opens(),
        allowed: None,
        stopped: fleet.project_is_broken().then(|| PROJECT_IS_BROKEN.to_owned()),
        management: Vec::new(),
        shared: Vec::new(),
        unmanaged_changes,
        platform_changes,
        findings: fleet.findings.clone(),
        exit_code: exit::of_plan(found, detailed).code(),
    }
}

/// Returns whether a plan has an object with an unfinished write: a draft to publish, or a write that the
/// platform still processes.
fn is_unfinished(plan: &Plan) -> bool {
    plan.targets.iter().any(|target| target.changes.is_empty() && target.next.is_some())
}

fn planned(run: &Run, fleet: &Fleet, from: Timestamp) -> TenantPlan {
    // A plan without some regions counts as failed, and shows which regions are missing.
    let state = if run.plan().is_some() && run.left_out().is_none() { "planned" } else { "failed" };
    let targets = targets(run);
    // The tenants are sorted by name.
    let at = fleet.tenants.binary_search_by(|loaded| loaded.name.cmp(&run.spec().tenant.name)).ok();
    let zone = at.and_then(|at| fleet.tenants.get(at)?.time_zone.as_deref());
    TenantPlan {
        tenant: run.spec().tenant.name.to_string(),
        state,
        mode: Some(run.spec().tenant.mode.name()),
        // A person cannot approve a plan that misses regions.
        digest: run.plan().filter(|_| state == "planned").map(Plan::content_digest),
        visitors: sentences(&targets),
        moments: moments(run, zone, from),
        targets,
        refusals: run.refusals().iter().map(RefusalDocument::from).collect(),
        waits: run.opens().map(window::waits_for),
        error: run.reason(),
    }
}

/// Returns the spans of the next `MOMENTS_DAYS` days in which visitors see new opening hours of the primary.
fn moments(run: &Run, zone: Option<&str>, from: Timestamp) -> Vec<MomentDocument> {
    let Some((target, observed)) =
        run.plan().and_then(|plan| plan.targets.first()).zip(run.observed().first())
    else {
        return Vec::new();
    };
    let is_theirs = |change: &Change| change.path.starts_with("availability.");
    if !target.target.object.kind.has_hours() || !target.changes.iter().any(is_theirs) {
        return Vec::new();
    }
    // Without a time zone in git, the organization's setting decides, and genesync cannot read it.
    let Some(zone) = zone.and_then(zone::find) else { return Vec::new() };
    let hours = |body: &Map<String, Value>| Hours::of(body, zone.clone());
    let to = from.checked_add(SignedDuration::from_hours(24 * MOMENTS_DAYS)).unwrap_or(from);
    // An absent object offers nothing.
    let before = match observed {
        Observed::Absent => Hours::never(zone.clone()),
        Observed::Present(stored) => hours(&stored.body),
    };
    let seen = hours::moments(&before, &hours(&target.body), from, to);
    let mut weekly: Vec<(String, Vec<Moment>)> = Vec::new();
    for moment in seen {
        let (start, end) = (moment.from.to_zoned(zone.clone()), moment.to.to_zoned(zone.clone()));
        let midnight =
            start.date().tomorrow().is_ok_and(|next| end.date() == next) && end.time() == Time::midnight();
        let length = moment.to.duration_since(moment.from);
        let until = match () {
            () if moment.to >= to => "until further notice".to_owned(),
            () if start.date() == end.date() => end.strftime("to %H:%M").to_string(),
            () if midnight => "to midnight".to_owned(),
            () if length >= SignedDuration::from_hours(24 * 6) => {
                end.strftime("to %Y-%m-%d %H:%M").to_string()
            }
            () => end.strftime("to %A %H:%M").to_string(),
        };
        let hours = format!("{} {until}", start.strftime("%A %H:%M"));
        match weekly.iter_mut().find(|(known, of)| {
            *known == hours && of.iter().all(|one| one.is_open_after == moment.is_open_after)
        }) {
            Some((_, of)) => of.push(moment),
            None => weekly.push((hours, vec![moment])),
        }
    }
    let name = zone.iana_name().unwrap_or("UTC");
    let reported = |(hours, of): (String, Vec<Moment>)| {
        let offered = of.first().is_some_and(|moment| moment.is_open_after);
        let what = if offered { "offered" } else { "no longer offered" };
        let day = |moment: Option<&Moment>| {
            moment
                .map(|moment| moment.from.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string())
                .unwrap_or_default()
        };
        let days = match of.len() {
            1 => day(of.first()),
            times => format!("{times} times from {} to {}", day(of.first()), day(of.last())),
        };
        let spans = of.iter().map(|moment| SpanDocument { from: moment.from, to: moment.to }).collect();
        MomentDocument { offered, text: format!("{hours} {name}: {what} ({days})"), spans }
    };
    weekly.into_iter().map(reported).collect()
}

/// Returns the targets of a plan, with the live fields that this build does not know.
fn targets(run: &Run) -> Vec<TargetDocument> {
    let Some(plan) = run.plan() else { return Vec::new() };
    let mut documents = render::document::targets(plan);
    for ((document, target), observed) in documents.iter_mut().zip(&plan.targets).zip(run.observed()) {
        // genesync does not write an object without changes, so its unknown fields are safe.
        if !target.changes.is_empty() {
            json::leaves(&observed.body(), &mut |path, _| {
                if !knows(target.target.object.kind, path) {
                    document.unknown.push(path.to_owned());
                }
            });
        }
    }
    documents
}

/// Returns whether this build knows a live field. A reference is known by its place.
fn knows(kind: ObjectKind, path: &str) -> bool {
    kind == ObjectKind::IMPLIED
        || schema::has_field(kind.dialect(), path)
        || reference::place_at(kind, path).is_some()
}

/// Asks the delivery network for the served version of each deployment.
pub async fn served(session: &Session, document: &mut PlanDocument) -> Result<(), Failure> {
    for run in &session.runs {
        let name = run.spec().tenant.name.as_str();
        let Some(tenant) = document.tenants.iter_mut().find(|tenant| tenant.tenant == name) else { continue };
        for ((target, observed), shown) in run.targets().iter().zip(run.observed()).zip(&mut tenant.targets) {
            let Observed::Present(Stored { body, instance: Some(instance), .. }) = observed else { continue };
            let Some(pinned) = &instance.pinned else { continue };
            let configuration =
                body.get("configuration").and_then(|pin| pin.get("id")).and_then(Value::as_str);
            let newest =
                run.targets().iter().zip(run.observed()).find_map(|(other, observed)| match observed {
                    Observed::Present(stored) if other.organization == target.organization => {
                        (stored.id().map(|id| &**id) == configuration).then_some(stored.version)
                    }
                    _ => None,
                });
            let edge = session.api.edge(target, &instance.id).await?;
            shown.versions = Some(VersionsDocument {
                newest,
                pinned: pinned.version,
                served: edge.filter(|edge| edge.active).and_then(|edge| edge.version),
            });
        }
    }
    Ok(())
}

/// Returns the looks of changed objects before and after, for each tenant. Only the primary counts, because
/// all regions look the same.
pub fn looks(runs: &[Run]) -> TenantLooks {
    let mut all = TenantLooks::new();
    for run in runs {
        let Some(plan) = run.plan() else { continue };
        let primary = &run.spec().tenant.primary.organization;
        let pairs = plan.targets.iter().zip(run.observed());
        let changed =
            pairs.filter(|(target, _)| target.target.organization == *primary && !target.changes.is_empty());
        for (target, observed) in changed {
            let object = &target.target.object;
            let before = match observed {
                Observed::Absent => Vec::new(),
                Observed::Present(stored) => looks_of(object.kind, &stored.body),
            };
            let name = (!object.is_implied()).then(|| object.name.to_string());
            let looks = Looks { object: name, before, after: looks_of(object.kind, &target.body) };
            all.entry(run.spec().tenant.name.to_string()).or_default().push(looks);
        }
    }
    all
}
