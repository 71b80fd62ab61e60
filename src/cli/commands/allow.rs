//! `genesync allow`: opens guards for the next run of a tenant, whoever runs it.

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

/// How long an opening holds that names no end.
const HOURS: i64 = 24;

/// What `allow` takes.
#[derive(Debug, Args)]
pub struct AllowArgs {
    /// The guards, with commas between: what a refusal names
    #[arg(value_name = "GUARD[,GUARD]", value_delimiter = ',', num_args = 1, required = true)]
    guards: Vec<String>,
    /// The tenants
    #[arg(value_name = "TENANT", required = true)]
    tenants: Vec<String>,
    /// Why; stands in the history
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    /// Until when, if no run has written by then: 2026-12-24T08:00:00Z, or 2026-12-24 for the end of that day in UTC; else
    /// for 24 hours
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
}

/// Opens guards for tenants: a controller's run or a scheduled job goes through them, and what it writes ends that.
pub async fn run(args: &AllowArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let guards = guards(&args.guards)?;
    refuse_shared(&guards)?;
    let now = clock::now();
    let until =
        args.until.unwrap_or_else(|| now.saturating_add(SignedDuration::from_hours(HOURS)).unwrap_or(now));
    if until <= now {
        return Err(Failure::new(Exit::Usage, "--until lies in the past"));
    }
    let store = session::open_store(&session::settings(flags)?, output).await?;
    let by = env::claimant();
    let opening = |guard: &Guard| GuardOpening { guard: *guard, by: by.clone(), reason: args.reason.clone() };
    let openings: Vec<GuardOpening> = guards.iter().map(opening).collect();
    let named: Vec<&str> = guards.iter().map(|guard| guard.name()).collect();
    let only = names(&args.tenants);
    for tenant in unknown(&store, &only).await? {
        output.warning(&format!(
            "the state knows no tenant {tenant} yet; it is open all the same, once git names it"
        ));
    }
    for tenant in &only {
        store.open_for_next_run(tenant, &openings, until).await?;
        let told = format!("{} by {by} until {until}: {}", named.join(", "), args.reason);
        store.tell(tenant, "opened", &told).await?;
    }
    store.poke(Some(&only), ClaimCause::Operator).await?;
    output.data(&format!(
        "open for the next run of {}, until {until}: {}\n",
        counted(only.len(), "tenant"),
        named.join(", ")
    ));
    Ok(Exit::Done)
}

/// Refuses guards that judge all tenants at once: no tenant opens them for the others.
fn refuse_shared(guards: &BTreeSet<Guard>) -> Result<(), Failure> {
    let hint = |guard: &Guard| match guard {
        Guard::RunTenants => Some("`genesync resume --all` lets go on what it holds"),
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
            let message = format!("`{}` judges all tenants at once, and is not opened for one", guard.name());
            Err(Failure::new(Exit::Usage, message).hint(hint))
        }
    }
}
