//! Classifies a change of the pinned configuration: the worst difference between the old and the new one.
//!
//! In: the changes of a deployment, its pin, and the configurations of its organization. Out: the
//! changes with their class and loss. This module never treats an unknown configuration as equal. Start
//! reading at [`judge`].

use serde_json::{Map, Value};

use super::class::{Step, class_of, loss_of};
use super::diff;
use super::resolve::{self, Organization, PINNED};
use crate::model::{Change, ChangeKind, Class, Desired, ObjectKind, Observed, Protect, Stored, json};

/// Sets the class and loss of changes to a pin by the worst difference that visitors see. If another
/// configuration replaces the pinned one and the two cannot be compared, the class is [`Class::Off`].
pub fn judge(at: usize, desired: &Desired, known: Organization<'_>, changes: &mut [Change]) {
    let Some(kind) = known.resources.get(at).map(|resource| resource.object.kind) else { return };
    let Some(section) = kind.pins() else { return };
    let id = format!("{section}.id");
    let is_exchanged = changes.iter().any(|change| change.path == id);
    let Some(Observed::Present(stored)) = known.observed.get(at) else { return };
    if !changes.iter().any(|change| change.path == id || change.path == PINNED) {
        return;
    }
    let served = served(stored);
    let wanted = json::at_dotted(&desired.body, &id).and_then(Value::as_str);
    let wanted = wanted.and_then(|id| resolve::wanted_by_id(id, known));
    for change in changes.iter_mut().filter(|change| change.path == id || change.path == PINNED) {
        let (class, theirs, loss) = match (served, &wanted) {
            (Some(served), Some((kind, wanted))) => {
                // The part of another user is the step from the wanted body to the served body.
                let set_back = worst(*kind, served, wanted);
                match change.kind {
                    ChangeKind::ToApply => (set_back.0, None, set_back.1),
                    ChangeKind::Drift | ChangeKind::Conflict => {
                        let theirs = worst(*kind, wanted, served).0;
                        (theirs, Some(theirs), set_back.1)
                    }
                }
            }
            _ if is_exchanged => (Class::Off, change.theirs.map(|_| Class::Off), Some(Protect::Off)),
            _ => continue,
        };
        change.class = change.class.max(class);
        change.theirs = change.theirs.max(theirs);
        change.loss = change.loss.or(loss);
    }
}

/// Returns the body of the pinned version.
fn served(stored: &Stored) -> Option<&Map<String, Value>> {
    stored.instance.as_ref()?.pinned.as_ref()?.body.as_deref()
}

/// Returns the worst class of the differences between two bodies, and the loss for visitors.
fn worst(
    kind: ObjectKind,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> (Class, Option<Protect>) {
    let step = Step { kind, before, after };
    let paths = diff::differing(kind, before, after);
    let class = paths.iter().map(|path| class_of(step, path)).max().unwrap_or(Class::Cosmetic);
    let loss = paths.iter().filter_map(|path| loss_of(step, path)).min();
    (class, loss)
}
