//! A page of a list, and the links beside it: exclusive cursors by internal identifier, an
//! exhausted one an error, and `previous` one row late.

use std::ops::Range;

use serde_json::{Map, Value};

use super::failure::Failure;
use super::qs;
use super::rules::{self, Limit};

/// What a list request asks for, its cursor and limit valid.
pub(super) struct Asked<'a> {
    /// The path as it was sent.
    pub(super) path: &'a str,
    /// The query as it was sent.
    pub(super) raw: &'a str,
    /// The query, parsed.
    pub(super) query: &'a Map<String, Value>,
}

/// Which rows make the page, and where the neighbours are.
pub(super) struct Page {
    /// The rows, by their place in the filtered list.
    pub(super) rows: Range<usize>,
    next: Option<String>,
    previous: Option<String>,
}

impl Page {
    /// The list envelope around what was made of the rows.
    pub(super) fn envelope(&self, results: &[Value]) -> Value {
        serde_json::json!({
            "results": results,
            "next": self.next,
            "previous": self.previous,
        })
    }
}

impl Asked<'_> {
    /// Cuts a page out of the filtered list, given by its internal identifiers.
    pub(super) fn page(
        &self,
        keys: &[&str],
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<Page, Failure> {
        let cursor = cursor.filter(|cursor| !cursor.is_empty());
        let start = match cursor {
            None => 0,
            Some(cursor) => {
                rules::storable(cursor)?;
                let found = keys.iter().position(|key| *key == cursor);
                found.ok_or(Failure::Cursor)? + 1
            }
        };
        let end = keys.len().min(start + limit.rows());
        if cursor.is_some() && start == end {
            return Err(Failure::Cursor);
        }
        let next = (end < keys.len()).then(|| self.link(Some(keys[end - 1]), limit));
        let previous = cursor.map(|_| self.previous(keys, start, limit));
        Ok(Page {
            rows: start..end,
            next,
            previous,
        })
    }

    /// The window before a page starts at its own first row, which as an exclusive cursor loses
    /// that row.
    fn previous(&self, keys: &[&str], start: usize, limit: Limit) -> String {
        match start.checked_sub(limit.rows()) {
            None | Some(0) => self.link(None, limit),
            Some(first) => self.link(Some(keys[first]), limit),
        }
    }

    /// The request with another cursor: what stands in the query stays where it is, and what comes
    /// after a second question mark is lost.
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
