//! Queries the audit log for entries about some objects: in real time if the service supports it, otherwise
//! by a query that runs on the platform and is fetched when it is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::AUDIT_PAGES_MAX;
use super::caller::Caller;
use super::survey::Reader;
use super::{audit_question, get, kinds, post, segment, wire};
use crate::model::audit::PropertyChange;
use crate::model::{Actor, ActorKind, Entry, Fault, FaultKind, ObjectRef};
use crate::platform::operation::{Verb, shown};

/// Records on a page: the platform's maximum.
pub const PAGE_SIZE: u32 = 500;
/// How often a running query is polled, and the wait between polls, in ms.
const POLLS_MAX: u32 = 20;
const POLL_MS: u64 = 500;
/// The first waits, in ms: short, because most queries are fast.
const FIRST_POLLS_MS: [u64; 4] = [50, 100, 200, 300];

/// How far back the real-time service goes, in hours.
const REALTIME_HOURS: i64 = 14 * 24;

/// The objects of a query, by id.
pub type Ids = BTreeMap<Arc<str>, ObjectRef>;

#[derive(Deserialize)]
struct Mapping {
    #[serde(default)]
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    entities: Vec<AuditedEntity>,
}

#[derive(Deserialize)]
struct AuditedEntity {
    #[serde(default)]
    actions: Vec<String>,
}

impl Service {
    /// Whether publications have entries of their own.
    fn tells_publications(&self) -> bool {
        self.entities.iter().flat_map(|entity| &entity.actions).any(|action| action == PUBLISH)
    }
}

/// The log's action for the publication of a draft, if it has one.
const PUBLISH: &str = "Publish";

#[derive(Deserialize)]
struct Query {
    id: String,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    entities: Vec<Value>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    page_count: Option<u32>,
}

impl<C: Caller> Reader<'_, C> {
    /// Returns entries about some objects of the organization. The second value is true if the log has more.
    ///
    /// # Errors
    /// The audit log cannot be queried, or its answer cannot be read.
    pub async fn entries(
        &self,
        ids: &Ids,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(Vec<Entry>, bool), Fault> {
        let mut services: Vec<&str> = {
            let service = |object: &ObjectRef| Some(kinds::shape(object.object.kind)?.service);
            ids.values().filter_map(service).collect()
        };
        services.sort_unstable();
        services.dedup();
        let subject = || format!("the audit log of organization {}", self.target().organization);
        let (mut all, mut truncated) = (Vec::new(), false);
        for service in services {
            let path = "api/v2/audits/query/realtime/servicemapping".to_owned();
            let mapping: Mapping = wire::parse(&self.ask(&get(path, subject())).await?)?;
            let known = mapping.services.iter().find(|known| known.name == service);
            let recent = to.duration_since(from).as_hours() < REALTIME_HOURS;
            let (records, more) = match known.is_some() && recent {
                true => self.realtime(service, from, to).await?,
                false => self.queried(service, from, to).await?,
            };
            truncated |= more;
            let apart = known.is_some_and(Service::tells_publications);
            all.extend(records.into_iter().filter_map(|record| entry(record, ids, apart)));
        }
        Ok((all, truncated))
    }

    async fn realtime(
        &self,
        service: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(Vec<Value>, bool), Fault> {
        let subject = format!("the audit log of organization {}", self.target().organization);
        let mut all = Vec::new();
        for number in 1..=AUDIT_PAGES_MAX {
            let question = audit_question(from, to, service, Some(number));
            let path = "api/v2/audits/query/realtime?expand=user".to_owned();
            let operation = post(Verb::Query, path, Some(&question), subject.clone());
            let page: Page = wire::parse(&self.ask(&operation).await?)?;
            let count = page.entities.len();
            all.extend(page.entities);
            if count == 0 || page.page_count.is_none_or(|pages| number >= pages) {
                return Ok((all, false));
            }
        }
        Ok((all, true))
    }

    async fn queried(
        &self,
        service: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(Vec<Value>, bool), Fault> {
        let subject = || format!("the audit query of organization {}", self.target().organization);
        let question = audit_question(from, to, service, None);
        let operation = post(Verb::Query, "api/v2/audits/query".into(), Some(&question), subject());
        let mut query: Query = wire::parse(&self.ask(&operation).await?)?;
        let path = format!("api/v2/audits/query/{}", segment(&query.id));
        let mut polls = 0;
        while query.state != "Succeeded" {
            let failed = matches!(query.state.as_str(), "Failed" | "Cancelled");
            if failed || polls >= POLLS_MAX {
                let state = if failed { query.state.to_lowercase() } else { "not finished in time".into() };
                return Err(Fault::new(FaultKind::Transient, format!("{} is {state}", subject())));
            }
            let wait_ms = FIRST_POLLS_MS.get(polls as usize).copied().unwrap_or(POLL_MS);
            self.caller().wait(Duration::from_millis(wait_ms)).await;
            polls += 1;
            query = wire::parse(&self.ask(&get(path.clone(), subject())).await?)?;
        }
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..AUDIT_PAGES_MAX {
            let after = cursor
                .as_deref()
                .map(|cursor| {
                    let encoded: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
                    format!("&cursor={encoded}")
                })
                .unwrap_or_default();
            let path = format!("{path}/results?pageSize={PAGE_SIZE}&expand=user&allowRedirect=true{after}");
            let mut response = self.ask(&get(path, subject())).await?;
            // Large results are in a file elsewhere, which the platform links to.
            if let (300..=399, Some(location)) = (response.status, response.location.clone()) {
                response = self.caller().fetch(self.target().region, &location, &subject()).await?;
            }
            let page: Page = wire::parse(&response)?;
            all.extend(page.entities);
            match page.cursor.filter(|next| !next.is_empty() && Some(next) != cursor.as_ref()) {
                Some(next) => cursor = Some(next),
                None => return Ok((all, false)),
            }
        }
        Ok((all, true))
    }
}

/// Returns a record as an entry if it is about one of the objects and names its author. If publications have
/// entries `apart` from those of drafts, the other entries are about the draft and confirm no version.
fn entry(record: Value, ids: &Ids, apart: bool) -> Option<Entry> {
    let record: wire::AuditRecord = serde_json::from_value(record).ok()?;
    let object = ids.get(record.entity?.id.as_str())?.clone();
    let object = match object.draft() {
        Some(draft) if apart && record.action != PUBLISH => draft,
        _ => object,
    };
    let named = |party: Option<wire::Party>| party.filter(|party| !party.id.is_empty());
    let (party, kind) = match (named(record.user), named(record.client)) {
        (Some(user), _) => (user, ActorKind::User),
        (None, Some(client)) => (client, ActorKind::Client),
        (None, None) => return None,
    };
    let name = shown(party.name.as_deref().unwrap_or_default(), 100).into_owned();
    let change = |change: wire::PropertyChange| PropertyChange {
        property: change.property,
        old_value: wire::single(change.old_values),
        new_value: wire::single(change.new_values),
    };
    Some(Entry {
        id: record.id,
        at: record.event_date,
        action: shown(&record.action, 100).into_owned(),
        object,
        actor: Actor { id: party.id, name, kind },
        remote_ip: record.remote_ip.first().map(|ip| shown(ip, 64).into_owned()),
        version: None,
        changes: record.property_changes.into_iter().map(change).collect(),
    })
}
