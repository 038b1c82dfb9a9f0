//! A page of a list of version 1, and its links: cursors are internal identifiers and exclusive, an
//! exhausted one is an error, and `previous` starts one row late.

use std::ops::Range;

use serde_json::{Map, Value};

use super::error::UsertourError;
use super::qs;
use super::rules::{self, Limit};

/// A request for a list.
pub(super) struct ListRequest<'a> {
    /// The path as it was sent.
    pub(super) path: &'a str,
    /// The query as it was sent.
    pub(super) raw: &'a str,
    /// The query, parsed.
    pub(super) query: &'a Map<String, Value>,
}

/// The rows of a page, and the links to its neighbours.
pub(super) struct Page {
    /// The rows, by their position in the filtered list.
    pub(super) rows: Range<usize>,
    next: Option<String>,
    previous: Option<String>,
}

impl Page {
    /// The envelope around the results.
    pub(super) fn envelope(&self, results: &[Value]) -> Value {
        serde_json::json!({
            "results": results,
            "next": self.next,
            "previous": self.previous,
        })
    }
}

impl ListRequest<'_> {
    /// The page of a filtered list, which is given by its internal identifiers.
    pub(super) fn page(
        &self,
        keys: &[&str],
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<Page, UsertourError> {
        let cursor = cursor.filter(|cursor| !cursor.is_empty());
        let start = match cursor {
            None => 0,
            Some(cursor) => {
                rules::storable(cursor)?;
                let found = keys.iter().position(|key| *key == cursor);
                found.ok_or(UsertourError::Cursor)? + 1
            }
        };
        let end = keys.len().min(start + limit.rows());
        if cursor.is_some() && start == end {
            return Err(UsertourError::Cursor);
        }
        let next = (end < keys.len()).then(|| self.link(Some(keys[end - 1]), limit));
        let previous = cursor.map(|_| self.previous(keys, start, limit));
        Ok(Page {
            rows: start..end,
            next,
            previous,
        })
    }

    /// The link to the page before. Its cursor is that page's first row; cursors are exclusive, so
    /// the row is lost.
    fn previous(&self, keys: &[&str], start: usize, limit: Limit) -> String {
        match start.checked_sub(limit.rows()) {
            None | Some(0) => self.link(None, limit),
            Some(first) => self.link(Some(keys[first]), limit),
        }
    }

    /// The request with another cursor. Other parameters stay where they are; the text after a
    /// second question mark is lost.
    fn link(&self, cursor: Option<&str>, limit: Limit) -> String {
        let query = self.raw.split('?').next().unwrap_or_default();
        let mut pairs = qs::pairs(query);
        pairs.retain(|(name, _)| name != "cursor");
        if let Some(cursor) = cursor {
            pairs.push(("cursor".to_owned(), cursor.to_owned()));
        }
        qs::set(&mut pairs, "limit", limit.text());
        match self.query.get("expand") {
            Some(Value::Array(words)) => {
                pairs.retain(|(name, _)| name != "expand" && name != "expand[]");
                let words = words.iter().filter_map(Value::as_str);
                pairs.extend(words.map(|word| ("expand[]".to_owned(), word.to_owned())));
            }
            Some(Value::String(word)) => qs::set(&mut pairs, "expand", word.clone()),
            _ => {}
        }
        format!("{}?{}", self.path, qs::encode(&pairs))
    }
}
