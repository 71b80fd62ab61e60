//! genesync keeps the web messaging configuration of many Genesys organizations equal to what a git
//! repository says, and proves it.
//!
//! Configuration, the first wing:
//!
//! ```text
//!  git ─> source ─> manifest ─> validate ─> plan ─> apply ─> replicate ─> confirm
//!         files     spans,      findings    what    one      one job,     one audit
//!         by blob   layers                  differs write    read back    entry each
//!                                           └──────── reconcile ─────────┘
//! ```
//!
//! Messages, the second wing, which is not built yet:
//!
//! ```text
//!  custom platform ─> receive ─> lane ─> deliver ─> settle ─> outbox ─> webhooks
//!                     signature, order   one        read      signed,
//!                     one insert         request    back      retried
//! ```
//!
//! Both use the same ports: `platform` reaches an API, `api` has the dialects, `store` keeps what must not be lost,
//! `service` is the process. Below, a line for each module, in reading order.

pub mod model; // the values that travel between stages; `kind.rs` is the table of kinds

// The stages of configuration, in the order of its path.
pub mod source; // 1: a repository or a folder to a snapshot of files
pub mod manifest; // 2: files to documents with the place of every value, and to what they ask for
pub mod validate; // 3: documents to findings, one rule a file
pub mod plan; // 4: what git says against what is live and what was applied, one guard a file
pub mod apply; // 5: what an answer to a write means for what comes next
pub mod replicate; // 6: which organization is owed which write, and by which means
pub mod confirm; // 7: receipts against entries of the audit log

pub mod reconcile; // the pure core: one run of one tenant, and the only place that knows the order of the stages

// The ports, with `source`: what the stages and the core never touch.
pub mod platform; // accounts, tokens, pacing, hosts, the one send function
pub mod api; // the dialects: their wire types and their verbs
pub mod store; // journal, bases, leases, history: SQLite or PostgreSQL
pub mod config; // the operator's settings
pub mod clock; // the time
pub mod crash; // the points at which a test ends the process
pub mod private; // files of ours that only their owner may read
pub mod telemetry; // logs, metrics, traces
pub mod notify; // messages to people
pub mod forge; // comments on pull requests

// The shells around all of it.
pub mod fleet; // what git says of all tenants
pub mod driver; // where the core meets the ports: performs its effects, one pass over many tenants
pub mod controller; // which tenant is due, one run for each
pub mod service; // the process: listen, probes, reload, drain; hosts the controller
pub mod render; // plans and findings as text, JSON, Markdown, HTML and pictures
pub mod emulator; // Genesys in this process, from the contracts alone
pub mod lsp; // findings in an editor
pub mod cli; // one file a command; `failure.rs` decides the message and the exit code
