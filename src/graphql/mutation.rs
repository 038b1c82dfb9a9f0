//! The fields of `Mutation`.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Json, MaybeUndefined, Object, SimpleObject};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Graph, outcomes::RequestOutcomes, row::MeteredObject};
use crate::{
    account::Provider,
    audit::RequestId,
    context::RequestContext,
    directory::{WriteError, WriteResult},
    error::{Error, ErrorCode, RejectionReason, Result},
    user::{CompanyPatch, Email, FieldChange, User, UserPatch, WriteOutcome, text},
};

/// A user to create or to change. The first of `remoteId`, `externalId` and `email` that is given says
/// which record is meant. A field that is left out stays as it is; null clears it.
#[derive(InputObject)]
pub struct UpsertUserInput {
    /// The provider to write to.
    provider: Provider,
    /// The name of the account, where the provider has several.
    account: Option<String>,
    /// The provider's own id of a record that exists: it is changed, and never created.
    remote_id: Option<ID>,
    /// The id that your systems give the user.
    external_id: MaybeUndefined<ID>,
    /// The email address.
    email: MaybeUndefined<String>,
    /// The whole name.
    name: MaybeUndefined<String>,
    /// The given name.
    first_name: MaybeUndefined<String>,
    /// The family name.
    last_name: MaybeUndefined<String>,
    /// The login name.
    username: MaybeUndefined<String>,
    /// The telephone number.
    phone: MaybeUndefined<String>,
    /// The address of a picture.
    avatar_url: MaybeUndefined<String>,
    /// The language.
    locale: MaybeUndefined<String>,
    /// Labels: the whole set.
    tags: MaybeUndefined<Vec<String>>,
    /// Companies to join or to leave; the others stay.
    companies: Option<Vec<CompanyInput>>,
    /// When the person signed up with you.
    signed_up_at: MaybeUndefined<Timestamp>,
    /// Whether the person takes no more email.
    unsubscribed_from_emails: MaybeUndefined<bool>,
    /// Custom fields, an object that is merged key by key; a null clears its key.
    attributes: Option<Json<InputValue>>,
}

/// A company that a user joins or leaves.
#[derive(InputObject)]
#[graphql(name = "UserCompanyInput")]
pub struct CompanyInput {
    /// The id that your systems gave the company.
    external_id: ID,
    /// The company's name, if it is to be set.
    name: Option<String>,
    /// Whether the user leaves the company; otherwise it joins.
    #[graphql(default)]
    leave: bool,
}

/// The result of a write.
#[derive(SimpleObject)]
pub struct UpsertUserPayload {
    /// The record as it is now; null when nothing was written, or when `userErrors` say why it cannot be
    /// shown.
    user: Option<MeteredObject<Arc<User>>>,
    /// The effect; null when the provider failed and the effect cannot be known.
    outcome: Option<WriteOutcome>,
    /// The obstacles; empty when all was done.
    user_errors: Vec<UserError>,
}

/// An obstacle to a write.
#[derive(SimpleObject)]
#[graphql(name = "UpsertUserError")]
pub struct UserError {
    /// The way to the field of the input at fault, or the provider's name of a field.
    field: Option<Vec<String>>,
    /// The mistake, and how to mend it.
    message: String,
    /// The kind of failure.
    code: ErrorCode,
    /// After how many seconds another attempt may succeed, where the provider says so.
    retry_after: Option<u64>,
}

impl From<WriteError> for UserError {
    fn from(problem: WriteError) -> Self {
        let field = problem.field.map(|field| vec!["input".to_owned(), field]);
        Self {
            field,
            message: problem.message,
            code: problem.code,
            retry_after: problem.retry_after,
        }
    }
}

impl From<WriteResult> for UpsertUserPayload {
    fn from(written: WriteResult) -> Self {
        let user_errors = written.errors.into_iter().map(UserError::from).collect();
        Self {
            user: written.user.map(MeteredObject),
            outcome: written.outcome,
            user_errors,
        }
    }
}

/// A mistake in a field of the input.
fn input_error(field: &str, message: String) -> Error {
    let reason = RejectionReason {
        field: Some(field.to_owned()),
        message: message.clone(),
    };
    Error::invalid(message).with_reasons(vec![reason])
}

fn change<T, U>(
    value: MaybeUndefined<T>,
    parse: impl FnOnce(T) -> Result<U>,
) -> Result<FieldChange<U>> {
    Ok(match value {
        MaybeUndefined::Undefined => FieldChange::Keep,
        MaybeUndefined::Null => FieldChange::Clear,
        MaybeUndefined::Value(value) => FieldChange::Set(parse(value)?),
    })
}

/// A text of one line that is not empty: to clear a field there is null.
fn text(name: &'static str) -> impl Fn(String) -> Result<String> {
    move |text| match text.trim() {
        "" => Err(input_error(
            name,
            format!("`{name}` is empty: null clears a field"),
        )),
        _ => text::written(name, text).map_err(in_field(name)),
    }
}

/// Names the field of the input in a mistake.
fn in_field(name: &'static str) -> impl Fn(Error) -> Error {
    move |error| input_error(name, error.message().to_owned())
}

impl UpsertUserInput {
    fn patch(self) -> Result<UserPatch> {
        let id =
            |name| move |id: ID| text::id(name, text(name)(id.into())?).map_err(in_field(name));
        let company = |company: CompanyInput| {
            Ok(CompanyPatch {
                external_id: id("companies")(company.external_id)?,
                name: company.name.map(text("companies")).transpose()?,
                leave: company.leave,
            })
        };
        Ok(UserPatch {
            remote_id: self.remote_id.map(id("remoteId")).transpose()?,
            external_id: change(self.external_id, id("externalId"))?,
            email: change(self.email, |email| {
                Email::parse(&email).map_err(in_field("email"))
            })?,
            name: change(self.name, text("name"))?,
            first_name: change(self.first_name, text("firstName"))?,
            last_name: change(self.last_name, text("lastName"))?,
            username: change(self.username, text("username"))?,
            phone: change(self.phone, text("phone"))?,
            avatar_url: change(self.avatar_url, text("avatarUrl"))?,
            locale: change(self.locale, text("locale"))?,
            tags: change(self.tags, |tags| {
                let tags = text::items("tags", tags).map_err(in_field("tags"))?;
                tags.into_iter().map(tag).collect()
            })?,
            companies: text::items("companies", self.companies.unwrap_or_default())
                .map_err(in_field("companies"))?
                .into_iter()
                .map(company)
                .collect::<Result<_>>()?,
            signed_up_at: change(self.signed_up_at, Ok)?,
            unsubscribed_from_emails: change(self.unsubscribed_from_emails, Ok)?,
            attributes: attributes(self.attributes)?,
        })
    }
}

fn tag(tag: String) -> Result<String> {
    text::id("tags", tag).map_err(in_field("tags"))
}

/// Any value as the engine has it. In its way to JSON by serde one key would be taken for a command.
type InputValue = async_graphql::Value;

fn json(given: InputValue) -> Value {
    match given {
        InputValue::Null | InputValue::Binary(_) => Value::Null,
        InputValue::Number(number) => Value::Number(number),
        InputValue::String(text) => Value::String(text),
        InputValue::Boolean(flag) => Value::Bool(flag),
        InputValue::Enum(name) => Value::String(name.to_string()),
        InputValue::List(items) => items.into_iter().map(json).collect(),
        InputValue::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, value)| (name.to_string(), json(value)));
            Value::Object(members.collect())
        }
    }
}

fn attributes(given: Option<Json<InputValue>>) -> Result<Map<String, Value>> {
    match given.map(|Json(given)| json(given)) {
        None => Ok(Map::new()),
        Some(Value::Object(attributes)) => {
            let size = serde_json::to_string(&attributes).map_or(0, |json| json.len());
            if size > text::ATTRIBUTES {
                let most = text::ATTRIBUTES / 1024;
                let message =
                    format!("`attributes` takes more than {most} KB: write some of them at a time");
                return Err(input_error("attributes", message));
            }
            for (key, value) in &attributes {
                let checked = text::line("attributes", key.as_str());
                let checked = checked.and_then(|_| text::value("attributes", value));
                checked.map_err(in_field("attributes"))?;
            }
            Ok(attributes)
        }
        Some(_) => Err(input_error(
            "attributes",
            "`attributes` must be an object".to_owned(),
        )),
    }
}

/// The fields at which a mutation starts.
pub struct Mutation;

/// Changes to the people in the SaaS tools of a company.
#[Object(name = "Mutation")]
impl Mutation {
    /// Creates a user, or changes the one that is there. Equal writes at the same time make one record: one is
    /// CREATED, the others wait for it. Whatever stands in the way is in `userErrors`; null only where the
    /// request itself is wrong here, so that other writes of the same request keep their answers.
    async fn upsert_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user as it is to be.")] input: UpsertUserInput,
    ) -> Option<UpsertUserPayload> {
        let (provider, account) = (input.provider, input.account.clone());
        let write = async {
            let patch = input.patch()?;
            let accounts = &Graph::from_context(ctx).accounts;
            let account = accounts.resolve_one(provider, account.as_deref());
            let account = account.map_err(in_field("account"))?;
            let directory = Arc::clone(accounts.directory(account)?);
            let request = ctx.data_opt::<RequestId>().cloned();
            let context = ctx.data_unchecked::<RequestContext>();
            Ok(directory.upsert(context, patch, request).await)
        };
        let written: Result<WriteResult> = write.await;
        let written = written.unwrap_or_else(|error| WriteResult::failed(&error));
        RequestOutcomes::note_write(ctx, &written);
        Some(written.into())
    }
}
