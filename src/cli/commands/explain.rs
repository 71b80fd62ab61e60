//! `genesync explain`

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::session::{self, Reads};
use crate::cli::{Exit, Failure, Format, Output, SourceArgs};
use crate::config::Flags;
use crate::controller::fleet;
use crate::manifest::Managed;
use crate::manifest::yaml::Node;
use crate::model::TenantName;
use crate::model::secret::is_telling;
use crate::render::value::{document, value};
use crate::validate::rules::secrets;

/// What `explain` takes.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Field of a spec, such as `widget.theme.colors.primary` or `messenger.styles.primaryColor`
    field: String,
    #[command(flatten)]
    source: SourceArgs,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Prints where a value comes from.
pub fn run(args: &ExplainArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
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
        let place = |node: &Node| {
            let location = manifest.files.locate(node.span);
            format!("{}:{}:{}", location.file, location.line, location.column)
        };
        let managed: Vec<Managed<'_>> = manifest.managed().collect();
        // A field of one kind is not told of for objects of another; where none names it, the tenant does not.
        let naming = managed.iter().filter(|managed| managed.spec.path(&args.field).is_some());
        let mut naming: Vec<Option<&Managed<'_>>> = naming.map(Some).collect();
        if naming.is_empty() {
            naming.push(None);
        }
        for managed in naming {
            let named: Vec<&Node> = managed
                .iter()
                .flat_map(|managed| managed.layers().rev())
                .filter_map(|layer| layer.path(&args.field))
                .collect();
            let merged = managed.and_then(|managed| managed.spec.path(&args.field)).map(shown);
            let object = managed.map(|managed| &managed.object).filter(|object| !object.name.is_empty());
            let whose = object.map(|object| format!("  {object}")).unwrap_or_default();
            // Writing to a String can't fail; the results are dropped throughout.
            let _ = match (&merged, named.split_first()) {
                (Some(merged), Some((won, beaten))) => {
                    let mut written = writeln!(
                        out,
                        "{}{whose}  {} = {}\n  won   {}",
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
                "object": object,
                "field": args.field,
                "managed": merged.is_some(),
                "value": merged.unwrap_or(Value::Null),
                "layers": named.iter().map(|node| json!({"value": shown(node), "location": manifest.files.locate(node.span)})).collect::<Vec<_>>(),
            }));
        }
    }
    match args.format {
        Format::Json => output.data(&document(&json!({"explanations": documents, "exitCode": 0}))),
        Format::Text => output.data(&out),
    }
    Ok(Exit::Done)
}
