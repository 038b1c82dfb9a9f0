//! `User`: the domain type itself answers, no twin of it.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Json, Lookahead, Object};
use jiff::Timestamp;
use serde_json::{Value, value::RawValue};

use super::{
    cursor,
    error::{Answer, answer, shown},
};
use crate::{
    error::{Error, Kind},
    loader::Loaders,
    user::{Attributes, Company, Provider, User, UserKind},
    vendor::{Details, Expand},
};

/// Anything that has a global id.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "The global id: opaque, stable, accepted by `node` and `nodes`."
))]
pub enum Node {
    /// A user.
    User(Arc<User>),
}

/// One provider's record of a person. What the provider has no value for is null.
#[Object]
impl User {
    /// The global id: opaque, stable, accepted by `node` and `nodes`.
    async fn id(&self) -> ID {
        cursor::of_user(self.provider, &self.vendor_id).into()
    }

    /// The provider that holds the record.
    async fn provider(&self) -> Provider {
        self.provider
    }

    /// The provider's own id of the record: opaque.
    async fn vendor_id(&self) -> ID {
        self.vendor_id.clone().into()
    }

    /// The id that your systems gave the user.
    async fn external_id(&self) -> Option<ID> {
        self.external_id.clone().map(ID)
    }

    /// The email address, as the provider spells it.
    async fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The whole name.
    async fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The given name.
    async fn first_name(&self) -> Option<&str> {
        self.first_name.as_deref()
    }

    /// The family name.
    async fn last_name(&self) -> Option<&str> {
        self.last_name.as_deref()
    }

    /// The login name.
    async fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The address of a picture.
    async fn avatar_url(&self) -> Option<&str> {
        self.avatar_url.as_deref()
    }

    /// The language, as the provider writes it (BCP 47 or ISO 639-1).
    async fn locale(&self) -> Option<&str> {
        self.locale.as_deref()
    }

    /// The time zone, as the provider writes it.
    async fn timezone(&self) -> Option<&str> {
        self.timezone.as_deref()
    }

    /// Whether the person is a known user or a lead.
    async fn kind(&self) -> UserKind {
        self.kind
    }

    /// Labels; null where the provider has no such thing.
    async fn tags(&self) -> Option<&[String]> {
        self.tags.as_deref()
    }

    /// The companies that the user belongs to; null where the provider has no such thing.
    async fn companies(&self) -> Option<&[Company]> {
        self.companies.as_deref()
    }

    /// When the record was made.
    async fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }

    /// When the record last changed.
    async fn updated_at(&self) -> Option<Timestamp> {
        self.updated_at
    }

    /// When the person was last seen.
    async fn last_seen_at(&self) -> Option<Timestamp> {
        self.last_seen_at
    }

    /// The provider's custom fields, an object; null where the record has none. DigitalChalk is asked
    /// for them only when they are read, a call for each user, and names them by the ids of its fields.
    async fn attributes(&self, ctx: &Context<'_>) -> Answer<Json<Value>> {
        match &self.attributes {
            Attributes::None => None,
            Attributes::Here(object) => Some(json(object)),
            Attributes::Apart => {
                let loaders = ctx.data_unchecked::<Loaders>();
                match loaders
                    .attributes(self.provider, self.vendor_id.clone())
                    .await
                {
                    Ok(object) => object.map(|object| json(&object)),
                    Err(error) => Some(Err(shown(&error))),
                }
            }
        }
    }

    /// Every documented field of the provider's own record, typed.
    async fn details(&self) -> Answer<Details> {
        answer(Details::read(self.provider, &self.raw))
    }

    /// The record as the provider sent it.
    async fn raw(&self) -> Answer<Json<Value>> {
        Some(json(&self.raw))
    }
}

fn json(raw: &RawValue) -> async_graphql::Result<Json<Value>> {
    let read = serde_json::from_str(raw.get());
    read.map(Json).map_err(|_| {
        super::error::shown(&Error::new(
            Kind::Internal,
            "a record that was read cannot be read again",
        ))
    })
}

/// The parts of a user that a selection on one reads, of those that cost the vendor more.
pub fn expand(user: &Lookahead<'_>) -> Expand {
    let details = user.field("details");
    Expand {
        companies: user.field("companies").exists() || details.field("companies").exists(),
        memberships: details.field("memberships").exists(),
    }
}

/// What the field being resolved reads of its users, found by a path of fields below it.
pub fn expand_at(ctx: &Context<'_>, paths: &[&[&str]]) -> Expand {
    let along = |path: &&[&str]| {
        path.iter()
            .fold(ctx.look_ahead(), |at, field| at.field(field))
    };
    paths
        .iter()
        .map(|path| expand(&along(path)))
        .fold(Expand::default(), Expand::or)
}
