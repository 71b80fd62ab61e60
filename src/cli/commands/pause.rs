//! `genesync sync`, `pause` and `resume`: what an operator tells a controller, through the store.

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
    /// The tenants
    #[arg(value_name = "TENANT", required_unless_present = "all")]
    tenants: Vec<String>,
    /// Every tenant
    #[arg(long, conflicts_with = "tenants")]
    all: bool,
}

/// What `pause` takes.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// The tenants
    #[arg(value_name = "TENANT", required = true)]
    tenants: Vec<String>,
    /// Why; stands in status and history
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    /// Until when: 2026-12-24T08:00:00Z, or 2026-12-24 for the end of that day in UTC
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
}

/// What `resume` takes.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The tenants
    #[arg(value_name = "TENANT", required_unless_present = "all")]
    tenants: Vec<String>,
    /// Every tenant that is held; what somebody paused is resumed by its name
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

/// Pauses tenants: they are watched, and nothing is written, from this moment on. A state is made if there is none, and a
/// tenant may be one that it does not know yet: whoever pauses in a hurry pauses before the first run, too.
pub async fn pause(args: &PauseArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let store = session::open_store(&session::settings(flags)?, output).await?;
    let only = names(&args.tenants);
    for unknown in unknown(&store, &only).await? {
        output.warning(&format!(
            "the state knows no tenant {unknown} yet; it is paused all the same, from the moment that git names it"
        ));
    }
    let now = clock::now();
    if args.until.is_some_and(|until| until <= now) {
        return Err(Failure::new(Exit::Usage, "--until lies in the past"));
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
    output.data(&format!("paused {}: watched, not written\n", counted(only.len(), "tenant")));
    Ok(Exit::Done)
}

/// Ends pauses and holds.
pub async fn resume(args: &ResumeArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let store = store(&session::settings(flags)?).await?;
    let mut only = names(&args.tenants);
    check_known(&store, &only).await?;
    if args.all {
        let rows = store.tenants(Which::All).await?;
        // A guard's message names this command: it must not end what a colleague paused for a reason.
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
            "{other} was neither paused nor held; open a guard that refuses it with `genesync apply --allow GUARD --reason TEXT`"
        ));
    }
    output.data(&format!("resumed {}\n", counted(resumed.len(), "tenant")));
    Ok(Exit::Done)
}

/// The tenants that the state does not know.
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
        Some(missing) => Err(Failure::new(Exit::Usage, format!("the store knows no tenant {missing}"))
            .hint("run `genesync status` to list them; a tenant is known once a commit that holds it was applied as a whole")),
    }
}

/// A moment, or the end of a day in UTC.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day: jiff::civil::Date =
        text.parse().map_err(|_| "write 2026-12-24T08:00:00Z or 2026-12-24".to_owned())?;
    let next = day.tomorrow().map_err(|error| error.to_string())?;
    next.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string())
}
