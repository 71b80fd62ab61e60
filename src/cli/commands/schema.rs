//! `genesync schema`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::cli::{Exit, Failure, Output};
use crate::manifest::kinds::Kind;
use crate::manifest::schema;
use crate::model::ObjectKind;
use crate::render::document::{ApplyDocument, PlanDocument};

/// A document that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// `genesync.yaml`
    #[value(alias = "Project")]
    Project,
    /// `tenant.yaml`
    #[value(alias = "Tenant")]
    Tenant,
    /// The web messaging configuration, and its layers
    #[value(alias = "WebMessaging")]
    WebMessaging,
    /// A messenger's configuration, and its layers
    #[value(alias = "MessengerConfiguration")]
    MessengerConfiguration,
    /// A messenger's deployment, and its layers
    #[value(alias = "MessengerDeployment")]
    MessengerDeployment,
    /// The registration of a custom channel, and its layers
    #[value(alias = "OpenMessagingIntegration")]
    OpenMessagingIntegration,
    /// What `plan --format json` prints
    Plan,
    /// What `apply --format json` prints
    Apply,
}

/// What `schema` takes.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which document; all of them where left out (with --out)
    #[arg(value_enum, required_unless_present = "out")]
    document: Option<Document>,
    /// Write every schema into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "document")]
    out: Option<PathBuf>,
}

/// Every schema with its file name.
pub fn all() -> Vec<(&'static str, Value)> {
    Document::value_variants().iter().map(|document| of(*document)).collect()
}

fn of(document: Document) -> (&'static str, Value) {
    let generator =
        || SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let kind = |kind: Kind| (kind.schema_file(), schema::schema(kind));
    match document {
        Document::Project => kind(Kind::Project),
        Document::Tenant => kind(Kind::Tenant),
        Document::WebMessaging => kind(Kind::Object(ObjectKind::WebMessaging)),
        Document::MessengerConfiguration => kind(Kind::Object(ObjectKind::MessengerConfiguration)),
        Document::MessengerDeployment => kind(Kind::Object(ObjectKind::MessengerDeployment)),
        Document::OpenMessagingIntegration => kind(Kind::Object(ObjectKind::OpenMessagingIntegration)),
        Document::Plan => ("plan.json", generator().into_root_schema_for::<PlanDocument>().to_value()),
        Document::Apply => ("apply.json", generator().into_root_schema_for::<ApplyDocument>().to_value()),
    }
}

/// A schema as it is committed.
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// Prints a schema, or writes them all.
#[expect(clippy::disallowed_methods, reason = "the operator named the folder to write")]
pub fn run(args: &SchemaArgs, output: &Output) -> Result<Exit, Failure> {
    if let Some(document) = args.document {
        output.data(&text(&of(document).1));
    }
    if let Some(folder) = &args.out {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Outside, format!("`{}` can't be written: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        for (name, schema) in all() {
            std::fs::write(folder.join(name), text(&schema)).map_err(failed)?;
        }
    }
    Ok(Exit::Done)
}
