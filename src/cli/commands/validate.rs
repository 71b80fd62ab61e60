//! `genesync validate`

use clap::Args;
use serde_json::json;

use crate::cli::session::{self, Reads};
use crate::cli::{Exit, Failure, Format, Output, SourceArgs};
use crate::config::Flags;
use crate::controller::fleet::Fleet;
use crate::model::{Finding, Severity};
use crate::render;
use crate::validate::blocks;

/// What `validate` takes.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Checks manifests and prints every finding.
pub fn run(args: &ValidateArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let place = session::place(&args.source, Reads::Files, &settings)?;
    let fleet = session::load(&place, &args.source, output)?;
    let exit = if blocks(&fleet.findings) { Exit::Findings } else { Exit::Done };
    if args.format == Format::Json {
        output.data(&render::value::document(&document(&fleet, exit)));
    } else {
        output.data(&text(&fleet, output));
    }
    for path in &fleet.ignored {
        output.detail(&format!("passed over: {}", render::value::escape(path)));
    }
    let tenants = fleet.tenants.len();
    output.talk(&format!(
        "{tenants} tenant{}, {} files: {}",
        if tenants == 1 { "" } else { "s" },
        fleet.files_read,
        render::finding::summary(&fleet.findings)
    ));
    Ok(exit)
}

/// The findings as rustc would show them; information only where it was asked for.
pub fn text(fleet: &Fleet, output: &Output) -> String {
    let shown: Vec<Finding> = fleet
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info || output.is_verbose())
        .cloned()
        .collect();
    render::finding::text(&shown, &fleet.files, true)
}

fn document(fleet: &Fleet, exit: Exit) -> serde_json::Value {
    let count =
        |severity: Severity| fleet.findings.iter().filter(|finding| finding.severity == severity).count();
    json!({
        "revision": fleet.revision.as_str(),
        "summary": {
            "tenants": fleet.tenants.len(),
            "files": fleet.files_read,
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "infos": count(Severity::Info),
        },
        "findings": fleet.findings,
        "exitCode": exit.code(),
    })
}
