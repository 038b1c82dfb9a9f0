//! What a patch changes in a record: the operations of a PATCH (RFC 7644, 3.5.2), or the record that a
//! PUT sends back (3.5.1).

use async_graphql::indexmap::IndexMap;
use serde::Serialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::record::is_extension;
use crate::{
    connectors::decode,
    error::{Error, ErrorKind, RejectionReason, Result},
    user::{Email, FieldChange, User, UserPatch},
};

const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// A record, member by member, each as its text: what nobody changes keeps its digits.
type Members = IndexMap<String, Box<RawValue>>;

/// The new value of an attribute; `None` when it loses its value.
pub(super) struct Change {
    /// The complex attribute or the extension that holds it.
    parent: Option<String>,
    name: String,
    value: Option<Box<RawValue>>,
}

impl Change {
    fn new(name: &str, value: Option<&Value>) -> Result<Self> {
        Self::within(None, name, value)
    }

    fn within(parent: Option<&str>, name: &str, value: Option<&Value>) -> Result<Self> {
        Ok(Self {
            parent: parent.map(str::to_owned),
            name: name.to_owned(),
            value: value.map(text_of).transpose()?,
        })
    }

    /// The path of the attribute (RFC 7644, 3.10).
    fn path(&self) -> String {
        match &self.parent {
            None => self.name.clone(),
            Some(parent) if is_extension(parent) => format!("{parent}:{}", self.name),
            Some(parent) => format!("{parent}.{}", self.name),
        }
    }

    /// Whether a record has the attribute.
    fn is_in(&self, record: &RawValue) -> bool {
        let holder = match &self.parent {
            None => Some(record),
            Some(parent) => decode::member(record, parent),
        };
        let value = holder.and_then(|holder| decode::member(holder, &self.name));
        value.is_some_and(|value| !decode::is_null(value))
    }
}

fn text_of(value: &(impl Serialize + ?Sized)) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(|_| Error::internal("a value cannot be written as JSON"))
}

fn members(record: &RawValue) -> Members {
    let members = decode::members(record).unwrap_or_default();
    let members = members
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()));
    members.collect()
}

/// What a patch changes in a record. What is cleared and has no value is no change.
pub(super) fn changes(user: &User, patch: &UserPatch) -> Result<Vec<Change>> {
    let record = &*user.raw;
    let mut changes = vec![
        plain(None, "externalId", &patch.external_id)?,
        plain(None, "userName", &patch.username)?,
        plain(Some("name"), "formatted", &patch.name)?,
        plain(Some("name"), "givenName", &patch.first_name)?,
        plain(Some("name"), "familyName", &patch.last_name)?,
        plain(None, "locale", &patch.locale)?,
        listed(record, "emails", &patch.email.spelled())?,
        listed(record, "phoneNumbers", &patch.phone)?,
        listed(record, "photos", &patch.avatar_url)?,
    ];
    for (name, value) in &patch.attributes {
        changes.extend(extension(name, value)?.into_iter().map(Some));
    }
    let changes = changes.into_iter().flatten();
    Ok(changes
        .filter(|change| change.value.is_some() || change.is_in(record))
        .collect())
}

trait Spelled {
    /// The change with the address as it was given.
    fn spelled(&self) -> FieldChange<String>;
}

impl Spelled for FieldChange<Email> {
    fn spelled(&self) -> FieldChange<String> {
        match self {
            Self::Keep => FieldChange::Keep,
            Self::Clear => FieldChange::Clear,
            Self::Set(email) => FieldChange::Set(email.given().to_owned()),
        }
    }
}

fn plain(parent: Option<&str>, name: &str, change: &FieldChange<String>) -> Result<Option<Change>> {
    let value = match change {
        FieldChange::Keep => return Ok(None),
        FieldChange::Clear => None,
        FieldChange::Set(text) => Some(Value::from(text.clone())),
    };
    Change::within(parent, name, value.as_ref()).map(Some)
}

/// A change of the first of several values. The whole list is written: a path that selects an item is
/// what servers differ in most.
fn listed(record: &RawValue, name: &str, change: &FieldChange<String>) -> Result<Option<Change>> {
    let text = match change {
        FieldChange::Keep => return Ok(None),
        FieldChange::Clear => return Change::new(name, None).map(Some),
        FieldChange::Set(text) => text,
    };
    let list = decode::member(record, name).and_then(decode::items);
    let mut items: Vec<Members> = list.unwrap_or_default().into_iter().map(item).collect();
    let flag = |is_primary: bool| text_of(&is_primary);
    let is_primary = |item: &Members| item.get("primary").is_some_and(|of| of.get() == "true");
    let value = |item: &Members| item.get("value").and_then(|value| decode::string(value));
    let known = items
        .iter()
        .position(|item| is_same(name, value(item), text));
    let place = known
        .or_else(|| items.iter().position(is_primary))
        .or_else(|| (!items.is_empty()).then_some(0));
    match place {
        Some(place) => {
            for item in items.iter_mut().filter(|item| is_primary(item)) {
                item.insert("primary".to_owned(), flag(false)?);
            }
            items[place].insert("value".to_owned(), text_of(text)?);
            items[place].insert("primary".to_owned(), flag(true)?);
        }
        None => items.push(first_item(name, text)?),
    }
    Ok(Some(Change {
        parent: None,
        name: name.to_owned(),
        value: Some(text_of(&items)?),
    }))
}

/// An item of a list, of which some servers send the text alone.
fn item(item: &RawValue) -> Members {
    match item.get().starts_with('{') {
        true => members(item),
        false => Members::from_iter([("value".to_owned(), item.to_owned())]),
    }
}

fn is_same(list: &str, known: Option<String>, text: &str) -> bool {
    let email = Email::parse(text).ok().filter(|_| list == "emails");
    known.is_some_and(|known| match email {
        Some(email) => email.matches(&known),
        None => known == text,
    })
}

/// The first item of a list that has none yet.
fn first_item(list: &str, text: &str) -> Result<Members> {
    let kind = if list == "photos" { "photo" } else { "work" };
    let item = [
        ("value", json!(text)),
        ("type", json!(kind)),
        ("primary", json!(true)),
    ];
    let item = item.map(|(name, value)| Ok((name.to_owned(), text_of(&value)?)));
    item.into_iter().collect()
}

/// The changes of an extension, attribute by attribute: those that are not named stay.
fn extension(schema: &str, value: &Value) -> Result<Vec<Change>> {
    let Some(attributes) = value.as_object() else {
        let value = Some(value).filter(|value| !value.is_null());
        return Ok(vec![Change::new(schema, value)?]);
    };
    let attributes = attributes.iter().map(|(name, value)| {
        let value = Some(value).filter(|value| !value.is_null());
        Change::within(Some(schema), name, value)
    });
    attributes.collect()
}

/// The body of a PATCH.
pub(super) fn operations(changes: &[Change]) -> Result<Box<RawValue>> {
    #[derive(Serialize)]
    struct PatchOperation<'a> {
        op: &'static str,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<&'a RawValue>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct PatchBody<'a> {
        #[serde(rename = "schemas")]
        schemas: [&'static str; 1],
        operations: Vec<PatchOperation<'a>>,
    }
    let operations = changes.iter().map(|change| PatchOperation {
        op: match change.value {
            Some(_) => "replace",
            None => "remove",
        },
        path: change.path(),
        value: change.value.as_deref(),
    });
    text_of(&PatchBody {
        schemas: [PATCH_SCHEMA],
        operations: operations.collect(),
    })
}

/// The record with the changes, without what only the server writes.
pub(super) fn whole_record(record: &RawValue, changes: &[Change]) -> Result<Box<RawValue>> {
    let mut record = members(record);
    for read_only in ["meta", "groups"] {
        record.shift_remove(read_only);
    }
    for change in changes {
        apply(&mut record, change)?;
    }
    name_schemas(&mut record)?;
    text_of(&record)
}

fn apply(record: &mut Members, change: &Change) -> Result<()> {
    let Some(parent) = &change.parent else {
        set(record, change);
        return Ok(());
    };
    let mut holder = record.get(parent).map(|holder| members(holder));
    let holder = holder.get_or_insert_default();
    set(holder, change);
    match holder.is_empty() {
        true => record.shift_remove(parent),
        false => record.insert(parent.clone(), text_of(holder)?),
    };
    Ok(())
}

fn set(members: &mut Members, change: &Change) {
    match &change.value {
        Some(value) => members.insert(change.name.clone(), value.clone()),
        None => members.shift_remove(&change.name),
    };
}

/// Names in `schemas` every extension of a record.
fn name_schemas(record: &mut Members) -> Result<()> {
    let known = record.get("schemas").and_then(|known| decode::items(known));
    let mut schemas: Vec<String> = known
        .into_iter()
        .flatten()
        .filter_map(decode::string)
        .collect();
    let core = USER_SCHEMA.to_owned();
    let extensions = record.keys().filter(|name| is_extension(name)).cloned();
    for schema in std::iter::once(core).chain(extensions) {
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    record.insert("schemas".to_owned(), text_of(&schemas)?);
    Ok(())
}

/// The record that a create sends: the login name is the address where no other is given.
pub(super) fn new_record(patch: &UserPatch) -> Result<Box<RawValue>> {
    let nothing = RawValue::from_string("{}".to_owned());
    let nothing = nothing.map_err(|_| Error::internal("an empty object cannot be written"))?;
    let given = patch.username.set().cloned();
    let address = || Some(patch.email.set()?.given().to_owned());
    let name = given.or_else(address);
    let name = name.or_else(|| patch.external_id.set().cloned());
    let patch = UserPatch {
        username: name.map_or(FieldChange::Keep, FieldChange::Set),
        ..patch.clone()
    };
    let user = User::new(
        crate::account::Account::default_for(crate::account::Provider::Scim),
        String::new(),
        nothing.into(),
    );
    whole_record(&user.raw, &changes(&user, &patch)?)
}

/// Refuses what a server would refuse without a useful reason.
pub(super) fn check(patch: &UserPatch) -> Result<()> {
    if patch.username == FieldChange::Clear {
        return Err(refused("username", "a SCIM user always has a login name"));
    }
    if patch.attributes.keys().any(|name| !is_extension(name)) {
        let message = "at a SCIM server attributes belong to an extension, which is named by its \
                       schema: { \"urn:…\": { … } }";
        return Err(refused("attributes", message));
    }
    Ok(())
}

fn refused(field: &str, message: &str) -> Error {
    let reason = RejectionReason {
        field: Some(field.to_owned()),
        message: message.to_owned(),
    };
    Error::new(ErrorKind::Rejected, message).with_reasons(vec![reason])
}
