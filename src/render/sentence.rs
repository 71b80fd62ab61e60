//! A sentence about a plan, in pieces: words of ours, and values of others.
//!
//! Each renderer keeps a [`Part::Value`] from being anything but text.

use serde::{Serialize, Serializer};

use crate::model::Class;

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words of ours.
    Words(String),
    /// A value out of a manifest or a live configuration.
    Value(String),
}

/// One sentence on what visitors will notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// How much it is to visitors.
    pub class: Class,
    /// Its pieces, in order.
    pub parts: Vec<Part>,
}

impl Serialize for Sentence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl Sentence {
    pub(super) fn new(class: Class, words: impl Into<String>) -> Self {
        Self { class, parts: vec![Part::Words(words.into())] }
    }

    pub(super) fn words(mut self, words: impl Into<String>) -> Self {
        self.parts.push(Part::Words(words.into()));
        self
    }

    pub(super) fn value(mut self, value: impl Into<String>) -> Self {
        self.parts.push(Part::Value(value.into()));
        self
    }

    /// It as plain text.
    pub fn text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Value(value) => format!("“{value}”"),
        };
        self.parts.iter().map(text).collect()
    }
}
