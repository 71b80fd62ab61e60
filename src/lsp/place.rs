//! Converts between editor positions and bytes. An editor counts lines from 0 and columns in UTF-16 units.

use tower_lsp_server::ls_types::{Position, Range};

use crate::model::Location;
use crate::model::text::with_line_feeds;

/// Returns the byte at an editor position; none below the last line.
pub fn byte(text: &str, position: Position) -> Option<usize> {
    let text = &*with_line_feeds(text);
    let start = match position.line {
        0 => 0,
        line => text.match_indices('\n').nth(line as usize - 1)?.0 + 1,
    };
    let line = text.get(start..)?.split('\n').next().unwrap_or_default();
    let mut units = 0;
    for (at, c) in line.char_indices() {
        if units >= position.character {
            return Some(start + at);
        }
        units += c.len_utf16() as u32;
    }
    Some(start + line.trim_end_matches('\r').len())
}

/// Returns the editor position of a byte.
pub fn position(text: &str, byte: usize) -> Position {
    let mut end = byte.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // The line feed after a carriage return belongs to the same line, even if the byte is between the two.
    let lines = with_line_feeds(text);
    let before = lines.get(..end).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let units: usize = before.get(start..).unwrap_or_default().chars().map(char::len_utf16).sum();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: count(before.matches('\n').count()), character: count(units) }
}

/// Returns the editor range of a finding; the first line if the finding is about a whole file.
pub fn range(text: &str, location: &Location) -> Range {
    if location.line == 0 {
        let end = text.find(['\r', '\n']).unwrap_or(text.len());
        return Range { start: position(text, 0), end: position(text, end) };
    }
    let (start, end) = (location.bytes.start as usize, location.bytes.end as usize);
    Range { start: position(text, start), end: position(text, end.max(start)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_utf_16_units_and_convert_back_to_the_same_byte() {
        let old = "a\rb\r\rü";
        assert_eq!(position(old, old.find('ü').unwrap()), Position { line: 3, character: 0 });
        assert_eq!(byte(old, Position { line: 1, character: 0 }), Some(2));
        let text = "a: ü\r\nb: 👋x\n\nlast";
        for (at, _) in text.char_indices().filter(|(_, c)| *c != '\r' && *c != '\n') {
            assert_eq!(byte(text, position(text, at)), Some(at), "{at}");
        }
        assert_eq!(position(text, text.find('x').unwrap()), Position { line: 1, character: 5 });
        assert_eq!(byte(text, Position { line: 0, character: 99 }), Some("a: ü".len()));
        assert_eq!(byte(text, Position { line: 9, character: 0 }), None);
        assert_eq!(position(text, 999), Position { line: 3, character: 4 });
    }
}
