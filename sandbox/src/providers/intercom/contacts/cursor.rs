//! Cursors: a triple in base64 that callers need not understand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::providers::intercom::error::IntercomError;

/// The end of a page, and the number of the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The sort value in milliseconds; -1 where there is none.
    pub(super) value: i64,
    /// The last contact of the page.
    pub(super) id: String,
    /// The page that follows.
    pub(super) page: u64,
}

impl Cursor {
    /// The value of `pages.next`.
    pub(super) fn encode(&self) -> String {
        STANDARD.encode(json!([self.value, self.id, self.page]).to_string())
    }

    /// 400 for a cursor that no list gave.
    pub(super) fn decode(text: &str) -> Result<Self, IntercomError> {
        let bytes = STANDARD.decode(text).map_err(|_| IntercomError::cursor())?;
        let (value, id, page) =
            serde_json::from_slice(&bytes).map_err(|_| IntercomError::cursor())?;
        if page < 2 {
            return Err(IntercomError::cursor());
        }
        Ok(Self { value, id, page })
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor {
            value: 1_700_000_000_000,
            id: "64cc00".to_owned(),
            page: 2,
        };
        assert_eq!(cursor.encode(), "WzE3MDAwMDAwMDAwMDAsIjY0Y2MwMCIsMl0=");
        assert_eq!(Cursor::decode(&cursor.encode()).as_ref(), Ok(&cursor));
        for text in ["", "None", "null", "WzEsMiwzXQ==", "WzEsIngiLDFd"] {
            assert!(Cursor::decode(text).is_err(), "{text}");
        }
    }
}
