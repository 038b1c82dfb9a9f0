//! Usertour's errors: `error.code` and `error.message`, and on version 2 all `error.issues`.

use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;

use crate::{
    client::ErrorDetails,
    connectors::decode,
    error::{ErrorKind, RejectionReason},
};

/// The parameter that names a segment.
pub(super) const SEGMENT: &str = "segmentId";

/// The parameter that names a company.
pub(super) const COMPANY: &str = "companyId";

/// The code of an unknown company.
const UNKNOWN_COMPANY: &str = "E1002";
/// The code of an unknown segment, where a server says so.
const UNKNOWN_SEGMENT: &str = "E1025";
/// The code of an unknown route on version 2.
const UNKNOWN_ROUTE: &str = "E1033";

#[derive(Default, Deserialize)]
struct UsertourErrorBody {
    #[serde(default, deserialize_with = "decode::record")]
    error: Option<UsertourErrorItem>,
}

#[derive(Default, Deserialize)]
struct UsertourErrorItem {
    #[serde(default, deserialize_with = "decode::text")]
    code: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    message: Option<String>,
    #[serde(default, deserialize_with = "decode::records")]
    issues: Option<Vec<UsertourIssue>>,
}

#[derive(Deserialize)]
struct UsertourIssue {
    #[serde(default, deserialize_with = "decode::text")]
    path: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    message: Option<String>,
}

/// Reads an error. A 404 without a code is of the web framework, and E1033 is version 2's word for it:
/// there is no such route, so `base_url` is wrong. It does not say that a user is missing.
pub(super) fn read_error(status: StatusCode, _: &HeaderMap, body: &[u8]) -> ErrorDetails {
    let body: UsertourErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let error = body.error.unwrap_or_default();
    let kind = match (status.as_u16(), error.code.as_deref()) {
        (400, Some("E1007")) => Some(ErrorKind::Expired),
        (404, None | Some(UNKNOWN_ROUTE)) => Some(ErrorKind::Malformed),
        (_, Some(UNKNOWN_SEGMENT)) => Some(ErrorKind::Rejected),
        _ => None,
    };
    ErrorDetails {
        kind,
        reasons: reasons(error),
        ..ErrorDetails::default()
    }
}

fn reasons(error: UsertourErrorItem) -> Vec<RejectionReason> {
    let issues = error.issues.unwrap_or_default().into_iter();
    let issues: Vec<_> = issues
        .filter_map(|issue| {
            Some(RejectionReason {
                field: issue.path,
                message: issue.message?,
            })
        })
        .collect();
    if !issues.is_empty() {
        return issues;
    }
    let code = error.code.as_deref();
    let reason = error.message.map(|message| RejectionReason {
        field: field(code, &message).map(str::to_owned),
        message,
    });
    reason.into_iter().collect()
}

/// The parameter that an error is about. A validator's text begins with it.
fn field(code: Option<&str>, message: &str) -> Option<&'static str> {
    match code {
        Some(UNKNOWN_SEGMENT) => Some(SEGMENT),
        Some(UNKNOWN_COMPANY) => Some(COMPANY),
        _ => message.starts_with(SEGMENT).then_some(SEGMENT),
    }
}
