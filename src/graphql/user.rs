//! `User`: the domain type itself answers, no twin of it.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Lookahead, Object, OutputType, Positioned,
    SelectionField, ServerResult, Value, parser::types::Field, registry::Registry,
};
use jiff::Timestamp;

use super::{
    cursor,
    error::{NullableResult, to_graphql_error},
    person::Person,
    row::MeteredObject,
    sources_last::SourcesLast,
    subresources::failed,
};
use crate::{
    account::Provider,
    connectors::{Details, Expand, Subresource, SubresourceData, SubresourceLoader, json::RawJson},
    context::RequestContext,
    error::Result,
    user::{Company, Email, MaybeDeferred, User, UserKind},
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
    /// A person.
    Person(Person),
}

/// A node that answers as its own type does where that type is asked for by itself.
pub struct NodeObject(pub Node);

impl OutputType for NodeObject {
    fn type_name() -> Cow<'static, str> {
        Node::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Node::create_type_info(registry)
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match &self.0 {
            Node::User(user) => MeteredObject(user).resolve(ctx, field).await,
            Node::Person(person) => SourcesLast(person).resolve(ctx, field).await,
        }
    }
}

/// One provider's record of a person. What the provider has no value for is null.
#[Object]
impl User {
    /// The global id: opaque, stable, accepted by `node` and `nodes`.
    async fn id(&self) -> ID {
        cursor::encode_user_id(self.account, &self.remote_id).into()
    }

    /// The provider that holds the record.
    async fn provider(&self) -> Provider {
        self.account.provider()
    }

    /// The name of the account that holds the record, as this gateway's configuration has it.
    async fn account(&self) -> &'static str {
        self.account.name()
    }

    /// The provider's own id of the record: opaque.
    async fn remote_id(&self) -> ID {
        self.remote_id.clone().into()
    }

    /// The id that your systems gave the user.
    async fn external_id(&self) -> Option<ID> {
        self.external_id.clone().map(ID)
    }

    /// The email address, as the provider spells it.
    async fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Every email address that the provider knows, as it spells them; empty where it knows none.
    async fn emails(&self) -> Vec<&str> {
        self.all_emails().collect()
    }

    /// The telephone number, as the provider writes it.
    async fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
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

    /// Labels; null where the provider has no such thing. Intercom's contacts (2.x) are asked for their
    /// labels only when they are read, a call for each that has some.
    async fn tags(&self, ctx: &Context<'_>) -> NullableResult<Vec<String>> {
        let names = |held: &SubresourceData| {
            let labels = held.labels()?.iter().cloned();
            Some(labels.filter_map(|label| label.name.or(label.id)).collect())
        };
        let tags = portion(ctx, self, &self.tags, Subresource::Tags, names).await?;
        Some(tags.and_then(|tags: Vec<String>| {
            let bytes = tags.iter().map(|tag| ITEM + tag.len()).sum();
            charge(ctx, bytes).map_err(|error| to_graphql_error(&error))?;
            Ok(tags)
        }))
    }

    /// The companies that the user belongs to; null where the provider has no such thing. Intercom's
    /// contacts (2.x) are asked for their companies only when they are read, a call for each that has
    /// some.
    async fn companies(&self, ctx: &Context<'_>) -> NullableResult<Vec<Company>> {
        let companies = |held: &SubresourceData| held.companies().map(<[Company]>::to_vec);
        let companies = portion(
            ctx,
            self,
            &self.companies,
            Subresource::Companies,
            companies,
        )
        .await?;
        Some(companies.and_then(|companies: Vec<Company>| {
            let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            let bytes = companies.iter().map(|company| {
                let ids = text(&company.remote_id) + text(&company.external_id);
                ITEM + ids + text(&company.name)
            });
            let bytes = bytes.sum::<usize>().saturating_mul(leaves(ctx.field()));
            charge(ctx, bytes).map_err(|error| to_graphql_error(&error))?;
            Ok(companies)
        }))
    }

    /// When the record was made.
    async fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }

    /// When the record last changed.
    async fn updated_at(&self) -> Option<Timestamp> {
        self.updated_at
    }

    /// When the person signed up with you, where your systems told the provider.
    async fn signed_up_at(&self) -> Option<Timestamp> {
        self.signed_up_at
    }

    /// When the person was last seen.
    async fn last_seen_at(&self) -> Option<Timestamp> {
        self.last_seen_at
    }

    /// The address of the record in the provider's own web app; null where it is not known.
    async fn profile_url(&self) -> Option<&str> {
        self.profile_url.as_deref()
    }

    /// Everybody that the providers know by the email of this record, as one person; null where it has no
    /// email, or one that cannot be searched for. Records of one email share a search at each account.
    async fn person(&self, ctx: &Context<'_>) -> Option<SourcesLast<Person>> {
        let email = Email::parse(self.email.as_deref()?).ok()?;
        let person = Person::new(email, expand_at(ctx, &[&["users"]]));
        Some(SourcesLast(person))
    }

    /// The provider's custom fields, an object; null where the record has none. DigitalChalk is asked
    /// for them only when they are read, a call for each user, and names them by the ids of its fields.
    async fn attributes(&self, ctx: &Context<'_>) -> NullableResult<RawJson> {
        let object = |held: &SubresourceData| held.attributes().cloned();
        let object = portion(ctx, self, &self.attributes, Subresource::Attributes, object).await?;
        Some(object.map(RawJson))
    }

    /// Every documented field of the provider's own record, typed.
    async fn details(&self, ctx: &Context<'_>) -> NullableResult<Details> {
        // Each alias of the field decodes the record once more, and each field below one of its lists
        // can be as large as the record.
        let field = ctx.field();
        let lists = field.selection_set().filter(has_fields);
        let times = 1 + lists.map(leaves).sum::<usize>();
        let charged = charge(ctx, self.raw.get().len().saturating_mul(times));
        let details = charged.and_then(|()| Details::read(self.account, &self.raw));
        let row = (self.account, self.remote_id.as_str());
        let details = details.map(Some);
        let details = details.or_else(|error| failed(ctx, row, "details", error));
        details.transpose()
    }

    /// The record as the provider sent it.
    async fn raw(&self) -> Option<RawJson> {
        Some(RawJson(Arc::clone(&self.raw)))
    }
}

/// How many bytes an item of a list takes, about.
const ITEM: usize = 96;

/// Charges the request for what is about to be built: the parts of a record that can be long.
fn charge(ctx: &Context<'_>, bytes: usize) -> Result<()> {
    ctx.data_unchecked::<RequestContext>().meter().charge(bytes)
}

fn has_fields(field: &SelectionField<'_>) -> bool {
    field.selection_set().next().is_some()
}

/// How many fields without fields of their own are selected below a field; one for such a field.
fn leaves(field: SelectionField<'_>) -> usize {
    let below: usize = field.selection_set().map(leaves).sum();
    below.max(1)
}

/// A portion of a user's record, fetched where it is kept apart.
async fn portion<T: Clone>(
    ctx: &Context<'_>,
    user: &User,
    portion: &MaybeDeferred<T>,
    part: Subresource,
    read: impl Fn(&SubresourceData) -> Option<T>,
) -> NullableResult<T> {
    match portion {
        MaybeDeferred::None => None,
        MaybeDeferred::Inline(value) => Some(Ok(value.clone())),
        MaybeDeferred::Deferred => {
            let parts = ctx.data_unchecked::<Arc<dyn SubresourceLoader>>();
            let held = parts.load(ctx, user.account, &user.remote_id, part).await;
            held.map(|held| held.as_deref().and_then(read)).transpose()
        }
    }
}

/// The parts of a user that a selection on one reads, of those that cost the provider more.
pub fn expand(user: &Lookahead<'_>) -> Expand {
    let details = user.field("details");
    Expand {
        companies: user.field("companies").exists() || details.field("companies").exists(),
        memberships: details.field("memberships").exists(),
    }
}

/// Finds the parts of users that the field being resolved reads, along paths of fields below it.
pub fn expand_at(ctx: &Context<'_>, paths: &[&[&str]]) -> Expand {
    let along = |path: &&[&str]| {
        path.iter()
            .fold(ctx.look_ahead(), |at, field| at.field(field))
    };
    paths
        .iter()
        .map(|path| expand(&along(path)))
        .fold(Expand::default(), Expand::union)
}
