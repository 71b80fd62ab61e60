//! genesync keeps the web messaging configuration of many Genesys organizations equal to a git repository,
//! and confirms every write in the audit log.
//!
//! Configuration:
//!
//! ```text
//!  git ─> source ─> manifest ─> validate ─> plan ─> apply ─> replicate ─> confirm
//!         files     spans,      findings    what    one      one job,     one audit
//!         by blob   layers                  differs write    read back    entry each
//!                                           └──────── reconcile ─────────┘
//! ```
//!
//! Messages (only the check of signatures is built yet):
//!
//! ```text
//!  custom platform ─> receive ─> lane ─> deliver ─> settle ─> outbox ─> webhooks
//!                     signature, order   one        read      signed,
//!                     one insert         request    back      retried
//! ```
//!
//! Both use the same ports: `platform` sends requests, `api` has the dialects, `store` keeps the state,
//! `service` is the process. The modules below are in reading order.

pub mod model; // the values that pass between the stages; `kind.rs` has the table of kinds

// The stages of configuration, in the order in which they run.
pub mod source; // 1: reads a repository or a folder into a snapshot of files
pub mod manifest; // 2: parses files into documents with the position of every value, and into desired bodies
pub mod validate; // 3: checks documents and returns findings, one rule per file
pub mod plan; // 4: compares desired, observed and base, one guard per file
pub mod apply; // 5: decides the next step from the answer to a write
pub mod replicate; // 6: decides which organization gets which write, and by which method
pub mod confirm; // 7: matches receipts with audit entries

pub mod reconcile; // the pure core: one run of one tenant; only it knows the order of the stages

pub mod messages; // the messages of custom channels: pure, like the stages

// The ports, with `source`: they do the input and output, which the stages and the core never do.
pub mod platform; // accounts, tokens, pacing, hosts, the one send function
pub mod api; // the dialects: their wire types and their requests
pub mod store; // journal, bases, leases, history: SQLite or PostgreSQL
pub mod config; // the operator's settings
pub mod clock; // the only reader of the clocks
pub mod crash; // the points at which a test ends the process
pub mod private; // files and folders that only their owner may read
pub mod telemetry; // logs, metrics, traces
pub mod notify; // messages to people
pub mod forge; // comments on pull requests

// The outer layers, which use all of the above.
pub mod fleet; // the desired configuration of all tenants
pub mod driver; // performs the effects of the core through the ports, in one pass over many tenants
pub mod controller; // decides which tenant is due, and starts one run for each
pub mod service; // the process: listen, probes, reload, drain; hosts the controller
pub mod render; // plans and findings as text, JSON, Markdown, HTML and pictures
pub mod emulator; // a Genesys API in this process, written from the contracts alone
pub mod lsp; // findings in an editor
pub mod cli; // one file per command; `failure.rs` decides the message and the exit code
