//! The rules, one in each file. A new rule needs a file here, a line in [`ALL`], `ok.yaml` and `bad.yaml`
//! under `tests/fixtures/rules/<id>/`, and a section in `docs/rules.md`. A test lists what is missing.
//!
//! In: the context of one tenant. Out: findings. Never: reads another tenant, or asks the live API. Start
//! reading at [`ALL`].

mod availability;
mod colours;
mod contrast;
mod domains;
mod flags;
mod greeting;
mod identity;
mod ignore;
mod labels;
mod languages;
mod media;
mod references;
pub mod secrets;
mod support_center;
mod text;
mod typography;
mod urls;
mod windows;

use super::Rule;

/// The checks while genesync reads manifests, before any rule: id and requirement. They are not tunable.
pub const READER: &[(&str, &str)] = &[
    ("layers", "Every extended layer exists, is valid, is of the same kind, and does not extend itself"),
    ("repository", "A tenant's folder contains only regular files with plain names"),
    ("schema", "Every document has the fields, types and forms of its kind"),
    ("waiver", "Waivers name a rule that can be waived, and have not expired"),
    ("yaml", "Every file is YAML 1.2 that every parser reads in the same way"),
];

/// Every rule, sorted by id.
pub const ALL: &[Rule] = &[
    availability::RULE,
    colours::RULE,
    contrast::RULE,
    domains::RULE,
    flags::RULE,
    greeting::RULE,
    identity::RULE,
    ignore::RULE,
    labels::RULE,
    languages::RULE,
    media::RULE,
    references::RULE,
    secrets::RULE,
    support_center::RULE,
    text::RULE,
    typography::RULE,
    urls::RULE,
    windows::RULE,
];
