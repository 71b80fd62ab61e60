//! One permission need of a client, and the part of git that causes it.

use crate::model::{ObjectKind, ReferenceKind, Resource, reference};

/// Commands that only read.
const LOOKS: &str = "plan, adopt, import, run, apply";
/// Commands that write if the tenant is enforced.
const WRITES: &str = "run, apply";

/// The part of git that makes a permission necessary.
#[derive(Debug, Clone, Copy)]
pub enum Use {
    /// Any tenant.
    Always,
    /// An object of this kind.
    Kind(ObjectKind),
    /// A reference to one of these.
    References(&'static [ReferenceKind]),
    /// Optional: without it genesync reports less. The text says what.
    Wish(&'static str),
}

impl Use {
    /// Whether any of these resources needs it.
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

    /// Returns the condition as text.
    pub fn when(self) -> String {
        match self {
            Use::Always => "always".into(),
            Use::Wish(without) => format!("optional: without it, {without}"),
            Use::Kind(kind) => {
                let name = kind.name();
                let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
                format!("if git has {article} `{name}`")
            }
            Use::References(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                format!("if git refers to some {}", names.join(", or some "))
            }
        }
    }
}

/// One permission need of a client.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// The purpose.
    pub what: &'static str,
    /// The permissions, all of which are needed.
    pub permissions: &'static [&'static str],
    /// The commands that need it.
    pub commands: &'static str,
    /// The part of git that makes it necessary.
    pub of: Use,
    /// The path that is read to check it; none if only a write would show it.
    pub probe: Option<&'static str>,
}

/// Returns a need for reading.
pub(super) const fn to_look(
    what: &'static str,
    permissions: &'static [&'static str],
    of: Use,
    probe: Option<&'static str>,
) -> Need {
    Need { what, permissions, commands: LOOKS, of, probe }
}

/// Returns a need for writing: only a write would show whether the client has it.
pub(super) const fn to_write(what: &'static str, permissions: &'static [&'static str], of: Use) -> Need {
    Need { what, permissions, commands: WRITES, of, probe: None }
}

impl Need {
    /// Whether it is only for reading.
    pub fn only_looks(&self) -> bool {
        self.commands != WRITES
    }
}
