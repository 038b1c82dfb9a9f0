//! Writes: what we send to both versions, and what they did not take.

use std::sync::Arc;

use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    connectors::{ConnectorWrite, check_identity, decode},
    error::{Error, ErrorKind, RejectionReason, Result},
    user::{MaybeDeferred, User, UserPatch, WriteOutcome},
};

/// Refuses what the API would ignore silently.
fn rejected_field(field: &str, why: &str) -> Error {
    Error::new(ErrorKind::Rejected, why).with_reasons(vec![RejectionReason {
        field: Some(field.to_owned()),
        message: why.to_owned(),
    }])
}

/// The id that a user is created by.
///
/// # Errors
/// `Unsupported` without one.
pub(super) fn new_id(patch: &UserPatch) -> Result<&str> {
    patch.external_id.set().map(String::as_str).ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "nobody has this email, and Usertour makes users by `externalId` only: give one",
        )
    })
}

/// The id that a patch names, if any: its own, or that of your systems.
pub(super) fn named_id(patch: &UserPatch) -> &str {
    let id = patch.remote_id.as_ref().or(patch.external_id.set());
    id.map(String::as_str).unwrap_or_default()
}

/// Refuses to change the id of a user.
///
/// # Errors
/// `Rejected` with the field.
pub(super) fn check_id(id: &str, patch: &UserPatch) -> Result<()> {
    let names_another = patch.external_id.set().is_none_or(|other| other != id);
    if patch.external_id.is_change() && names_another {
        return Err(rejected_field(
            "externalId",
            "at Usertour this is the user's own id, which never changes",
        ));
    }
    Ok(())
}

/// The attributes of a patch: names and addresses are among them.
pub(super) fn attributes(patch: &UserPatch) -> Map<String, Value> {
    let mut attributes = patch.attributes.clone();
    let conventions = [("email", patch.email.json()), ("name", patch.name.json())];
    attributes.extend(
        conventions
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?))),
    );
    attributes
}

/// The companies of a patch, as version 1 takes them; `None` without any.
///
/// # Errors
/// `Rejected` when the user is to leave one.
pub(super) fn companies(patch: &UserPatch) -> Result<Option<Value>> {
    if patch.companies.iter().any(|company| company.leave) {
        return Err(rejected_field(
            "companies",
            "Usertour's API takes nobody out of a company",
        ));
    }
    let companies = patch.companies.iter().map(|company| {
        let name = company
            .name
            .iter()
            .map(|name| ("name".to_owned(), Value::from(name.clone())));
        json!({ "id": company.external_id, "attributes": name.collect::<Map<_, _>>() })
    });
    Ok((!patch.companies.is_empty()).then(|| companies.collect()))
}

/// The result of a write: the user in the answer, and the attributes that the provider did not
/// take.
///
/// # Errors
/// `Malformed` when another user was answered.
pub(super) fn write_result(
    user: User,
    (id, sent): (&str, &Value),
    outcome: WriteOutcome,
) -> Result<ConnectorWrite> {
    let user = check_identity(user, |user| user.remote_id == id)?;
    let remarks = dropped_attributes(sent, &user.attributes);
    Ok(ConnectorWrite {
        user: Some(user),
        outcome: Some(outcome),
        warnings: remarks,
    })
}

/// The attributes that were sent and are not there afterwards: version 1 drops a value whose type
/// is not that of the attribute's definition, and answers 201 all the same.
fn dropped_attributes(sent: &Value, kept: &MaybeDeferred<Arc<RawValue>>) -> Vec<Error> {
    let kept = match kept {
        MaybeDeferred::Inline(bag) => Some(bag),
        MaybeDeferred::None | MaybeDeferred::Deferred => None,
    };
    let sent = sent
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null());
    let is_kept = |name: &str, value: &Value| {
        let there = kept.and_then(|bag| decode::member(bag, name));
        there.is_some_and(|there| is_same(there, value))
    };
    let lost = sent.filter(|(name, value)| !is_kept(name, value));
    lost.map(|(name, _)| {
        let message =
            format!("the provider did not take `{name}`: it holds values of another type");
        let reason = RejectionReason {
            field: Some("attributes".to_owned()),
            message: message.clone(),
        };
        Error::new(ErrorKind::Rejected, message).with_reasons(vec![reason])
    })
    .collect()
}

/// Whether an attribute is there as it was sent; of numbers, also of nested ones, the digits may
/// differ.
fn is_same(there: &RawValue, sent: &Value) -> bool {
    let there = serde_json::from_str::<Value>(there.get());
    there.is_ok_and(|there| is_alike(&there, sent))
}

fn is_alike(there: &Value, sent: &Value) -> bool {
    match (there, sent) {
        (Value::Number(_), Value::Number(_)) => true,
        (Value::Array(there), Value::Array(sent)) => {
            there.len() == sent.len()
                && there
                    .iter()
                    .zip(sent)
                    .all(|(one, other)| is_alike(one, other))
        }
        (Value::Object(there), Value::Object(sent)) => {
            there.len() == sent.len()
                && sent
                    .iter()
                    .all(|(name, sent)| there.get(name).is_some_and(|there| is_alike(there, sent)))
        }
        (there, sent) => there == sent,
    }
}
