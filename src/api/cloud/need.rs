//! One thing that a client has to be allowed, and what in git makes it so.

use crate::model::{ObjectKind, ReferenceKind, Resource, reference};

/// Commands that only look.
const LOOKS: &str = "plan, adopt, import, run, apply";
/// Commands that write, where the tenant is enforced.
const WRITES: &str = "run, apply";

/// What in git makes a permission necessary.
#[derive(Debug, Clone, Copy)]
pub enum Use {
    /// Anything.
    Always,
    /// An object of this kind.
    Kind(ObjectKind),
    /// A reference to one of these.
    References(&'static [ReferenceKind]),
    /// Nothing: it goes without, and tells less. The text says how.
    Wish(&'static str),
}

impl Use {
    /// Whether any of these resources makes it so.
    pub fn is_in(self, resources: &[Resource]) -> bool {
        match self {
            Use::Always => true,
            Use::Wish(_) => false,
            Use::Kind(kind) => resources.iter().any(|known| known.object.kind == kind),
            Use::References(kinds) => resources
                .iter()
                .flat_map(|known| reference::mentions(known.object.kind, &known.desired.body))
                .any(|mention| kinds.contains(&mention.reference.kind)),
        }
    }

    /// When that is, in words.
    pub fn when(self) -> String {
        match self {
            Use::Always => "always".into(),
            Use::Wish(without) => format!("optional: without it, {without}"),
            Use::Kind(kind) => {
                let name = kind.name();
                let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
                format!("where git has {article} `{name}`")
            }
            Use::References(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                format!("where git refers to some {}", names.join(", or some "))
            }
        }
    }
}

/// One thing that a client has to be allowed.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// What for.
    pub what: &'static str,
    /// The permissions, all of which are needed.
    pub permissions: &'static [&'static str],
    /// The commands that need it.
    pub commands: &'static str,
    /// What in git makes it so.
    pub of: Use,
    /// What is read to find out; none where only a write would tell.
    pub probe: Option<&'static str>,
}

/// What a look needs.
pub(super) const fn to_look(
    what: &'static str,
    permissions: &'static [&'static str],
    of: Use,
    probe: Option<&'static str>,
) -> Need {
    Need { what, permissions, commands: LOOKS, of, probe }
}

/// What a write needs: only a write would tell whether it is there.
pub(super) const fn to_write(what: &'static str, permissions: &'static [&'static str], of: Use) -> Need {
    Need { what, permissions, commands: WRITES, of, probe: None }
}

impl Need {
    /// Whether nothing is written by it.
    pub fn only_looks(&self) -> bool {
        self.commands != WRITES
    }
}
