//! Reviewed plans: `plan --out FILE.json` writes them, `apply --plan FILE.json` reads them.
//!
//! The digest of a plan covers the digests of its tenants, which cover the digests of their objects. So the
//! approval of a plan approves each object. `apply` plans again and writes only objects whose new digest is
//! the reviewed one. The rest of the file is for people.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{Exit, Failure, files};
use crate::model::plan::{Reviewed, ReviewedObject, fleet_digest, opened_digest, tenant_digest};
use crate::model::{Object, ObjectKind, ObjectRef, OrganizationId, TenantName, json};
use crate::render::document::{PlanDocument, PlanFile};

/// The largest plan file, in bytes: ten times the size of a plan with one change in each of 10,000 tenants.
const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Returns a plan file: canonical JSON in one line.
pub fn file(plan: &PlanDocument, now: Timestamp, valid_hours: u16) -> String {
    let file = PlanFile {
        format: PlanFile::FORMAT,
        tool: PlanFile::TOOL,
        made_at: now,
        expires_at: now.checked_add(SignedDuration::from_hours(valid_hours.into())).unwrap_or(now),
        plan,
    };
    let value = serde_json::to_value(&file).unwrap_or_default();
    let bytes = json::canonical_bytes(&value);
    let mut text = crate::model::text::escape_json(&String::from_utf8_lossy(&bytes), '\n');
    text.push('\n');
    text
}

/// The fields that genesync reads from a plan file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    format: String,
    expires_at: Timestamp,
    revision: String,
    digest: String,
    tenants: Vec<StoredTenant>,
    #[serde(default)]
    allowed: Option<StoredAllowed>,
}

#[derive(Debug, Deserialize)]
struct StoredAllowed {
    guards: Vec<String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct StoredTenant {
    tenant: String,
    state: String,
    mode: Option<String>,
    digest: Option<String>,
    targets: Vec<StoredTarget>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredTarget {
    organization_id: String,
    object: Option<StoredObject>,
    version: Option<u64>,
    digest: String,
    changes: Vec<StoredChange>,
}

#[derive(Debug, Deserialize)]
struct StoredObject {
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct StoredChange {
    path: String,
    observed: Option<Value>,
    desired: Option<Value>,
}

/// A plan that may be applied.
#[derive(Debug)]
pub struct ReviewedPlan {
    /// The commit of the plan.
    pub revision: String,
    /// The digest of the plan.
    pub digest: String,
    /// The names of the guards that were open for the plan, and the reason. The approval covers them.
    pub opened: Option<(Vec<String>, String)>,
    /// The reviewed objects of each planned tenant.
    pub tenants: BTreeMap<TenantName, Arc<Reviewed>>,
}

/// Reads a plan file, and checks its digests and that it has not expired.
pub fn read(path: &Path, now: Timestamp) -> Result<ReviewedPlan, Failure> {
    let name = path.display();
    let unreadable =
        |error: String| Failure::new(Exit::Usage, format!("cannot read the plan `{name}`: {error}"));
    let text = files::read_text(path, FILE_BYTES_MAX)?;
    let stored: Stored = serde_json::from_str(&text).map_err(|error| {
        unreadable(error.to_string())
            .hint("run `genesync plan --rev COMMIT --out plan.json` to make a plan file")
    })?;
    if stored.format != PlanFile::FORMAT {
        return Err(unreadable(format!("its format is `{}`, not `{}`", stored.format, PlanFile::FORMAT))
            .hint("make the plan with the genesync version that applies it"));
    }
    if stored.digest != digest(&stored) {
        return Err(Failure::new(
            Exit::Refused,
            format!("the plan `{name}` was changed after it was made: its digests do not match"),
        )
        .hint("make the plan again, and have it reviewed again"));
    }
    if stored.expires_at < now {
        let at = stored.expires_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        return Err(Failure::new(
            Exit::Refused,
            format!("the plan `{name}` expired at {at}, and nothing was written"),
        )
        .hint("make the plan again, and have it reviewed again"));
    }
    if stored.revision == "folder" {
        return Err(Failure::new(
            Exit::Usage,
            format!("the plan `{name}` was made from files, not from a commit"),
        )
        .hint("plan a commit with `genesync plan --rev HEAD --out plan.json`"));
    }
    // A tenant without a digest was not planned completely, so its review is not complete.
    let planned = stored.tenants.into_iter().filter(|tenant| tenant.digest.is_some());
    let tenants = planned.map(|tenant| {
        let objects = tenant.targets.into_iter().filter_map(|target| {
            let object = match target.object {
                None => Object::implied(),
                Some(object) => {
                    Object { kind: ObjectKind::from_name(&object.kind)?, name: object.name.into() }
                }
            };
            let organization = OrganizationId::new(target.organization_id);
            let changes =
                target.changes.into_iter().map(|change| (change.path, change.observed, change.desired));
            let reviewed =
                ReviewedObject { digest: target.digest, version: target.version, changes: changes.collect() };
            Some((ObjectRef { organization, object, draft: false }, reviewed))
        });
        (TenantName::new(tenant.tenant), Arc::new(objects.collect::<Reviewed>()))
    });
    let opened = stored.allowed.map(|allowed| (allowed.guards, allowed.reason));
    let (revision, digest) = (stored.revision, stored.digest);
    Ok(ReviewedPlan { revision, digest, opened, tenants: tenants.collect() })
}

/// Returns the digest of the objects in a file. Returns an empty digest, which matches no plan, if a tenant's
/// digest differs, if a tenant occurs twice, or if a planned tenant has no digest.
fn digest(stored: &Stored) -> String {
    let mut digests = Vec::new();
    let name = |tenant: Option<&StoredTenant>| tenant.map(|tenant| tenant.tenant.clone());
    let ascending = stored.tenants.windows(2).all(|pair| name(pair.first()) < name(pair.get(1)));
    let is_whole = |tenant: &StoredTenant| tenant.digest.is_some() == (tenant.state == "planned");
    if !ascending || !stored.tenants.iter().all(is_whole) {
        return String::new();
    }
    for tenant in &stored.tenants {
        let Some(digest) = &tenant.digest else { continue };
        let objects = tenant.targets.iter().map(|target| target.digest.as_str());
        let mode = tenant.mode.as_deref().unwrap_or_default();
        if *digest != tenant_digest(&tenant.tenant, &stored.revision, mode, objects) {
            return String::new();
        }
        digests.push(digest.as_str());
    }
    let plan = fleet_digest(digests);
    match &stored.allowed {
        None => plan,
        Some(allowed) => opened_digest(&plan, allowed.guards.iter().map(String::as_str), &allowed.reason),
    }
}
