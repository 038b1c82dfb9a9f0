//! Writing users: what a write says, and the calls that follow it.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::DigitalChalk;
use crate::{
    client::{Operation, Request},
    connectors::ConnectorWrite,
    context::RequestContext,
    error::{Error, ErrorKind, RejectionReason, Result},
    user::{User, UserPatch, WriteOutcome, text},
};

impl DigitalChalk {
    /// Completes a create, once we know that the record which the provider named is the new one.
    pub(super) async fn finish_created(
        &self,
        context: &RequestContext,
        id: &str,
        patch: &UserPatch,
    ) -> ConnectorWrite {
        let user = self.get(context, Operation::ById, id).await;
        let is_other = |user: &Option<User>| {
            user.as_ref()
                .is_some_and(|user| !patch.matches_identity(user))
        };
        if user.as_ref().is_ok_and(is_other) {
            let message =
                "the user was created, but the provider named another one: look it up by email";
            return ConnectorWrite {
                user: None,
                outcome: Some(WriteOutcome::Created),
                warnings: vec![Error::malformed(message)],
            };
        }
        let refused = self.write_attributes(context, id, patch).await;
        completed_write(user, refused, WriteOutcome::Created)
    }

    /// Completes an update: writes the custom fields, then reads the record.
    pub(super) async fn finish_updated(
        &self,
        context: &RequestContext,
        id: &str,
        patch: &UserPatch,
    ) -> ConnectorWrite {
        let refused = self.write_attributes(context, id, patch).await;
        let user = self.get(context, Operation::ById, id).await;
        completed_write(user, refused, WriteOutcome::Updated)
    }

    async fn write_attributes(
        &self,
        context: &RequestContext,
        id: &str,
        patch: &UserPatch,
    ) -> Result<()> {
        if patch.attributes.is_empty() {
            return Ok(());
        }
        let values = Value::Object(patch.attributes.clone());
        let call = Request::put(
            Operation::Attributes,
            &["users", id, "userfieldvalues"],
            values,
        );
        self.http.write(context, call).await.map(|_| ())
    }
}

/// A write that is done: what failed after it is a remark on it.
fn completed_write(
    user: Result<Option<User>>,
    attributes: Result<()>,
    outcome: WriteOutcome,
) -> ConnectorWrite {
    let refused = attributes.err();
    let refused =
        refused.map(|error| warning(&error, Some("attributes"), "its custom fields were not"));
    let (user, unread) = match user {
        Ok(user) => (user, None),
        Err(error) => (
            None,
            Some(warning(&error, None, "it could not be read afterwards")),
        ),
    };
    ConnectorWrite {
        user,
        outcome: Some(outcome),
        warnings: refused.into_iter().chain(unread).collect(),
    }
}

/// The id of a user in the link to it: the segment after `users`, and nothing else of the link.
pub(super) fn id_in(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let (before, id) = path.trim_end_matches('/').rsplit_once('/')?;
    let id = percent_decode_str(id).decode_utf8().ok()?;
    let is_segment = !matches!(&*id, "" | "." | "..") && !id.contains(['/', '\\']);
    let is_user = before.rsplit('/').next() == Some("users");
    (is_user && is_segment && text::is_id(&id)).then(|| id.into_owned())
}

fn warning(error: &Error, field: Option<&str>, what: &str) -> Error {
    let why = match (error.kind(), error.reasons()) {
        (ErrorKind::Rejected | ErrorKind::Conflict, [reason, ..]) => &reason.message,
        _ => error.message(),
    };
    let message = format!("the user was written, but {what}: {why}");
    let reason = RejectionReason {
        field: field.map(str::to_owned),
        message: message.clone(),
    };
    Error::new(error.kind(), message)
        .with_retry_after(error.retry_after())
        .with_reasons(vec![reason])
}

/// Only what changes: whether a `null` clears a field or is refused is not documented.
pub(super) fn body(patch: &UserPatch) -> Value {
    let fields = [
        ("email", patch.email.json()),
        ("firstName", patch.first_name.json()),
        ("lastName", patch.last_name.json()),
        ("username", patch.username.json()),
        ("locale", patch.locale.json()),
        ("tags", patch.tags.json()),
    ];
    let fields: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Value::Object(fields)
}
