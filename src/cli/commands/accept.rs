//! `genesync accept`: what somebody changed in fields that git does not name is as it should be.
//!
//! In: a tenant, perhaps a field, what is live. Out: what is compared with from now on, in the state. Never: writes to the
//! live API. Start reading at [`run`].

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

/// How often a tenant that another process works on is asked for.
const LEASE_POLL: Duration = Duration::from_millis(200);

/// What `accept` takes.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// The tenant
    #[arg(value_name = "TENANT")]
    tenant: String,
    /// The field, or a section with all that it holds; else every field that git does not name and that another user changed
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// Configuration repository: a folder, or an https, ssh or file URL of a git repository
    #[arg(long, default_value = ".", value_name = "PATH|URL")]
    repository: String,
    /// Read this commit, branch or tag; by default the files in the folder
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
}

impl AcceptArgs {
    /// Whether a field is meant.
    fn means(&self, path: &str) -> bool {
        self.field.as_ref().is_none_or(|section| lies_in(path, section))
    }
}

/// Looks at a tenant, and keeps what is live as what counts from now on.
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
    // What would be set back can be accepted as well.
    for tenant in fleet.tenants.iter_mut().filter_map(|loaded| loaded.tenant.as_mut()) {
        tenant.policy.unmanaged = OnUnmanaged::Report;
    }
    let lease = leased(&store, &TenantName::new(args.tenant.as_str()), &settings).await?;
    // A look may take longer than a lease does.
    let leases = Leases::start(&store, settings.lease, Box::new(|_| {}));
    let _held = leases.hold(lease.clone(), clock::monotonic());
    let accepted = accept(args, &fleet, &settings, &store, &lease, output).await;
    let released = store.release(std::slice::from_ref(&lease)).await;
    output.data(&accepted?);
    released?;
    Ok(Exit::Done)
}

/// The tenant, to ourselves: a run in between would keep what it saw before.
async fn leased(store: &Store, tenant: &TenantName, settings: &Settings) -> Result<Lease, Failure> {
    let begun = clock::monotonic();
    loop {
        if let Some(lease) = store.take([tenant], settings.lease).await?.pop() {
            return Ok(lease);
        }
        if begun.elapsed() >= settings.lease * 3 / 2 {
            let holder = store.holder_of(tenant).await?.unwrap_or_else(|| "another genesync".into());
            let message = format!("{holder} works on {tenant}: nothing was accepted");
            return Err(Failure::new(Exit::Held, message).hint("try again once its run has ended"));
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
    let progress = Arc::new(Progress::silent(output, "looking", 0));
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
    let mut session = Session::start(fleet, wishes).await?.with_somebody()?;
    session.plan(1, &progress).await;
    progress.finish();
    if let Some((tenant, fault)) = session.failed.first() {
        return Err(Failure::new(Exit::Outside, format!("{tenant}: {fault}")));
    }
    if let Some(fault) = session.runs.iter().find_map(Run::left_out) {
        let message = format!("{}: {fault}; nothing was accepted", args.tenant);
        return Err(Failure::new(Exit::Outside, message).hint("try again once every region answers"));
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
    let told = escape(&format!("by {}: {}", env::claimant(), listed(&words)));
    store.accept(lease, &records, &left, &told).await?;
    store.poke(Some(std::slice::from_ref(&lease.tenant)), ClaimCause::Operator).await?;
    let lines: String = words.iter().map(|words| format!("  {}\n", escape(words))).collect();
    Ok(format!("accepted {} of {}:\n{lines}", counted(accepted.len(), "field"), args.tenant))
}

/// Why the tenant could not be looked at.
fn unseen(args: &AcceptArgs, run: Option<&Run>) -> Failure {
    let reason =
        run.and_then(Run::reason).unwrap_or_else(|| "git manages nothing of it that is valid".into());
    Failure::new(Exit::Outside, format!("{}: {reason}; nothing was accepted", args.tenant))
}

/// There is nothing to accept; of a field that was named, that is an error.
fn nothing(args: &AcceptArgs, left: &[Noticed]) -> Result<String, Failure> {
    let Some(field) = &args.field else {
        return Ok(format!(
            "nothing to accept: no field of {} that git does not name was changed\n",
            args.tenant
        ));
    };
    let message =
        format!("`{field}` is no field of {} that git does not name and that was changed", args.tenant);
    let paths: Vec<&str> = left.iter().map(|one| one.path.as_str()).collect();
    let hint = match paths.is_empty() {
        true => "no such field was changed there".to_owned(),
        false => format!("changed are {}", listed(&paths)),
    };
    Err(Failure::new(Exit::Usage, message).hint(escape(&hint)))
}
