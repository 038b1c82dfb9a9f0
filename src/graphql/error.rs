//! Our errors as a client sees them: a message, a code, and what helps to act on it. A provider's body,
//! a token or a URL is never among it.

use std::collections::HashSet;

use async_graphql::{ErrorExtensionValues, PathSegment, Pos, Value};

use crate::error::{Error, ErrorCode, ErrorKind, Result};

/// The result of a resolver of a nullable field that can fail. `Option<Result<T>>` nulls that field
/// alone; `Result<Option<T>>` would null its parent and cancel its siblings.
pub type NullableResult<T> = Option<async_graphql::Result<T>>;

/// A resolver's result as the engine wants it.
pub fn nullable<T>(result: Result<T>) -> NullableResult<T> {
    Some(result.map_err(|error| to_graphql_error(&error)))
}

/// A resolver's result that may be nothing.
pub fn nullable_option<T>(result: Result<Option<T>>) -> NullableResult<T> {
    result.map_err(|error| to_graphql_error(&error)).transpose()
}

/// An error with its extensions.
pub fn to_graphql_error(error: &Error) -> async_graphql::Error {
    if error.kind() == ErrorKind::Internal {
        tracing::error!(%error, "a resolver failed");
    }
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", error.kind().code().as_str());
    let at_fault = error.account().filter(|_| !error.kind().is_ours());
    if let Some(account) = at_fault {
        extensions.set("provider", Value::from(account.provider()));
        extensions.set("account", account.name());
    }
    if let Some(wait) = error.retry_after() {
        extensions.set("retryAfter", seconds(wait));
    }
    if let Some(id) = error.provider_request_id() {
        extensions.set("providerRequestId", id);
    }
    let mut shown = async_graphql::Error::new(error.message());
    shown.extensions = Some(extensions);
    shown
}

/// Whole seconds, rounded up: who waits that long has waited enough.
pub fn seconds(wait: std::time::Duration) -> i32 {
    i32::try_from(wait.as_secs_f64().ceil() as i64).unwrap_or(i32::MAX)
}

/// An error of a request that is refused as a whole.
#[must_use]
pub fn refusal(
    code: ErrorCode,
    message: impl Into<String>,
    pos: Option<Pos>,
) -> async_graphql::ServerError {
    let mut message = message.into();
    shorten(&mut message);
    let mut error = async_graphql::ServerError::new(message, pos);
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("code", code.as_str());
    error
}

/// The message about an integer beyond 64 bits.
pub const INTEGERS: &str = "a whole number here is beyond 64 bits: numbers from -9223372036854775808 to \
                            18446744073709551615 are taken; give a larger one as a text";

/// How many characters of a message about a document are shown: it may quote the document.
const MESSAGE: usize = 300;

/// Cuts a message that is too long.
pub fn shorten(message: &mut String) {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
}

/// Gives every error of the engine's own a code: an argument that a scalar of ours does not take. Of
/// errors that are the request's own, such as that it needs too much memory, one for each root field is
/// enough: there may be one for each row.
pub fn add_missing_codes(errors: &mut Vec<async_graphql::ServerError>) {
    for error in errors.iter_mut() {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", ErrorCode::BadUserInput.as_str());
            shorten(&mut error.message);
        }
    }
    let mut seen = HashSet::new();
    errors.retain(|error| match of_the_request(error) {
        Some(code) => seen.insert(format!("{code:?} {:?}", error.path.first())),
        None => true,
    });
}

/// Makes the root fields null that need more than the request may use: part of such an answer is of no
/// use, and takes memory until it is sent.
pub fn without_what_is_too_large(answer: &mut async_graphql::Response) {
    let Value::Object(data) = &mut answer.data else {
        return;
    };
    let too_large = Value::from(ErrorCode::QueryTooComplex.as_str());
    for error in &answer.errors {
        let code = error.extensions.as_ref().and_then(|of| of.get("code"));
        if let Some(PathSegment::Field(root)) = error.path.first()
            && code == Some(&too_large)
            && let Some(value) = data.get_mut(root.as_str())
        {
            match value {
                // The list itself is never null, its items may be.
                Value::List(items) => items.fill(Value::Null),
                value => *value = Value::Null,
            }
        }
    }
}

/// The code of an error that is no part's own.
fn of_the_request(error: &async_graphql::ServerError) -> Option<ErrorCode> {
    let code = error.extensions.as_ref()?.get("code")?;
    [ErrorCode::QueryTooComplex, ErrorCode::Overloaded]
        .into_iter()
        .find(|own| *code == Value::from(own.as_str()))
}
