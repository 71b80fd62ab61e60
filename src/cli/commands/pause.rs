//! `genesync sync`, `pause` and `resume`: an operator steers the controller through the store.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::status::store;
use crate::cli::place::names;
use crate::cli::session;
use crate::cli::{Exit, Failure, Output};
use crate::clock;
use crate::config::{Flags, env};
use crate::model::TenantName;
use crate::render::value::counted;
use crate::store::{ClaimCause, Pause, PauseKind, Store, TenantRow, Which};

/// What `sync` takes.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Names of the tenants
    #[arg(value_name = "TENANT", required_unless_present = "all")]
    tenants: Vec<String>,
    /// Run every tenant
    #[arg(long, conflicts_with = "tenants")]
    all: bool,
}

/// What `pause` takes.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// Names of the tenants
    #[arg(value_name = "TENANT", required = true)]
    tenants: Vec<String>,
    /// Reason of the pause; `genesync status` and `genesync history` show it
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    /// End of the pause: 2026-12-24T08:00:00Z, or 2026-12-24 for the end of that day in UTC
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
}

/// What `resume` takes.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Names of the tenants
    #[arg(value_name = "TENANT", required_unless_present = "all")]
    tenants: Vec<String>,
    /// Resume every held tenant; name a paused tenant to resume it
    #[arg(long, conflicts_with = "tenants")]
    all: bool,
}

/// Makes tenants due now.
pub async fn sync(args: &SyncArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let store = store(&session::settings(flags)?).await?;
    let only = names(&args.tenants);
    check_known(&store, &only).await?;
    let due = store.poke((!args.all).then_some(only.as_slice()), ClaimCause::Operator).await?;
    output.data(&format!("due now: {}\n", counted(usize::try_from(due).unwrap_or(usize::MAX), "tenant")));
    Ok(Exit::Done)
}

/// Pauses tenants: from now on, genesync reads them and writes nothing. Makes the state if it does not exist,
/// and accepts unknown tenants, so that an operator can pause before the first run.
pub async fn pause(args: &PauseArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let store = session::open_store(&session::settings(flags)?, output).await?;
    let only = names(&args.tenants);
    for unknown in unknown(&store, &only).await? {
        output.warning(&format!("the state has no tenant {unknown} yet; it is paused from its first run"));
    }
    let now = clock::now();
    if args.until.is_some_and(|until| until <= now) {
        return Err(Failure::new(Exit::Usage, "--until is in the past"));
    }
    let pause = Pause {
        kind: PauseKind::Pause,
        by: env::claimant(),
        reason: args.reason.clone(),
        since: now,
        until: args.until,
    };
    for tenant in &only {
        store.pause(tenant, &pause).await?;
        let until = args.until.map(|until| format!(" until {until}")).unwrap_or_default();
        store.tell(tenant, "paused", &format!("by {}{until}: {}", pause.by, pause.reason)).await?;
    }
    store.poke(Some(&only), ClaimCause::Operator).await?;
    output.data(&format!("paused {}: genesync reads and does not write\n", counted(only.len(), "tenant")));
    Ok(Exit::Done)
}

/// Ends pauses and holds.
pub async fn resume(args: &ResumeArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let store = store(&session::settings(flags)?).await?;
    let mut only = names(&args.tenants);
    check_known(&store, &only).await?;
    if args.all {
        let rows = store.tenants(Which::All).await?;
        // A refusal suggests this command, so it must not end the pause of another operator.
        let held = |row: &TenantRow| row.pause.as_ref().is_some_and(|pause| pause.kind == PauseKind::Hold);
        only = rows.into_iter().filter(held).map(|row| row.tenant).collect();
    }
    let mut resumed = Vec::new();
    for tenant in only {
        if store.resume(&tenant).await? {
            store.tell(&tenant, "resumed", &format!("by {}", env::claimant())).await?;
            resumed.push(tenant);
        }
    }
    store.poke(Some(&resumed), ClaimCause::Operator).await?;
    if let Some(other) = names(&args.tenants).iter().find(|name| !resumed.contains(name)) {
        output.talk(&format!(
            "{other} was not paused and not held; to open a guard that refuses it, run `genesync apply --allow GUARD --reason TEXT`"
        ));
    }
    output.data(&format!("resumed {}\n", counted(resumed.len(), "tenant")));
    Ok(Exit::Done)
}

/// Returns the tenants that are not in the state.
pub async fn unknown(store: &Store, tenants: &[TenantName]) -> Result<Vec<TenantName>, Failure> {
    if tenants.is_empty() {
        return Ok(Vec::new());
    }
    let rows = store.tenants(Which::Named(tenants)).await?;
    let is_known = |name: &&TenantName| !rows.iter().any(|row| row.tenant == **name);
    Ok(tenants.iter().filter(is_known).cloned().collect())
}

async fn check_known(store: &Store, tenants: &[TenantName]) -> Result<(), Failure> {
    match unknown(store, tenants).await?.first() {
        None => Ok(()),
        Some(missing) => Err(Failure::new(Exit::Usage, format!("the state has no tenant {missing}"))
            .hint("run `genesync status` to list the tenants, because a tenant is in the state only after the first apply of its whole commit")),
    }
}

/// Parses a time, or a date as the end of that day in UTC.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day: jiff::civil::Date =
        text.parse().map_err(|_| "write 2026-12-24T08:00:00Z or 2026-12-24".to_owned())?;
    let next = day.tomorrow().map_err(|error| error.to_string())?;
    next.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string())
}
