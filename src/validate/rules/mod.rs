//! The rules, one a file. To add one: a file here, a line in [`ALL`], `ok.yaml` and `bad.yaml` under
//! `tests/fixtures/rules/<id>/`, and a section in `docs/rules.md`; a test names what is missing.
//!
//! In: the context of one tenant. Out: findings. Never: looks at another tenant, or asks the live API. Start
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

/// What is checked while manifests are read, before any rule: its id, and what it asks for. None of it can be tuned.
pub const READER: &[(&str, &str)] = &[
    (
        "layers",
        "Every layer that is extended exists, is valid and of the same kind, and does not extend itself",
    ),
    ("repository", "Under a tenant's folder stand regular files with plain names"),
    ("schema", "Every document has the fields, types and forms of its kind"),
    ("waiver", "Waivers name a rule that can be waived, and have not expired"),
    ("yaml", "Every file is YAML 1.2 that all readers take for the same"),
];

/// Every rule, in the order of its id.
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
