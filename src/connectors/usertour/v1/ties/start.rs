//! Where a page starts, in the provider's words and in ours.

use serde::{Deserialize, Serialize};

use super::{MAX, digest, moment};
use crate::{
    error::{Error, Result},
    user::User,
};

/// How tokens begin that say more than the provider's cursor.
const OURS: char = '{';

/// Where a page starts. It travels in cursors, as text.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Start {
    /// The provider's cursor; with `back` it is in doubt, for its own moment may go on behind it.
    #[serde(default, rename = "c", skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// Where the provider's cursor is to be had: the last row of a page that is read again.
    #[serde(default, rename = "b", skip_serializing_if = "Option::is_none")]
    pub(super) reread: Option<PagePrefix>,
    /// Up to where users have been given.
    #[serde(default, rename = "f", skip_serializing_if = "Option::is_none")]
    pub(super) watermark: Option<Watermark>,
}

/// The end of a page that starts at a place which is sure.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct PagePrefix(pub(super) Option<String>, pub(super) u32);

/// Up to where users have been given, in the order of moments and digests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Watermark {
    /// Microseconds since 1970.
    #[serde(rename = "m")]
    pub(super) moment: i64,
    /// The digest of the last user of this moment that was given in its turn.
    #[serde(default, rename = "u", skip_serializing_if = "Option::is_none")]
    pub(super) last_digest: Option<String>,
    /// The digest of one that was given before its turn.
    #[serde(default, rename = "a", skip_serializing_if = "Option::is_none")]
    pub(super) early_digest: Option<String>,
    /// Whether users of this moment may be missing.
    #[serde(default, rename = "d", skip_serializing_if = "std::ops::Not::not")]
    pub(super) may_be_incomplete: bool,
}

impl Watermark {
    /// A moment of which nobody knows who was given, and who comes behind.
    pub(super) fn without_members(moment: i64) -> Self {
        Self {
            moment,
            last_digest: None,
            early_digest: None,
            may_be_incomplete: true,
        }
    }

    /// Whether nothing is known of who was given.
    pub(super) fn has_no_members(&self) -> bool {
        self.last_digest.is_none() && self.early_digest.is_none()
    }

    /// Whether a user has been given.
    pub(super) fn covers(&self, user: &User, is_descending: bool) -> bool {
        let Some(moment) = moment(user) else {
            return false;
        };
        if moment != self.moment {
            return (moment < self.moment) != is_descending;
        }
        let digest = digest(user);
        let is_upto = self
            .last_digest
            .as_ref()
            .is_some_and(|upto| digest <= *upto);
        is_upto || self.early_digest.as_ref() == Some(&digest)
    }

    /// The floor under the last of some users.
    pub(super) fn after_rows(rows: &[User], earlier: Option<&Self>) -> Option<Self> {
        let last = rows.last()?;
        let moment = moment(last)?;
        let also = earlier.filter(|earlier| earlier.moment == moment);
        Some(Self {
            moment,
            last_digest: Some(digest(last)),
            may_be_incomplete: also.is_some_and(|earlier| earlier.may_be_incomplete),
            early_digest: also.and_then(|earlier| earlier.early_digest.clone()),
        })
    }
}

impl Start {
    /// Reads a token of ours; any other is the provider's own.
    ///
    /// # Errors
    /// `Invalid` when it names a page that cannot be.
    pub(in super::super) fn from_token(token: Option<&str>) -> Result<Self> {
        let Some(token) = token else {
            return Ok(Self::default());
        };
        if !token.starts_with(OURS) {
            return Ok(Self::behind(token));
        }
        let start: Option<Self> = serde_json::from_str(token).ok();
        let is_sound = |start: &Self| {
            let back = start.reread.as_ref();
            let mut sent = start
                .cursor
                .iter()
                .chain(back.and_then(|back| back.0.as_ref()));
            sent.all(|cursor| !cursor.contains(char::is_control))
                && back.is_none_or(|PagePrefix(_, rows)| *rows <= MAX)
        };
        let invalid = || Error::invalid("the cursor does not belong to this list");
        start.filter(is_sound).ok_or_else(invalid)
    }

    pub(super) fn behind(cursor: &str) -> Self {
        Self {
            cursor: Some(cursor.to_owned()),
            ..Self::default()
        }
    }

    /// The token that is read back.
    pub(super) fn token(&self) -> String {
        match self {
            Self {
                cursor: Some(cursor),
                reread: None,
                watermark: None,
            } if !cursor.starts_with(OURS) => cursor.clone(),
            _ => serde_json::to_string(self).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PagePrefix, Start, Watermark};

    #[test]
    fn a_token_is_read_back_as_it_was_and_the_providers_own_as_a_cursor() {
        let floor = Watermark {
            moment: 1_770_091_506_007_000,
            last_digest: Some("00ff".to_owned()),
            early_digest: None,
            may_be_incomplete: true,
        };
        for start in [
            Start::behind("cm9f6x"),
            Start::behind("{\"c\":\"odd\"}"),
            Start::behind("[]"),
            Start {
                cursor: None,
                reread: Some(PagePrefix(Some("cm1".to_owned()), 99)),
                watermark: Some(floor),
            },
        ] {
            let token = start.token();
            assert_eq!(Start::from_token(Some(&token)).ok(), Some(start), "{token}");
        }
        assert_eq!(Start::behind("cm9f6x").token(), "cm9f6x");
        assert_eq!(Start::from_token(None).ok(), Some(Start::default()));
    }

    #[test]
    fn a_token_that_cannot_be_ours_is_refused() {
        for token in [
            "{",
            "{\"x\":1}",
            "{\"c\":\"a\\u0000b\"}",
            "{\"b\":[\"a\\nb\",1]}",
            "{\"b\":[null,101]}",
        ] {
            assert!(Start::from_token(Some(token)).is_err(), "{token}");
        }
    }
}
