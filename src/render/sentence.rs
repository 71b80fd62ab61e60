//! A sentence about a plan, as a list of words of genesync and values of configurations.
//!
//! Each renderer escapes a [`Part::Value`], so that it is only text.

use serde::{Serialize, Serializer};

use crate::model::Class;

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words of genesync.
    Words(String),
    /// A value of a manifest or of a live configuration.
    Value(String),
}

/// One sentence on what visitors will notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The effect on visitors.
    pub class: Class,
    /// The pieces, in order.
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

    /// Returns the sentence as plain text.
    pub fn text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Value(value) => format!("“{value}”"),
        };
        self.parts.iter().map(text).collect()
    }
}
