//! How what changes looks, before and after.

use std::collections::BTreeMap;

use crate::render::picture::look::Appearance;

/// One object's looks on both sides of a plan, language by language.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Looks {
    /// Its name; none where its organization has but one.
    pub object: Option<String>,
    /// What is live.
    pub before: Vec<Appearance>,
    /// What will be.
    pub after: Vec<Appearance>,
}

/// The looks of what changes, by tenant.
pub type TenantLooks = BTreeMap<String, Vec<Looks>>;
