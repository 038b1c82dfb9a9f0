//! The results of searches by address, and what they may have missed.

use crate::{
    context::RequestContext,
    error::{Error, ErrorKind, RejectionReason, Result},
    notice::{Notice, NoticeCode},
    pagination::{Scan, Truncation},
    user::{Email, User},
};

/// The answer of a search by address.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    /// The users that may match.
    pub users: Vec<User>,
    /// Why somebody may be missing; `None` when nobody is.
    pub incomplete: Option<Incomplete>,
}

impl SearchResult {
    /// Joins the results of scans through `list`. A failed scan is an error if nobody was found;
    /// otherwise the result is incomplete. `bounds` names the options that limit a scan.
    ///
    /// # Errors
    /// The failure of a scan.
    pub fn from_scans(
        scans: impl IntoIterator<Item = Scan<User>>,
        list: &str,
        bounds: &str,
    ) -> Result<Self> {
        let mut found = Self::default();
        let mut failure = None;
        for scan in scans {
            if let Some(incomplete) = scan.incomplete {
                found.incomplete = Some(Incomplete {
                    notice: incomplete.notice::<User>(),
                    error: None,
                });
            }
            for user in scan.rows {
                if !found
                    .users
                    .iter()
                    .any(|known| known.remote_id == user.remote_id)
                {
                    found.users.push(user);
                }
            }
            match scan.truncation {
                Some(Truncation::Failed(error)) => failure = Some(error),
                Some(Truncation::DeadlineReached { pages }) => {
                    let notice = format!(
                        "{list} was not read to its end: the time was over; pages read: {pages}"
                    );
                    found.incomplete = Some(Incomplete {
                        notice: Notice::new(NoticeCode::DeadlineExceeded, notice),
                        error: Some(Error::deadline_exceeded()),
                    });
                }
                Some(Truncation::PageLimit { pages }) => {
                    let notice = format!(
                        "{list} was not read to its end; pages read: {pages} (bounded by {bounds})"
                    );
                    found.incomplete = Some(Incomplete {
                        notice: Notice::new(NoticeCode::LimitReached, notice),
                        error: None,
                    });
                }
                None => {}
            }
        }
        match failure {
            Some(error) if found.users.is_empty() => return Err(error),
            Some(error) => {
                let notice = format!("{list} could not be read to its end");
                found.incomplete = Some(Incomplete {
                    notice: Notice::new(NoticeCode::PartialFailure, notice),
                    error: Some(error),
                });
            }
            None => {}
        }
        Ok(found)
    }
}

impl SearchResult {
    /// Joins the results of several searches. If some failed, the result is incomplete, whichever
    /// they were.
    ///
    /// # Errors
    /// The first failure, when every search failed.
    pub fn join(answers: impl IntoIterator<Item = Result<Self>>) -> Result<Self> {
        let mut all = None::<Self>;
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(other) => {
                    let all = all.get_or_insert_default();
                    all.users.extend(other.users);
                    all.incomplete = all.incomplete.take().or(other.incomplete);
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        match (all, failure) {
            (None, Some(error)) => Err(error),
            (all, None) => Ok(all.unwrap_or_default()),
            (Some(all), Some(error)) => Ok(Self {
                incomplete: Some(Incomplete {
                    notice: Notice::new(
                        NoticeCode::PartialFailure,
                        "one of several searches failed",
                    ),
                    error: Some(error),
                }),
                ..all
            }),
        }
    }
}

/// Drops the searches for spellings that nobody can have: the provider's first answer calls the
/// spelling an invalid address. A spelling that a client gave is never dropped, and every other
/// refusal is a failure: somebody may have the address all the same.
#[must_use]
pub fn without_invalid_spellings(
    emails: &[Email],
    scans: Vec<(Email, Scan<User>)>,
) -> Vec<Scan<User>> {
    let is_given = |spelling: &Email| emails.iter().any(|email| email.is_given_as(spelling));
    let kept = scans
        .into_iter()
        .filter(|(spelling, scan)| is_given(spelling) || !is_of_invalid_spelling(scan));
    kept.map(|(_, scan)| scan).collect()
}

/// Whether the provider refused the first call of a scan because the address is not valid.
fn is_of_invalid_spelling(scan: &Scan<User>) -> bool {
    match &scan.truncation {
        Some(Truncation::Failed(error)) => scan.pages == 0 && is_about_invalid_email(error),
        Some(Truncation::PageLimit { .. } | Truncation::DeadlineReached { .. }) | None => false,
    }
}

/// Whether a provider refused a call because of the email in it. No provider has a code for that.
fn is_about_invalid_email(error: &Error) -> bool {
    let is_validation =
        error.kind() == ErrorKind::Rejected && matches!(error.status(), Some(400 | 422));
    let is_about_email = |reason: &RejectionReason| {
        let message = reason.message.to_lowercase();
        let names_email = reason.field.as_deref() == Some("email") || message.contains("email");
        names_email && (message.contains("valid") || message.contains("must be an email"))
    };
    is_validation && error.reasons().iter().any(is_about_email)
}

/// The answer to the addresses that one search was for.
#[derive(Clone, Debug)]
pub struct SearchBatch {
    /// The addresses.
    pub emails: Vec<Email>,
    /// The result.
    pub found: Result<SearchResult>,
    /// The context with the work that it took.
    pub work: RequestContext,
}

/// Why an answer may lack somebody.
#[derive(Clone, Debug)]
pub struct Incomplete {
    /// Why somebody may be missing, in words for the client.
    pub notice: Notice,
    /// The failure, if there was one.
    pub error: Option<Error>,
}
