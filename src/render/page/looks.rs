//! The appearance of changed objects, before and after a plan.

use std::collections::BTreeMap;

use crate::render::picture::look::Appearance;

/// The appearance of one object before and after a plan, for each language.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Looks {
    /// The name of the object; none if the organization has only one.
    pub object: Option<String>,
    /// The live appearance.
    pub before: Vec<Appearance>,
    /// The appearance after the plan.
    pub after: Vec<Appearance>,
}

/// The appearance of changed objects, by tenant.
pub type TenantLooks = BTreeMap<String, Vec<Looks>>;
