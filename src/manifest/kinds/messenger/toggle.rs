//! A switch, which many sections of the platform's configuration have.

use crate::manifest::kinds::field::{Field, fields};

fields! {
    /// A switch.
    pub struct Toggle {
        /// Whether it is on.
        pub enabled: Field<bool>,
    }
}
