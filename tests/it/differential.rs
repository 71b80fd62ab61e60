//! One fleet, every shell: `apply`, `run --once` and the controller reach the same result, tenant by tenant.
//!
//! `virtual_world` runs the pass in this process, over real SQLite and a world under virtual time. It plays
//! hundreds of random fleets as `apply` and as `run --once`, and checks each against rules that are
//! independent of the pass. `loopback` runs the real binary over real HTTP, and the controller beside the
//! other two. `stories` are passes that random fleets do not reach.

mod fleet;
mod loopback;
mod stories;
mod virtual_world;
