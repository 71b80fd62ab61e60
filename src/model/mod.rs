//! The values that travel between stages: data only.
//!
//! In: nothing. Out: the terms of genesync as types. Never: reads a file, a socket, a clock, or imports
//! another module of genesync. Start reading at [`state`], then `plan.rs` and `write.rs`.

pub mod address;
pub mod audit;
pub mod author;
pub mod causes;
pub mod class;
pub mod colour;
pub mod dialect;
pub mod exit;
pub mod finding;
pub mod guard;
pub mod hours;
pub mod id;
pub mod json;
pub mod kind;
pub mod mac;
pub mod mark;
pub mod memory;
pub mod mix;
pub mod needs;
pub mod object;
pub mod place;
pub mod plan;
pub mod precedent;
pub mod proxies;
pub mod record;
pub mod reference;
pub mod referent;
pub mod seal;
pub mod secret;
pub mod snapshot;
pub mod standing;
pub mod state;
pub mod status;
pub mod tenant;
pub mod text;
pub mod timing;
pub mod unmanaged;
pub mod write;
pub mod zone;

pub use audit::{Actor, ActorKind, Confirmation, Entry, Standing};
pub use causes::causes;
pub use class::Class;
pub use dialect::{Bucket, Capabilities, Dialect, Versions};
pub use exit::Exit;
pub use finding::{Finding, Fix, Location, Severity, Waived};
pub use guard::{Guard, Refusal};
pub use id::{CredentialsName, OrganizationId, Region, Revision, SecretName, TenantName};
pub use kind::{Counting, Fields, ObjectKind};
pub use memory::Memory;
pub use mix::mix;
pub use needs::Needs;
pub use object::{Object, ObjectRef};
pub use place::StorePlace;
pub use plan::{Change, ChangeKind, Plan};
pub use precedent::{Precedents, Said};
pub use record::Record;
pub use reference::{Named, Names, Reference};
pub use referent::ReferenceKind;
pub use secret::Secret;
pub use standing::{Position, gate};
pub use state::{
    Base, Baseline, Desired, Draft, Instance, Look, Observed, Pinned, Published, Readiness, Resource, Seen,
    Sighting, Sought, Stored,
};
pub use status::{Retry, Status, StatusRow};
pub use tenant::{
    IgnoreRule, Mode, OnConflict, OnOff, OnUnmanaged, Policy, Protect, Target, Tenant, Wanted,
    WantedSettings, Window,
};
pub use timing::{Intervals, Timing};
pub use write::{Act, Fault, FaultKind, Outcome, Receipt, Receiver, Write};
