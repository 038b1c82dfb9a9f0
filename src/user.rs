//! A user as every provider's records are seen here, and what may be asked and changed of one.

pub mod email;
pub mod patch;
pub mod text;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::account::Account;

pub use email::Email;
pub use patch::{CompanyPatch, FieldChange, Identity, PatchField, UserPatch, WriteOutcome};

/// The kind of a record: how its provider sees the person.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum UserKind {
    /// A known user.
    #[default]
    User,
    /// Somebody who has not signed up yet: Intercom's leads.
    Lead,
}

/// A company that a user belongs to, as its provider names it.
#[derive(async_graphql::SimpleObject, Clone, Debug, Default, Eq, PartialEq)]
#[graphql(name = "UserCompany")]
pub struct Company {
    /// The provider's own id of the company, where the provider shows it.
    pub remote_id: Option<String>,
    /// The id that your systems gave the company.
    pub external_id: Option<String>,
    /// The company's name.
    pub name: Option<String>,
}

/// A label or a segment, as its provider names it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Label {
    /// The provider's own id of it.
    pub id: Option<String>,
    /// Its name, where the provider shows it.
    pub name: Option<String>,
}

/// A part of a record that a provider may keep apart from it.
#[derive(Clone, Debug, Default)]
pub enum MaybeDeferred<T> {
    /// The provider has no such thing, has none here, or was not asked for it.
    #[default]
    None,
    /// It came with the record.
    Inline(T),
    /// It takes a call of its own.
    Deferred,
}

impl<T> From<Option<T>> for MaybeDeferred<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Self::Inline)
    }
}

impl<T> MaybeDeferred<Vec<T>> {
    /// The list with each of its items as something else.
    #[must_use]
    pub fn map_items<U>(self, change: impl FnMut(T) -> Option<U>) -> MaybeDeferred<Vec<U>> {
        match self {
            Self::None => MaybeDeferred::None,
            Self::Inline(items) => {
                MaybeDeferred::Inline(items.into_iter().filter_map(change).collect())
            }
            Self::Deferred => MaybeDeferred::Deferred,
        }
    }
}

/// One provider's record of a person. What the provider has no value for is `None`.
#[derive(Clone, Debug)]
pub struct User {
    /// The account that holds the record.
    pub account: Account,
    /// The provider's own id: opaque.
    pub remote_id: String,
    /// The id that your systems gave the user.
    pub external_id: Option<String>,
    /// The first address, as the provider spells it.
    pub email: Option<String>,
    /// Further addresses, as the provider spells them; read all by `User::emails`.
    pub other_emails: Vec<String>,
    /// Whether the record has an address that cannot be read: it may be anybody's.
    pub is_email_unreadable: bool,
    /// The telephone number, as the provider writes it.
    pub phone: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The login name.
    pub username: Option<String>,
    /// The address of a picture.
    pub avatar_url: Option<String>,
    /// The language, as the provider writes it (BCP 47 or ISO 639-1).
    pub locale: Option<String>,
    /// The time zone, as the provider writes it.
    pub timezone: Option<String>,
    /// User or lead.
    pub kind: UserKind,
    /// Labels.
    pub tags: MaybeDeferred<Vec<String>>,
    /// Companies.
    pub companies: MaybeDeferred<Vec<Company>>,
    /// When the record was made.
    pub created_at: Option<Timestamp>,
    /// When the record last changed.
    pub updated_at: Option<Timestamp>,
    /// When the person signed up with you.
    pub signed_up_at: Option<Timestamp>,
    /// When the person was last seen.
    pub last_seen_at: Option<Timestamp>,
    /// The address of the record in the provider's own web app.
    pub profile_url: Option<String>,
    /// The provider's custom fields: a JSON object.
    pub attributes: MaybeDeferred<Arc<RawValue>>,
    /// The record as the provider sent it.
    pub raw: Arc<RawValue>,
    /// Whether this stands for a row of a list that cannot be read. It has its place in a page, and
    /// is never shown.
    pub is_unreadable: bool,
}

impl User {
    /// A record that has nothing yet but its id.
    #[must_use]
    pub fn new(account: Account, remote_id: String, raw: Arc<RawValue>) -> Self {
        Self {
            account,
            remote_id,
            external_id: None,
            email: None,
            other_emails: Vec::new(),
            is_email_unreadable: false,
            phone: None,
            name: None,
            first_name: None,
            last_name: None,
            username: None,
            avatar_url: None,
            locale: None,
            timezone: None,
            kind: UserKind::User,
            tags: MaybeDeferred::None,
            companies: MaybeDeferred::None,
            created_at: None,
            updated_at: None,
            signed_up_at: None,
            last_seen_at: None,
            profile_url: None,
            attributes: MaybeDeferred::None,
            raw,
            is_unreadable: false,
        }
    }

    /// Every address of the user, the first one first.
    pub fn all_emails(&self) -> impl Iterator<Item = &str> {
        let others = self.other_emails.iter().map(String::as_str);
        self.email.as_deref().into_iter().chain(others)
    }

    /// Whether an address, in whatever spelling, is one of the user's.
    #[must_use]
    pub fn has_email(&self, email: &Email) -> bool {
        self.all_emails().any(|spelling| email.matches(spelling))
    }

    /// Whether one of the user's addresses has a domain, which is folded.
    #[must_use]
    pub fn has_email_domain(&self, domain: &str) -> bool {
        let mut domains = self.all_emails().filter_map(|email| email.rsplit_once('@'));
        domains.any(|(_, of)| email::fold_domain(of) == domain)
    }

    /// The placeholder of a row that cannot be read. It has a position in its page, and no identity.
    #[must_use]
    pub fn unreadable(account: Account, raw: Arc<RawValue>) -> Self {
        Self {
            is_unreadable: true,
            ..Self::new(account, String::new(), raw)
        }
    }
}
