//! `conflict`: a difference that the tenant leaves to a person.

use super::{GuardInfo, Scope, scenes};
use crate::model::Guard;

/// The guard. What it holds is told by `plan/holding.rs`: a person decides, and nothing is refused.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Conflict,
    scope: Scope::Object,
    summary: "Git and another user moved a field, or another user switched something off, and the tenant leaves that to a person",
    scene: Vec::new,
    waiting: Some(scenes::conflict),
};
