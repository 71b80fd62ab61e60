//! `genesync init`: writes a configuration repository with one example tenant.

#![expect(clippy::disallowed_methods, reason = "this command makes files")]

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::schema;
use crate::cli::{Exit, Failure, Output, place};

/// What `init` takes.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Folder of the new repository
    #[arg(default_value = ".", value_name = "DIR")]
    path: PathBuf,
    /// Name of the first tenant
    #[arg(long, value_name = "NAME", default_value = "acme")]
    tenant: String,
    /// CI system to write workflow files for
    #[arg(long, value_enum, default_value_t = Ci::Both)]
    ci: Ci,
}

/// The CI system that checks pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ci {
    /// GitHub Actions
    Github,
    /// GitLab CI
    Gitlab,
    /// Both
    Both,
    /// Neither
    None,
}

const PROJECT: &str = include_str!("../../../examples/starter/genesync.yaml");
/// The id in the example. `init` replaces it with a new id for each repository.
const EXAMPLE_ID: &str = "4f1d0c8a92be7365";
const BASE: &str = include_str!("../../../examples/starter/bases/house-style.yaml");
const TENANT: &str = include_str!("../../../examples/starter/tenants/acme/tenant.yaml");
const GITHUB: [(&str, &str); 2] = [
    (
        ".github/workflows/genesync-check.yml",
        include_str!("../../../examples/starter/.github/workflows/genesync-check.yml"),
    ),
    (
        ".github/workflows/genesync-plan.yml",
        include_str!("../../../examples/starter/.github/workflows/genesync-plan.yml"),
    ),
];
const GITLAB: [(&str, &str); 1] =
    [(".gitlab/genesync.yml", include_str!("../../../examples/starter/.gitlab/genesync.yml"))];
const AGENTS: &str = include_str!("../../../examples/starter/AGENTS.md");
const WEB: &str = include_str!("../../../examples/starter/tenants/acme/web.yaml");

/// Writes a small, valid repository. Existing files stay unchanged.
pub fn run(args: &InitArgs, output: &Output) -> Result<Exit, Failure> {
    let name = &args.tenant;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty()
        || name.len() > 63
        || !name.bytes().all(plain)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        return Err(Failure::new(Exit::Usage, format!("`{name}` is not a valid tenant name"))
            .hint("use lower-case letters, digits and dashes"));
    }
    // The folder may not exist yet.
    let there = args.path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let there = there.canonicalize().unwrap_or_else(|_| there.to_owned());
    let below = if args.path.is_dir() { there } else { there.join("new") };
    let is_root = args.path.join("genesync.yaml").is_file();
    if let Some(root) = place::root_above(&below).filter(|_| !is_root) {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{}` is inside the configuration repository `{}`", args.path.display(), root.display()),
        )
        .hint("add a tenant to that repository: a folder with a tenant.yaml under tenants/"));
    }
    let mut files = vec![
        ("genesync.yaml".to_owned(), PROJECT.replace(EXAMPLE_ID, &drawn_id())),
        ("bases/house-style.yaml".to_owned(), BASE.to_owned()),
        (format!("tenants/{name}/tenant.yaml"), TENANT.replace("acme", name)),
        (format!("tenants/{name}/web.yaml"), WEB.to_owned()),
        ("AGENTS.md".to_owned(), AGENTS.replace("acme", name)),
    ];
    let workflows = match args.ci {
        Ci::Github => &[&GITHUB[..]][..],
        Ci::Gitlab => &[&GITLAB[..]],
        Ci::Both => &[&GITHUB[..], &GITLAB[..]],
        Ci::None => &[],
    };
    let named = |text: &str| text.replace("_ACME_", &format!("_{}_", name.to_uppercase().replace('-', "_")));
    files.extend(
        workflows.iter().flat_map(|files| files.iter()).map(|(path, text)| ((*path).to_owned(), named(text))),
    );
    files.extend(
        schema::all().into_iter().map(|(name, schema)| (format!("schemas/{name}"), schema::text(&schema))),
    );
    for (path, text) in files {
        let full = args.path.join(&path);
        if full.exists() {
            output.talk(&format!("kept   {path}"));
            continue;
        }
        write(&full, &text)?;
        output.talk(&format!("wrote  {path}"));
    }
    if args.ci != Ci::None {
        output.talk("read the comments in the workflow files for the secrets that they need; docs/pull-requests.md of genesync explains them");
    }
    output.talk(&format!(
        "next: put the organization's id into tenants/{name}/tenant.yaml, then run `genesync validate`"
    ));
    Ok(Exit::Done)
}

/// Returns a random id: the standard library takes the keys of its hashers from the system's random source.
fn drawn_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Outside, format!("cannot write `{}`: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}
