//! Where a page is, in the words of its provider.

use std::fmt;

/// The address of a page in the provider's own words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PageAddress {
    /// A page number.
    Page(u64),
    /// The number of the first row, as the provider counts.
    Offset(u64),
    /// A row's key; `None` is the start.
    Key(Option<String>),
    /// A token; `None` is the start.
    Token(Option<String>),
}

impl fmt::Display for PageAddress {
    /// Shows clients no key and no token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(number) => write!(f, "page {number}"),
            Self::Offset(from) => write!(f, "offset {from}"),
            Self::Key(None) | Self::Token(None) => f.write_str("start"),
            Self::Key(Some(_)) => f.write_str("after a key"),
            Self::Token(Some(_)) => f.write_str("at a token"),
        }
    }
}
