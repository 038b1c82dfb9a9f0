//! Pages of contacts that a cursor leads through.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::ContactRequest;
use super::cursor::Cursor;
use crate::behaviour::Behaviour;
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::{Contact, IntercomStore};

/// The size of a page that names none.
const PER_PAGE: u64 = 10;
/// The largest page of contacts.
pub(super) const MOST_PER_PAGE: u64 = 150;

/// The page that a request asks for.
pub(super) struct PageRequest {
    /// Its size.
    pub(super) per_page: u64,
    /// Where the page before it ended.
    pub(super) after: Option<Cursor>,
}

/// The sort order of a list. Equal values are ordered by identifier.
pub(super) struct Order {
    /// Seconds since the epoch.
    pub(super) by: fn(&Contact) -> Option<i64>,
    /// The oldest first.
    pub(super) ascending: bool,
}

/// The newest first.
pub(super) const NEWEST_FIRST: Order = Order {
    by: |contact| Some(contact.created_at),
    ascending: false,
};

impl Order {
    fn value(&self, contact: &Contact) -> i64 {
        (self.by)(contact).map_or(-1, |seconds| seconds.saturating_mul(1000))
    }

    fn compare(&self, one: (i64, &str), other: (i64, &str)) -> Ordering {
        let by_value = if self.ascending {
            one.0.cmp(&other.0)
        } else {
            other.0.cmp(&one.0)
        };
        by_value.then_with(|| one.1.cmp(other.1))
    }
}

/// `GET /contacts`: users and leads, the newest first.
pub(super) fn everybody(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
) -> Result<Value, IntercomError> {
    let after = request.params.get("starting_after").map(Cursor::decode);
    let asked = PageRequest {
        per_page: size_in_query(request, PER_PAGE, MOST_PER_PAGE)?,
        after: after.transpose()?,
    };
    Ok(page(
        request,
        store,
        store.everybody(),
        &NEWEST_FIRST,
        &asked,
    ))
}

/// The size of a page as the query asks for it.
pub(super) fn size_in_query(
    request: &ContactRequest<'_>,
    default: u64,
    most: u64,
) -> Result<u64, IntercomError> {
    let asked = request.params.get("per_page");
    let asked = asked.map(|text| text.parse::<u64>().unwrap_or_default());
    fit(request.behaviour, asked, default, most)
}

/// The size of a page: clamped, or refused where the switch is set.
pub(super) fn fit(
    behaviour: &Behaviour,
    asked: Option<u64>,
    default: u64,
    most: u64,
) -> Result<u64, IntercomError> {
    let fits = asked.is_none_or(|size| (1..=most).contains(&size));
    if !fits && behaviour.is("per_page", "reject") {
        let message = format!("per_page must be from 1 to {most}");
        return Err(IntercomError::invalid(message));
    }
    let size = asked.filter(|size| *size > 0);
    Ok(size.map_or(default, |size| size.min(most)))
}

/// A page of contacts after the cursor, with the link to the next.
pub(super) fn page(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
    contacts: Vec<&Contact>,
    order: &Order,
    asked: &PageRequest,
) -> Value {
    let total = contacts.len();
    let mut rest: Vec<(i64, &Contact)> = contacts
        .into_iter()
        .map(|contact| (order.value(contact), contact))
        .filter(|(value, contact)| {
            let position = (*value, contact.id.as_str());
            let is_later =
                |after: &Cursor| order.compare(position, (after.value, &after.id)).is_gt();
            asked.after.as_ref().is_none_or(is_later)
        })
        .collect();
    rest.sort_by(|one, other| order.compare((one.0, &one.1.id), (other.0, &other.1.id)));
    let size = usize::try_from(asked.per_page).unwrap_or(usize::MAX);
    let shown = &rest[..rest.len().min(size)];
    let number = asked.after.as_ref().map_or(1, |after| after.page);
    let last = shown.last().filter(|_| rest.len() > size);
    let next = last.map(|(value, contact)| Cursor {
        value: *value,
        id: contact.id.clone(),
        page: number + 1,
    });
    let shape = request.shape(store);
    let data: Vec<Value> = shown
        .iter()
        .map(|(_, contact)| shape.contact(contact))
        .collect();
    let position = (number, asked.per_page);
    json!({
        "type": "list",
        "data": data,
        "total_count": total,
        "pages": pages(request.behaviour, position, total, next.as_ref()),
    })
}

/// `pages`, of a page number and size; without `next` on the last page.
pub(super) fn pages(
    behaviour: &Behaviour,
    (page, per_page): (u64, u64),
    total: usize,
    next: Option<&Cursor>,
) -> Value {
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    let mut pages = Map::new();
    pages.insert("type".to_owned(), json!("pages"));
    pages.insert("page".to_owned(), json!(page));
    pages.insert("per_page".to_owned(), json!(per_page));
    pages.insert("total_pages".to_owned(), json!(total.div_ceil(per_page)));
    if let Some(next) = next {
        let next = json!({"page": next.page, "starting_after": next.encode()});
        pages.insert("next".to_owned(), next);
    } else if behaviour.is("next", "null") {
        pages.insert("next".to_owned(), Value::Null);
    }
    Value::Object(pages)
}
