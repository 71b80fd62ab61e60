//! `genesync import`: writes manifests for the live configuration of an organization.
//!
//! In: an organization. Out: manifests whose plan is empty. Never: overwrites a file, or leaves a part of an
//! import behind. Start reading at [`run`]; `import/spec.rs` makes the spec of a live object.

#![expect(clippy::disallowed_methods, reason = "this command makes files")]

mod spec;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::api::ReadApi;
use crate::api::cloud::inventory::{Directory, Live};
use crate::cli::place;
use crate::cli::progress::Progress;
use crate::cli::session::{self, CONCURRENCY, Session, Wishes};
use crate::cli::{Exit, Failure, Output, SourceArgs};
use crate::clock;
use crate::config::{Flags, Settings};
use crate::driver::clients::{Clients, connect};
use crate::manifest::emit::{self, Document};
use crate::manifest::kinds::Kind;
use crate::manifest::kinds::text::{Form as _, Uuid};
use crate::model::{
    CredentialsName, Dialect, Fault, FaultKind, Look, Object, ObjectKind, Observed, OrganizationId,
    ReferenceKind, Region, Stored, Target, reference,
};
use crate::render;
use spec::{shared, spec_of, without};

/// What `import` takes.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Folder of the configuration repository
    #[arg(default_value = ".", value_name = "DIR")]
    path: PathBuf,
    /// Name of the tenant: its folder under `tenants/`
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Id of the organization
    #[arg(long, value_name = "UUID", value_parser = organization_id)]
    organization: OrganizationId,
    /// Region of the organization, such as eu-central-1
    #[arg(long, value_name = "KEY")]
    region: String,
    /// Name of the credentials of the OAuth client
    #[arg(long, value_name = "NAME")]
    credentials: String,
    /// API of the organization
    #[arg(long, value_enum, default_value = "cloud")]
    from: From,
    /// Import also the messaging defaults and the profiles that no object refers to
    #[arg(long)]
    all: bool,
    /// Write the fields that all messenger configurations share into this layer under `bases/`
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
}

/// Parses an organization id into lower case, because genesync compares ids byte by byte.
fn organization_id(text: &str) -> Result<OrganizationId, String> {
    let text = text.to_ascii_lowercase();
    match serde_json::from_value::<Uuid>(text.clone().into()) {
        Ok(_) => Ok(OrganizationId::new(text)),
        Err(error) => Err(format!("{error}, such as {}", Uuid::EXAMPLES.join(", "))),
    }
}

/// The API of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// Genesys Cloud's public API
    Cloud,
    /// The versioned web messaging configuration API
    Webchat,
}

impl From {
    fn dialect(self) -> Dialect {
        match self {
            From::Cloud => Dialect::Cloud,
            From::Webchat => Dialect::Webchat,
        }
    }
}

/// Writes manifests for an organization, and checks that their plan is empty.
pub async fn run(args: &ImportArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    for name in [Some(&args.tenant), args.layer.as_ref()].into_iter().flatten() {
        if emit::slug(name) != *name {
            return Err(Failure::new(Exit::Usage, format!("`{name}` is not a valid name"))
                .hint("use lower-case letters, digits and dashes"));
        }
    }
    let region = Region::from_key(&args.region).ok_or_else(|| {
        let known: Vec<&str> = Region::ALL.iter().map(|region| region.key()).collect();
        Failure::new(Exit::Usage, format!("there is no region `{}`", args.region))
            .hint(format!("regions: {}", known.join(", ")))
    })?;
    let target = Target {
        organization: args.organization.clone(),
        region,
        credentials: CredentialsName::new(args.credentials.as_str()),
        object: Object::implied(),
    };
    let folder = args.path.join("tenants").join(&args.tenant);
    if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Exit::Usage, format!("`{}` is not empty", folder.display()))
            .hint("import into a new folder, or run `genesync plan` to see later live changes"));
    }
    let api = connect(&settings, Some(Progress::silent(output, "reading", 0).heard()))?;
    Clients::new(Arc::new(Mutex::new(settings.clone())), api.clone()).learn(&target.credentials).await?;
    let shared = match (&args.layer, args.from) {
        (Some(layer), From::Cloud) => Some(in_common(layer, &api, &target).await?),
        _ => None,
    };
    let mut writer = Writer {
        args,
        folder,
        names: BTreeSet::new(),
        files: Vec::new(),
        referred: BTreeSet::new(),
        reported: Vec::new(),
        shared,
    };
    // A partial import would block the next attempt.
    if let Err(failure) = writer.take_in(&api, &target).await {
        writer.undo();
        return Err(failure);
    }
    for reported in &writer.reported {
        output.talk(reported);
    }
    let count = writer.files.iter().filter(|file| file.starts_with(&writer.folder)).count();
    output.talk(&format!("wrote {count} files under {}", writer.folder.display()));
    prove(args, &settings, output).await
}

async fn from_cloud(api: &ReadApi, target: &Target, writer: &mut Writer<'_>) -> Result<(), Failure> {
    let mut directory = api.directory(target).await?;
    let mut unpublished = Vec::new();
    let everything = writer.args.all;
    let mut tell = |live: Live, directory: &Directory| writer.object(live, directory).map_err(local);
    api.each_object(target, everything, &mut directory, &mut unpublished, &mut tell).await?;
    let left =
        unpublished.iter().map(|name| format!("left out: configuration `{name}`, which was never published"));
    writer.reported.extend(left);
    let unread = directory.unread.iter().map(|what| format!("left out: references, because {what}"));
    writer.reported.extend(unread);
    Ok(())
}

fn local(failure: Failure) -> Fault {
    Fault::new(FaultKind::Local, failure.message)
}

async fn from_webchat(api: &ReadApi, target: &Target, writer: &mut Writer<'_>) -> Result<(), Failure> {
    let seen = api.observe(&Look::of_one(target.clone())).await?;
    let Some(Observed::Present(stored)) = seen.objects.into_iter().next() else {
        return Err(Failure::new(
            Exit::Outside,
            format!("organization {} has no web messaging configuration", target.organization),
        ));
    };
    let live = Live { object: Object::implied(), stored, served_otherwise: Vec::new() };
    writer.object(live, &Directory::default())
}

/// Returns the fields that all published configurations share.
async fn in_common(layer: &str, api: &ReadApi, target: &Target) -> Result<Shared, Failure> {
    let mut directory = api.directory(target).await?;
    let (mut common, mut count) = (None::<(ObjectKind, Map<String, Value>)>, 0);
    let mut tell = |live: Live, directory: &Directory| {
        if live.object.kind.has_drafts() {
            let (spec, _) = spec_of(&live, directory);
            count += 1;
            common = Some(match common.take() {
                None => (live.object.kind, spec),
                Some((kind, known)) => (kind, shared(&known, &spec)),
            });
        }
        Ok(())
    };
    api.each_object(target, false, &mut directory, &mut Vec::new(), &mut tell).await?;
    let Some((kind, spec)) = common.filter(|_| count >= 2) else {
        return Err(Failure::new(Exit::Usage, "a layer needs at least 2 published messenger configurations")
            .hint("remove --layer"));
    };
    Ok(Shared { layer: layer.to_owned(), kind, spec })
}

/// The layer with the fields that all objects with drafts share.
struct Shared {
    layer: String,
    kind: ObjectKind,
    spec: Map<String, Value>,
}

/// Writes the files of one tenant.
struct Writer<'a> {
    args: &'a ImportArgs,
    folder: PathBuf,
    names: BTreeSet<String>,
    /// The new files, in the order of their creation.
    files: Vec<PathBuf>,
    /// The kinds and ids that the imported objects refer to.
    referred: BTreeSet<(ReferenceKind, Arc<str>)>,
    reported: Vec<String>,
    shared: Option<Shared>,
}

impl Writer<'_> {
    async fn take_in(&mut self, api: &ReadApi, target: &Target) -> Result<(), Failure> {
        self.begin(target)?;
        let before = self.files.len();
        match self.args.from {
            From::Cloud => from_cloud(api, target, self).await?,
            From::Webchat => from_webchat(api, target, self).await?,
        }
        if self.files.len() == before {
            return Err(Failure::new(Exit::Outside, "the organization has no object to import")
                .hint("publish a messenger configuration first, because import skips drafts"));
        }
        Ok(())
    }

    /// Removes the new files, and their folders if they are empty.
    fn undo(&self) {
        for file in self.files.iter().rev() {
            // If a file cannot be removed, the next import reports it.
            let _ = std::fs::remove_file(file);
            let folders = file.ancestors().skip(1).take_while(|folder| *folder != self.args.path);
            folders.for_each(|folder| drop(std::fs::remove_dir(folder)));
        }
    }

    /// Writes the tenant, the schemas, the layer and, if it is missing, the project.
    fn begin(&mut self, target: &Target) -> Result<(), Failure> {
        let args = self.args;
        for (name, schema) in super::schema::all() {
            self.keep(args.path.join("schemas").join(name), &super::schema::text(&schema))?;
        }
        self.keep(
            args.path.join("genesync.yaml"),
            "# yaml-language-server: $schema=schemas/project.json\napiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: fleet}\nspec: {}\n",
        )?;
        let mut text = format!(
            "# yaml-language-server: $schema=../../schemas/tenant.json\napiVersion: genesync/v1alpha1\nkind: Tenant\nmetadata:\n  name: {}\nspec:\n  api: {}\n",
            args.tenant,
            args.from.dialect().name()
        );
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  organizationId: {}\n  region: {}\n  credentials: {}\n  sync:\n    # genesync only reports until this is `enforce`; `genesync adopt` shows what that would change.\n    mode: watch\n",
            target.organization,
            target.region.key(),
            target.credentials
        );
        self.create(self.folder.join("tenant.yaml"), &text)?;
        let Some(Shared { layer, kind, spec }) = &self.shared else { return Ok(()) };
        let comments = ["The fields that the imported messenger configurations share.".to_owned()];
        let document =
            Document { kind: Kind::Object(*kind), name: layer, spec, up: "../", comments: &comments };
        let path = args.path.join("bases").join(format!("{layer}.yaml"));
        let text = emit::text(&document).map_err(|why| unwritable(&path, &why))?;
        self.create(path, &text)
    }

    /// Makes a file, unless it exists.
    fn keep(&mut self, path: PathBuf, text: &str) -> Result<(), Failure> {
        if path.exists() { Ok(()) } else { self.create(path, text) }
    }

    fn create(&mut self, path: PathBuf, text: &str) -> Result<(), Failure> {
        let failed = |error: std::io::Error| unwritable(&path, &error.to_string());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).open(&path).map_err(failed)?;
        let written = std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed);
        self.files.push(path);
        written
    }

    fn object(&mut self, live: Live, directory: &Directory) -> Result<(), Failure> {
        let kind = live.object.kind;
        let is_referred = || {
            let key = kind.referent().zip(live.stored.id().cloned());
            key.is_some_and(|key| self.referred.contains(&key))
        };
        if kind.is_imported_by_reference() && !self.args.all && !is_referred() {
            return Ok(());
        }
        self.referred.extend(reference::ids(kind, &live.stored.body));
        let (mut spec, mut comments) = spec_of(&live, directory);
        comments.insert(0, origin(&live.object, &live.stored));
        let prefix = kind.prefix();
        let usual = if kind.is_named() { emit::slug(&live.object.name) } else { self.args.tenant.clone() };
        let name = self.free(prefix, &usual);
        if let Some(Shared { layer, spec: common, .. }) = self.shared.as_ref().filter(|_| kind.has_drafts()) {
            spec = without(&spec, common);
            spec.shift_insert(0, "extends".into(), Value::from(vec![layer.clone()]));
        }
        if !live.object.name.is_empty() && *live.object.name != *name {
            spec.shift_insert(0, "name".into(), Value::from(&*live.object.name));
        }
        let document = Document {
            kind: Kind::Object(kind),
            name: &name,
            spec: &spec,
            up: "../../",
            comments: &comments,
        };
        let file = match kind.is_named() {
            true => format!("{prefix}-{name}.yaml"),
            false => format!("{prefix}.yaml"),
        };
        let path = self.folder.join(file);
        let text = emit::text(&document).map_err(|why| unwritable(&path, &why))?;
        self.create(path, &text)
    }

    /// Returns a name that no other document of the kind has.
    fn free(&mut self, prefix: &str, usual: &str) -> String {
        let numbered = (2..).map(|number| format!("{usual}-{number}"));
        let mut names = std::iter::once(usual.to_owned()).chain(numbered);
        // The iterator never ends.
        names.find(|name| self.names.insert(format!("{prefix}/{name}"))).unwrap_or_default()
    }
}

fn origin(object: &Object, stored: &Stored) -> String {
    let version = match object.kind.counts_versions() {
        true => format!(", version {}", stored.version),
        false => String::new(),
    };
    let when = stored
        .modified_at
        .map(|at| format!(", changed last on {}", at.strftime("%Y-%m-%d")))
        .unwrap_or_default();
    format!(
        "Imported on {} from the live configuration{version}{when}. genesync does not manage fields that this file does not name.",
        clock::today()
    )
}

fn unwritable(path: &Path, why: &str) -> Failure {
    Failure::new(Exit::Outside, format!("cannot write `{}`: {why}", path.display()))
}

/// Plans the written files. The plan must be empty, else the import misread the live configuration.
async fn prove(args: &ImportArgs, settings: &Settings, output: &Output) -> Result<Exit, Failure> {
    let source =
        SourceArgs { path: args.path.display().to_string(), rev: None, tenants: vec![args.tenant.clone()] };
    let place = place::place(&source, place::Reads::Files, settings)?;
    let fleet = place::load(&place, &source, output)?;
    if fleet.tenants.iter().any(|tenant| tenant.blocked) {
        output.data(&super::validate::text(&fleet, output));
        return Err(Failure::new(
            Exit::Findings,
            "the live configuration breaks rules, so genesync wrote the files but did not verify them",
        )
        .hint(format!(
            "fix the files, or waive the rule in genesync.yaml (docs/rules.md), until `genesync plan {} --tenant {}` prints: No changes",
            args.path.display(),
            args.tenant
        )));
    }
    let progress = Arc::new(Progress::silent(output, "planning", 1));
    let wishes = Wishes {
        settings,
        allowed: BTreeSet::new(),
        drafts: Default::default(),
        desired_before: BTreeMap::new(),
        parent: Default::default(),
        repository: "",
        store: None,
        heard: Some(progress.heard()),
    };
    let mut session = Session::start(&fleet, wishes).await?.with_a_readable_tenant()?;
    session.plan(CONCURRENCY, &progress).await;
    for run in &session.runs {
        let Some(plan) = run.plan().filter(|_| run.left_out().is_none()) else {
            let why = run.reason().unwrap_or_default();
            return Err(Failure::new(Exit::Outside, format!("cannot plan the written files: {why}")));
        };
        if !plan.is_empty() {
            output.data(&render::plan::tenant(plan, &[]));
            return Err(Failure::new(Exit::Changes, "the plan of the written files is not empty")
                .hint("delete the written files and import again, because the live configuration may have changed, and if the plan is still not empty, report this bug with the plan above"));
        }
    }
    output.data(&format!(
        "{} imported: its plan is empty\nnext: commit {at}, watch it with `genesync run {at}`, then run `genesync adopt {at} --tenant {}`\n",
        args.tenant,
        args.tenant,
        at = args.path.display()
    ));
    Ok(Exit::Done)
}
