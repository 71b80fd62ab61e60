//! The audit trail.
//!
//! In: changes with their actor and address. Out: [`AuditRecord`]s, and the pages of a query over them.
//! Never: deletes a record, or shows it to a client before its time. Start reading at [`World::query_audit`].

use crate::emulator::actor::{Actor, CallOrigin};
use crate::emulator::call::Call;
use crate::emulator::error::{Answer, ApiError};
use crate::emulator::message::Response;
use crate::emulator::oauth::Grant;
use crate::emulator::time::later;
use crate::emulator::tree::{self, Change};
use crate::emulator::world::World;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

const PAGE_SIZE_MAX: u64 = 100;
const PAGE_SIZE_USUAL: u64 = 25;

/// The kind of a change to a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AuditAction {
    /// The change created it.
    #[serde(rename = "webchat:configuration:create")]
    Create,
    /// The change updated it.
    #[serde(rename = "webchat:configuration:update")]
    Update,
    /// The change deleted it.
    #[serde(rename = "webchat:configuration:delete")]
    Delete,
    /// A replication copied it from another organization.
    #[serde(rename = "webchat:configuration:replicate")]
    Replicate,
}

impl AuditAction {
    /// Returns the action's name in the API.
    pub fn name(self) -> &'static str {
        match self {
            AuditAction::Create => "webchat:configuration:create",
            AuditAction::Update => "webchat:configuration:update",
            AuditAction::Delete => "webchat:configuration:delete",
            AuditAction::Replicate => "webchat:configuration:replicate",
        }
    }
}

/// One record of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// The record's id.
    pub id: String,
    /// The time of the change; `timestamp` in JSON.
    #[serde(rename = "timestamp")]
    pub at: Timestamp,
    /// The time from which queries show it; not part of the API's record.
    #[serde(skip)]
    pub visible_at: Timestamp,
    /// The kind of the change.
    pub action: AuditAction,
    /// The organization of the configuration.
    pub organization_id: String,
    /// The actor of the change.
    pub actor: Actor,
    /// The actor's address.
    pub remote_ip: String,
    /// The new version, or the removed version for a deletion.
    pub version: u64,
    /// The changed properties.
    pub changes: Vec<Change>,
    /// The id of the request.
    pub request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    query: Option<Query>,
    page_size: Option<u64>,
    page: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    actions: Option<Vec<String>>,
    organizations: Option<Vec<String>>,
    time_range: Option<TimeRange>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeRange {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Query {
    fn asks_for(&self, record: &AuditRecord) -> bool {
        let range = self.time_range.as_ref();
        self.actions.as_ref().is_none_or(|names| names.iter().any(|name| name == record.action.name()))
            && self.organizations.as_ref().is_none_or(|ids| ids.contains(&record.organization_id))
            // The range includes start and end, so that adjacent ranges lose no record between them.
            && range.and_then(|range| range.start).is_none_or(|start| record.at >= start)
            && range.and_then(|range| range.end).is_none_or(|end| record.at <= end)
    }
}

impl World {
    /// Adds a record for a change.
    pub(super) fn record(
        &mut self,
        organization_id: &str,
        action: AuditAction,
        version: u64,
        old: Option<&Map<String, Value>>,
        new: Option<&Map<String, Value>>,
        origin: &CallOrigin,
    ) {
        self.webchat.audit.push(AuditRecord {
            id: format!("audit-{}", self.webchat.audit.len() + 1),
            at: origin.at,
            visible_at: later(origin.at, self.settings.audit_delay_ms),
            action,
            organization_id: organization_id.to_owned(),
            actor: origin.actor.clone(),
            remote_ip: origin.remote_ip.clone(),
            version,
            changes: tree::changes(old, new),
            request_id: origin.request_id.clone(),
        });
    }

    /// Answers a query with one page of records, newest first.
    pub(super) fn query_audit(&self, call: &Call, grant: &Grant) -> Answer {
        grant.require("audit:read")?;
        let body: Body = serde_json::from_slice(&call.request.body)
            .map_err(|error| ApiError::malformed(format!("the audit query cannot be read: {error}")))?;
        let page_size = body.page_size.unwrap_or(PAGE_SIZE_USUAL);
        let page = body.page.unwrap_or(1);
        if !(1..=PAGE_SIZE_MAX).contains(&page_size) || page == 0 {
            return Err(ApiError::malformed("`pageSize` is from 1 to 100 and `page` counts from 1"));
        }
        let query = body.query.unwrap_or_default();
        for id in query.organizations.iter().flatten() {
            grant.enter(id)?;
        }
        let found = || {
            self.webchat.audit.iter().rev().filter(|record| {
                record.visible_at <= call.now
                    && query.asks_for(record)
                    && grant.may_enter(&record.organization_id)
            })
        };
        let skipped = usize::try_from((page - 1).saturating_mul(page_size)).unwrap_or(usize::MAX);
        let size = usize::try_from(page_size).unwrap_or(usize::MAX);
        let records: Vec<&AuditRecord> = found().skip(skipped).take(size).collect();
        let total = found().count();
        Ok(Response::json(
            200,
            &json!({"records": records, "page": page, "pageSize": page_size, "total": total}),
        ))
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::fixture::{AUDIT, REPLICATE, Rig, body};
    use serde_json::{Value, json};

    fn seen(rig: &mut Rig, query: Value) -> Vec<(String, String)> {
        let answer = body(&rig.post(AUDIT, &json!({ "query": query })));
        let records = answer["records"].as_array().unwrap().iter();
        let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        records.map(|record| (text(record, "organizationId"), text(record, "action"))).collect()
    }

    #[test]
    fn shows_records_late_newest_first_and_filtered() {
        let mut rig = Rig::new(&json!({}));
        rig.put("a", None, &json!({"widget": {"theme": {"colors": {"primary": "#000"}}}}));
        rig.pass(1000);
        rig.put("a", Some("1"), &json!({"widget": {"theme": {"colors": {"primary": "#fff"}}}}));
        rig.post(REPLICATE, &json!({"sourceOrganizationId": "a", "targetOrganizationIds": ["b"]}));
        rig.pass(299);
        assert_eq!(seen(&mut rig, json!({})).len(), 1);
        rig.pass(1000);
        let name = |kind: &str| format!("webchat:configuration:{kind}");
        let (create, update, copy) = (
            ("a".to_owned(), name("create")),
            ("a".to_owned(), name("update")),
            ("b".to_owned(), name("replicate")),
        );
        let all = vec![copy.clone(), update.clone(), create.clone()];
        for (query, expected) in [
            (json!({}), all.clone()),
            (Value::Null, all),
            (json!({"actions": [name("update"), name("create")]}), vec![update.clone(), create.clone()]),
            (json!({"actions": []}), vec![]),
            (json!({"organizations": ["b", "x"]}), vec![copy.clone()]),
            (json!({"timeRange": {"start": "2026-03-01T00:00:01Z"}}), vec![copy, update.clone()]),
            (json!({"timeRange": {"end": "2026-03-01T00:00:01Z"}}), vec![update.clone(), create]),
            (
                json!({"timeRange": {"start": "2026-03-01T00:00:01Z", "end": "2026-03-01T01:00:01+01:00"}}),
                vec![update],
            ),
        ] {
            assert_eq!(seen(&mut rig, query.clone()), expected, "{query}");
        }
        let page = body(&rig.post(AUDIT, &json!({"pageSize": 2, "page": 2})));
        assert_eq!((&page["total"], &page["page"], &page["pageSize"]), (&json!(3), &json!(2), &json!(2)));
        let records = page["records"].as_array().unwrap();
        assert_eq!(records.len(), 1);
        let expected = json!({
            "id": "audit-1", "timestamp": "2026-03-01T00:00:00Z", "action": name("create"), "organizationId": "a",
            "actor": {"id": "c", "name": "c", "type": "client"}, "remoteIp": "127.0.0.1", "version": 1,
            "changes": [{"property": "widget.theme.colors.primary", "oldValue": null, "newValue": "#000"}],
            "requestId": "req-2",
        });
        assert_eq!(records[0], expected);
    }

    #[test]
    fn refuses_invalid_queries() {
        for query in [
            json!({"pageSize": 101}),
            json!({"pageSize": 0}),
            json!({"page": 0}),
            json!({"page": -1}),
            json!({"limit": 5}),
            json!({"query": {"orgs": []}}),
            json!({"query": {"timeRange": {"start": "yesterday"}}}),
            json!([1]),
        ] {
            assert_eq!(Rig::new(&json!({})).post(AUDIT, &query).status, 400, "{query}");
        }
        let far = json!({"page": u64::MAX, "pageSize": 100});
        assert_eq!(body(&Rig::new(&json!({})).post(AUDIT, &far))["records"], json!([]));
    }
}
