//! Writing users: a create, and a change that overwrites nothing unseen.

use std::sync::Arc;

use reqwest::{
    StatusCode,
    header::{ETAG, HeaderValue, IF_MATCH},
};
use serde_json::value::RawValue;

use super::{Scim, changes, record};
use crate::{
    client::{Operation, Request, Response},
    connectors::{ConnectorWrite, check_identity, decode},
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    user::{User, UserPatch, WriteOutcome},
};

impl Scim {
    /// RFC 7644, 3.3: 201 with the user.
    pub(super) async fn write_new(
        &self,
        context: &RequestContext,
        patch: &UserPatch,
    ) -> Result<ConnectorWrite> {
        let record = changes::new_record(patch)?;
        let call = Request::post(Operation::Create, &["Users"], record);
        let response = self.http.write(context, call).await?;
        if response.status != StatusCode::CREATED {
            let message = "the provider did not say that the user was created";
            return Err(Error::malformed(message));
        }
        let user = user_in(&response).and_then(|user| {
            let missing = || Error::malformed("the answer has no user");
            check_identity(user.ok_or_else(missing)?, |user| {
                patch.matches_identity(user)
            })
        });
        Ok(written(user, WriteOutcome::Created))
    }

    /// RFC 7644, 3.5: a PATCH of what changes, or a PUT of the record that was just read; with its
    /// version, where the server compares versions (3.14).
    pub(super) async fn change(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let config = self.config.get(&self.http, context, Operation::Update);
        let config = config.await?;
        let id = user.remote_id.as_str();
        let (user, version) = match config.has_versions {
            false => (user.clone(), None),
            true => match self.with_version(context, user).await? {
                Some(versioned) => versioned,
                None => return Ok(None),
            },
        };
        let changes = changes::changes(&user, patch)?;
        if changes.is_empty() {
            let matched = ConnectorWrite::complete(user, WriteOutcome::Matched);
            return Ok(Some(matched));
        }
        let path = ["Users", id];
        let mut call = match config.patches {
            true => Request::patch(Operation::Update, &path, changes::operations(&changes)?),
            false => {
                let record = changes::whole_record(&user.raw, &changes)?;
                Request::put(Operation::Update, &path, record)
            }
        };
        if let Some(version) = version {
            call = call.header(IF_MATCH, version);
        }
        let Some(answer) = self.http.find::<()>(context, call).await? else {
            return Ok(None);
        };
        let user = match user_in(&answer.response) {
            Ok(Some(user)) if user.remote_id == id => Ok(user),
            _ => self.read_again(context, id).await,
        };
        Ok(Some(written(user, WriteOutcome::Updated)))
    }

    /// A user with its version, which its record has in `meta`, or the header of the answer.
    async fn with_version(
        &self,
        context: &RequestContext,
        user: &User,
    ) -> Result<Option<(User, Option<HeaderValue>)>> {
        if let Some(version) = version_in(&user.raw) {
            return Ok(Some((user.clone(), Some(version))));
        }
        let Some((user, headers)) = self.get_with_headers(context, &user.remote_id).await? else {
            return Ok(None);
        };
        let version = version_in(&user.raw).or_else(|| headers.get(ETAG).cloned());
        Ok(Some((user, version)))
    }

    async fn read_again(&self, context: &RequestContext, id: &str) -> Result<User> {
        let user = self.get(context, id).await?;
        user.ok_or_else(|| Error::malformed("the provider no longer has it"))
    }
}

/// The version of a record.
fn version_in(record: &RawValue) -> Option<HeaderValue> {
    let version = decode::member(decode::member(record, "meta")?, "version")?;
    HeaderValue::from_str(&decode::string(version).filter(|version| !version.is_empty())?).ok()
}

/// The user in the answer to a write; `None` when it has no body.
fn user_in(response: &Response) -> Result<Option<User>> {
    if response.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let raw: Box<RawValue> = response.json()?;
    record::user(response.account, Arc::from(raw)).map(Some)
}

/// A write that is done, though its record may be unknown.
fn written(user: Result<User>, outcome: WriteOutcome) -> ConnectorWrite {
    match user {
        Ok(user) => ConnectorWrite::complete(user, outcome),
        Err(error) => ConnectorWrite {
            user: None,
            outcome: Some(outcome),
            warnings: vec![unread(&error)],
        },
    }
}

fn unread(error: &Error) -> Error {
    let message = format!(
        "the user was written, but it could not be read afterwards: {}; look it up by email",
        error.message()
    );
    Error::new(ErrorKind::Malformed, message)
}
