//! `genesync init`

#![expect(clippy::disallowed_methods, reason = "this command makes files")]

use std::path::{Path, PathBuf};

use clap::Args;

use super::schema;
use crate::cli::{Exit, Failure, Output};

/// What `init` takes.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Folder to start the repository in
    #[arg(default_value = ".", value_name = "DIR")]
    path: PathBuf,
    /// Name of the first tenant
    #[arg(long, value_name = "NAME", default_value = "acme")]
    tenant: String,
}

const PROJECT: &str = include_str!("../../../examples/starter/genesync.yaml");
const BASE: &str = include_str!("../../../examples/starter/bases/house-style.yaml");
const TENANT: &str = include_str!("../../../examples/starter/tenants/acme/tenant.yaml");
const WEB: &str = include_str!("../../../examples/starter/tenants/acme/web.yaml");

/// Writes a small repository that validates as it is. Files that are there already stay as they are.
pub fn run(args: &InitArgs, output: &Output) -> Result<Exit, Failure> {
    let name = &args.tenant;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty()
        || name.len() > 63
        || !name.bytes().all(plain)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        return Err(Failure::new(Exit::Usage, format!("`{name}` can't be a tenant's name"))
            .hint("use lower-case letters, digits and dashes"));
    }
    let mut files = vec![
        ("genesync.yaml".to_owned(), PROJECT.to_owned()),
        ("bases/house-style.yaml".to_owned(), BASE.to_owned()),
        (format!("tenants/{name}/tenant.yaml"), TENANT.replace("acme", name)),
        (format!("tenants/{name}/web.yaml"), WEB.to_owned()),
    ];
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
    output.talk(&format!(
        "next: put the organization's id into tenants/{name}/tenant.yaml, then run `genesync validate`"
    ));
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Outside, format!("`{}` can't be written: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}
