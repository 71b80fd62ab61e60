//! The kinds of documents that a configuration repository holds, as Rust types.
//!
//! The types are the only description of a kind: serde reads documents into them, and the committed JSON
//! Schemas are generated from them. Each limit is defined once, in [`text`] or at its field.
//!
//! In: nothing. Out: a type for each kind, with its schema. Never: a rule about two documents together,
//! or an id of the platform. Start reading at `documents.rs`, the table of kinds; then the file of one kind,
//! such as `integration.rs`.

pub mod choice;
pub mod deployment;
pub mod documents;
pub mod field;
pub mod integration;
pub mod messaging_defaults;
pub mod messaging_setting;
pub mod messenger;
pub mod platform;
pub mod project;
pub mod resource;
pub mod supported_content;
pub mod tenant;
pub mod text;
pub mod web_messaging;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::ObjectKind;
use choice::choice;
use text::{LabelText, Labels, Name};

choice! {
    /// The version of the manifest format.
    pub enum ApiVersion {
        /// The only version so far.
        V1Alpha1 = "genesync/v1alpha1",
    }
}

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `genesync.yaml`.
    Project,
    /// `tenants/<name>/tenant.yaml`.
    Tenant,
    /// An object of an organization, or a layer of one.
    Object(ObjectKind),
}

impl Kind {
    /// Every kind: the documents around objects first, then the objects.
    pub const ALL: &'static [Kind] = &Kind::every();

    const fn every() -> [Kind; 2 + ObjectKind::ALL.len()] {
        let mut all = [Kind::Project; 2 + ObjectKind::ALL.len()];
        all[1] = Kind::Tenant;
        let mut index = 0;
        while index < ObjectKind::ALL.len() {
            all[2 + index] = Kind::Object(ObjectKind::ALL[index]);
            index += 1;
        }
        all
    }

    /// Returns the value of `kind:`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Project => "Project",
            Kind::Tenant => "Tenant",
            Kind::Object(kind) => kind.name(),
        }
    }

    /// Returns the schema's file name under `schemas/`.
    pub fn schema_file(self) -> &'static str {
        match self {
            Kind::Project => "project.json",
            Kind::Tenant => "tenant.json",
            Kind::Object(kind) => kind.schema_file(),
        }
    }

    /// Returns a description of its documents for a help text, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Kind::Project => "`genesync.yaml`",
            Kind::Tenant => "`tenant.yaml`",
            Kind::Object(kind) => kind.about(),
        }
    }

    /// Finds a kind by its name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// The name and the labels of a document.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Metadata {
    /// Name of the document: lower-case letters, digits and dashes.
    pub name: Name,
    /// Labels for people and reports. The label `protected` of a tenant lists the changes that need an approval: `off`, `domains`, `removal` ("true" means these three), `reach`.
    #[serde(default)]
    pub labels: Labels<LabelText>,
}
