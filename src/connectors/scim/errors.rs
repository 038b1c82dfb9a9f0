//! SCIM's errors (RFC 7644, 3.12): `detail`, `scimType` and `status`, under the schema of errors.

use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;

use crate::{
    client::ErrorDetails,
    connectors::decode,
    error::{Error, ErrorKind, RejectionReason},
};

/// The schema of an error.
const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The reason of a 412: nothing is overwritten that was not read.
const CHANGED_MEANWHILE: &str =
    "somebody else changed the user after it was read: nothing was written, try again";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScimErrorBody {
    #[serde(default, deserialize_with = "decode::texts")]
    schemas: Option<Vec<String>>,
    #[serde(default, deserialize_with = "decode::text")]
    detail: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    scim_type: Option<String>,
}

impl ScimErrorBody {
    /// Whether it is an error of a SCIM server: a page of another server has no such schema.
    fn is_of_scim(&self) -> bool {
        let mut schemas = self.schemas.iter().flatten();
        schemas.any(|schema| schema.eq_ignore_ascii_case(ERROR_SCHEMA))
    }

    fn has_type(&self, scim_type: &str) -> bool {
        let known = self.scim_type.as_deref();
        known.is_some_and(|known| known.eq_ignore_ascii_case(scim_type))
    }
}

/// Reads SCIM's errors. A 404 without one is of an address where no SCIM server is.
pub(super) fn read_error(status: StatusCode, _: &HeaderMap, body: &[u8]) -> ErrorDetails {
    let body: ScimErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let kind = match status.as_u16() {
        404 if !body.is_of_scim() => Some(ErrorKind::Malformed),
        400 if body.has_type("uniqueness") => Some(ErrorKind::Conflict),
        // Another attempt changes nothing: the server does not have this.
        501 => Some(ErrorKind::Rejected),
        412 => Some(ErrorKind::Conflict),
        _ => None,
    };
    let message = match status.as_u16() {
        412 => Some(CHANGED_MEANWHILE.to_owned()),
        _ => body.detail.or(body.scim_type),
    };
    let reasons = message.map(|message| RejectionReason {
        field: None,
        message,
    });
    ErrorDetails {
        kind,
        reasons: reasons.into_iter().collect(),
        ..ErrorDetails::default()
    }
}

/// Whether a server may answer smaller or simpler parts of a filter that it refused: it was too long,
/// or has more terms than the server takes.
pub(super) fn is_refused_filter(error: &Error) -> bool {
    error.kind() == ErrorKind::Rejected && matches!(error.status(), Some(400 | 413 | 414))
}

/// The error of a list whose filter the server refused.
pub(super) fn unsupported_filter(error: Error) -> Error {
    if !is_refused_filter(&error) && error.status() != Some(501) {
        return error;
    }
    let why = error.reasons().first();
    let why = why.map_or(error.message(), |reason| &reason.message);
    let message = format!("this SCIM server does not take this filter: {why}");
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, header::HeaderMap};

    use super::read_error;
    use crate::error::ErrorKind;

    #[test]
    fn an_error_is_told_by_its_status_its_schema_and_its_type() {
        let schema = r#""schemas":["urn:ietf:params:scim:api:messages:2.0:Error"]"#;
        for (status, body, kind) in [
            (404, format!("{{{schema},\"detail\":\"gone\"}}"), None),
            (
                404,
                "{\"detail\":\"gone\"}".to_owned(),
                Some(ErrorKind::Malformed),
            ),
            (404, String::new(), Some(ErrorKind::Malformed)),
            (404, "<html>".to_owned(), Some(ErrorKind::Malformed)),
            (
                409,
                format!("{{{schema},\"scimType\":\"uniqueness\"}}"),
                None,
            ),
            (
                400,
                "{\"scimType\":\"Uniqueness\"}".to_owned(),
                Some(ErrorKind::Conflict),
            ),
            (400, "{\"scimType\":\"invalidFilter\"}".to_owned(), None),
            (412, String::new(), Some(ErrorKind::Conflict)),
            (501, String::new(), Some(ErrorKind::Rejected)),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let details = read_error(status, &HeaderMap::new(), body.as_bytes());
            assert_eq!(details.kind, kind, "{status} {body}");
        }
    }
}
