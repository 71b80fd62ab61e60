//! `conflict`: a difference that a person has to decide, because the tenant says so.

use super::{GuardInfo, Scope, scenes};
use crate::model::Guard;

/// The guard. It refuses nothing; `plan/holding.rs` holds the object until a person decides.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Conflict,
    scope: Scope::Object,
    summary: "Git and another user changed a field, or another user switched something off, and the tenant leaves the decision to a person",
    scene: Vec::new,
    waiting: Some(scenes::conflict),
};
