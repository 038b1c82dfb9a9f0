//! Positions in the text that the client sent.

use apollo_compiler::parser::SourceSpan;
use async_graphql::Pos;

/// Turns byte offsets into lines and columns, as the specification counts them: a line ends with a
/// line feed, a carriage return, or both; columns count characters. Offsets that ascend are cheap.
pub(super) struct PositionTracker<'a> {
    text: &'a str,
    offset: usize,
    pos: Pos,
}

const START: Pos = Pos { line: 1, column: 1 };

impl<'a> PositionTracker<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            pos: START,
        }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Whether the text of a span begins with a character.
    pub(super) fn starts_with(&self, span: Option<SourceSpan>, c: char) -> bool {
        let text = span.and_then(|span| self.text.get(span.offset()..));
        text.is_some_and(|text| text.starts_with(c))
    }

    /// The position of a byte.
    pub(super) fn at(&mut self, offset: usize) -> Pos {
        if offset < self.offset {
            (self.offset, self.pos) = (0, START);
        }
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        let mut rest = passed.chars().peekable();
        while let Some(c) = rest.next() {
            // Of a line end of two characters the second counts.
            let is_half = c == '\r' && self.follows(passed, rest.peek(), offset);
            match c {
                '\r' | '\n' if !is_half => {
                    self.pos.line += 1;
                    self.pos.column = 1;
                }
                _ => self.pos.column += 1,
            }
        }
        self.offset = offset.max(self.offset);
        self.pos
    }

    /// Whether a line feed follows a carriage return, within the passed text or right behind it.
    fn follows(&self, passed: &str, next: Option<&char>, offset: usize) -> bool {
        match next {
            Some(next) => *next == '\n',
            None => !passed.is_empty() && self.text.as_bytes().get(offset) == Some(&b'\n'),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Pos;

    use super::PositionTracker;

    fn at(text: &str, offset: usize) -> (usize, usize) {
        let Pos { line, column } = PositionTracker::new(text).at(offset);
        (line, column)
    }

    #[test]
    fn lines_end_as_the_specification_says_and_columns_count_characters() {
        assert_eq!(at("{a}", 1), (1, 2));
        assert_eq!(at("\n{a}", 1), (2, 1));
        assert_eq!(at("\r{a}", 1), (2, 1));
        assert_eq!(at("\r\n{a}", 2), (2, 1));
        assert_eq!(at("\n\r{a}", 2), (3, 1));
        assert_eq!(at("#é💩\n{é}", 9), (2, 2));
        assert_eq!(at("ab", 99), (1, 1));
    }

    #[test]
    fn offsets_may_go_back() {
        let text = "a\r\nb\nc";
        let mut positions = PositionTracker::new(text);
        let found: Vec<_> = [5, 0, 3, 5, 1]
            .map(|offset| positions.at(offset))
            .map(|pos| (pos.line, pos.column))
            .to_vec();
        assert_eq!(found, [(3, 1), (1, 1), (2, 1), (3, 1), (1, 2)]);
    }
}
