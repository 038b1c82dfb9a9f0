//! `POST /contacts/search`, whose index may lag behind writes, as documented at
//! `developers.intercom.com/docs/references/2.17/rest-api/contacts/searchcontacts`.
//!
//! Size and cursor are read from the body alone; a page number has no effect.

use serde_json::{Map, Value};

use super::cursor::Cursor;
use super::list::{self, MOST_PER_PAGE, NEWEST_FIRST, Order, PageRequest};
use super::{ContactRequest, query};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::{Contact, IntercomStore};
use crate::rate;

const PER_PAGE: u64 = 50;

/// A page of the contacts that match the query.
pub(super) fn answer(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
) -> Result<Value, IntercomError> {
    let fields = request.fields()?;
    let query = fields.get("query");
    let query = query.ok_or_else(|| IntercomError::missing_parameter("query is needed"))?;
    let query = query::SearchQuery::parse(request, store, query)?;
    let order = order(fields.get("sort"))?;
    let asked = parse_request(request, fields.get("pagination"))?;
    let mut found = indexed(request, store);
    found.retain(|contact| query.matches(contact));
    Ok(list::page(request, store, found, &order, &asked))
}

/// The contacts in the index: with a lag, as they were then.
fn indexed<'a>(request: &ContactRequest<'_>, store: &'a IntercomStore) -> Vec<&'a Contact> {
    let Some(lag) = request.behaviour.number("index_lag").filter(|lag| *lag > 0) else {
        return store.everybody();
    };
    let lag = i64::try_from(lag).unwrap_or(i64::MAX);
    let moment = rate::now().saturating_sub(lag);
    let mut held = store.users.as_of(moment);
    held.extend(store.leads.as_of(moment));
    held
}

fn object<'a>(
    value: Option<&'a Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, IntercomError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(_) => Err(IntercomError::invalid(format!("{name} must be an object"))),
    }
}

fn parse_request(
    request: &ContactRequest<'_>,
    pagination: Option<&Value>,
) -> Result<PageRequest, IntercomError> {
    let none = Map::new();
    let pagination = object(pagination, "pagination")?.unwrap_or(&none);
    let size = pagination.get("per_page").map(|size| {
        let message = "per_page must be an integer";
        size.as_i64().ok_or_else(|| IntercomError::invalid(message))
    });
    let size = size.transpose()?;
    let size = size.map(|size| u64::try_from(size).unwrap_or_default());
    let after = pagination.get("starting_after").map(|cursor| {
        let cursor = cursor.as_str().ok_or_else(IntercomError::cursor)?;
        Cursor::decode(cursor)
    });
    Ok(PageRequest {
        per_page: list::fit(request.behaviour, size, PER_PAGE, MOST_PER_PAGE)?,
        after: after.transpose()?,
    })
}

/// By a time; newest first by default.
fn order(sort: Option<&Value>) -> Result<Order, IntercomError> {
    let Some(sort) = object(sort, "sort")? else {
        return Ok(NEWEST_FIRST);
    };
    let ascending = match sort.get("order").unwrap_or(&Value::Null) {
        Value::Null => false,
        Value::String(order) if order == "ascending" => true,
        Value::String(order) if order == "descending" => false,
        _ => return Err(IntercomError::sort_order()),
    };
    let by: fn(&Contact) -> Option<i64> = match sort.get("field").map(Value::as_str) {
        None | Some(Some("created_at")) => |contact| Some(contact.created_at),
        Some(Some("updated_at")) => |contact| Some(contact.updated_at),
        Some(Some("signed_up_at")) => |contact| contact.signed_up_at,
        Some(Some("last_seen_at")) => |contact| contact.last_request_at,
        Some(_) => return Err(IntercomError::invalid("sort field is invalid")),
    };
    Ok(Order { by, ascending })
}
