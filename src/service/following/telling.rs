//! Tells people what is wrong: reads the store, asks what is due to be said, says it, and keeps what was said.
//!
//! One replica does it at a time, under a lease of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::controller::Controller;
use crate::model::{Status, TenantName, causes};
use crate::notify::{Cause, NotifyPolicy, Sender, Sent, Trouble, due};
use crate::store::{Lease, StoreError, TenantRow, Which};
use crate::telemetry::masked;
use crate::telemetry::metrics::NotificationResult;

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(5);
/// How long a replica keeps the word.
const LEASE: Duration = Duration::from_secs(30);
/// The lease's name: no tenant's name begins with a dash.
const LEASE_NAME: &str = "-notifications";
/// Where the store keeps what was said.
const NOTE: &str = "notifications";

/// Tells, again and again.
pub async fn keep_telling(controller: Arc<Controller>, sender: Sender, policy: NotifyPolicy) {
    let mut lease: Option<Lease> = None;
    loop {
        lease = match ours(&controller, lease).await {
            Ok(lease) => lease,
            Err(error) => {
                tracing::warn!(error = causes(&error), "nothing is told: the store can't be asked");
                None
            }
        };
        if let Some(lease) = &lease
            && let Err(error) = tell(&controller, lease, &sender, &policy).await
        {
            tracing::warn!(error = causes(&error), "nothing is told: the store can't be asked");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn ours(controller: &Controller, lease: Option<Lease>) -> Result<Option<Lease>, StoreError> {
    if let Some(lease) = lease
        && !controller.store.renew(std::slice::from_ref(&lease), LEASE).await?.is_empty()
    {
        return Ok(Some(lease));
    }
    Ok(controller.store.take(&[TenantName::new(LEASE_NAME)], LEASE).await?.pop())
}

async fn tell(
    controller: &Controller,
    lease: &Lease,
    sender: &Sender,
    policy: &NotifyPolicy,
) -> Result<(), StoreError> {
    let mut troubles: Vec<Trouble> =
        controller.store.tenants(Which::Troubled).await?.iter().filter_map(trouble).collect();
    if let Some(trouble) = controller.head.trouble() {
        let reason = masked(&trouble.message).into_owned();
        troubles.push(Trouble { cause: Cause::SourceStale, tenant: None, since: trouble.since, reason });
    }
    let kept = controller.store.note(NOTE).await?;
    // What was said by a build that wrote it differently is said again.
    let before: Sent = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let (messages, mut sent) = due(clock::now(), &troubles, &before, policy);
    keep(controller, &before, &sent).await?;
    for message in messages {
        // A receiver may take its time, and then somebody else has the word.
        if controller.store.renew(std::slice::from_ref(lease), LEASE).await?.is_empty() {
            return Ok(());
        }
        let before = sent.clone();
        match sender.send(&message).await {
            Ok(()) => {
                controller.metrics.notifications.inc(NotificationResult::Delivered);
                sent.delivered(clock::now(), &message);
            }
            Err(error) => {
                controller.metrics.notifications.inc(NotificationResult::Failed);
                tracing::warn!(error = causes(&error), "a notification was not delivered");
                sent.failed(clock::now(), &message, error.retry_after, policy);
            }
        }
        keep(controller, &before, &sent).await?;
    }
    Ok(())
}

async fn keep(controller: &Controller, before: &Sent, after: &Sent) -> Result<(), StoreError> {
    if before == after {
        return Ok(());
    }
    let text = serde_json::to_string(after).unwrap_or_default();
    controller.store.keep_note(NOTE, &text).await
}

fn trouble(row: &TenantRow) -> Option<Trouble> {
    let cause = match row.status {
        Status::Drifted => Cause::Drift,
        Status::Held => Cause::Held,
        Status::Refused => Cause::Refused,
        Status::Unconfirmed => Cause::Unconfirmed,
        Status::Invalid => Cause::Invalid,
        Status::Degraded(kind) => Cause::Degraded(kind),
        Status::Synced | Status::OutOfSync | Status::Waiting | Status::Paused => return None,
    };
    let since = match cause {
        Cause::Drift => row.drifted_at.unwrap_or(row.since),
        _ => row.since,
    };
    let reason = masked(&row.reason).into_owned();
    Some(Trouble { cause, tenant: Some(row.tenant.clone()), since, reason })
}
