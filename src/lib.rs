pub mod model;
pub mod manifest;
pub mod validate;
pub mod plan;
pub mod apply;
pub mod replicate;
pub mod confirm;
pub mod reconcile;
