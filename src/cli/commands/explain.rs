//! `genesync explain`

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::session::{self, Reads};
use crate::cli::{Exit, Failure, Format, Output, SourceArgs};
use crate::config::Flags;
use crate::controller::fleet;
use crate::manifest::yaml::Node;
use crate::model::TenantName;
use crate::model::secret::is_telling;
use crate::render::value::{document, value};
use crate::validate::rules::secrets;

/// What `explain` takes.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Field of the WebMessaging spec, such as `widget.theme.colors.primary`
    field: String,
    #[command(flatten)]
    source: SourceArgs,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Prints where a value comes from.
pub fn run(args: &ExplainArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    if args.format == Format::Markdown {
        return Err(Failure::new(Exit::Usage, "explain prints text or json"));
    }
    let settings = session::settings(flags)?;
    let place = session::place(&args.source, Reads::Files, &settings)?;
    let names: Vec<TenantName> =
        args.source.tenants.iter().map(|name| TenantName::new(name.as_str())).collect();
    let manifests = fleet::manifests(&place.source, &place.revision, &names)?;
    let missing = names.iter().find(|name| !manifests.iter().any(|manifest| manifest.name == **name));
    if let Some(name) = missing {
        return Err(Failure::new(Exit::Usage, format!("there is no tenant `{name}`")));
    }
    let told = args.field.rsplit('.').next().is_some_and(is_telling);
    // What `validate` calls a secret is not printed here either.
    let shown = |node: &Node| match told || !secrets::places(node, "").is_empty() {
        true => Value::from("****"),
        false => node.to_json(),
    };
    let (mut documents, mut out) = (Vec::new(), String::new());
    for manifest in &manifests {
        let named: Vec<&Node> = manifest.layers().rev().filter_map(|layer| layer.path(&args.field)).collect();
        let merged = manifest.web.as_ref().and_then(|web| web.spec.path(&args.field)).map(shown);
        let place = |node: &Node| {
            let location = manifest.files.locate(node.span);
            format!("{}:{}:{}", location.file, location.line, location.column)
        };
        // Writing to a String can't fail; the results are dropped throughout.
        let _ = match (&merged, named.split_first()) {
            (Some(merged), Some((won, beaten))) => {
                let mut written = writeln!(
                    out,
                    "{}  {} = {}\n  won   {}",
                    manifest.name,
                    args.field,
                    value(Some(merged)),
                    place(won)
                );
                for node in beaten {
                    written = writeln!(out, "  beat  {}  {}", place(node), value(Some(&shown(node))));
                }
                written
            }
            _ => writeln!(
                out,
                "{}  {} is not named: it is not managed, and what is live stays",
                manifest.name, args.field
            ),
        };
        documents.push(json!({
            "tenant": manifest.name.as_str(),
            "field": args.field,
            "managed": merged.is_some(),
            "value": merged.unwrap_or(Value::Null),
            "layers": named.iter().map(|node| json!({"value": shown(node), "location": manifest.files.locate(node.span)})).collect::<Vec<_>>(),
        }));
    }
    match args.format {
        Format::Json => output.data(&document(&json!({"explanations": documents, "exitCode": 0}))),
        Format::Text | Format::Markdown => output.data(&out),
    }
    Ok(Exit::Done)
}
