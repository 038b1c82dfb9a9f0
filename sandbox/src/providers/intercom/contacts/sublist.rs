//! The lists that a contact has: companies by pages, tags and segments at once.

use serde_json::{Value, json};

use super::cursor::Cursor;
use super::{ContactRequest, company, list};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::{Contact, IntercomStore, StoredCompany, label_id};

const PER_PAGE: u64 = 50;
/// The largest page of a list below a contact or company.
const MOST_PER_PAGE: u64 = 60;

/// `GET /contacts/{id}/tags`.
pub(super) fn tags(contact: &Contact) -> Value {
    let tag = |name: &String| json!({"type": "tag", "id": label_id(name), "name": name});
    let tags: Vec<Value> = contact.tags.iter().map(tag).collect();
    json!({"type": "list", "data": tags})
}

/// `GET /contacts/{id}/segments`.
pub(super) fn segments(contact: &Contact) -> Value {
    let segment = |name: &String| {
        json!({
            "type": "segment",
            "id": label_id(name),
            "name": name,
            "created_at": contact.created_at,
            "updated_at": contact.created_at,
            "person_type": "user",
        })
    };
    let segments: Vec<Value> = contact.segments.iter().map(segment).collect();
    json!({"type": "list", "data": segments})
}

/// `GET /contacts/{id}/companies`: by page number; `pages.next` links to the provider's own host.
pub(super) fn companies(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
    contact: &Contact,
) -> Result<Value, IntercomError> {
    let keys = contact.companies.iter();
    let all: Vec<&StoredCompany> = keys.filter_map(|key| store.companies.get(key)).collect();
    let window = PageBounds::numbered(request, PER_PAGE)?;
    let rest = all.get(window.rows_before()..).unwrap_or_default();
    let shown = &rest[..rest.len().min(window.size())];
    let position = (window.page, window.per_page);
    let next = (rest.len() > shown.len()).then(|| {
        let (page, per_page) = (window.page + 1, window.per_page);
        let path = format!("/contacts/{}/companies", contact.id);
        format!("https://api.intercom.io{path}?per_page={per_page}&page={page}")
    });
    let mut pages = list::pages(request.behaviour, position, all.len(), None);
    pages["next"] = json!(next);
    let data: Vec<Value> = shown.iter().map(|one| company::company_json(one)).collect();
    Ok(json!({"type": "list", "data": data, "pages": pages, "total_count": all.len()}))
}

/// A page of companies, with as many as the request or the list says: by page number, or by the
/// cursor of `pages.next`, whose page number counts where its company is gone.
pub(super) fn company_pages(
    request: &ContactRequest<'_>,
    all: &[&StoredCompany],
    per_page: u64,
) -> Result<Value, IntercomError> {
    let window = PageBounds::of(request, per_page)?;
    let known = |cursor: &Cursor| all.iter().position(|company| company.id == cursor.id);
    let after = window.after.as_ref().and_then(known);
    let begin = after.map_or_else(|| window.rows_before(), |position| position + 1);
    let rest = all.get(begin..).unwrap_or_default();
    let shown = &rest[..rest.len().min(window.size())];
    let last = shown.last().filter(|_| rest.len() > window.size());
    let next = last.map(|company| Cursor {
        value: -1,
        id: company.id.clone(),
        page: window.page + 1,
    });
    let position = (window.page, window.per_page);
    let data: Vec<Value> = shown.iter().map(|one| company::company_json(one)).collect();
    Ok(json!({
        "type": "list",
        "data": data,
        "pages": list::pages(request.behaviour, position, all.len(), next.as_ref()),
        "total_count": all.len(),
    }))
}

/// `GET /companies/{id}/contacts`: by page number, or by the cursor of `pages.next`.
pub(super) fn members(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
    company: &StoredCompany,
) -> Result<Value, IntercomError> {
    let mut members = store.everybody();
    members.retain(|contact| contact.companies.contains(&company.company_id));
    let window = PageBounds::of(request, PER_PAGE)?;
    if window.after.is_none() && window.page > 1 {
        return Ok(numbered(request, store, &members, &window));
    }
    let asked = list::PageRequest {
        per_page: window.per_page,
        after: window.after,
    };
    Ok(list::page(
        request,
        store,
        members,
        &list::NEWEST_FIRST,
        &asked,
    ))
}

/// A page that is named by its number alone.
fn numbered(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
    members: &[&Contact],
    window: &PageBounds,
) -> Value {
    let shape = request.shape(store);
    let rest = members.get(window.rows_before()..).unwrap_or_default();
    let shown = &rest[..rest.len().min(window.size())];
    let last = shown.last().filter(|_| rest.len() > window.size());
    let next = last.map(|contact| Cursor {
        value: contact.created_at.saturating_mul(1000),
        id: contact.id.clone(),
        page: window.page + 1,
    });
    let data: Vec<Value> = shown.iter().map(|contact| shape.contact(contact)).collect();
    let position = (window.page, window.per_page);
    json!({
        "type": "list",
        "data": data,
        "total_count": members.len(),
        "pages": list::pages(request.behaviour, position, members.len(), next.as_ref()),
    })
}

/// A page by its number or by a cursor.
struct PageBounds {
    page: u64,
    per_page: u64,
    after: Option<Cursor>,
}

impl PageBounds {
    fn of(request: &ContactRequest<'_>, per_page: u64) -> Result<Self, IntercomError> {
        let after = request.params.get("starting_after").map(Cursor::decode);
        let after = after.transpose()?;
        let numbered = Self::numbered(request, per_page)?;
        Ok(Self {
            page: after.as_ref().map_or(numbered.page, |cursor| cursor.page),
            after,
            ..numbered
        })
    }

    fn numbered(request: &ContactRequest<'_>, per_page: u64) -> Result<Self, IntercomError> {
        let page = request.params.get("page").map(str::parse::<u64>);
        Ok(Self {
            page: page.and_then(Result::ok).unwrap_or(1).max(1),
            per_page: list::size_in_query(request, per_page, MOST_PER_PAGE)?,
            after: None,
        })
    }

    fn size(&self) -> usize {
        usize::try_from(self.per_page).unwrap_or(usize::MAX)
    }

    fn rows_before(&self) -> usize {
        let skipped = (self.page - 1).saturating_mul(self.per_page);
        usize::try_from(skipped).unwrap_or(usize::MAX)
    }
}
