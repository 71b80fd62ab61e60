//! The label values of the metrics. They are closed sets, so that no text of a tenant, a server or an
//! attacker can make a new series. For the one exception see [`super::metrics::Metrics::set_fleet`].

#![warn(clippy::wildcard_enum_match_arm, reason = "a new status needs a decision here")]

use std::collections::BTreeSet;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::model::{Guard, Status};

/// A closed set of label values.
pub trait Label: Copy + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value.
    const ALL: &'static [Self];
    /// The value as text.
    fn name(self) -> &'static str;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident $key:literal { $($(#[$value_doc:meta])* $variant:ident $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$value_doc])* $variant),+ }

        impl Label for $name {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

label! {
    /// The result of a run.
    RunResult "result" {
        /// Live equals git, and every write is confirmed.
        Synced "synced",
        /// Git has changes that are not applied, and the mode is `watch`.
        OutOfSync "out_of_sync",
        /// The live configuration moved, and the mode is `watch`.
        Drifted "drifted",
        /// Some writes have no audit entry.
        Unconfirmed "unconfirmed",
        /// Its change waits for a lower wave, or for a change window.
        Waiting "waiting",
        /// A guard refused the plan.
        Refused "refused",
        /// A person has to decide.
        Held "held",
        /// An external service failed.
        Degraded "degraded",
        /// It was stopped.
        Cancelled "cancelled",
        /// Another replica took the tenant over.
        LeaseLost "lease_lost",
        /// Git moved on, or the tenant was paused.
        Superseded "superseded",
        /// A bug ended it.
        Panicked "panicked",
    }
}

label! {
    /// The result of a request to the API.
    RequestClass "class" {
        /// Any answer below 300.
        Done "2xx",
        /// A redirect, which is not followed.
        Redirected "3xx",
        /// A refusal.
        Refused "4xx",
        /// The server failed.
        Failed "5xx",
        /// No complete answer arrived.
        Lost "lost",
    }
}

label! {
    /// What happened to a lease.
    LeaseEvent "event" {
        /// Taken.
        Acquired "acquired",
        /// Another replica has it, although this replica expected to hold it.
        Lost "lost",
        /// Given back.
        Released "released",
        /// Not renewed in time.
        Expired "expired",
    }
}

label! {
    /// The result of a request to the git webhook.
    HookResult "result" {
        /// A hint: genesync reads the source.
        Hint "hint",
        /// A test of the connection by the forge.
        Ping "ping",
        /// Signed, but about another event.
        Ignored "ignored",
        /// No signature matches.
        Unsigned "unsigned",
        /// The body is too large.
        TooLarge "too_large",
        /// The body took too long, or broke off.
        Incomplete "incomplete",
        /// Too many requests.
        Throttled "throttled",
    }
}

label! {
    /// The result of an attempt to deliver a notification.
    NotificationResult "result" {
        /// The receiver accepted it.
        Delivered "delivered",
        /// It failed, and genesync will try it again.
        Failed "failed",
    }
}

impl Label for Status {
    const KEY: &'static str = "status";
    const ALL: &'static [Self] = &Status::ALL;

    fn name(self) -> &'static str {
        self.row().metric
    }
}

impl Label for Guard {
    const KEY: &'static str = "guard";
    const ALL: &'static [Self] = Guard::ALL;

    fn name(self) -> &'static str {
        Guard::name(self)
    }
}

type OneLabel = [(&'static str, &'static str); 1];

/// A counter for each value of a label. All of them exist from the start, because a rate over a series
/// misses the first event if the series appears with it.
#[derive(Debug)]
pub struct Counted<L>(Vec<Counter>, std::marker::PhantomData<L>);

impl<L: Label> Counted<L> {
    /// Registers the counters.
    pub(super) fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<OneLabel, Counter>::default();
        let counters =
            L::ALL.iter().map(|value| family.get_or_create_owned(&[(L::KEY, value.name())])).collect();
        registry.register(name, help, family);
        Self(counters, std::marker::PhantomData)
    }

    /// Adds one.
    pub fn inc(&self, value: L) {
        if let Some(counter) = index(value).and_then(|at| self.0.get(at)) {
            counter.inc();
        }
    }
}

/// A gauge for each name of a label.
#[derive(Debug)]
pub(super) struct Gauged<L>(Vec<(&'static str, Gauge)>, std::marker::PhantomData<L>);

impl<L: Label> Gauged<L> {
    pub(super) fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<OneLabel, Gauge>::default();
        let names: BTreeSet<&'static str> = L::ALL.iter().map(|value| value.name()).collect();
        let gauge = |name| (name, family.get_or_create_owned(&[(L::KEY, name)]));
        let gauges = names.into_iter().map(gauge).collect();
        registry.register(name, help, family.clone());
        Self(gauges, std::marker::PhantomData)
    }

    /// Sets every gauge to the sum for its name, and to 0 if there is none.
    pub(super) fn count(&self, counted: &[(L, usize)]) {
        for (name, gauge) in &self.0 {
            let of_name = counted.iter().filter(|(value, _)| value.name() == *name);
            let number: usize = of_name.map(|(_, number)| number).sum();
            gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
}

fn index<L: Label>(value: L) -> Option<usize> {
    // Compare the text, because several values may share one series.
    L::ALL.iter().position(|known| known.name() == value.name())
}
