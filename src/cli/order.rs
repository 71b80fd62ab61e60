//! Makes the order for a pass of `apply`, `run --once` and `demo`: one commit, its tenants, the operator's
//! settings.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use jiff::civil::Date;

use super::Failure;
use super::place::Place;
use crate::api::{Api, ReadApi};
use crate::clock;
use crate::config::Settings;
use crate::driver::clients::{Clients, connect};
use crate::driver::pass::{Holds, Lookup, Member, Order};
use crate::driver::spec::Terms;
use crate::fleet::{Fleet, known};
use crate::model::plan::{Limits, Reviewed};
use crate::model::precedent::Parent;
use crate::model::{Memory, TenantName};
use crate::platform::Heard;
use crate::store::{Asked, Store};

/// The options of a pass.
pub struct Wishes {
    /// The limits of changes, with the open guards.
    pub limits: Limits,
    /// Whether the pass applies the commit to all its tenants.
    pub is_whole: bool,
    /// The reviewed plan, if the pass may write only that.
    pub reviewed: Option<BTreeMap<TenantName, Arc<Reviewed>>>,
    /// How long the pass waits for tenants that another process leases.
    pub lease_patience: Duration,
    /// The most runs at the same time.
    pub concurrency: usize,
    /// The guard settings of the previous commit.
    pub parent: Parent,
    /// The person who applies by hand, and the reason.
    pub asked: Option<Asked>,
    /// The callback for request events.
    pub heard: Option<Heard>,
}

/// Makes the order for a pass over a fleet that was read from a place.
///
/// # Errors
/// The HTTP client cannot be set up.
pub fn order(
    place: &Place,
    fleet: &Fleet,
    settings: &Settings,
    store: &Store,
    wishes: Wishes,
) -> Result<Order<ReadApi, Api>, Failure> {
    let Wishes { limits, is_whole, reviewed, lease_patience, concurrency, asked, heard, parent } = wishes;
    let reads = connect(settings, heard)?;
    let clients = Clients::new(Arc::new(Mutex::new(settings.clone())), reads.clone());
    let lookup: Arc<Lookup> = Arc::new(move |tenant, resources| {
        let clients = clients.clone();
        async move { clients.for_run(&tenant, &resources).await }.boxed()
    });
    let source = place.source.clone();
    let holds: Arc<Holds> = Arc::new(move |newer, older| source.holds(newer, older));
    let today: Date = clock::today();
    Ok(Order {
        ports: Api::new(reads.clone()),
        reads,
        store: store.clone(),
        lookup,
        holds,
        parent,
        repository: place.identity.clone(),
        is_whole,
        members: members(fleet),
        managed: fleet.managed,
        terms: Terms {
            revision: fleet.revision.clone(),
            limits,
            timing: settings.timing,
            memory: if settings.store.is_some() { Memory::Kept } else { Memory::None },
            today,
        },
        reviewed,
        lease: settings.lease,
        lease_patience,
        // The pass does not wait for an unreachable tenant: the next pass reads it again.
        waves_patience: Duration::ZERO,
        intervals: settings.controller.intervals,
        concurrency,
        asked,
    })
}

/// Returns the tenants of a fleet that are managed or not valid.
pub fn members(fleet: &Fleet) -> Vec<Member> {
    let wanted = known::wanted(fleet);
    let of = |wanted: crate::model::Wanted| {
        let at = fleet.tenants.binary_search_by(|loaded| loaded.name.cmp(&wanted.tenant)).ok()?;
        let loaded = fleet.tenants.get(at)?;
        let resources = if loaded.blocked { Vec::new() } else { loaded.resources.clone() };
        Some(Member { wanted, tenant: loaded.tenant.clone(), resources })
    };
    wanted.into_iter().filter_map(of).collect()
}
