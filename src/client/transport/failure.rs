//! The errors of calls: of a status, and of a request without a response.

use std::io;

use reqwest::StatusCode;

use super::connection::Connection;
use crate::error::{Error, ErrorKind, FailureStage};

/// The kind of error for a status, unless the provider's body says otherwise.
pub(super) fn error_kind(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::Missing,
        408 => ErrorKind::TimedOut,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::Throttled,
        // A proxy answers 407, never a provider.
        407 | 500.. => ErrorKind::Unavailable,
        400..=499 => ErrorKind::Rejected,
        // A 1xx never gets here, and redirects are not followed.
        _ => ErrorKind::Malformed,
    }
}

pub(super) fn message_for(kind: ErrorKind, status: StatusCode) -> String {
    let code = status.as_u16();
    match kind {
        ErrorKind::Denied => format!(
            "the provider refused the gateway's credentials ({code}); the gateway's operator must check the token and its rights"
        ),
        ErrorKind::Missing | ErrorKind::Malformed if status == StatusCode::NOT_FOUND => {
            format!("the provider answered {code}; the gateway's operator must check `base_url`")
        }
        ErrorKind::Throttled => "the provider's rate limit is used up".to_owned(),
        ErrorKind::TimedOut => format!("the provider gave up waiting ({code})"),
        ErrorKind::Unavailable => format!("the provider is unavailable ({code})"),
        ErrorKind::Moved => format!("the provider says that the record became another one ({code})"),
        ErrorKind::Conflict | ErrorKind::Rejected => format!("the provider refused the request ({code})"),
        ErrorKind::Expired => "the provider no longer knows the place that this cursor names: read the list from its start".to_owned(),
        ErrorKind::Missing
        | ErrorKind::Malformed
        | ErrorKind::Invalid
        | ErrorKind::Unsupported
        | ErrorKind::Disabled
        | ErrorKind::DeadlineExceeded
        | ErrorKind::TooLarge
        | ErrorKind::Overloaded
        | ErrorKind::CallLimit
        | ErrorKind::Internal => {
            format!("the provider answered {code}, which its API does not promise")
        }
    }
}

/// The error of a request without a response.
pub(super) fn send_error(connection: &Connection, error: &reqwest::Error) -> Error {
    if is_for_lack_of_resources(error) {
        tracing::error!(%error, "the gateway has no file descriptors or memory left for a call");
        return Error::overloaded().at_stage(FailureStage::NotSent);
    }
    connection.error(error)
}

/// Whether this machine could not open a connection because it has no descriptors, ports or memory
/// left.
fn is_for_lack_of_resources(error: &(dyn std::error::Error + 'static)) -> bool {
    /// `ENFILE` and `EMFILE`, on every Unix.
    const DESCRIPTORS: [i32; 2] = [23, 24];
    let lacks = |error: &io::Error| {
        let kind = error.kind();
        let code = error.raw_os_error();
        code.is_some_and(|code| cfg!(unix) && DESCRIPTORS.contains(&code))
            || matches!(
                kind,
                io::ErrorKind::OutOfMemory | io::ErrorKind::AddrNotAvailable
            )
    };
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(lacks))
}

#[cfg(test)]
mod tests;
