//! A switch, as the platform has it in many sections.

use crate::manifest::kinds::field::{Field, fields};

fields! {
    /// Something that is on or off.
    pub struct Toggle {
        /// Whether it is on.
        pub enabled: Field<bool>,
    }
}
