//! The rows that pages hold.

/// A row of a list: a record with a key, by which it is known again on another page.
pub trait Row {
    /// The name of the rows in messages: `users`.
    const PLURAL: &'static str;

    /// The key: rows of equal keys are the same row. That of a row that cannot be read is never
    /// used.
    fn key(&self) -> &str;

    /// The text of a row that cannot be read, by which it is counted; `None` for a row that can be
    /// read. An unreadable row keeps its index in the page, and is never returned.
    fn unreadable_text(&self) -> Option<&str> {
        None
    }

    /// Whether the row cannot be read.
    fn is_unreadable(&self) -> bool {
        self.unreadable_text().is_some()
    }
}
