//! What a change does to visitors.

use serde::{Deserialize, Serialize};

/// What a change does to the visitors of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// How it looks.
    Cosmetic,
    /// What it says.
    Text,
    /// How it acts.
    Behaviour,
    /// Who sees it.
    Reach,
    /// Something that visitors had is switched off.
    Off,
}

impl Class {
    /// The word used in output.
    pub fn name(self) -> &'static str {
        match self {
            Class::Cosmetic => "cosmetic",
            Class::Text => "text",
            Class::Behaviour => "behaviour",
            Class::Reach => "reach",
            Class::Off => "off",
        }
    }
}
