//! Sends notifications: reads the store, computes the due messages, sends them, and stores what was sent.
//!
//! One replica sends at a time, under a lease of its own.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock;
use crate::controller::Controller;
use crate::model::text::listed;
use crate::model::unmanaged::{Noticed, by_another_user, by_the_platform};
use crate::model::{Class, Status, TenantName, causes};
use crate::notify::{Cause, NotifyPolicy, Sender, Sent, Trouble, due};
use crate::store::{Lease, StoreError, TenantRow, Which};
use crate::telemetry::masked;
use crate::telemetry::metrics::NotificationResult;

/// Interval of reading the store.
const EVERY: Duration = Duration::from_secs(5);
/// Duration of the lease of the sending replica.
const LEASE: Duration = Duration::from_secs(30);
/// The lease's name: no tenant's name begins with a dash.
const LEASE_NAME: &str = "-notifications";
/// The store's note of what was sent.
const NOTE: &str = "notifications";

/// Sends due notifications at each interval.
pub async fn keep_telling(controller: Arc<Controller>, sender: Sender, policy: NotifyPolicy) {
    let mut lease: Option<Lease> = None;
    loop {
        lease = match ours(&controller, lease).await {
            Ok(lease) => lease,
            Err(error) => {
                tracing::warn!(error = causes(&error), "no notifications are sent: cannot read the store");
                None
            }
        };
        if let Some(lease) = &lease
            && let Err(error) = tell(&controller, lease, &sender, &policy).await
        {
            tracing::warn!(error = causes(&error), "no notifications are sent: cannot read the store");
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
    let rows = controller.store.tenants(Which::Troubled).await?;
    let mut troubles: Vec<Trouble> = rows.iter().filter_map(trouble).collect();
    let tenants = rows.iter().map(|row| (&row.tenant, row.unmanaged.as_slice()));
    troubles.extend(of_unmanaged(tenants, clock::now(), controller.tunables().intervals.resync));
    if let Some(trouble) = controller.head.trouble() {
        let reason = masked(&trouble.message).into_owned();
        troubles.push(Trouble { cause: Cause::SourceStale, tenant: None, since: trouble.since, reason });
    }
    let kept = controller.store.note(NOTE).await?;
    // If a build with another format wrote the note, its messages are sent again.
    let before: Sent = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let (messages, mut sent) = due(clock::now(), &troubles, &before, policy);
    keep(controller, &before, &sent).await?;
    for message in messages {
        // A receiver may be slow, so another replica may hold the lease by now.
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

/// Returns changes of other users in fields that git does not name, with a separate notification for what was
/// switched off. Changes that the platform made in many organizations are not notified. Whether the platform
/// made them is known only after two resync intervals.
fn of_unmanaged<'a>(
    tenants: impl IntoIterator<Item = (&'a TenantName, &'a [Noticed])> + Clone,
    now: Timestamp,
    resync: Duration,
) -> Vec<Trouble> {
    let platform = by_the_platform(tenants.clone().into_iter().flat_map(|(_, noticed)| noticed));
    let looked_at = now.checked_sub(resync.saturating_mul(2)).unwrap_or(Timestamp::MIN);
    let mut troubles = Vec::new();
    for (tenant, mut theirs) in by_another_user(tenants, &platform) {
        theirs.retain(|one| one.by.is_some() || one.since <= looked_at);
        let (off, others): (Vec<&Noticed>, _) = theirs.into_iter().partition(|one| one.class == Class::Off);
        for (cause, all) in [(Cause::SwitchedOff, off), (Cause::Unmanaged, others)] {
            let Some(since) = all.iter().map(|one| one.since).min() else { continue };
            let words: Vec<String> = all.into_iter().map(Noticed::words).collect();
            let reason = masked(&listed(&words)).into_owned();
            troubles.push(Trouble { cause, tenant: Some(tenant.clone()), since, reason });
        }
    }
    troubles
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Object, OrganizationId};

    #[test]
    fn what_was_switched_off_is_notified_alone_and_what_the_platform_did_is_not() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let seen = |organization: &str, path: &str, class: Class, by: Option<&str>, since: i64| Noticed {
            organization: OrganizationId::new(organization),
            object: Object::implied(),
            path: path.into(),
            class,
            value: "same".into(),
            by: by.map(str::to_owned),
            is_named: by.is_some(),
            version: 5,
            since: at(since),
        };
        let shape = |organization: &str| seen(organization, "shape", Class::Cosmetic, None, 1);
        let mara = Some("by Mara Ionescu");
        let of_a = [
            shape("o-1"),
            seen("o-1", "title", Class::Text, mara, 30),
            seen("o-1", "greeting", Class::Text, mara, 20),
            seen("o-1", "launcher", Class::Off, mara, 40),
        ];
        let (of_b, of_c) = ([shape("o-2")], [shape("o-3")]);
        let (a, b, c) = (TenantName::new("a"), TenantName::new("b"), TenantName::new("c"));
        let resync = Duration::from_secs(100);
        let reported_at = |now: i64, tenants: Vec<(&TenantName, &[Noticed])>| -> Vec<(Cause, String, i64)> {
            let name = |trouble: &Trouble| trouble.tenant.as_ref().unwrap().to_string();
            let all = of_unmanaged(tenants, at(now), resync);
            all.iter().map(|one| (one.cause, name(one), one.since.as_second())).collect()
        };
        let of_mara = [(Cause::SwitchedOff, "a".to_owned(), 40), (Cause::Unmanaged, "a".to_owned(), 20)];
        for now in [60, 999] {
            assert_eq!(reported_at(now, vec![(&a, &of_a), (&b, &of_b), (&c, &of_c)]), of_mara);
        }
        // A change in only two organizations counts as another user's, after all others were read.
        let in_two = |now| reported_at(now, vec![(&b, &of_b), (&c, &of_c)]).len();
        assert_eq!((in_two(200), in_two(201)), (0, 2));
        let reasons = of_unmanaged([(&a, &of_a[1..])], at(60), resync);
        let reasons: Vec<String> = reasons.into_iter().map(|one| one.reason).collect();
        assert_eq!(reasons[0], "launcher (off) of o-1, by Mara Ionescu");
        assert_eq!(
            reasons[1],
            "title (text) of o-1, by Mara Ionescu, greeting (text) of o-1, by Mara Ionescu"
        );
    }
}
