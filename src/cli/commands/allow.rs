//! `genesync allow`: opens guards for the next run of a tenant, by the controller or by a scheduled job.

use std::collections::BTreeSet;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::pause::{moment, unknown};
use crate::cli::place::{guards, names};
use crate::cli::session;
use crate::cli::{Exit, Failure, Output};
use crate::clock;
use crate::config::{Flags, env};
use crate::model::Guard;
use crate::render::value::counted;
use crate::store::{ClaimCause, GuardOpening};

/// How long an opening without `--until` lasts, in hours.
const HOURS: i64 = 24;

/// What `allow` takes.
#[derive(Debug, Args)]
pub struct AllowArgs {
    /// Guards to open, separated by commas, as a refusal names them
    #[arg(value_name = "GUARD[,GUARD]", value_delimiter = ',', num_args = 1, required = true)]
    guards: Vec<String>,
    /// Names of the tenants
    #[arg(value_name = "TENANT", required = true)]
    tenants: Vec<String>,
    /// Reason to open the guards; genesync records it in the history
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    /// End of the opening if no run writes before: 2026-12-24T08:00:00Z, or 2026-12-24 for the end of that
    /// day in UTC; default: in 24 hours
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
}

/// Opens guards for tenants. The first run that writes uses the opening up.
pub async fn run(args: &AllowArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let guards = guards(&args.guards)?;
    refuse_shared(&guards)?;
    let now = clock::now();
    let until =
        args.until.unwrap_or_else(|| now.saturating_add(SignedDuration::from_hours(HOURS)).unwrap_or(now));
    if until <= now {
        return Err(Failure::new(Exit::Usage, "--until is in the past"));
    }
    let store = session::open_store(&session::settings(flags)?, output).await?;
    let by = env::claimant();
    let opening = |guard: &Guard| GuardOpening { guard: *guard, by: by.clone(), reason: args.reason.clone() };
    let openings: Vec<GuardOpening> = guards.iter().map(opening).collect();
    let named: Vec<&str> = guards.iter().map(|guard| guard.name()).collect();
    let only = names(&args.tenants);
    for tenant in unknown(&store, &only).await? {
        output
            .warning(&format!("the state has no tenant {tenant} yet; the guards are open for its first run"));
    }
    for tenant in &only {
        store.open_for_next_run(tenant, &openings, until).await?;
        let reported = format!("{} by {by} until {until}: {}", named.join(", "), args.reason);
        store.tell(tenant, "opened", &reported).await?;
    }
    store.poke(Some(&only), ClaimCause::Operator).await?;
    output.data(&format!(
        "open for the next run of {}, until {until}: {}\n",
        counted(only.len(), "tenant"),
        named.join(", ")
    ));
    Ok(Exit::Done)
}

/// Refuses guards that check all tenants together, because they cannot be opened for one tenant.
fn refuse_shared(guards: &BTreeSet<Guard>) -> Result<(), Failure> {
    let hint = |guard: &Guard| match guard {
        Guard::RunTenants => Some("run `genesync resume --all` to release the tenants that it holds"),
        Guard::Rewind => Some("run `genesync apply --allow rewind --reason …` once"),
        Guard::TenantChanges
        | Guard::Protected
        | Guard::Recreate
        | Guard::Window
        | Guard::Pause
        | Guard::Conflict
        | Guard::RunOff
        | Guard::Adopt
        | Guard::Owner => None,
    };
    match guards.iter().find_map(|guard| Some((guard, hint(guard)?))) {
        None => Ok(()),
        Some((guard, hint)) => {
            let message = format!(
                "the guard `{}` checks all tenants together and cannot be opened for one tenant",
                guard.name()
            );
            Err(Failure::new(Exit::Usage, message).hint(hint))
        }
    }
}
