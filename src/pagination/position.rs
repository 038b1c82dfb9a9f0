//! A position: the point just after a row, from which the provider's paging can resume. It contains
//! no host, no path and no secret, so it may travel in a cursor.

use serde::{Deserialize, Serialize};

/// The keys of the row before a position and, if known, of the one before that. They find the
/// position again in a list that shifts.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Anchor {
    /// The row before the position.
    One(String),
    /// The row before the position, and the one before that.
    Two(String, String),
}

impl Anchor {
    /// The row before a position, and the one before that.
    #[must_use]
    pub fn new(row: &str, before: Option<&str>) -> Self {
        match before {
            Some(before) => Self::Two(row.to_owned(), before.to_owned()),
            None => Self::One(row.to_owned()),
        }
    }

    /// The key of the row before the position.
    #[must_use]
    pub fn row(&self) -> &str {
        match self {
            Self::One(row) | Self::Two(row, _) => row,
        }
    }

    /// The key of the row before that one.
    #[must_use]
    pub fn before(&self) -> Option<&str> {
        match self {
            Self::One(_) => None,
            Self::Two(_, before) => Some(before),
        }
    }

    /// Both keys, the nearer first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.row()).chain(self.before())
    }
}

/// The number of rows before a position, and the lowest and the highest total that the provider has
/// reported since the first row.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct RowCount(pub u64, pub u64, pub u64);

/// A point between two rows.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Position {
    /// Before the first row.
    Start,
    /// Before the row of this ordinal, counted from 0.
    Nth(u64),
    /// After this number of rows, the last of which are these; the rows decide if the two disagree.
    Row(u64, Anchor),
    /// After the row of this key.
    Key(Anchor),
    /// At the row of this key, which the provider named: the page starts with it or after it. Only
    /// for a reader that reads every page and drops rows that come twice.
    At(String),
    /// After `skip` rows of the page that `token` opens.
    Token {
        /// The token of the page; `None` is the first page.
        #[serde(default, rename = "t", skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// The number of rows of the page before the position.
        #[serde(rename = "s")]
        skip: u16,
        /// The last of them; they decide if they disagree with `skip`.
        #[serde(default, rename = "k", skip_serializing_if = "Option::is_none")]
        row: Option<Anchor>,
        /// The token of the next page, when the position is at the end of its page. It is tried
        /// first; when the provider no longer knows it, the page itself is read again.
        #[serde(default, rename = "n", skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// The number of rows of the list before the position, where the provider reports totals.
        #[serde(default, rename = "c", skip_serializing_if = "Option::is_none")]
        count: Option<RowCount>,
    },
}

/// The longest token of a provider, in characters: tokens travel in cursors.
pub(super) const MAX_TOKEN_CHARS: usize = 1024;

/// Whether a key or a token may be sent to a provider.
pub(super) fn is_sound(text: &str) -> bool {
    text.chars().nth(MAX_TOKEN_CHARS).is_none() && !text.chars().any(char::is_control)
}

impl Position {
    /// Whether all keys and tokens in it may be sent to a provider: they are short and printable.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Start | Self::Nth(_) | Self::Row(..) => true,
            Self::Key(anchor) => anchor.keys().all(is_sound),
            Self::At(key) => is_sound(key),
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
            Self::Nth(ordinal) | Self::Row(ordinal, _) => *ordinal,
            Self::Start | Self::Key(_) | Self::At(_) | Self::Token { .. } => 0,
        }
    }

    /// Identifies the request for the next page: positions with equal keys lead to the same page.
    pub(super) fn request_key(&self) -> String {
        match self {
            Self::Start => String::new(),
            Self::Nth(ordinal) | Self::Row(ordinal, _) => ordinal.to_string(),
            Self::Key(anchor) => format!("after {}", anchor.row()),
            Self::At(key) => format!("at {key}"),
            Self::Token {
                next: Some(token), ..
            } => format!("token {token}"),
            Self::Token { token, skip, .. } => format!("token {token:?} {skip}"),
        }
    }

    /// Adds the number of rows before the position to one of a token.
    pub(super) fn counted(self, rows: u64, totals: Option<(u64, u64)>) -> Self {
        match (self, totals) {
            (
                Self::Token {
                    token,
                    skip,
                    row,
                    next,
                    ..
                },
                Some((least, most)),
            ) => Self::Token {
                token,
                skip,
                row,
                next,
                count: Some(RowCount(rows, least, most)),
            },
            (position, _) => position,
        }
    }

    /// The rows before the position, if it names any.
    #[must_use]
    pub fn anchor(&self) -> Option<&Anchor> {
        match self {
            Self::Row(_, anchor) | Self::Key(anchor) => Some(anchor),
            Self::Token { row, .. } => row.as_ref(),
            Self::Start | Self::Nth(_) | Self::At(_) => None,
        }
    }

    /// The position to fall back to when the provider no longer knows the token of the next page.
    #[must_use]
    pub fn without_next(&self) -> Option<Self> {
        match self {
            Self::Token {
                token,
                skip,
                row,
                next: Some(_),
                count,
            } => Some(Self::Token {
                token: token.clone(),
                skip: *skip,
                row: row.clone(),
                next: None,
                count: *count,
            }),
            Self::Start
            | Self::Nth(_)
            | Self::Row(..)
            | Self::Key(_)
            | Self::At(_)
            | Self::Token { next: None, .. } => None,
        }
    }
}
