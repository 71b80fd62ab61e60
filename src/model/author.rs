//! The author of a live value, or the reason why the author is unknown.
//!
//! In: nothing. Out: the types. Never: guesses; the stage `plan` names an author only if the audit log
//! proves it.
//! Start reading at [`Author`].

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::Actor;
use super::text::escape;

/// What a named user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Changed it.
    Changed,
    /// Published it: another user may have drafted what was published.
    Published,
}

impl Deed {
    /// Returns the verb that follows the name.
    pub fn verb(self) -> &'static str {
        match self {
            Deed::Changed => "changed",
            Deed::Published => "published",
        }
    }

    fn is_changed(&self) -> bool {
        *self == Deed::Changed
    }
}

/// Who moved a live value, when and from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// The user or client.
    pub actor: Actor,
    /// What they did; omitted if they changed it.
    #[serde(skip_serializing_if = "Deed::is_changed")]
    pub deed: Deed,
    /// When, by the server's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The IP address, from the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
}

impl Attribution {
    /// Returns the words before the name.
    pub fn preposition(&self) -> &'static str {
        match self.deed {
            Deed::Changed => "by",
            Deed::Published => "published by",
        }
    }
}

/// Why the audit log does not name an author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Untold {
    /// genesync has not read the log, or the log did not answer.
    #[default]
    NotLookedFor,
    /// genesync read the log and found no entry yet.
    NotFound {
        /// How often genesync read it.
        looks: u32,
        /// The last read, by genesync's clock.
        until: Timestamp,
    },
    /// The client may not read the log.
    Denied {
        /// The permission that the client lacks.
        permission: &'static str,
    },
    /// The change is older than the entries that genesync read.
    OutOfReach,
    /// The entry names no field.
    NoField,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untold::NotLookedFor => f.write_str("the audit log has given no answer yet"),
            Untold::NotFound { looks, until } => {
                let s = if *looks == 1 { "" } else { "s" };
                write!(f, "no audit entry found ({looks} lookup{s} until {})", until.strftime("%H:%M:%S UTC"))
            }
            Untold::Denied { permission } => {
                write!(f, "the client has no permission to read the audit log ({permission})")
            }
            Untold::OutOfReach => f.write_str("the change is older than the entries that genesync read"),
            Untold::NoField => f.write_str("the audit entry names no field"),
        }
    }
}

/// Whether genesync read the audit log, and with which result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Log {
    /// genesync did not read it, or it did not answer.
    #[default]
    NotAsked,
    /// The client may not read it.
    Denied {
        /// The permission that the client lacks.
        permission: &'static str,
    },
    /// It answered.
    Asked {
        /// How often it answered.
        looks: u32,
        /// The start of the period that genesync asked for.
        from: Timestamp,
        /// The last read.
        until: Timestamp,
    },
}

impl Log {
    /// Returns why the log has no entry for a change; `at` is the time of the change if it is known.
    pub fn untold(self, at: Option<Timestamp>) -> Untold {
        match self {
            Log::NotAsked => Untold::NotLookedFor,
            Log::Denied { permission } => Untold::Denied { permission },
            Log::Asked { from, .. } if at.is_some_and(|at| at < from) => Untold::OutOfReach,
            Log::Asked { looks, until, .. } => Untold::NotFound { looks, until },
        }
    }

    /// Returns the state after one more answer.
    #[must_use]
    pub fn asked_again(self, from: Timestamp, until: Timestamp) -> Self {
        let looks = match self {
            Log::Asked { looks, .. } => looks + 1,
            Log::NotAsked | Log::Denied { .. } => 1,
        };
        Log::Asked { looks, from, until }
    }
}

/// Who gave a field its live value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Author {
    /// Another user, with proof.
    Named(Attribution),
    /// One of genesync's own OAuth clients, with proof.
    Own(Attribution),
    /// Not known yet.
    Unknown(Untold),
}

impl Serialize for Untold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Author {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Document<'a> {
            Named(&'a Attribution),
            Own {
                #[serde(flatten)]
                by: &'a Attribution,
                own: bool,
            },
            Unknown {
                unknown: Untold,
            },
        }
        let reported = match self {
            Author::Named(by) => Document::Named(by),
            Author::Own(by) => Document::Own { by, own: true },
            Author::Unknown(untold) => Document::Unknown { unknown: *untold },
        };
        reported.serialize(serializer)
    }
}

/// Prints `by Mara Ionescu, 2026-11-29 10:00:00 UTC, from 192.0.2.1` and escapes hidden characters.
impl fmt::Display for Attribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reported(f, "")
    }
}

impl Attribution {
    fn reported(&self, f: &mut fmt::Formatter<'_>, own: &str) -> fmt::Result {
        write!(f, "{} {own}{}", self.preposition(), escape(&self.actor.label()))?;
        if let Some(at) = self.at {
            write!(f, ", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))?;
        }
        match &self.remote_ip {
            Some(ip) => write!(f, ", from {}", escape(ip)),
            None => Ok(()),
        }
    }
}

/// Prints the author, or why the author is unknown.
impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Author::Named(by) => by.reported(f, ""),
            Author::Own(by) => by.reported(f, "our own "),
            Author::Unknown(untold) => write!(f, "author not known: {untold}"),
        }
    }
}

impl Author {
    /// Whether two fields have the same author; two unknown authors count as the same.
    pub fn is_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        let id = |author: Option<&Author>| match author {
            Some(Author::Named(by) | Author::Own(by)) => Some(by.actor.id.clone()),
            Some(Author::Unknown(_)) | None => None,
        };
        id(one) == id(other)
    }

    /// Returns the author if it is another user.
    pub fn other(&self) -> Option<&Attribution> {
        match self {
            Author::Named(by) => Some(by),
            Author::Own(_) | Author::Unknown(_) => None,
        }
    }
}
