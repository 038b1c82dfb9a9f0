//! Writing contacts: create, and where the contact is there already change it; companies are joined
//! and left by calls of their own
//! (`developers.intercom.com/docs/references/2.17/rest-api/contacts/create-contact`,
//! `…/update-contact`, `…/companies/attach-contact-to-company`).

use serde_json::{Value, json};

use super::{Contacts, company};
use crate::{
    client::{Operation, Request},
    connectors::{
        ConnectorWrite,
        intercom::{attributes, body, check, seconds},
    },
    context::RequestContext,
    error::{Error, ErrorKind, RejectionReason, Result},
    user::{CompanyPatch, User, UserPatch, WriteOutcome},
};

/// The body that creates a contact.
pub(super) fn create_body(patch: &UserPatch) -> Result<Value> {
    let mut body = update_body(patch)?;
    body["role"] = "user".into();
    Ok(body)
}

/// The body that changes a contact: what it does not name stays.
pub(super) fn update_body(patch: &UserPatch) -> Result<Value> {
    check(patch)?;
    let unsubscribed = patch.unsubscribed_from_emails.json();
    Ok(body([
        ("external_id", patch.external_id.json()),
        ("email", patch.email.json()),
        ("name", patch.name.json()),
        ("phone", patch.phone.json()),
        ("avatar", patch.avatar_url.json()),
        ("signed_up_at", seconds(&patch.signed_up_at)),
        ("unsubscribed_from_emails", unsubscribed),
        ("custom_attributes", attributes(patch)),
    ]))
}

/// The contact that a 409 names, in its text alone.
#[derive(Debug, Eq, PartialEq)]
struct ExistingContact {
    id: String,
    is_archived: bool,
}

impl ExistingContact {
    fn in_message(message: &str) -> Option<Self> {
        let (before, id) = message.rsplit_once("id=")?;
        let id = id.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
        let id = id.into_iter().next().filter(|id| !id.is_empty())?;
        Some(Self {
            id: id.to_owned(),
            is_archived: before.to_lowercase().contains("archived"),
        })
    }
}

fn rejected(field: &str, message: String) -> Error {
    let reason = RejectionReason {
        field: Some(field.to_owned()),
        message: message.clone(),
    };
    Error::new(ErrorKind::Rejected, message).with_reasons(vec![reason])
}

/// The field that another contact may have, as a client names it.
fn conflicting_field(patch: &UserPatch) -> &'static str {
    if patch.email.is_change() {
        "email"
    } else {
        "externalId"
    }
}

/// A refusal to give a contact what another one has.
pub(super) fn conflict_error(patch: &UserPatch, error: &Error) -> Error {
    let mut messages = error.reasons().iter().map(|reason| reason.message.as_str());
    let other = messages.find_map(ExistingContact::in_message);
    let other = other.map_or_else(String::new, |other| format!(" ({})", other.id));
    rejected(
        conflicting_field(patch),
        format!("another contact{other} has this email or external id: change one of the two"),
    )
}

impl Contacts {
    /// Writes a patch whose contact exists after all: search did not know it yet, or another
    /// contact has the address or the external id.
    pub(super) async fn write_existing(
        &self,
        context: &RequestContext,
        patch: &UserPatch,
        error: Error,
    ) -> Result<ConnectorWrite> {
        let mut messages = error.reasons().iter().map(|reason| reason.message.as_str());
        let Some(existing) = messages.find_map(ExistingContact::in_message) else {
            return Err(error);
        };
        let id = existing.id;
        let field = conflicting_field(patch);
        if existing.is_archived {
            return Err(rejected(
                field,
                format!(
                    "an archived contact has this email or external id: unarchive contact {id} in Intercom, or delete it there"
                ),
            ));
        }
        let Some(user) = self.get(context, &id).await? else {
            return Err(error);
        };
        if !patch.matches_identity(&user) && !patch.matches_unclaimed(&user) {
            return Err(rejected(
                field,
                format!(
                    "another contact has this email or external id: say with `remoteId` that {id} is meant, or change one of the two"
                ),
            ));
        }
        let patch = &patch.without_unchanged(&user);
        if patch.fields().is_empty() {
            self.recent.remember(&user).await;
            return Ok(ConnectorWrite::complete(user, WriteOutcome::Matched));
        }
        let updated = super::Connector::update(self, context, &user, patch).await?;
        updated.ok_or_else(|| Error::malformed("the contact vanished between two calls; try again"))
    }

    /// Completes a write: writes the companies, then reads the contact. The write is done, so a
    /// failure here is a remark on it.
    pub(super) async fn finish_write(
        &self,
        context: &RequestContext,
        user: User,
        patch: &UserPatch,
        outcome: WriteOutcome,
    ) -> ConnectorWrite {
        self.recent.remember(&user).await;
        if patch.companies.is_empty() {
            return ConnectorWrite::complete(user, outcome);
        }
        let id = user.remote_id;
        let mut remarks = Vec::new();
        for company in &patch.companies {
            if let Err(error) = self.write_membership(context, &id, company).await {
                let what = format!("joining or leaving company {}", company.external_id);
                remarks.push(warning(&error, Some("companies"), &what));
            }
        }
        let user = self
            .get(context, &id)
            .await
            .and_then(|user| user.ok_or_else(|| Error::malformed("it is gone")));
        let user = user
            .map_err(|error| remarks.push(warning(&error, None, "reading it afterwards")))
            .ok();
        if let Some(user) = &user {
            self.recent.remember(user).await;
        }
        ConnectorWrite {
            user,
            outcome: Some(outcome),
            warnings: remarks,
        }
    }

    /// Joins or leaves a company. Joining makes the company where there is none of that id.
    async fn write_membership(
        &self,
        context: &RequestContext,
        contact: &str,
        patch: &CompanyPatch,
    ) -> Result<()> {
        let operation = Operation::Companies;
        if patch.leave {
            let company =
                company::find_company_id(&self.api, context, operation, &patch.external_id).await?;
            let Some(company) = company else {
                return Ok(());
            };
            let path = ["contacts", contact, "companies", &company];
            // A contact that is not in the company has already left it.
            let left = self
                .api
                .find::<()>(context, Request::delete(operation, &path))
                .await;
            return left.map(|_| ());
        }
        let mut company = json!({ "company_id": patch.external_id });
        if let Some(name) = &patch.name {
            company["name"] = name.clone().into();
        }
        // Finds or makes, by the id that is given.
        let call = Request::post(operation, &["companies"], company).repeatable(true);
        let found = self.api.send::<company::CompanyLookupBody>(context, call);
        let company = found.await?.body.id(&patch.external_id)?;
        let path = ["contacts", contact, "companies"];
        let call = Request::post(operation, &path, json!({ "id": company })).repeatable(true);
        self.api.write(context, call).await.map(|_| ())
    }
}

fn warning(error: &Error, field: Option<&str>, what: &str) -> Error {
    let why = match (error.kind(), error.reasons()) {
        (ErrorKind::Rejected | ErrorKind::Conflict, [reason, ..]) => &reason.message,
        _ => error.message(),
    };
    let message = format!("the contact was written; this was not done: {what}: {why}");
    let reason = RejectionReason {
        field: field.map(str::to_owned),
        message: message.clone(),
    };
    Error::new(error.kind(), message)
        .with_retry_after(error.retry_after())
        .with_reasons(vec![reason])
}

#[cfg(test)]
mod tests {
    use super::ExistingContact;

    #[test]
    fn the_contact_of_a_conflict_is_read_from_its_text() {
        let of = |message| {
            ExistingContact::in_message(message).map(|existing| (existing.id, existing.is_archived))
        };

        assert_eq!(
            of("A contact matching those details already exists with id=64aa00000000000000000001"),
            Some(("64aa00000000000000000001".to_owned(), false))
        );
        assert_eq!(
            of("An archived contact matching those details already exists with id=64aa."),
            Some(("64aa".to_owned(), true))
        );
        assert_eq!(of("resource conflict"), None);
        assert_eq!(of("it exists with id="), None);
    }
}
