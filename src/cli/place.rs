//! Finds the source, revision and tenants that the arguments name, and loads the fleet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::progress::Progress;
use super::{DraftArg, Exit, Failure, GuardArgs, Output, SourceArgs};
use crate::clock;
use crate::config::Settings;
use crate::fleet::{self, Fleet, Options};
use crate::manifest::schema::nearest;
use crate::model::plan::Drafts;
use crate::model::precedent::Parent;
use crate::model::text::counted;
use crate::model::{Guard, OrganizationId, Tenant, TenantName, causes};
use crate::service::Origin;
use crate::source::{Fetching, REMOTE_HEAD, RemoteUrl, Source, SourceError};
use crate::store::Store;

/// What genesync reads from a local path without `--rev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The files in the folder, for checks while editing.
    Files,
    /// The commit that is checked out, because genesync applies only commits.
    Commit,
}

/// A source and the revision to read.
pub struct Place {
    /// The folder or repository with the manifests.
    pub source: Source,
    /// The revision as the user wrote it.
    pub revision: String,
    /// The repository's name in the store, the same in every run.
    pub identity: String,
}

/// Returns the commit to compare guard settings with if the state has no record of an applied commit: the
/// revision of `since`, else the first parent of the commit, else, for uncommitted files, the last commit.
///
/// If genesync cannot read that commit, it warns that a commit could open a guard for itself.
pub async fn parent(
    place: &Place,
    since: Option<&str>,
    fleet: &Fleet,
    store: Option<&Store>,
    output: &Output,
) -> Result<Parent, Failure> {
    let tenants = || fleet.tenants.iter().filter_map(|loaded| loaded.tenant.as_ref());
    let organizations: BTreeSet<OrganizationId> =
        tenants().flat_map(Tenant::targets).map(|target| target.organization.clone()).collect();
    let known = match store {
        Some(store) => store.precedents(&organizations).await?.len(),
        None => 0,
    };
    let has_limits = match store {
        Some(store) => store.run_limits(&place.identity).await?.is_some(),
        None => false,
    };
    if known == organizations.len() && has_limits {
        return Ok(Parent::default());
    }
    let said = match (&place.source, since) {
        (source @ Source::Repository { .. }, Some(since)) => fleet::said_at(source, since, clock::today()),
        (source @ Source::Repository { .. }, None) => {
            fleet::parent(source, fleet.revision.as_str(), clock::today())
        }
        // A folder without a repository has no previous commit.
        (Source::Folder(path), _) => match Source::repository(path) {
            Ok(source) if source.uncommitted() != Some(0) => fleet::said_at(&source, "HEAD", clock::today()),
            Ok(source) => fleet::parent(&source, "HEAD", clock::today()),
            Err(_) => return Ok(Parent::default()),
        },
    };
    Ok(said.unwrap_or_else(|error| {
        output.warning(&format!(
            "cannot check whether this commit loosens a guard that it needs, because the previous commit cannot be read: {}",
            causes(&error)
        ));
        Parent::default()
    }))
}

/// Finds the source and revision that the arguments name.
pub fn place(args: &SourceArgs, reads: Reads, settings: &Settings) -> Result<Place, Failure> {
    if RemoteUrl::looks_like(&args.path) {
        let url = RemoteUrl::parse(&args.path)?;
        let source = Source::remote(&url, &fetching(settings))?;
        let revision = args.rev.as_deref().unwrap_or("HEAD");
        // The `HEAD` of the cache is not the `HEAD` of the remote repository.
        let revision = match revision.strip_prefix("HEAD") {
            Some(steps) => format!("{REMOTE_HEAD}{steps}"),
            None => revision.to_owned(),
        };
        return Ok(Place { source, revision, identity: url.to_string() });
    }
    let path = Path::new(&args.path);
    if !path.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("`{}` is not a folder", path.display())));
    }
    let identity = local_identity(&args.path);
    match (&args.rev, reads) {
        (None, Reads::Files) => {
            Ok(Place { source: Source::folder(path), revision: "folder".into(), identity })
        }
        (rev, _) => {
            let revision = rev.clone().unwrap_or_else(|| "HEAD".into());
            Ok(Place { source: Source::repository(path)?, revision, identity })
        }
    }
}

/// Warns if genesync reads a commit and the folder has uncommitted files.
pub fn tell_uncommitted(place: &Place, args: &SourceArgs, output: &Output) {
    // An explicit revision needs no warning.
    let files = if args.rev.is_none() { place.source.uncommitted() } else { Some(0) };
    match files {
        Some(0) => {}
        Some(files) => {
            let verb = if files == 1 { "is" } else { "are" };
            let files = counted(files, "file");
            output.warning(&format!("{files} {verb} not committed, and genesync reads only the commit"));
        }
        None => output.warning(
            "cannot read the index of the work tree, so uncommitted files are not reported: run `git sparse-checkout reapply --no-sparse-index`",
        ),
    }
}

fn fetching(settings: &Settings) -> Fetching {
    Fetching {
        cache: settings.cache_dir.clone(),
        token: settings.git_token.clone(),
        proxies: settings.proxies.clone(),
    }
}

/// Returns the origin whose commits the controller follows.
pub fn origin(path: &str, rev: Option<&str>, settings: &Settings) -> Result<Origin, Failure> {
    let revision = rev.unwrap_or("HEAD").to_owned();
    if RemoteUrl::looks_like(path) {
        let fetching = fetching(settings);
        return Ok(Origin::Remote { url: RemoteUrl::parse(path)?, fetching, revision });
    }
    let folder = Path::new(path);
    if !folder.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("`{path}` is not a folder")));
    }
    let source = Source::repository(folder)?;
    Ok(Origin::Local { source, revision, identity: local_identity(path) })
}

/// Returns a local repository's name in the store: its canonical path.
fn local_identity(path: &str) -> String {
    Path::new(path).canonicalize().map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// Returns tenant names in the order of the arguments.
pub fn names(typed: &[String]) -> Vec<TenantName> {
    typed.iter().map(|name| TenantName::new(name.as_str())).collect()
}

/// Loads the tenants that the arguments name.
///
/// # Errors
/// A named tenant does not exist, or the source cannot be read.
pub fn load(place: &Place, args: &SourceArgs, output: &Output) -> Result<Fleet, Failure> {
    let only: Option<BTreeSet<TenantName>> = (!args.tenants.is_empty())
        .then(|| args.tenants.iter().map(|name| TenantName::new(name.as_str())).collect());
    // Two tenants may claim one organization, so genesync loads all tenants and then drops the others.
    let progress = Progress::new(output, "reading", 0);
    let on_tenant = |all: usize, _: &mut fleet::Loaded| progress.step_of(all);
    let options = Options { on_tenant: &on_tenant, ..Options::on(clock::today()) };
    let loaded = fleet::load(&place.source, &place.revision, &options);
    progress.finish();
    let mut fleet = loaded.map_err(|error| match (&error, root_above(Path::new(&args.path))) {
        (SourceError::NoTenants { .. }, Some(root)) => {
            let hint =
                format!("name the configuration repository `{}`, which contains this folder", root.display());
            Failure::from(error).hint(hint)
        }
        _ => Failure::from(error),
    })?;
    if let Some(only) = only {
        let missing: Vec<&str> = only
            .iter()
            .filter(|name| !fleet.tenants.iter().any(|tenant| tenant.name == **name))
            .map(TenantName::as_str)
            .collect();
        if !missing.is_empty() {
            let known: Vec<&str> = fleet.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
            return Err(no_tenant(&missing, &known));
        }
        narrow(&mut fleet, &only);
    }
    Ok(fleet)
}

/// Returns the configuration repository that contains a folder.
pub fn root_above(folder: &Path) -> Option<PathBuf> {
    // The folder may not exist yet.
    let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder)).ok()?;
    let is_root = |above: &&Path| above.join("tenants").is_dir() && above.join("genesync.yaml").is_file();
    folder.ancestors().skip(1).find(is_root).map(Path::to_owned)
}

/// Returns the failure for unknown tenant names, with the nearest known name or a list of names.
pub fn no_tenant(missing: &[&str], known: &[&str]) -> Failure {
    const NAMES_MAX: usize = 20;
    let near = missing.first().and_then(|name| nearest(name, known.iter().copied()));
    let hint = match near.filter(|_| missing.len() == 1) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() > NAMES_MAX => {
            format!("tenants: {} and {} more", known[..NAMES_MAX].join(", "), known.len() - NAMES_MAX)
        }
        None => format!("tenants: {}", known.join(", ")),
    };
    Failure::new(Exit::Usage, format!("there is no tenant {}", missing.join(", "))).hint(hint)
}

/// Keeps only these tenants, with their findings and the findings without a tenant.
pub fn narrow(fleet: &mut Fleet, only: &BTreeSet<TenantName>) {
    fleet.tenants.retain(|tenant| only.contains(&tenant.name));
    fleet.findings.retain(|finding| finding.tenant.as_ref().is_none_or(|tenant| only.contains(tenant)));
}

/// Returns what happens to drafts of other users.
pub fn drafts(args: &GuardArgs) -> Drafts {
    match args.draft {
        None => Drafts::Refuse,
        Some(DraftArg::Adopt) => Drafts::Adopt,
        Some(DraftArg::Discard) => Drafts::Discard,
    }
}

/// Returns the guards that the operator opens.
pub fn allowed(args: &GuardArgs) -> Result<BTreeSet<Guard>, Failure> {
    guards(&args.allow)
}

/// Parses guard names.
pub fn guards(typed: &[String]) -> Result<BTreeSet<Guard>, Failure> {
    typed
        .iter()
        .map(|name| {
            Guard::from_name(name).ok_or_else(|| {
                let known: Vec<&str> = Guard::ALL.iter().map(|guard| guard.name()).collect();
                Failure::new(Exit::Usage, format!("there is no guard `{name}`"))
                    .hint(format!("guards: {}", known.join(", ")))
            })
        })
        .collect()
}
