//! DigitalChalk's errors: they have no codes, so that their words alone tell what is meant.

use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    client::ErrorDetails,
    connectors::decode,
    error::{Error, ErrorKind, RejectionReason},
    user::UserPatch,
};

/// DigitalChalk's errors: `errors` and `fieldErrors` when a value is refused, `error_description` when
/// the token is, `message` elsewhere; there is no code.
pub(super) fn read_error(status: StatusCode, _: &HeaderMap, body: &[u8]) -> ErrorDetails {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct DigitalChalkErrorBody {
        #[serde(default, deserialize_with = "decode::texts")]
        errors: Option<Vec<String>>,
        #[serde(default)]
        field_errors: Option<Map<String, Value>>,
        #[serde(default, deserialize_with = "decode::text")]
        message: Option<String>,
    }
    let is_foreign = status == StatusCode::NOT_FOUND && !is_own_404(body);
    let body: DigitalChalkErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let whole = body.errors.into_iter().flatten().chain(body.message);
    let whole = whole.map(|message| RejectionReason {
        field: None,
        message,
    });
    let fields = body
        .field_errors
        .into_iter()
        .flatten()
        .filter_map(|(field, message)| {
            Some(RejectionReason {
                field: Some(field),
                message: message.as_str()?.to_owned(),
            })
        });
    let reasons: Vec<_> = whole.chain(fields).collect();
    let is_refused = matches!(status.as_u16(), 400 | 422) && reasons.iter().any(is_taken);
    ErrorDetails {
        kind: is_foreign
            .then_some(ErrorKind::Malformed)
            .or(is_refused.then_some(ErrorKind::Conflict)),
        reasons,
        ..ErrorDetails::default()
    }
}

/// Whether a 404 says that there is no such user: it has no body, or errors. A page is what the server
/// answers where `base_url` is wrong, too.
fn is_own_404(body: &[u8]) -> bool {
    let keys = ["errors", "fieldErrors", "error", "message"];
    let members = serde_json::from_slice::<&RawValue>(body)
        .ok()
        .and_then(decode::members);
    let has_error =
        members.is_some_and(|members| keys.iter().any(|key| members.contains_key(*key)));
    has_error || body.iter().all(u8::is_ascii_whitespace)
}

/// Whether a reason says that another user has the address. There is no code: its words alone tell.
fn is_taken(reason: &RejectionReason) -> bool {
    let is_of_email = match &reason.field {
        Some(field) => field == "email",
        None => reason.message.to_lowercase().contains("email"),
    };
    is_of_email && says_taken(&reason.message)
}

/// Whether a message says that another user has a value.
fn says_taken(message: &str) -> bool {
    const WORDS: [&str; 5] = ["already", "in use", "exist", "taken", "duplicate"];
    let message = message.to_lowercase();
    WORDS.iter().any(|word| message.contains(word))
}

/// Where no login name is given it is the address: that it is taken says that the user exists.
pub(super) fn taken_as_username(error: Error, patch: &UserPatch) -> Error {
    let is_username = |reason: &RejectionReason| reason.field.as_deref() == Some("username");
    let is_taken = |reason: &RejectionReason| is_username(reason) && says_taken(&reason.message);
    let is_given = patch.username.is_change();
    if is_given || error.kind() != ErrorKind::Rejected || !error.reasons().iter().any(is_taken) {
        return error;
    }
    Error::new(ErrorKind::Conflict, error.message()).with_reasons(error.reasons().to_vec())
}
