//! A mark: the point just after a row, in words that the vendor's paging can resume from. It names no
//! host, no path and no secret, so it may travel in a cursor.

use serde::{Deserialize, Serialize};

/// A place between two rows.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Mark {
    /// Before the first row.
    Start,
    /// Before the row of this ordinal, counted from nought.
    Nth(u64),
    /// After the row of this key.
    Key(String),
    /// At the row of this key, which the vendor itself named: with it or after it, as the vendor
    /// reads its own word. Only for who reads every page and knows a row that comes twice.
    At(String),
    /// After `skip` rows of the page that `token` opens.
    Token {
        /// The token of the page; `None` is the first page.
        #[serde(default, rename = "t", skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// How many rows of the page are before the mark.
        #[serde(rename = "s")]
        skip: u16,
        /// The key of the last of them: where it still is, its place counts, and not the number.
        #[serde(default, rename = "k", skip_serializing_if = "Option::is_none")]
        row: Option<String>,
        /// The token of the following page, when the mark is at the end of its page. It is tried
        /// first; when the vendor no longer knows it, the page itself is read again.
        #[serde(default, rename = "n", skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
}

/// The longest token of a provider, in characters: it travels in cursors, which must come back.
pub(super) const TOKEN: usize = 1024;

/// Whether a provider may be asked for a key or a token.
pub(super) fn is_sound(text: &str) -> bool {
    text.chars().nth(TOKEN).is_none() && !text.chars().any(char::is_control)
}

impl Mark {
    /// Whether everything in it that a provider would be sent is bounded and printable.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Start | Self::Nth(_) => true,
            Self::Key(key) | Self::At(key) => is_sound(key),
            Self::Token { token, next, .. } => {
                let mut sent = token.iter().chain(next);
                sent.all(|token| is_sound(token))
            }
        }
    }

    /// The ordinal of the next row, for pagings that count rows.
    #[must_use]
    pub fn ordinal(&self) -> u64 {
        match self {
            Self::Nth(ordinal) => *ordinal,
            Self::Start | Self::Key(_) | Self::At(_) | Self::Token { .. } => 0,
        }
    }

    /// The mark to fall back to when the vendor no longer knows the token of the next page.
    #[must_use]
    pub fn without_next(&self) -> Option<Self> {
        match self {
            Self::Token {
                token,
                skip,
                row,
                next: Some(_),
            } => Some(Self::Token {
                token: token.clone(),
                skip: *skip,
                row: row.clone(),
                next: None,
            }),
            Self::Start
            | Self::Nth(_)
            | Self::Key(_)
            | Self::At(_)
            | Self::Token { next: None, .. } => None,
        }
    }
}
