//! Who gave a field its live value, and where nobody can be named, why not.
//!
//! In: nothing. Out: the types. Never: guesses; who is named is decided in the stage `plan`, from proof alone.
//! Start reading at [`Author`].

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::Actor;
use super::text::escape;

/// What somebody did of which a name is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Changed it.
    Changed,
    /// Published it: another user may have drafted what was published.
    Published,
}

impl Deed {
    /// The verb that goes after the name.
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
    /// Who.
    pub actor: Actor,
    /// What they did; left out where they changed it.
    #[serde(skip_serializing_if = "Deed::is_changed")]
    pub deed: Deed,
    /// When, by the server's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// From where, as the audit log says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
}

impl Attribution {
    /// The word that goes before the name.
    pub fn preposition(&self) -> &'static str {
        match self.deed {
            Deed::Changed => "by",
            Deed::Published => "published by",
        }
    }
}

/// What the audit log does not tell, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Untold {
    /// Nobody asked it, or it did not answer.
    #[default]
    NotLookedFor,
    /// It was asked, and has no entry yet.
    NotFound {
        /// How often.
        looks: u32,
        /// Up to when, by our clock.
        until: Timestamp,
    },
    /// We may not ask it.
    Denied {
        /// What the client lacks.
        permission: &'static str,
    },
    /// It happened before what was asked for.
    OutOfReach,
    /// Its entry names no field.
    NoField,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untold::NotLookedFor => f.write_str("not looked for yet"),
            Untold::NotFound { looks, until } => {
                let s = if *looks == 1 { "" } else { "s" };
                write!(f, "not found ({looks} look{s} until {})", until.strftime("%H:%M:%S UTC"))
            }
            Untold::Denied { permission } => {
                write!(f, "the audit log may not be asked (permission {permission})")
            }
            Untold::OutOfReach => f.write_str("out of the audit log's reach"),
            Untold::NoField => f.write_str("the audit log names no field"),
        }
    }
}

/// Whether the audit log was asked, and how that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Log {
    /// It was not, or did not answer.
    #[default]
    NotAsked,
    /// We may not ask it.
    Denied {
        /// What the client lacks.
        permission: &'static str,
    },
    /// It answered.
    Asked {
        /// How often it did.
        looks: u32,
        /// From when entries were asked for.
        from: Timestamp,
        /// When it was asked last.
        until: Timestamp,
    },
}

impl Log {
    /// Why the log does not tell of a change that was made then, if that is known.
    pub fn untold(self, at: Option<Timestamp>) -> Untold {
        match self {
            Log::NotAsked => Untold::NotLookedFor,
            Log::Denied { permission } => Untold::Denied { permission },
            Log::Asked { from, .. } if at.is_some_and(|at| at < from) => Untold::OutOfReach,
            Log::Asked { looks, until, .. } => Untold::NotFound { looks, until },
        }
    }

    /// The same after it was asked once more.
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
    /// Somebody else: there is proof.
    Named(Attribution),
    /// One of our own clients: there is proof.
    Own(Attribution),
    /// Nobody can be named yet.
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
        enum Told<'a> {
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
        let told = match self {
            Author::Named(by) => Told::Named(by),
            Author::Own(by) => Told::Own { by, own: true },
            Author::Unknown(untold) => Told::Unknown { unknown: *untold },
        };
        told.serialize(serializer)
    }
}

/// `by Mara Ionescu, 2026-11-29 10:00:00 UTC, from 192.0.2.1`, with hidden characters shown.
impl fmt::Display for Attribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told(f, "")
    }
}

impl Attribution {
    fn told(&self, f: &mut fmt::Formatter<'_>, own: &str) -> fmt::Result {
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

/// Who it was, or why nobody is named.
impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Author::Named(by) => by.told(f, ""),
            Author::Own(by) => by.told(f, "our own "),
            Author::Unknown(untold) => write!(f, "author not known: {untold}"),
        }
    }
}

impl Author {
    /// Whether two fields were moved by the same user, or of neither is known by whom.
    pub fn is_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        let id = |author: Option<&Author>| match author {
            Some(Author::Named(by) | Author::Own(by)) => Some(by.actor.id.clone()),
            Some(Author::Unknown(_)) | None => None,
        };
        id(one) == id(other)
    }

    /// Whoever it was, if that was not us.
    pub fn other(&self) -> Option<&Attribution> {
        match self {
            Author::Named(by) => Some(by),
            Author::Own(_) | Author::Unknown(_) => None,
        }
    }
}
