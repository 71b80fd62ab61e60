//! One fleet, every shell: `apply`, `run --once` and the controller come to the same end, tenant by tenant.
//!
//! `virtual_world` runs the pass in this process, over real SQLite and a world under virtual time: hundreds of random
//! fleets as `apply` and as `run --once`, each held against rules that the pass does not know. `loopback` runs the
//! real binary over real HTTP, and the controller beside the other two. `stories` are passes that random fleets do not
//! come to.

mod fleet;
mod loopback;
mod stories;
mod virtual_world;
