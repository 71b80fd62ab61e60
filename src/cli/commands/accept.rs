//! `genesync accept`: accepts changes of other users in fields that git does not name.
//!
//! In: a tenant, optionally a field, and the live configuration. Out: the new base of these fields, in the
//! state. Never: writes to the live API. Start reading at [`run`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::cli::place::{self, Reads};
use crate::cli::progress::Progress;
use crate::cli::session::{self, Session, Wishes};
use crate::cli::{Exit, Failure, Output, SourceArgs};
use crate::clock;
use crate::config::{Flags, Settings, env};
use crate::driver::leases::Leases;
use crate::fleet::Fleet;
use crate::model::json::lies_in;
use crate::model::plan::Drafts;
use crate::model::precedent::Parent;
use crate::model::text::listed;
use crate::model::unmanaged::{Noticed, noticed};
use crate::model::{OnUnmanaged, TenantName};
use crate::reconcile::Run;
use crate::render::value::{counted, escape};
use crate::store::{ClaimCause, Lease, Store, Which};

/// How often genesync asks for the lease of a tenant that another process holds.
const LEASE_POLL: Duration = Duration::from_millis(200);

/// What `accept` takes.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// Name of the tenant
    #[arg(value_name = "TENANT")]
    tenant: String,
    /// Field, or section of fields, to accept; default: every changed field that git does not name
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// Configuration repository: a folder, or an https, ssh or file URL of a git repository
    #[arg(long, default_value = ".", value_name = "PATH|URL")]
    repository: String,
    /// Read this commit, branch or tag instead of the files in the folder
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
}

impl AcceptArgs {
    /// Returns whether the arguments select a field.
    fn means(&self, path: &str) -> bool {
        self.field.as_ref().is_none_or(|section| lies_in(path, section))
    }
}

/// Reads a tenant, and stores the live values as the new base.
pub async fn run(args: &AcceptArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let store = session::open_store(&settings, output).await?;
    let source = SourceArgs {
        path: args.repository.clone(),
        rev: args.rev.clone(),
        tenants: vec![args.tenant.clone()],
    };
    let reads = if args.rev.is_some() { Reads::Commit } else { Reads::Files };
    let place = place::place(&source, reads, &settings)?;
    let mut fleet = place::load(&place, &source, output)?;
    // Report and not revert, so that a field that genesync would revert can be accepted.
    for tenant in fleet.tenants.iter_mut().filter_map(|loaded| loaded.tenant.as_mut()) {
        tenant.policy.unmanaged = OnUnmanaged::Report;
    }
    let lease = leased(&store, &TenantName::new(args.tenant.as_str()), &settings).await?;
    // A read may take longer than a lease lasts, so the lease is renewed.
    let leases = Leases::start(&store, settings.lease, Box::new(|_| {}));
    let _held = leases.hold(lease.clone(), clock::monotonic());
    let accepted = accept(args, &fleet, &settings, &store, &lease, output).await;
    let released = store.release(std::slice::from_ref(&lease)).await;
    output.data(&accepted?);
    released?;
    Ok(Exit::Done)
}

/// Takes the lease of the tenant, so that a concurrent run does not store the old values again.
async fn leased(store: &Store, tenant: &TenantName, settings: &Settings) -> Result<Lease, Failure> {
    let begun = clock::monotonic();
    loop {
        if let Some(lease) = store.take([tenant], settings.lease).await?.pop() {
            return Ok(lease);
        }
        if begun.elapsed() >= settings.lease * 3 / 2 {
            let holder = store.holder_of(tenant).await?.unwrap_or_else(|| "another genesync process".into());
            let message = format!("{holder} has the lease of {tenant}, and nothing was accepted");
            return Err(Failure::new(Exit::Held, message).hint("try again after its run"));
        }
        tokio::time::sleep(LEASE_POLL).await;
    }
}

async fn accept(
    args: &AcceptArgs,
    fleet: &Fleet,
    settings: &Settings,
    store: &Store,
    lease: &Lease,
    output: &Output,
) -> Result<String, Failure> {
    let progress = Arc::new(Progress::silent(output, "reading", 0));
    let wishes = Wishes {
        settings,
        allowed: BTreeSet::new(),
        drafts: Drafts::default(),
        desired_before: BTreeMap::new(),
        parent: Parent::default(),
        repository: "",
        store: Some(store),
        heard: Some(progress.heard()),
    };
    let mut session = Session::start(fleet, wishes).await?.with_a_readable_tenant()?;
    session.plan(1, &progress).await;
    progress.finish();
    if let Some((tenant, fault)) = session.failed.first() {
        return Err(Failure::new(Exit::Outside, format!("{tenant}: {fault}")));
    }
    if let Some(fault) = session.runs.iter().find_map(Run::left_out) {
        let message = format!("{}: nothing was accepted, because {fault}", args.tenant);
        return Err(Failure::new(Exit::Outside, message).hint("try again when every region answers"));
    }
    let Some((run, plan)) = session.runs.first().and_then(|run| Some((run, run.plan()?))) else {
        return Err(unseen(args, session.runs.first()));
    };
    let known = store.tenants(Which::Named(std::slice::from_ref(&lease.tenant))).await?;
    let known = known.into_iter().flat_map(|row| row.unmanaged).collect::<Vec<_>>();
    let seen =
        noticed(plan, clock::now()).into_iter().map(|one| one.with_known(&known, |before| before.version));
    let (accepted, left): (Vec<Noticed>, Vec<Noticed>) = seen.partition(|one| args.means(&one.path));
    if accepted.is_empty() {
        return nothing(args, &left);
    }
    let records = run.accepting(|_, path| args.means(path));
    let words: Vec<String> = accepted.iter().map(Noticed::words).collect();
    let reported = escape(&format!("by {}: {}", env::claimant(), listed(&words)));
    store.accept(lease, &records, &left, &reported).await?;
    store.poke(Some(std::slice::from_ref(&lease.tenant)), ClaimCause::Operator).await?;
    let lines: String = words.iter().map(|words| format!("  {}\n", escape(words))).collect();
    Ok(format!("accepted {} of {}:\n{lines}", counted(accepted.len(), "field"), args.tenant))
}

/// Returns the failure for a tenant that genesync could not read.
fn unseen(args: &AcceptArgs, run: Option<&Run>) -> Failure {
    let reason = run.and_then(Run::reason).unwrap_or_else(|| "git has no valid configuration of it".into());
    Failure::new(Exit::Outside, format!("{}: nothing was accepted, because {reason}", args.tenant))
}

/// Reports that there is nothing to accept. If the user named a field, this is an error.
fn nothing(args: &AcceptArgs, left: &[Noticed]) -> Result<String, Failure> {
    let Some(field) = &args.field else {
        return Ok(format!(
            "nothing to accept: no user changed a field of {} that git does not name\n",
            args.tenant
        ));
    };
    let message = format!("no user changed the field `{field}` of {}, or git names it", args.tenant);
    let paths: Vec<&str> = left.iter().map(|one| one.path.as_str()).collect();
    let hint = match paths.is_empty() {
        true => "run `genesync status` to list the changes of other users".to_owned(),
        false => format!("name one of the changed fields: {}", listed(&paths)),
    };
    Err(Failure::new(Exit::Usage, message).hint(escape(&hint)))
}
