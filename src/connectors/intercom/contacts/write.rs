//! Writing contacts: create, and where the contact is there already change it; companies are joined and
//! left by calls of their own
//! (`developers.intercom.com/docs/references/2.17/rest-api/contacts/create-contact`, `…/update-contact`,
//! `…/companies/attach-contact-to-company`).

use serde_json::{Value, json};

use super::{Contacts, company};
use crate::{
    client::{Operation, Request, RequestContext},
    connectors::{
        ConnectorWrite,
        intercom::{attributes, body, check, seconds},
    },
    error::{Error, ErrorKind, Reason, Result},
    user::{CompanyPatch, User, UserPatch, WriteOutcome},
};

/// The body that creates a contact.
pub(super) fn created(draft: &UserPatch) -> Result<Value> {
    let mut body = updated(draft)?;
    body["role"] = "user".into();
    Ok(body)
}

/// The body that changes a contact: what it does not name stays.
pub(super) fn updated(draft: &UserPatch) -> Result<Value> {
    check(draft)?;
    let unsubscribed = draft.unsubscribed_from_emails.json();
    Ok(body([
        ("external_id", draft.external_id.json()),
        ("email", draft.email.json()),
        ("name", draft.name.json()),
        ("phone", draft.phone.json()),
        ("avatar", draft.avatar_url.json()),
        ("signed_up_at", seconds(&draft.signed_up_at)),
        ("unsubscribed_from_emails", unsubscribed),
        ("custom_attributes", attributes(draft)),
    ]))
}

/// The contact that a 409 names, in its text alone.
#[derive(Debug, Eq, PartialEq)]
struct ExistingContact {
    id: String,
    is_archived: bool,
}

impl ExistingContact {
    fn of(message: &str) -> Option<Self> {
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
    let reason = Reason {
        field: Some(field.to_owned()),
        message: message.clone(),
    };
    Error::new(ErrorKind::Rejected, message).reasons(vec![reason])
}

/// The field that another contact may have, as a client names it.
fn contested(draft: &UserPatch) -> &'static str {
    if draft.email.is_change() {
        "email"
    } else {
        "externalId"
    }
}

/// A refusal to give a contact what another one has.
pub(super) fn taken(draft: &UserPatch, error: &Error) -> Error {
    let mut messages = error.why().iter().map(|reason| reason.message.as_str());
    let other = messages.find_map(ExistingContact::of);
    let other = other.map_or_else(String::new, |other| format!(" ({})", other.id));
    rejected(
        contested(draft),
        format!("another contact{other} has this email or external id: change one of the two"),
    )
}

impl Contacts {
    /// What becomes of a draft whose contact turned out to be there: search did not know it yet, or it
    /// is another contact that has the address or the external id.
    pub(super) async fn met(
        &self,
        scope: &RequestContext,
        draft: &UserPatch,
        error: Error,
    ) -> Result<ConnectorWrite> {
        let mut messages = error.why().iter().map(|reason| reason.message.as_str());
        let Some(existing) = messages.find_map(ExistingContact::of) else {
            return Err(error);
        };
        let id = existing.id;
        let field = contested(draft);
        if existing.is_archived {
            return Err(rejected(
                field,
                format!(
                    "an archived contact has this email or external id: unarchive contact {id} in Intercom, or delete it there"
                ),
            ));
        }
        let Some(user) = self.get(scope, &id).await? else {
            return Err(error);
        };
        if !draft.means(&user) && !draft.adopts(&user) {
            return Err(rejected(
                field,
                format!(
                    "another contact has this email or external id: say with `remoteId` that {id} is meant, or change one of the two"
                ),
            ));
        }
        let draft = &draft.keeping(&user);
        if draft.fields().is_empty() {
            self.recent.remember(&user).await;
            return Ok(ConnectorWrite::whole(user, WriteOutcome::Matched));
        }
        let updated = super::Connector::update(self, scope, &user, draft).await?;
        updated.ok_or_else(|| Error::malformed("the contact vanished between two calls; try again"))
    }

    /// What follows a write: companies, and then the contact as it is. The write is done, so what fails
    /// here is a remark on it.
    pub(super) async fn written(
        &self,
        scope: &RequestContext,
        user: User,
        draft: &UserPatch,
        outcome: WriteOutcome,
    ) -> ConnectorWrite {
        self.recent.remember(&user).await;
        if draft.companies.is_empty() {
            return ConnectorWrite::whole(user, outcome);
        }
        let id = user.remote_id;
        let mut remarks = Vec::new();
        for company in &draft.companies {
            if let Err(error) = self.attend(scope, &id, company).await {
                let what = format!("joining or leaving company {}", company.external_id);
                remarks.push(remark(&error, Some("companies"), &what));
            }
        }
        let user = self
            .get(scope, &id)
            .await
            .and_then(|user| user.ok_or_else(|| Error::malformed("it is gone")));
        let user = user
            .map_err(|error| remarks.push(remark(&error, None, "reading it afterwards")))
            .ok();
        if let Some(user) = &user {
            self.recent.remember(user).await;
        }
        ConnectorWrite {
            user,
            outcome: Some(outcome),
            remarks,
        }
    }

    /// Joins or leaves a company. Joining makes the company where there is none of that id.
    async fn attend(
        &self,
        scope: &RequestContext,
        contact: &str,
        draft: &CompanyPatch,
    ) -> Result<()> {
        let operation = Operation::Companies;
        if draft.leave {
            let company = company::found(&self.api, scope, operation, &draft.external_id).await?;
            let Some(company) = company else {
                return Ok(());
            };
            let path = ["contacts", contact, "companies", &company];
            // A contact that is not in the company has already left it.
            let left = self
                .api
                .find(scope, Request::delete(operation, &path))
                .await;
            return left.map(|_| ());
        }
        let mut company = json!({ "company_id": draft.external_id });
        if let Some(name) = &draft.name {
            company["name"] = name.clone().into();
        }
        // Finds or makes, by the id that is given.
        let call = Request::post(operation, &["companies"], company).repeatable(true);
        let company = company::id_in(&self.api.send(scope, call).await?, &draft.external_id)?;
        let path = ["contacts", contact, "companies"];
        let call = Request::post(operation, &path, json!({ "id": company })).repeatable(true);
        self.api.send(scope, call).await.map(|_| ())
    }
}

fn remark(error: &Error, field: Option<&str>, what: &str) -> Error {
    let why = match (error.kind(), error.why()) {
        (ErrorKind::Rejected | ErrorKind::Conflict, [reason, ..]) => &reason.message,
        _ => error.message(),
    };
    let message = format!("the contact was written; this was not done: {what}: {why}");
    let reason = Reason {
        field: field.map(str::to_owned),
        message: message.clone(),
    };
    Error::new(error.kind(), message)
        .retry_after(error.wait())
        .reasons(vec![reason])
}

#[cfg(test)]
mod tests {
    use super::ExistingContact;

    #[test]
    fn the_contact_of_a_conflict_is_read_from_its_text() {
        let of = |message| {
            ExistingContact::of(message).map(|existing| (existing.id, existing.is_archived))
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
