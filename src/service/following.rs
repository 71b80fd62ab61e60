//! The controller in its process: built from settings, shown to probes, reloaded, and ended in time.
//!
//! Start reading at [`Following::host`]; `face.rs` answers probes, `telling.rs` sends notifications.
//!
//! In: settings, the origin, a store. Out: a process with the controller in it. Never: decides when a tenant
//! is due.

mod face;
mod telling;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::error::ServiceError;
use super::process::{Hosted, Process};
use crate::config::{Settings, file};
use crate::controller::head::{Head, Origin};
use crate::controller::{Controller, Tunables};
use crate::driver::clients::{Clients, connect};
use crate::driver::slots::Slots;
use crate::notify::{NotifyFormat, NotifyPolicy, Sender};
use crate::source::{self, Source};
use crate::telemetry;
use face::Face;

/// A process that hosts the controller of one repository.
pub struct Following {
    process: Process,
    controller: Arc<Controller>,
    /// The current settings: a reload replaces them.
    current: Arc<Mutex<Settings>>,
    origin: Origin,
}

impl Following {
    /// Builds a controller that does not run yet.
    ///
    /// # Errors
    /// The client of the live API cannot be set up.
    pub fn new(process: Process, origin: Origin) -> Result<Self, ServiceError> {
        let current = Arc::new(Mutex::new(process.settings.clone()));
        let controller = controller(&process, &current, origin.clone())?;
        Ok(Self { process, controller: Arc::new(controller), current, origin })
    }

    /// Returns the process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Returns the repository's name in the store.
    pub fn identity(&self) -> String {
        self.controller.head.identity()
    }

    /// Marks the work as alive, for `/healthz`. The loop of [`Following::follow`] does this itself.
    pub fn turned(&self) {
        self.controller.alive.store(true, Ordering::Relaxed);
    }

    /// Follows the repository until the process has to stop.
    pub async fn follow(&self) {
        let keeper = Arc::clone(&self.controller);
        tokio::spawn(async move {
            let poll = || keeper.tunables().git_poll;
            keeper.head.keep(poll, &keeper.stop).await;
        });
        tracing::info!(repository = self.identity(), replica = self.process.store.holder(), "running");
        self.controller.run().await;
    }

    /// Runs `work` in the process, which listens on `listen` if it is set.
    ///
    /// # Errors
    /// The process cannot start, or did not end in time.
    pub async fn host<T>(
        &self,
        listen: Option<SocketAddr>,
        work: impl Future<Output = T>,
    ) -> Result<T, ServiceError> {
        let door = self.process.open(listen).await?;
        // It watches until it is dropped.
        let _watch = self.watch();
        let hosted = self.hosted()?;
        self.process.host(hosted, door, work).await
    }

    /// Wakes the fetch as soon as a branch of a local repository changes.
    fn watch(&self) -> Option<source::Watch> {
        let Origin::Local { source: Source::Repository { git_dir, .. }, .. } = &self.origin else {
            return None;
        };
        let head = Arc::clone(&self.controller.head);
        source::watch(git_dir, move || head.hints.notify_one())
            .inspect_err(|error| tracing::info!(%error, "the repository is polled, not watched"))
            .ok()
    }

    fn hosted(&self) -> Result<Hosted, ServiceError> {
        let face = Arc::new(Face::new(&self.controller, &self.process.telemetry));
        let mut beside = JoinSet::new();
        beside.spawn(Arc::clone(&face).keep_figures());
        if let Some((sender, policy)) = notifications(&self.process.settings)? {
            beside.spawn(telling::keep_telling(Arc::clone(&self.controller), sender, policy));
        }
        let (controller, current) = (Arc::clone(&self.controller), Arc::clone(&self.current));
        let take =
            Box::new(move |settings| take(Arc::clone(&controller), Arc::clone(&current), settings).boxed());
        Ok(Hosted { surface: face, take, beside })
    }
}

fn controller(
    process: &Process,
    current: &Arc<Mutex<Settings>>,
    origin: Origin,
) -> Result<Controller, ServiceError> {
    let (settings, store, metrics) = (&process.settings, &process.store, &process.metrics);
    let api = connect(settings, Some(Arc::clone(&process.heard))).map_err(ServiceError::Client)?;
    let file = &settings.controller;
    Ok(Controller {
        head: Arc::new(Head::new(origin, store.clone(), Arc::clone(metrics))),
        store: store.clone(),
        metrics: Arc::clone(metrics),
        slots: Slots::new(file.runs_max, file.runs_per_credential_max),
        lease: settings.lease,
        shutdown: file.shutdown,
        tunables: Mutex::new(tunables(settings)),
        clients: Clients::new(Arc::clone(current), api),
        wake: Notify::new(),
        alive: AtomicBool::new(false),
        stop: process.stop.clone(),
    })
}

fn tunables(settings: &Settings) -> Tunables {
    let controller = &settings.controller;
    Tunables {
        intervals: controller.intervals,
        git_poll: controller.git_poll,
        timing: settings.timing,
        stale_after: controller.git_stale,
        waves_patience: controller.waves_patience,
    }
}

/// Returns the receiver and the policy of notifications; none if no receiver is set.
fn notifications(settings: &Settings) -> Result<Option<(Sender, NotifyPolicy)>, ServiceError> {
    let Some(url) = &settings.notify_url else { return Ok(None) };
    telemetry::mask(url);
    let format = match settings.controller.notify_format {
        file::NotifyFormat::Slack => NotifyFormat::Slack,
        file::NotifyFormat::Json => NotifyFormat::Json,
    };
    let sender = Sender::new(url, format, &settings.proxies).map_err(ServiceError::Notifications)?;
    let policy = NotifyPolicy::default();
    let policy = NotifyPolicy {
        settle: settings.controller.notify_settle.unwrap_or(policy.settle),
        instance: settings.controller.instance.clone().unwrap_or(policy.instance.clone()),
        ..policy
    };
    Ok(Some((sender, policy)))
}

/// Applies reloaded settings: intervals, deadlines and credentials.
async fn take(controller: Arc<Controller>, current: Arc<Mutex<Settings>>, settings: Settings) {
    *controller.tunables.lock().unwrap_or_else(PoisonError::into_inner) = tunables(&settings);
    // Before the credentials are looked up, because their source may have changed.
    *current.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    let known = controller.head.known().borrow().clone();
    for name in known.iter().flat_map(|known| known.credentials()) {
        // A failed lookup keeps the current secret.
        if let Err(error) = controller.clients.learn(&name).await {
            tracing::warn!(credentials = %name, %error, "cannot look up credentials");
        }
    }
    controller.head.hints.notify_one();
}
