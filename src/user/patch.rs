//! A change to a user, before it is written: what stays, what is cleared, what is set.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Email, User, UserKind};

/// The change of one field.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum FieldChange<T> {
    /// The field stays as it is.
    #[default]
    Keep,
    /// The field loses its value.
    Clear,
    /// The field gets a value.
    Set(T),
}

impl<T> FieldChange<T> {
    /// The new value, if one is set.
    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Whether the field changes at all.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// The JSON for a body: nothing when the field stays, `null` when it is cleared.
    pub fn json(&self) -> Option<Value>
    where
        T: Clone + Into<Value>,
    {
        match self {
            Self::Keep => None,
            Self::Clear => Some(Value::Null),
            Self::Set(value) => Some(value.clone().into()),
        }
    }
}

/// A company to put a user into.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CompanyPatch {
    /// The id that your systems gave the company.
    pub external_id: String,
    /// The company's name, if it is to be set.
    pub name: Option<String>,
    /// Whether the user leaves the company rather than joins it.
    pub leave: bool,
}

/// A change to one user. Which record is meant is said by the first of `remote_id`, `external_id`
/// and `email` that is set.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    /// The provider's own id of a record that exists.
    pub remote_id: Option<String>,
    /// The id that your systems give the user.
    pub external_id: FieldChange<String>,
    /// The address.
    pub email: FieldChange<Email>,
    /// The whole name.
    pub name: FieldChange<String>,
    /// The given name.
    pub first_name: FieldChange<String>,
    /// The family name.
    pub last_name: FieldChange<String>,
    /// The login name.
    pub username: FieldChange<String>,
    /// The telephone number.
    pub phone: FieldChange<String>,
    /// The address of a picture.
    pub avatar_url: FieldChange<String>,
    /// The language.
    pub locale: FieldChange<String>,
    /// Labels: the whole set.
    pub tags: FieldChange<Vec<String>>,
    /// Companies to join or to leave; the others stay.
    pub companies: Vec<CompanyPatch>,
    /// When the person signed up with you.
    pub signed_up_at: FieldChange<Timestamp>,
    /// Whether the person takes no more email.
    pub unsubscribed_from_emails: FieldChange<bool>,
    /// Custom fields, merged key by key; a null clears its key.
    pub attributes: Map<String, Value>,
}

/// The fields of a patch, as the input names them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatchField {
    /// `externalId`
    ExternalId,
    /// `email`
    Email,
    /// `name`
    Name,
    /// `firstName`
    FirstName,
    /// `lastName`
    LastName,
    /// `username`
    Username,
    /// `phone`
    Phone,
    /// `avatarUrl`
    AvatarUrl,
    /// `locale`
    Locale,
    /// `tags`
    Tags,
    /// `companies`
    Companies,
    /// `signedUpAt`
    SignedUpAt,
    /// `unsubscribedFromEmails`
    UnsubscribedFromEmails,
    /// `attributes`
    Attributes,
}

impl PatchField {
    /// The field's name in the input.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ExternalId => "externalId",
            Self::Email => "email",
            Self::Name => "name",
            Self::FirstName => "firstName",
            Self::LastName => "lastName",
            Self::Username => "username",
            Self::Phone => "phone",
            Self::AvatarUrl => "avatarUrl",
            Self::Locale => "locale",
            Self::Tags => "tags",
            Self::Companies => "companies",
            Self::SignedUpAt => "signedUpAt",
            Self::UnsubscribedFromEmails => "unsubscribedFromEmails",
            Self::Attributes => "attributes",
        }
    }
}

/// The key by which a patch names its record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// The provider's own id.
    RemoteId,
    /// The id that your systems gave.
    ExternalId,
    /// The address.
    Email,
}

impl UserPatch {
    /// The key by which the patch names its record; `None` when it names none.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        if self.remote_id.is_some() {
            Some(Identity::RemoteId)
        } else if self.external_id.set().is_some() {
            Some(Identity::ExternalId)
        } else if self.email.set().is_some() {
            Some(Identity::Email)
        } else {
            None
        }
    }

    /// Whether a user is the one that the patch says is meant.
    #[must_use]
    pub fn matches_identity(&self, user: &User) -> bool {
        match (&self.remote_id, self.external_id.set(), self.email.set()) {
            (Some(id), _, _) => user.remote_id == *id,
            (None, Some(id), _) => user.external_id.as_ref() == Some(id),
            (None, None, Some(email)) => user.has_email(email),
            (None, None, None) => false,
        }
    }

    /// Whether the patch's address is one of a user's.
    #[must_use]
    pub fn has_email_of(&self, user: &User) -> bool {
        self.email.set().is_some_and(|email| user.has_email(email))
    }

    /// Whether a user without an external id is the one that the patch gives one to: it has the
    /// patch's address.
    #[must_use]
    pub fn matches_unclaimed(&self, user: &User) -> bool {
        let is_free = user.kind == UserKind::User && user.external_id.is_none();
        is_free && self.remote_id.is_none() && self.has_email_of(user)
    }

    /// The patch without what a user has already: a record keeps its own spelling of its address. A
    /// further address is kept where the user is meant by it; elsewhere it becomes the first.
    #[must_use]
    pub fn without_unchanged(&self, user: &User) -> Self {
        let mut patch = self.clone();
        let is_first = |email: &Email| {
            user.email
                .as_deref()
                .is_some_and(|first| email.matches(first))
        };
        let is_kept = match self.identity() {
            Some(Identity::Email) => patch.has_email_of(user),
            _ => patch.email.set().is_some_and(is_first),
        };
        if is_kept {
            patch.email = FieldChange::Keep;
        }
        let external_id = patch.external_id.set();
        if external_id.is_some() && external_id == user.external_id.as_ref() {
            patch.external_id = FieldChange::Keep;
        }
        patch
    }

    /// The fields that the patch changes, in the order of the input.
    #[must_use]
    pub fn fields(&self) -> Vec<PatchField> {
        [
            (self.external_id.is_change(), PatchField::ExternalId),
            (self.email.is_change(), PatchField::Email),
            (self.name.is_change(), PatchField::Name),
            (self.first_name.is_change(), PatchField::FirstName),
            (self.last_name.is_change(), PatchField::LastName),
            (self.username.is_change(), PatchField::Username),
            (self.phone.is_change(), PatchField::Phone),
            (self.avatar_url.is_change(), PatchField::AvatarUrl),
            (self.locale.is_change(), PatchField::Locale),
            (self.tags.is_change(), PatchField::Tags),
            (!self.companies.is_empty(), PatchField::Companies),
            (self.signed_up_at.is_change(), PatchField::SignedUpAt),
            (
                self.unsubscribed_from_emails.is_change(),
                PatchField::UnsubscribedFromEmails,
            ),
            (!self.attributes.is_empty(), PatchField::Attributes),
        ]
        .into_iter()
        .filter_map(|(changes, field)| changes.then_some(field))
        .collect()
    }
}

/// The effect of a write.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
#[graphql(name = "UpsertOutcome")]
pub enum WriteOutcome {
    /// A record was made.
    Created,
    /// A record was changed.
    Updated,
    /// A record was found, and nothing of it was to be changed.
    Matched,
    /// Nothing was written: the provider is disabled, or `userErrors` say why not.
    Skipped,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::value::RawValue;

    use super::{Email, FieldChange, User, UserPatch};
    use crate::account::{Account, Provider};

    fn email(text: &str) -> Email {
        Email::parse(text).expect("an address")
    }

    /// A user with two addresses.
    fn user() -> User {
        let account = Account::default_for(Provider::Ada);
        User {
            email: Some("One@x.test".to_owned()),
            other_emails: vec!["Two@x.test".to_owned()],
            ..User::new(
                account,
                "a".to_owned(),
                Arc::from(RawValue::NULL.to_owned()),
            )
        }
    }

    fn patch(text: &str) -> UserPatch {
        UserPatch {
            email: FieldChange::Set(email(text)),
            ..UserPatch::default()
        }
    }

    #[test]
    fn every_address_of_a_user_counts() {
        for (text, is_its) in [
            ("one@x.test", true),
            ("two@X.test", true),
            ("other@x.test", false),
        ] {
            let (user, patch) = (user(), patch(text));
            assert_eq!(user.has_email(&email(text)), is_its, "{text}");
            assert_eq!(patch.matches_identity(&user), is_its, "{text}");
            assert_eq!(patch.has_email_of(&user), is_its, "{text}");
            assert_eq!(patch.matches_unclaimed(&user), is_its, "{text}");
            assert_eq!(
                patch.without_unchanged(&user).email.is_change(),
                !is_its,
                "{text}"
            );
        }
        let emails: Vec<_> = user().all_emails().map(str::to_owned).collect();
        assert_eq!(emails, ["One@x.test", "Two@x.test"]);
    }

    #[test]
    fn a_patch_of_a_user_by_id_makes_a_further_address_the_first() {
        let by_id = |text| UserPatch {
            remote_id: Some("a".to_owned()),
            ..patch(text)
        };
        assert!(
            !by_id("one@x.test")
                .without_unchanged(&user())
                .email
                .is_change()
        );
        assert!(
            by_id("two@x.test")
                .without_unchanged(&user())
                .email
                .is_change()
        );
    }
}
