//! The four providers' lists over HTTP, as their documents describe them, with the habits of a case.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::list::{Gone, List, Paging, User};

/// The lists that are being walked, one of each paging.
#[derive(Default)]
pub(super) struct Lists([Mutex<Option<List>>; 5]);

impl Lists {
    /// Does something with the list of a paging.
    pub(super) fn with<T>(&self, paging: Paging, act: impl FnOnce(&mut Option<List>) -> T) -> T {
        let list = &self.0[paging as usize];
        act(&mut list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn app(lists: Arc<Lists>) -> Router {
    Router::new().fallback(answer).with_state(lists)
}

type Pairs = Vec<(String, String)>;

async fn answer(
    State(lists): State<Arc<Lists>>,
    uri: Uri,
    Query(query): Query<Pairs>,
    body: Bytes,
) -> Response {
    let paging = match uri.path().split('/').nth(1) {
        Some(name) if name.starts_with("ada") => Paging::Keys,
        Some(name) if name.starts_with("digitalchalk") => Paging::Offsets,
        Some("intercom-1-1") => Paging::Numbers,
        Some(name) if name.starts_with("intercom") => Paging::CountedTokens,
        _ => Paging::Tokens,
    };
    let asked = Asked::of(paging, &query, &body);
    lists.with(paging, |list| match list {
        Some(list) => {
            list.happen();
            page(list, &asked)
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    })
}

/// What a page is asked for by.
struct Asked {
    size: usize,
    at: Option<String>,
    emails: Vec<String>,
    is_substring: bool,
}

impl Asked {
    fn of(paging: Paging, query: &Pairs, body: &[u8]) -> Self {
        let get = |name: &str| {
            let mut pairs = query.iter();
            pairs
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let (at, size) = match paging {
            Paging::Keys | Paging::Tokens => ("cursor", "limit"),
            Paging::Offsets => ("offset", "limit"),
            Paging::Numbers => ("page", "per_page"),
            Paging::CountedTokens => ("starting_after", "per_page"),
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let in_body = &body["pagination"];
        let size = get(size).and_then(|size| size.parse().ok());
        let size = size.or(in_body["per_page"].as_u64());
        let mut emails: Vec<String> = get("email").into_iter().collect();
        let values = body["query"]["value"].as_array();
        emails.extend(values.into_iter().flatten().filter_map(text));
        Self {
            size: usize::try_from(size.unwrap_or(20)).expect("a size"),
            at: get(at).or_else(|| text(&in_body["starting_after"])),
            emails,
            is_substring: paging == Paging::Offsets,
        }
    }

    fn has(&self, email: &str) -> bool {
        let is_it = |asked: &String| match self.is_substring {
            true => email.contains(&asked.to_lowercase()),
            false => email == asked,
        };
        self.emails.is_empty() || self.emails.iter().any(is_it)
    }
}

/// A place that a key or token names, whose text may be one of several for it.
fn named(at: &str) -> Option<usize> {
    at.split('~').next()?.strip_prefix('r')?.parse().ok()
}

/// How many users are before the page; an answer where the place is not known.
fn start(list: &List, asked: &Asked) -> Result<usize, Box<Response>> {
    let has = |email: &str| asked.has(email);
    let number = || asked.at.as_deref().and_then(|at| at.parse::<usize>().ok());
    match list.paging {
        Paging::Offsets => return Ok(number().unwrap_or_default()),
        Paging::Numbers => return Ok((number().unwrap_or(1) - 1) * asked.size),
        Paging::Keys | Paging::Tokens | Paging::CountedTokens => {}
    }
    let Some(at) = asked.at.as_deref().filter(|at| !at.starts_with("start")) else {
        return Ok(0);
    };
    let place = named(at).and_then(|number| list.before(number, has));
    let (before, is_there) = place.ok_or_else(|| Box::new(refused(list.paging)))?;
    let is_after = list.paging != Paging::Keys || !list.habits.is_inclusive;
    match (is_there, list.paging, list.habits.gone) {
        (true, ..) => Ok(before + usize::from(is_after)),
        (false, Paging::Tokens, _) | (false, _, Gone::Refused) => {
            Err(Box::new(refused(list.paging)))
        }
        (false, Paging::Keys, Gone::Empty) => Err(Box::new(
            Json(envelope(list, &[], &Value::Null, 0)).into_response(),
        )),
        (false, ..) => Ok(before),
    }
}

fn refused(paging: Paging) -> Response {
    let body = match paging {
        Paging::Tokens => {
            json!({ "error": { "code": "E1007", "message": "Invalid cursor parameter" } })
        }
        Paging::CountedTokens => json!({ "type": "error.list", "errors": [
            { "code": "client_error", "message": "Invalid starting_after param" } ] }),
        _ => json!({ "errors": [{ "type": "validation_error", "message": "unknown cursor" }] }),
    };
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn page(list: &mut List, asked: &Asked) -> Response {
    let from = match start(list, asked) {
        Ok(from) => from,
        Err(answer) => return *answer,
    };
    let users = list.there(|email| asked.has(email));
    let is_ordinal = matches!(list.paging, Paging::Offsets | Paging::Numbers);
    let longer = if list.dice.chance(list.habits.longer) {
        2
    } else {
        0
    };
    let mut rows: Vec<User> = users
        .iter()
        .skip(from)
        .take(asked.size + longer)
        .cloned()
        .collect();
    if list.dice.chance(list.habits.repeats) && !rows.is_empty() {
        let twice = list.dice.below(rows.len());
        rows.insert(twice, rows[twice].clone());
        rows.truncate(asked.size.max(1));
    }
    let mut is_more = from.saturating_add(asked.size) < users.len();
    if !is_ordinal {
        let last = rows.last().map(|user| user.number);
        is_more = last.is_some() && last != users.last().map(|user| user.number);
    }
    let total = users.len().saturating_add_signed(list.habits.off);
    list.totals.insert(total);
    if is_more && list.dice.chance(list.habits.empty) {
        // Numbers and offsets go on behind the page; keys and tokens at the same place.
        list.lied |= is_ordinal && from == 0;
        let next = next_empty(list, asked);
        return Json(envelope(list, &[], &next, total)).into_response();
    }
    if is_more && list.dice.chance(list.habits.false_ends) {
        is_more = false;
        list.lied = true;
    } else if !is_more && is_ordinal && list.dice.chance(list.habits.false_nexts) {
        is_more = true;
    }
    let next = match is_more {
        true if list.dice.chance(list.habits.unreadable) => {
            let kinds = [json!({ "a": 1 }), json!(true), json!([1]), json!(17)];
            kinds[list.dice.below(4)].clone()
        }
        true => next_after(list, asked, from, &rows, &users),
        false => Value::Null,
    };
    let rows: Vec<Value> = rows.iter().map(|user| row(list, user)).collect();
    Json(envelope(list, &rows, &next, total)).into_response()
}

fn next_empty(list: &mut List, asked: &Asked) -> Value {
    list.minted += 1;
    let at = asked.at.as_deref().unwrap_or("start");
    let at = at.split('~').next().unwrap_or("start");
    link(list.paging, &format!("{at}~{}", list.minted))
}

fn next_after(list: &List, asked: &Asked, from: usize, rows: &[User], users: &[User]) -> Value {
    let last = rows.last().map_or(0, |user| user.number);
    if list.paging == Paging::Keys && list.habits.is_inclusive {
        let place = users.iter().position(|user| user.number == last);
        let next = place.and_then(|place| users.get(place + 1));
        let next = next.map_or(last, |user| user.number);
        return link(list.paging, &format!("r{next}"));
    }
    match list.paging {
        Paging::Offsets => link(list.paging, &(from + asked.size).to_string()),
        _ => link(list.paging, &format!("r{last}")),
    }
}

fn link(paging: Paging, at: &str) -> Value {
    match paging {
        Paging::Keys => json!(format!(
            "https://x.ada.support/api/v2/end-users/?cursor={at}"
        )),
        Paging::Offsets => json!(format!("/users?offset={at}")),
        Paging::Numbers => json!("https://api.intercom.io/users?page=more"),
        Paging::CountedTokens => json!({ "page": 2, "starting_after": at }),
        Paging::Tokens => json!(format!("/v1/users?cursor={at}")),
    }
}

fn envelope(list: &List, rows: &[Value], next: &Value, total: usize) -> Value {
    match list.paging {
        Paging::Keys => json!({ "data": rows, "meta": { "next_page_url": next } }),
        Paging::Offsets if next.is_null() => json!({ "results": rows }),
        Paging::Offsets => json!({ "results": rows, "next": next }),
        Paging::Numbers => json!({ "type": "user.list", "users": rows, "total_count": total,
            "pages": { "type": "pages", "next": next } }),
        Paging::CountedTokens => json!({ "type": "list", "data": rows, "total_count": total,
            "pages": { "type": "pages", "next": next } }),
        Paging::Tokens => json!({ "results": rows, "next": next, "previous": null }),
    }
}

/// A user as the provider shows him; his name may be of another type than documented.
fn row(list: &mut List, user: &User) -> Value {
    let (id, email) = (format!("r{}", user.number), &user.email);
    let name = match list.dice.chance(list.habits.odd) {
        true => [json!({}), json!([1]), json!(7), json!(false)][list.dice.below(4)].clone(),
        false => json!("N"),
    };
    match list.paging {
        Paging::Keys => {
            json!({ "end_user_id": id, "profile": { "email": email, "first_name": name } })
        }
        Paging::Offsets => json!({ "id": id, "email": email, "firstName": name }),
        Paging::Numbers => json!({ "type": "user", "id": id, "email": email, "name": name }),
        Paging::CountedTokens => {
            json!({ "type": "contact", "id": id, "role": "user", "email": email, "name": name })
        }
        Paging::Tokens => json!({ "id": id, "object": "user",
            "attributes": { "email": email, "name": name }, "createdAt": "2026-02-03T04:05:06.001Z" }),
    }
}
