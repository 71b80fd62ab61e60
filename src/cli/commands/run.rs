//! `genesync run`: the controller.

mod once;
mod surface;
mod telling;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::emulate;
use crate::cli::{Exit, Failure, Format, Output};
use crate::cli::{place, session};
use crate::clock;
use crate::config::{Flags, Settings, env, file};
use crate::controller::head::{Head, Origin};
use crate::controller::run::{Controller, Tunables};
use crate::controller::slots::Slots;
use crate::crash;
use crate::driver::clients::{Clients, connect};
use crate::model::{StorePlace, TenantName};
use crate::notify::{NotifyFormat, NotifyPolicy, Sender};
use crate::platform::Heard;
use crate::serve::{HookSecrets, ServeOptions, Surface, serve};
use crate::source::{self, Source};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{self, LogFormat, Options, Telemetry, TraceOptions};
use surface::Face;

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Configuration repository: a folder, or an https, ssh or file URL of a git repository
    #[arg(default_value = ".", value_name = "PATH|URL")]
    path: String,
    /// Follow this branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Look at every tenant once, wait for confirmations, and end: for a scheduled job
    #[arg(long)]
    once: bool,
    /// Serve /healthz, /readyz, /metrics and /hooks/git on this address
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// With --once: exit with 3 where git has something left to apply, and with 8 where only live moved
    #[arg(long, requires = "once")]
    detailed_exitcode: bool,
    /// With --once: exit with 6 where a write has no audit entry in time
    #[arg(long, requires = "once")]
    require_confirmed: bool,
    /// How the result of --once is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Tenants whose age stands in the metrics by name: the worst ones.
const TENANTS_SHOWN: usize = 20;

/// How long a low budget is remembered.
const BUDGET_WINDOW: Duration = Duration::from_secs(60);

/// Follows a repository, and keeps the live configurations equal to it.
pub async fn run(
    args: &RunArgs,
    flags: Flags,
    output: &Output,
    telemetry: &Arc<Telemetry>,
) -> Result<Exit, Failure> {
    let settings = session::settings(flags.clone())?;
    let origin = place::origin(&args.path, args.rev.as_deref(), &settings)?;
    let store = session::open_store(&settings).await?;
    let metrics = Arc::new(Metrics::new(TENANTS_SHOWN));
    let current = Arc::new(Mutex::new(settings.clone()));
    let heard = heard(&metrics);
    let controller = controller(&settings, &current, origin.clone(), store, &metrics, Arc::clone(&heard))?;
    let stop = controller.stop.clone();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            emulate::stopped().await;
            tracing::info!("told to stop: ending what is under way");
            stop.cancel();
        }
    });
    telemetry::log_panics();
    settings.git_token.iter().for_each(telemetry::mask);
    if let StorePlace::Postgres(url) = &settings.store {
        telemetry::mask(url);
    }
    let listener = listener(args.listen.or(settings.controller.listen)).await?;
    let reload =
        Reload { controller: Arc::clone(&controller), current, flags, telemetry: Arc::clone(telemetry) };
    let background = Background::start(&controller, &settings, reload, &origin, telemetry, listener)?;
    let work = async {
        let exit = if args.once {
            once::run(args, &settings, &controller, heard, output).await
        } else {
            follow(&controller).await;
            Ok(Exit::Done)
        };
        background.end().await;
        crash::point("C20");
        controller.store.close().await;
        exit
    };
    // A store that hangs must not hold the end up: what is not written down by then, the next start finds out.
    tokio::select! {
        ended = work => ended,
        () = overdue(&controller) => {
            Err(Failure::new(Exit::Outside, "the store did not answer in the time that there is for stopping"))
        }
    }
}

/// Follows the repository until it is told to stop.
async fn follow(controller: &Arc<Controller>) {
    let following = Arc::clone(controller);
    tokio::spawn(async move {
        let poll = || following.tunables().git_poll;
        following.head.keep(poll, &following.stop).await;
    });
    tracing::info!(repository = controller.head.identity(), replica = controller.store.holder(), "running");
    controller.run().await;
}

/// Comes when a controller that was told to stop has had its time, and a little more.
async fn overdue(controller: &Controller) {
    controller.stop.cancelled().await;
    tokio::time::sleep(controller.shutdown + Duration::from_secs(2)).await;
}

/// What a controller logs unless told otherwise.
const LOG: &str = "genesync=info";

/// What a controller logs and traces.
pub fn telemetry(settings: &Settings, asked: Option<String>) -> Options {
    let settings = &settings.controller;
    Options {
        filter: asked.or_else(|| settings.log.clone()).or_else(|| Some(LOG.to_owned())),
        format: match settings.log_format {
            file::LogFormat::Json => LogFormat::Json,
            file::LogFormat::Text => LogFormat::Text,
        },
        traces: settings.otlp_endpoint.clone().map(|endpoint| TraceOptions { endpoint, headers: Vec::new() }),
    }
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

/// Counts requests, and keeps the lowest share of a budget that was left.
fn heard(metrics: &Arc<Metrics>) -> Heard {
    let (counted, lowest) = (Arc::clone(metrics), Mutex::new((clock::monotonic(), 1.0_f64)));
    Arc::new(move |status, budget_left| {
        counted.request(status);
        let Some(share) = budget_left else { return };
        let mut lowest = lowest.lock().unwrap_or_else(PoisonError::into_inner);
        // The lowest of the last while: limits are counted by the minute.
        *lowest = match *lowest {
            (since, low) if since.elapsed() < BUDGET_WINDOW => (since, low.min(share)),
            _ => (clock::monotonic(), share),
        };
        counted.set_api_budget_left(lowest.1);
    })
}

fn controller(
    settings: &Settings,
    current: &Arc<Mutex<Settings>>,
    origin: Origin,
    store: Store,
    metrics: &Arc<Metrics>,
    heard: Heard,
) -> Result<Arc<Controller>, Failure> {
    let api = connect(settings, Some(heard))?;
    let file = &settings.controller;
    Ok(Arc::new(Controller {
        head: Arc::new(Head::new(origin, store.clone(), Arc::clone(metrics))),
        store,
        metrics: Arc::clone(metrics),
        slots: Slots::new(file.runs_max, file.runs_per_credential_max),
        lease: settings.lease,
        shutdown: file.shutdown,
        tunables: Mutex::new(tunables(settings)),
        clients: Clients::new(Arc::clone(current), api),
        wake: Notify::new(),
        alive: AtomicBool::new(false),
        stop: CancellationToken::new(),
    }))
}

/// What runs beside the loop: a watch on the files, signals, the figures, forgetting.
struct Background {
    _watch: Option<source::Watch>,
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Background {
    fn start(
        controller: &Arc<Controller>,
        settings: &Settings,
        reload: Reload,
        origin: &Origin,
        telemetry: &Arc<Telemetry>,
        listener: Option<TcpListener>,
    ) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let face = Arc::new(Face::new(controller, telemetry));
        let mut tasks = tokio::task::JoinSet::new();
        let head = Arc::clone(&controller.head);
        let watch = match origin {
            Origin::Local { source: Source::Repository { git_dir, .. }, .. } => {
                source::watch(git_dir, move || head.hints.notify_one())
                    .inspect_err(|error| tracing::info!(%error, "the repository is not watched, only polled"))
                    .ok()
            }
            Origin::Local { .. } | Origin::Remote { .. } => None,
        };
        tasks.spawn(Arc::clone(&face).keep_figures());
        if let Some(listener) = listener {
            let secrets = hook_secrets(settings)?;
            let stopped = stop.clone();
            tasks.spawn(async move {
                let surface: Arc<dyn Surface> = face;
                serve(listener, surface, secrets, ServeOptions::default(), stopped.cancelled()).await;
            });
        }
        if let Some(url) = &settings.notify_url {
            telemetry::mask(url);
            let format = match settings.controller.notify_format {
                file::NotifyFormat::Slack => NotifyFormat::Slack,
                file::NotifyFormat::Json => NotifyFormat::Json,
            };
            let sender = Sender::new(url, format)
                .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", env::NOTIFY_URL)))?;
            let policy = NotifyPolicy::default();
            let policy = NotifyPolicy {
                settle: settings.controller.notify_settle.unwrap_or(policy.settle),
                instance: settings.controller.instance.clone().unwrap_or(policy.instance.clone()),
                ..policy
            };
            tasks.spawn(telling::keep_telling(Arc::clone(controller), sender, policy));
        }
        tasks.spawn(forget(Arc::clone(controller), settings.controller.keep_days));
        #[cfg(unix)]
        tasks.spawn(reload.on_hangup());
        Ok(Self { _watch: watch, stop, tasks })
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.tasks.shutdown().await;
    }
}

/// The socket of probes and hooks, where there is to be one.
async fn listener(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::new(Exit::Outside, format!("`{address}` can't be listened on: {error}")))?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(%address, "serving /healthz, /readyz, /metrics and /hooks/git");
    Ok(Some(listener))
}

fn hook_secrets(settings: &Settings) -> Result<Option<HookSecrets>, Failure> {
    if settings.hook_secrets.is_empty() {
        return Ok(None);
    }
    for secret in &settings.hook_secrets {
        telemetry::mask(secret);
    }
    let secrets = HookSecrets::new(settings.hook_secrets.clone());
    secrets.map(Some).map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", env::HOOK_SECRETS)))
}

/// What is read again on SIGHUP, and who has to hear of it.
struct Reload {
    controller: Arc<Controller>,
    current: Arc<Mutex<Settings>>,
    flags: Flags,
    telemetry: Arc<Telemetry>,
}

impl Reload {
    /// Reads the settings again with each SIGHUP. What is not valid changes nothing.
    #[cfg(unix)]
    async fn on_hangup(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            match Settings::resolve(self.flags.clone()) {
                Ok(settings) => self.take(settings).await,
                Err(error) => {
                    tracing::error!(error = Failure::from(error).message, "settings are kept as they were")
                }
            }
        }
    }

    async fn take(&self, settings: Settings) {
        let controller = &self.controller;
        let filter = env::log().or_else(|| settings.controller.log.clone()).unwrap_or_else(|| LOG.to_owned());
        *controller.tunables.lock().unwrap_or_else(PoisonError::into_inner) = tunables(&settings);
        // Before credentials are looked up: where they come from may be what has changed.
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        let known = controller.head.known().borrow().clone();
        for name in known.iter().flat_map(|known| known.credentials()) {
            // What can't be looked up now keeps the secret that it had.
            if let Err(error) = controller.clients.learn(&name).await {
                tracing::warn!(credentials = %name, %error, "credentials can't be looked up");
            }
        }
        controller.head.hints.notify_one();
        if let Err(error) = self.telemetry.set_filter(&filter) {
            tracing::error!(%error, "what is logged stays as it was");
        }
        tracing::info!("settings were read again");
    }
}

async fn forget(controller: Arc<Controller>, days: u32) {
    loop {
        if let Err(error) = controller.store.prune(days.into()).await {
            tracing::warn!(error = Failure::from(error).message, "old history was not forgotten");
        }
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}

/// Names in the order in which they were typed.
pub fn names(typed: &[String]) -> Vec<TenantName> {
    typed.iter().map(|name| TenantName::new(name.as_str())).collect()
}
