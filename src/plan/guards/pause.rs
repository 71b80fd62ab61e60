//! `pause`: a tenant that a person paused.

use super::{GuardInfo, Scope, scenes};
use crate::model::Guard;

/// The guard. The store asks with each intent: a pause holds from the moment at which it is made.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Pause,
    scope: Scope::Tenant,
    summary: "A person paused the tenant: it is looked at, and nothing is written",
    scene: Vec::new,
    waiting: Some(scenes::pause),
};
