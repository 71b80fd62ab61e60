//! Queries over the audit trail: the asynchronous query, the realtime query, and the related query.
//!
//! In: query bodies. Out: transactions with their states, and pages of records. Never: shows a record that
//! was not visible when the query ran. Start reading at [`Cloud::start_audit_query`].

use crate::emulator::cloud::audit::{Record, SERVICES};
use crate::emulator::cloud::configuration::Sight;
use crate::emulator::cloud::error::{bad_request, not_found, refusal};
use crate::emulator::cloud::ids::{Kind, person};
use crate::emulator::cloud::query::Query;
use crate::emulator::cloud::{Cloud, Object, Work};
use crate::emulator::error::ApiError;
use crate::emulator::time::later;
use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The maximum age of records in realtime queries.
const REALTIME: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The maximum length of a query's interval.
const STRETCH: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The maximum number of transactions in memory.
const TRANSACTIONS_MAX: usize = 10_000;
const PAGE_SIZE_MAX: u64 = 500;

/// One asynchronous query.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    id: String,
    organization_id: String,
    wanted: Wanted,
    started_at: Timestamp,
    runs_at: Timestamp,
    ends_at: Timestamp,
    fails: bool,
}

impl Transaction {
    /// Returns whether the query has this id.
    pub fn has_id(&self, id: &str) -> bool {
        self.id == id
    }

    /// Returns the organization of the query.
    pub fn organization_id(&self) -> &str {
        &self.organization_id
    }

    fn state(&self, now: Timestamp) -> &'static str {
        match () {
            () if now >= self.ends_at && self.fails => "Failed",
            () if now >= self.ends_at => "Succeeded",
            () if now >= self.runs_at => "Running",
            () => "Queued",
        }
    }

    fn render(&self, now: Timestamp) -> Value {
        let mut shown = json!({
            "id": self.id,
            "state": self.state(now),
            "startDate": self.started_at.round(Unit::Millisecond).unwrap_or(self.started_at),
            "interval": self.wanted.interval,
            "filters": self.wanted.filters,
            "sort": self.wanted.sort,
        });
        if let (Some(service), Value::Object(fields)) = (&self.wanted.service_name, &mut shown) {
            fields.insert("serviceName".to_owned(), json!(service));
        }
        shown
    }
}

/// The parameters of a query; also the body of the asynchronous query.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted {
    interval: String,
    service_name: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(default)]
    sort: Vec<Sort>,
    /// Only for the realtime query.
    page_number: Option<u64>,
    /// Only for the realtime query.
    page_size: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Filter {
    property: Property,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Property {
    UserId,
    TrusteeOrganizationId,
    ClientId,
    Action,
    EntityType,
    EntityId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sort {
    name: SortName,
    sort_order: SortOrder,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum SortName {
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SortOrder {
    Ascending,
    Descending,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Related {
    audit_id: String,
    #[serde(default)]
    sort: Vec<Sort>,
}

impl Filter {
    fn fits(&self, record: &Record) -> bool {
        use crate::emulator::actor::ActorKind;
        let actor = &record.origin.actor;
        match self.property {
            Property::UserId => actor.kind == ActorKind::User && person(actor) == self.value,
            Property::ClientId => actor.kind == ActorKind::Client && actor.id == self.value,
            Property::Action => record.action.eq_ignore_ascii_case(&self.value),
            Property::EntityType => record.entity_type.eq_ignore_ascii_case(&self.value),
            Property::EntityId => record.entity_id == self.value,
            // In the emulator, no person works for another organization.
            Property::TrusteeOrganizationId => false,
        }
    }
}

impl Wanted {
    fn range(&self) -> Result<(Timestamp, Timestamp), ApiError> {
        let parts = self.interval.split_once('/');
        let times = parts.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from, to): (Timestamp, Timestamp) =
            times.ok_or_else(|| bad_request(format!("Interval [{}] is not valid.", self.interval)))?;
        if from > to || to.duration_since(from) > STRETCH {
            return Err(bad_request(format!(
                "Interval [{}] is empty or longer than 30 days.",
                self.interval
            )));
        }
        Ok((from, to))
    }

    fn is_refused(&self, without: Option<&str>) -> Result<(), ApiError> {
        self.range()?;
        let Some(service) = &self.service_name else { return Ok(()) };
        let offered = SERVICES.iter().any(|(name, _)| name == service && Some(*name) != without);
        let message = format!("Service [{service}] is not valid for this query.");
        if offered { Ok(()) } else { Err(bad_request(message)) }
    }

    /// Returns the matching records in the requested order.
    fn choose<'a>(&self, records: &'a [Record], organization_id: &str, as_of: Timestamp) -> Vec<&'a Record> {
        let range = self.range().ok();
        let mut chosen: Vec<&Record> = records
            .iter()
            .filter(|record| {
                record.organization_id == organization_id
                    && record.visible_at <= as_of
                    && range.is_some_and(|(from, to)| (from..=to).contains(&record.origin.at))
                    && self.service_name.as_ref().is_none_or(|name| name == record.service)
                    && self.filters.iter().all(|filter| filter.fits(record))
            })
            .collect();
        order(&mut chosen, &self.sort);
        chosen
    }
}

/// Sorts by time, by default newest first. Records with the same time keep their order.
fn order(records: &mut [&Record], sort: &[Sort]) {
    let ascending = sort.first().is_some_and(|sort| sort.sort_order == SortOrder::Ascending);
    records.sort_by_key(|record| record.origin.at);
    if !ascending {
        records.reverse();
    }
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| bad_request(format!("The query cannot be read: {error}")))
}

impl Cloud {
    /// Starts an asynchronous query.
    pub fn start_audit_query(
        &mut self,
        organization_id: &str,
        work: &Work,
        body: &[u8],
    ) -> Result<Value, ApiError> {
        let wanted: Wanted = parse(body)?;
        wanted.is_refused(None)?;
        let delay_ms = work.settings.audit_query_delay_ms;
        let transaction = Transaction {
            id: self.counters.next(Kind::Transaction),
            organization_id: organization_id.to_owned(),
            wanted,
            started_at: work.at(),
            runs_at: later(work.at(), delay_ms / 3),
            ends_at: later(work.at(), delay_ms),
            fails: work.settings.audit_query_fails,
        };
        // The answer to the request always has the state Queued.
        let mut shown = transaction.render(work.at());
        if let Value::Object(fields) = &mut shown {
            fields.insert("state".to_owned(), json!("Queued"));
        }
        self.trail.transactions.push_back(transaction);
        while self.trail.transactions.len() > TRANSACTIONS_MAX {
            self.trail.transactions.pop_front();
        }
        Ok(shown)
    }

    /// Returns the state of a query.
    pub fn read_audit_query(
        &self,
        organization_id: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        Ok(self.transaction(organization_id, id)?.render(now))
    }

    /// Returns a page of results of a query that has succeeded.
    pub fn read_audit_results(
        &self,
        organization_id: &str,
        id: &str,
        query: &Query,
        look: &Sight,
    ) -> Result<Value, ApiError> {
        let transaction = self.transaction(organization_id, id)?;
        let asked = query.number("pageSize", 25, PAGE_SIZE_MAX)?;
        let size = if look.cap == 0 { asked } else { asked.min(look.cap) };
        let skipped = match query.get("cursor") {
            None => 0,
            Some(cursor) => {
                let place = cursor.strip_prefix("from_").and_then(|number| number.parse::<usize>().ok());
                place.ok_or_else(|| bad_request(format!("Cursor [{cursor}] is not valid.")))?
            }
        };
        let found = self.results(transaction, look.now)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let end = skipped.saturating_add(size);
        let with_names = query.expands("user");
        let page: Vec<Value> =
            found.iter().skip(skipped).take(size).map(|record| record.render(with_names)).collect();
        let mut shown = json!({"id": id, "pageSize": size, "entities": page});
        if end < found.len()
            && let Value::Object(fields) = &mut shown
        {
            fields.insert("cursor".to_owned(), json!(format!("from_{end}")));
        }
        Ok(shown)
    }

    /// Returns all results of a query, to any caller with the link.
    pub fn download(&self, id: &str, now: Timestamp) -> Result<Value, ApiError> {
        let known = self.trail.transactions.iter().find(|known| known.id == id);
        let transaction = known.ok_or_else(|| not_found(id))?;
        let found = self.results(transaction, now)?;
        let entities: Vec<Value> = found.iter().map(|record| record.render(false)).collect();
        Ok(json!({"id": id, "pageSize": entities.len(), "entities": entities}))
    }

    /// Returns whether a query has succeeded.
    pub fn has_audit_results(&self, organization_id: &str, id: &str, now: Timestamp) -> bool {
        self.transaction(organization_id, id).is_ok_and(|known| known.state(now) == "Succeeded")
    }

    /// Answers a realtime query.
    pub fn query_audit_realtime(
        &self,
        organization_id: &str,
        body: &[u8],
        query: &Query,
        look: &Sight,
        without: Option<&str>,
    ) -> Result<Value, ApiError> {
        let wanted: Wanted = parse(body)?;
        wanted.is_refused(without)?;
        let size = wanted.page_size.unwrap_or(25);
        let number = wanted.page_number.unwrap_or(1);
        if !(1..=PAGE_SIZE_MAX).contains(&size) || number == 0 {
            return Err(refusal(
                400,
                "invalid.value",
                "`pageSize` is from 1 to 500 and `pageNumber` counts from 1",
            ));
        }
        let size =
            usize::try_from(if look.cap == 0 { size } else { size.min(look.cap) }).unwrap_or(usize::MAX);
        let mut found = wanted.choose(&self.trail.records, organization_id, look.now);
        let reach = look.now.checked_sub(REALTIME).unwrap_or(Timestamp::MIN);
        found.retain(|record| record.origin.at >= reach && Some(record.service) != without);
        let skipped = usize::try_from(number - 1).unwrap_or(usize::MAX).saturating_mul(size);
        let with_names = query.expands("user");
        let page: Vec<Value> =
            found.iter().skip(skipped).take(size).map(|record| record.render(with_names)).collect();
        let pages = found.len().div_ceil(size);
        Ok(
            json!({"entities": page, "pageSize": size, "pageNumber": number, "total": found.len(), "pageCount": pages}),
        )
    }

    /// Lists the records of the same action as a given record.
    pub fn query_audit_related(
        &self,
        organization_id: &str,
        body: &[u8],
        query: &Query,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        let related: Related = parse(body)?;
        let mine = |record: &&Record| record.organization_id == organization_id && record.visible_at <= now;
        let mut records = self.trail.records.iter().filter(mine);
        let known = records.find(|record| record.id == related.audit_id);
        let action = &known.ok_or_else(|| not_found(&related.audit_id))?.origin.request_id;
        let records = self.trail.records.iter().filter(mine);
        let mut found: Vec<&Record> = records.filter(|record| record.origin.request_id == *action).collect();
        order(&mut found, &related.sort);
        let entities: Vec<Value> = found.iter().map(|record| record.render(query.expands("user"))).collect();
        Ok(Value::Object(Object::from_iter([("entities".to_owned(), Value::Array(entities))])))
    }

    fn transaction(&self, organization_id: &str, id: &str) -> Result<&Transaction, ApiError> {
        let mut known = self.trail.transactions.iter();
        known
            .find(|known| known.id == id && known.organization_id == organization_id)
            .ok_or_else(|| not_found(id))
    }

    fn results(&self, transaction: &Transaction, now: Timestamp) -> Result<Vec<&Record>, ApiError> {
        if transaction.state(now) != "Succeeded" {
            let message = format!("The query is {} and has no results.", transaction.state(now));
            return Err(refusal(404, "not.found", message));
        }
        let (wanted, id) = (&transaction.wanted, &transaction.organization_id);
        Ok(wanted.choose(&self.trail.records, id, transaction.ends_at))
    }
}
