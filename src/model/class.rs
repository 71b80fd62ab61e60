//! What a change does to visitors.

use serde::{Deserialize, Serialize};

/// What a change does to the visitors of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The appearance.
    Cosmetic,
    /// The texts.
    Text,
    /// The behaviour.
    Behaviour,
    /// Who sees it.
    Reach,
    /// A feature is switched off.
    Off,
}

impl Class {
    /// Returns the name for output.
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
