//! `genesync run`: the controller.

mod surface;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{emulate, status};
use crate::api::{self, Api, ClientCredentials, Pace, ReadApi};
use crate::cli::{Exit, Failure, Format, Output};
use crate::cli::{place, session};
use crate::clock;
use crate::config::{Flags, Settings, env, file};
use crate::controller::head::{Head, Origin, TroubleKind};
use crate::controller::outcome::Intervals;
use crate::controller::run::{Controller, CredentialsLookup, Extent, Pass, Tunables};
use crate::controller::slots::Slots;
use crate::crash;
use crate::model::{CredentialsName, Region, StorePlace, TenantName};
use crate::notify::{NotifyFormat, NotifyPolicy, Sender};
use crate::reconcile::Status;
use crate::serve::{HookSecrets, ServeOptions, Surface, serve};
use crate::source::{self, Source};
use crate::store::{PauseKind, Store, TenantRow, Which};
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
    let controller = controller(&settings, &current, origin.clone(), store, &metrics)?;
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
    let listener = listener(args, &settings).await?;
    let reload =
        Reload { controller: Arc::clone(&controller), current, flags, telemetry: Arc::clone(telemetry) };
    let background = Background::start(&controller, &settings, reload, &origin, telemetry, listener)?;
    let extent = extent(&settings, args.once);
    if args.once {
        controller.head.look().await;
        // A pass over what git said before would end well, and nobody would notice that git is not followed.
        if let Some(trouble) = controller.head.trouble() {
            let exit = match trouble.kind {
                TroubleKind::Unreachable => Exit::Outside,
                TroubleKind::Invalid => Exit::Findings,
                TroubleKind::Rewound => Exit::Refused,
            };
            return Err(Failure::new(exit, trouble.message));
        }
    } else {
        let following = Arc::clone(&controller);
        tokio::spawn(async move {
            let poll = || following.tunables().git_poll;
            following.head.keep(poll, &following.stop).await;
        });
        tracing::info!(
            repository = controller.head.identity(),
            replica = controller.store.holder(),
            "running"
        );
    }
    let work = async {
        let pass = controller.run(extent).await;
        background.end().await;
        let exit =
            if args.once { report(&controller, &pass, args.format, output).await? } else { Exit::Done };
        crash::point("C20");
        controller.store.close().await;
        Ok(exit)
    };
    // A store that hangs must not hold the end up: what is not written down by then, the next start finds out.
    tokio::select! {
        ended = work => ended,
        () = overdue(&controller, extent) => {
            Err(Failure::new(Exit::Outside, "the store did not answer in the time that there is for stopping"))
        }
    }
}

/// Comes when a controller that was told to stop has had its time, and a little more.
async fn overdue(controller: &Controller, extent: Extent) {
    controller.stop.cancelled().await;
    tokio::time::sleep(extent.patience() + Duration::from_secs(2)).await;
}

/// What a controller logs unless told otherwise.
const LOG: &str = "genesync=info";

/// What a controller logs and traces.
pub fn telemetry(settings: &Settings, asked: Option<String>) -> Options {
    let file = &settings.controller;
    Options {
        filter: asked.or_else(|| file.log.clone()).or_else(|| Some(LOG.to_owned())),
        format: match file.log_format {
            Some(file::LogFormat::Json) => LogFormat::Json,
            Some(file::LogFormat::Text) | None => LogFormat::Text,
        },
        traces: file.otlp_endpoint.as_deref().and_then(|text| {
            let endpoint = url::Url::parse(text).ok()?;
            Some(TraceOptions { endpoint, headers: Vec::new() })
        }),
    }
}

fn extent(settings: &Settings, once: bool) -> Extent {
    let file = &settings.controller;
    if once {
        Extent::Once(Duration::from_millis(file.once_ms.unwrap_or(600_000)))
    } else {
        Extent::UntilStopped(Duration::from_millis(file.shutdown_ms.unwrap_or(25_000)))
    }
}

fn tunables(settings: &Settings) -> Tunables {
    let file = &settings.controller;
    let ms = |given: Option<u64>, default: u64| Duration::from_millis(given.unwrap_or(default).max(1));
    let git_poll = ms(file.git_poll_ms, 60_000);
    Tunables {
        intervals: Intervals {
            resync: ms(file.resync_ms, 600_000),
            retry: ms(file.retry_ms, 5_000),
            retry_max: ms(file.retry_max_ms, 300_000),
        },
        git_poll,
        timing: session::timing(settings),
        // Between two looks nothing is stale, however rarely somebody wants git to be asked.
        stale_after: ms(file.git_stale_ms, 3_600_000).max(git_poll * 2),
    }
}

/// Places for runs: in all, and for one name of credentials.
fn runs(settings: &Settings) -> (usize, usize) {
    let file = &settings.controller;
    let runs_max = file.runs_max.unwrap_or(64);
    (runs_max, file.runs_per_credential_max.unwrap_or(runs_max))
}

fn keep_days(settings: &Settings) -> u32 {
    settings.controller.keep_days.unwrap_or(30)
}

fn controller(
    settings: &Settings,
    current: &Arc<Mutex<Settings>>,
    origin: Origin,
    store: Store,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Controller>, Failure> {
    let base_urls =
        Region::ALL.iter().filter_map(|region| Some((*region, settings.base_url(*region)?))).collect();
    let pace = Pace { per_minute: settings.pacing.requests_per_minute, burst: settings.pacing.burst };
    let (counted, lowest) = (Arc::clone(metrics), Mutex::new((clock::monotonic(), 1.0_f64)));
    let heard: api::Heard = Arc::new(move |status, budget_left| {
        counted.request(status);
        let Some(share) = budget_left else { return };
        let mut lowest = lowest.lock().unwrap_or_else(PoisonError::into_inner);
        // The lowest of the last while: limits are counted by the minute.
        *lowest = match *lowest {
            (since, low) if since.elapsed() < BUDGET_WINDOW => (since, low.min(share)),
            _ => (clock::monotonic(), share),
        };
        counted.set_api_budget_left(lowest.1);
    });
    let options = api::Options { pace, heard: Some(heard), ..api::Options::default() };
    let api = ReadApi::new(base_urls, BTreeMap::new(), options)?;
    let (runs_max, runs_per_credential_max) = runs(settings);
    Ok(Arc::new(Controller {
        head: Arc::new(Head::new(origin, store.clone(), Arc::clone(metrics))),
        store,
        metrics: Arc::clone(metrics),
        slots: Slots::new(runs_max, runs_per_credential_max),
        lease: session::lease_length(settings),
        tunables: Mutex::new(tunables(settings)),
        credentials: lookup(current, &api),
        api: Api::new(api),
        wake: Notify::new(),
        alive: AtomicBool::new(false),
        stop: CancellationToken::new(),
    }))
}

/// Looks credentials up in the settings as they are at that moment.
fn lookup(settings: &Arc<Mutex<Settings>>, api: &ReadApi) -> CredentialsLookup {
    let (settings, api) = (Arc::clone(settings), api.clone());
    Box::new(move |name: CredentialsName| {
        let settings = settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let api = api.clone();
        async move {
            let found = settings.credentials(&name).await.map_err(|error| Failure::from(error).message)?;
            crate::telemetry::mask(&found.client_secret);
            api.learn(&name, ClientCredentials { id: found.client_id, secret: found.client_secret });
            Ok(())
        }
        .boxed()
    })
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
                Some(file::NotifyFormat::Slack) => NotifyFormat::Slack,
                Some(file::NotifyFormat::Json) | None => NotifyFormat::Json,
            };
            let sender = Sender::new(url, format)
                .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", env::NOTIFY_URL)))?;
            let settle = settings.controller.notify_settle_ms.map(Duration::from_millis);
            let policy = NotifyPolicy::default();
            let policy = NotifyPolicy {
                settle: settle.unwrap_or(policy.settle),
                instance: settings.controller.instance.clone().unwrap_or(policy.instance.clone()),
                ..policy
            };
            tasks.spawn(telling::keep_telling(Arc::clone(controller), sender, policy));
        }
        tasks.spawn(forget(Arc::clone(controller), keep_days(settings)));
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
async fn listener(args: &RunArgs, settings: &Settings) -> Result<Option<TcpListener>, Failure> {
    let address = match (args.listen, &settings.controller.listen) {
        (Some(address), _) => address,
        (None, Some(text)) => text.parse().map_err(|_| {
            Failure::new(Exit::Usage, format!("`{text}` is no address to listen on: write 0.0.0.0:8490"))
        })?,
        (None, None) => return Ok(None),
    };
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
            if let Err(reason) = (controller.credentials)(name.clone()).await {
                tracing::warn!(credentials = %name, reason, "credentials can't be looked up");
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

/// What one pass came to: the table of all tenants, and the exit code of the worst.
async fn report(
    controller: &Controller,
    pass: &Pass,
    format: Format,
    output: &Output,
) -> Result<Exit, Failure> {
    let rows = controller.store.tenants(Which::All).await?;
    let held = |row: &TenantRow| match &row.pause {
        Some(pause) if pause.kind == PauseKind::Hold && pause.is_by_guard() => Some(Exit::Refused),
        Some(pause) if pause.kind == PauseKind::Hold => Some(Exit::Held),
        Some(_) | None => None,
    };
    let of = |row: &TenantRow| match pass.ended.get(&row.tenant) {
        // It was watched because it is held: what git says is not applied.
        Some(Status::OutOfSync | Status::Drifted) if held(row).is_some() => held(row).unwrap_or(Exit::Held),
        Some(status) => Exit::from(status),
        // It was not run here: it is not valid, waits for a lower wave, or somebody else works on it.
        None if row.due_at.is_none() => Exit::Findings,
        None => Exit::Held,
    };
    let mut exits: Vec<Exit> = rows.iter().map(of).collect();
    exits.sort();
    exits.dedup();
    let exit = match exits.as_slice() {
        [] => Exit::Done,
        [one] => *one,
        _ => Exit::Partial,
    };
    match format {
        Format::Json => output.data(&status::document(&rows, &[], Some(exit))),
        Format::Text => output.data(&status::table(&rows, &[])),
    }
    Ok(exit)
}

/// Names in the order in which they were typed.
pub fn names(typed: &[String]) -> Vec<TenantName> {
    typed.iter().map(|name| TenantName::new(name.as_str())).collect()
}
