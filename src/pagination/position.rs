//! A position: the point just after a row, in words that the provider's paging can resume from. It names no
//! host, no path and no secret, so it may travel in a cursor.

use serde::{Deserialize, Serialize};

/// The key of the row before a position, and of the one before that where it is known: a place in a list
/// that moves is found again by them.
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

/// How many rows are before a position, and between which bounds the provider's counts of the whole list
/// have been since the first row.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct RowCount(pub u64, pub u64, pub u64);

/// A place between two rows.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Position {
    /// Before the first row.
    Start,
    /// Before the row of this ordinal, counted from nought.
    Nth(u64),
    /// After so many rows, the last of which are these: where they are now counts, and not the number.
    Row(u64, Anchor),
    /// After the row of this key.
    Key(Anchor),
    /// At the row of this key, which the provider itself named: with it or after it, as the provider
    /// reads its own word. Only for who reads every page and knows a row that comes twice.
    At(String),
    /// After `skip` rows of the page that `token` opens.
    Token {
        /// The token of the page; `None` is the first page.
        #[serde(default, rename = "t", skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// How many rows of the page are before the position.
        #[serde(rename = "s")]
        skip: u16,
        /// The last of them: where they are now counts, and not the number.
        #[serde(default, rename = "k", skip_serializing_if = "Option::is_none")]
        row: Option<Anchor>,
        /// The token of the following page, when the position is at the end of its page. It is tried
        /// first; when the provider no longer knows it, the page itself is read again.
        #[serde(default, rename = "n", skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// How many rows of the list are before the position, where the provider counts them.
        #[serde(default, rename = "c", skip_serializing_if = "Option::is_none")]
        count: Option<RowCount>,
    },
}

/// The longest token of a provider, in characters: it travels in cursors, which must come back.
pub(super) const TOKEN: usize = 1024;

/// Whether a provider may be asked for a key or a token.
pub(super) fn is_sound(text: &str) -> bool {
    text.chars().nth(TOKEN).is_none() && !text.chars().any(char::is_control)
}

impl Position {
    /// Whether everything in it that a provider would be sent is bounded and printable.
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

    /// What the next page is asked for by: two positions of one name lead to the same page.
    pub(super) fn name(&self) -> String {
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

    /// The same position, where tokens say nothing of a number of rows, with the number of rows before it.
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

    /// The rows before the position, where it names them.
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
