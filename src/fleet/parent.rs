//! What the commit before another says of guards: it stands in for what was applied last where no state knows that.

use jiff::civil::Date;

use super::load::{Loaded, Options, load};
use crate::model::Said;
use crate::model::precedent::{Parent, RunLimits};
use crate::source::{Source, SourceError};

/// What a commit says of the guards of each of its organizations, and of a run.
///
/// # Errors
/// It can't be read.
pub fn said_at(source: &Source, revision: &str, today: Date) -> Result<Parent, SourceError> {
    let fleet = load(source, revision, &Options::on(today))?;
    let said = |loaded: &Loaded| {
        let tenant = loaded.tenant.as_ref()?;
        Some(Said::of_each(tenant, &loaded.resources, &fleet.limits))
    };
    // Where two tenants claim one organization, neither is written.
    let said = fleet.tenants.iter().filter_map(said).flatten().collect();
    Ok(Parent { said, limits: Some(RunLimits::of(&fleet.limits)) })
}

/// What the first parent of a commit says; nothing where it has none.
///
/// # Errors
/// The parent can't be read: it may not be in this clone.
pub fn parent(source: &Source, revision: &str, today: Date) -> Result<Parent, SourceError> {
    match source.parent(revision)? {
        Some(parent) => said_at(source, parent.as_str(), today),
        None => Ok(Parent::default()),
    }
}
