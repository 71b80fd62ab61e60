//! The guard limits of a commit's parent, for the case that no state knows what was applied last.

use jiff::civil::Date;

use super::load::{Loaded, Options, load};
use crate::model::Said;
use crate::model::precedent::{Parent, RunLimits};
use crate::source::{Source, SourceError};

/// Returns the guard limits of a commit, for each of its organizations and for a run.
///
/// # Errors
/// The commit cannot be read.
pub fn said_at(source: &Source, revision: &str, today: Date) -> Result<Parent, SourceError> {
    let fleet = load(source, revision, &Options::on(today))?;
    let said = |loaded: &Loaded| {
        let tenant = loaded.tenant.as_ref()?;
        Some(Said::of_each(tenant, &loaded.resources, &fleet.limits))
    };
    // If two tenants claim one organization, genesync writes neither.
    let said = fleet.tenants.iter().filter_map(said).flatten().collect();
    Ok(Parent { said, limits: Some(RunLimits::of(&fleet.limits)) })
}

/// Returns the guard limits of a commit's first parent; empty if it has no parent.
///
/// # Errors
/// The parent cannot be read; it may be missing in this clone.
pub fn parent(source: &Source, revision: &str, today: Date) -> Result<Parent, SourceError> {
    match source.parent(revision)? {
        Some(parent) => said_at(source, parent.as_str(), today),
        None => Ok(Parent::default()),
    }
}
