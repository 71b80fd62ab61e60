//! What visitors notice of a deployment that serves another configuration: the worst difference of the two.
//!
//! In: a deployment's changes, what it pins, and the configurations of its organization. Out: the changes with their
//! class and loss. Never: takes two configurations for alike of which one is not known. Start reading at [`judge`].

use serde_json::{Map, Value};

use super::class::{Step, class_of, loss_of};
use super::diff;
use super::resolve::{self, Organization, PINNED};
use crate::model::{Change, ChangeKind, Class, Desired, ObjectKind, Observed, Protect, Stored, json};

/// Gives the changes of what a deployment pins the class of the worst difference that visitors see by them. Where
/// another configuration takes the place of one, and the two can't be compared, it may be anything.
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
                // What somebody did is told from what was to be served to what is.
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

/// What the version that is pinned holds.
fn served(stored: &Stored) -> Option<&Map<String, Value>> {
    stored.instance.as_ref()?.pinned.as_ref()?.body.as_deref()
}

/// The worst of what visitors notice between two bodies, and what it takes from them.
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
