//! `genesync schema`: prints the JSON Schema of a document, or writes all schemas.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::cli::{Exit, Failure, Output};
use crate::manifest::kinds::Kind;
use crate::manifest::schema;
use crate::render::applied::ApplyDocument;
use crate::render::document::PlanDocument;

/// A document that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A manifest in a configuration repository.
    Manifest(Kind),
    /// The output of `plan --format json`.
    Plan,
    /// The output of `apply --format json`.
    Apply,
}

impl Document {
    const ALL: &'static [Document] = &Document::every();

    const fn every() -> [Document; Kind::ALL.len() + 2] {
        let mut all = [Document::Apply; Kind::ALL.len() + 2];
        let mut index = 0;
        while index < Kind::ALL.len() {
            all[index] = Document::Manifest(Kind::ALL[index]);
            index += 1;
        }
        all[index] = Document::Plan;
        all
    }

    fn file(self) -> &'static str {
        match self {
            Document::Manifest(kind) => kind.schema_file(),
            Document::Plan => "plan.json",
            Document::Apply => "apply.json",
        }
    }
}

impl ValueEnum for Document {
    fn value_variants<'a>() -> &'a [Self] {
        Document::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.file().trim_end_matches(".json"));
        Some(match self {
            Document::Manifest(kind) => value.alias(kind.name()).help(kind.about()),
            Document::Plan => value.help("Output of `plan --format json`"),
            Document::Apply => value.help("Output of `apply --format json`"),
        })
    }
}

/// What `schema` takes.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Document to print the schema of
    #[arg(value_enum, required_unless_present = "out")]
    document: Option<Document>,
    /// Write every schema into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "document")]
    out: Option<PathBuf>,
}

/// Returns every schema with its file name.
pub fn all() -> Vec<(&'static str, Value)> {
    Document::value_variants().iter().map(|document| of(*document)).collect()
}

fn of(document: Document) -> (&'static str, Value) {
    let generator =
        || SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let schema = match document {
        Document::Manifest(kind) => schema::schema(kind),
        Document::Plan => generator().into_root_schema_for::<PlanDocument>().to_value(),
        Document::Apply => generator().into_root_schema_for::<ApplyDocument>().to_value(),
    };
    (document.file(), schema)
}

/// Returns the text of a schema file.
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
            Failure::new(Exit::Outside, format!("cannot write `{}`: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        for (name, schema) in all() {
            std::fs::write(folder.join(name), text(&schema)).map_err(failed)?;
        }
    }
    Ok(Exit::Done)
}
