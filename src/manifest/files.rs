//! Keeps the texts of one load, to turn a span into a file, a line and a column.

use std::sync::Arc;

use super::yaml::Span;
use crate::model::Location;
use crate::model::text::with_line_feeds;

/// One file's path and text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path from the repository's root.
    pub path: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// The byte where each line starts.
    starts: Arc<[u32]>,
}

/// The files of one tenant: the shared layers first, then its own.
#[derive(Debug, Clone, Default)]
pub struct Files {
    shared: Arc<[SourceFile]>,
    own: Vec<SourceFile>,
}

impl SourceFile {
    /// Creates a file and finds its lines once, because a broken file can have thousands of findings.
    fn new(path: Arc<str>, text: Arc<str>) -> Self {
        let lines = with_line_feeds(&text);
        let starts = std::iter::once(0).chain(lines.match_indices('\n').map(|(newline, _)| newline + 1));
        let starts = starts.map(|start| u32::try_from(start).unwrap_or(u32::MAX)).collect();
        drop(lines);
        Self { path, text, starts }
    }

    /// Returns the line and the column of a byte, both counted from 1, the column in characters.
    fn position(&self, byte: usize) -> (u32, u32) {
        let mut end = byte.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.starts.partition_point(|&start| start as usize <= end);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or_default();
        let before = self.text.get(start as usize..end).unwrap_or_default();
        let column = before.chars().filter(|&c| c != '\u{feff}').count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

impl Files {
    /// Starts with the files that every tenant shares.
    pub fn with_shared(shared: Arc<[SourceFile]>) -> Self {
        Self { shared, own: Vec::new() }
    }

    /// Adds a file and returns its number.
    pub fn add(&mut self, path: Arc<str>, text: Arc<str>) -> u32 {
        self.own.push(SourceFile::new(path, text));
        u32::try_from(self.shared.len() + self.own.len() - 1).unwrap_or(u32::MAX)
    }

    /// Returns the file with this number.
    pub fn file(&self, number: u32) -> Option<&SourceFile> {
        let number = number as usize;
        self.shared.get(number).or_else(|| self.own.get(number.checked_sub(self.shared.len())?))
    }

    /// Returns the file at this path.
    pub fn by_path(&self, path: &str) -> Option<&SourceFile> {
        self.own.iter().chain(self.shared.iter()).find(|file| &*file.path == path)
    }

    /// Returns the file, line and column of a span.
    pub fn locate(&self, span: Span) -> Location {
        let Some(file) = self.file(span.file) else { return Location::file("") };
        let (line, column) = file.position(span.start as usize);
        Location { file: Arc::clone(&file.path), line, column, bytes: span.start..span.end }
    }

    /// Returns all files as one list, for [`Files::with_shared`].
    pub fn into_shared(self) -> Arc<[SourceFile]> {
        self.shared.iter().cloned().chain(self.own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::SourceFile;

    #[test]
    fn positions_count_characters_and_skip_the_byte_order_mark() {
        let table = [
            ("abc", 0, (1, 1)),
            ("a\nbc", 3, (2, 2)),
            ("a\rbc", 3, (2, 2)),
            ("a\r\nbc", 4, (2, 2)),
            ("ü: ß", 4, (1, 4)),
            ("\u{feff}a", 3, (1, 1)),
            ("a", 99, (1, 2)),
        ];
        for (text, byte, expected) in table {
            assert_eq!(
                SourceFile::new("f".into(), text.into()).position(byte),
                expected,
                "{text:?} at {byte}"
            );
        }
    }
}
