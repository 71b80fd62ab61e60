//! `pause`: a tenant that a person paused.

use super::{GuardInfo, Scope, scenes};
use crate::model::Guard;

/// The guard. The store checks it with each intent, so a pause takes effect immediately.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Pause,
    scope: Scope::Tenant,
    summary: "A person paused the tenant: genesync reads it and writes nothing",
    scene: Vec::new,
    waiting: Some(scenes::pause),
};
