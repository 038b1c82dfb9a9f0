//! The four providers' lists over HTTP, as their documents describe them, with the habits of a case.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    asked::{Asked, Key, Pairs},
    dice::mixed,
    habits::{Gone, Paging},
    list::{List, User},
    rows::{number_of, row},
};

/// One list, and the requests that wait for it.
#[derive(Default)]
struct Lane {
    list: Mutex<Option<List>>,
    waiting: Mutex<Vec<u64>>,
}

/// The lists that are being walked, one of each paging.
#[derive(Default)]
pub(super) struct Lists([Lane; 5]);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a request waits for others that are sent side by side with it.
const TOGETHER: Duration = Duration::from_millis(2);

impl Lists {
    /// Does something with the list of a paging.
    pub(super) fn with<T>(&self, paging: Paging, act: impl FnOnce(&mut Option<List>) -> T) -> T {
        act(&mut lock(&self.0[paging as usize].list))
    }

    /// Requests that are sent side by side are answered one by one, in an order that hangs on what they
    /// ask for: so a seed repeats what happens.
    async fn turn(&self, paging: Paging, order: u64) {
        let waiting = Waiting::of(&self.0[paging as usize], order);
        loop {
            tokio::time::sleep(TOGETHER).await;
            if waiting.is_first() {
                return;
            }
        }
    }
}

/// A request that waits for its turn, unless the gateway gives it up.
struct Waiting<'a> {
    lane: &'a Lane,
    order: u64,
}

impl<'a> Waiting<'a> {
    fn of(lane: &'a Lane, order: u64) -> Self {
        lock(&lane.waiting).push(order);
        Self { lane, order }
    }

    fn is_first(&self) -> bool {
        lock(&self.lane.waiting).iter().min() == Some(&self.order)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.lane.waiting);
        if let Some(place) = waiting.iter().position(|other| *other == self.order) {
            waiting.swap_remove(place);
        }
    }
}

pub(super) fn app(lists: Arc<Lists>) -> Router {
    Router::new().fallback(answer).with_state(lists)
}

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
    let said = format!("{uri} {}", String::from_utf8_lossy(&body));
    let order = said
        .bytes()
        .fold(7, |sum, byte| mixed(sum ^ u64::from(byte)));
    lists.turn(paging, order).await;
    let asked = Asked::of(paging, uri.path(), &query, &body);
    lists.with(paging, |list| match list {
        Some(list) => {
            list.happen();
            match &asked.key {
                Some(key) => one(list, key),
                None => page(list, &asked),
            }
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    })
}

fn json_of(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// One user, or another one; 404 where there is none.
fn one(list: &mut List, key: &Key) -> Response {
    let users = list.there(|_| true);
    let mut user = users.iter().find(|user| key.is_of(user));
    if list.dice.chance(list.habits.foreign) && !users.is_empty() {
        user = users.get(list.dice.below(users.len()));
    }
    match user {
        Some(user) => json_of(row(list, user)),
        None => {
            let body = match list.paging {
                Paging::Tokens => {
                    json!({ "error": { "code": "E1004", "message": "User not found" } })
                }
                _ => json!({ "errors": [{ "code": "not_found", "message": "not found" }] }),
            };
            (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
        }
    }
}

/// A place that a key or token names, whose text may be one of several for it.
fn named(at: &str) -> Option<usize> {
    number_of(at.split('~').next()?)
}

/// How many users are before the page; an answer where the place is not known.
fn start(list: &List, asked: &Asked, users: &[User]) -> Result<usize, Box<Response>> {
    let number = || asked.at.as_deref().and_then(|at| at.parse::<usize>().ok());
    match list.paging {
        Paging::Offsets => return Ok(number().unwrap_or_default()),
        Paging::Numbers => return Ok((number().unwrap_or(1) - 1) * asked.size),
        Paging::Keys | Paging::Tokens | Paging::CountedTokens => {}
    }
    let Some(at) = asked.at.as_deref().filter(|at| !at.starts_with("start")) else {
        return Ok(0);
    };
    let is_after = list.paging != Paging::Keys || !list.habits.is_inclusive;
    let number = named(at).ok_or_else(|| Box::new(refused(list.paging)))?;
    if let Some(place) = users.iter().position(|user| user.number == number) {
        return Ok(place + usize::from(is_after));
    }
    let before = list.before(number, |user| asked.has(list, user));
    match (before, list.paging, list.habits.gone) {
        (Some(_), Paging::Keys, Gone::Empty) => {
            Err(Box::new(json_of(envelope(list, &[], &Value::Null, 0))))
        }
        (Some(before), Paging::Keys | Paging::CountedTokens, Gone::Known | Gone::Empty) => {
            Ok(before)
        }
        _ => Err(Box::new(refused(list.paging))),
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
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

fn page(list: &mut List, asked: &Asked) -> Response {
    let salt = list.dice.next();
    let mut users = list.shuffled(|user| asked.has(list, user), salt);
    if asked.is_descending {
        users.reverse();
    }
    let from = match start(list, asked, &users) {
        Ok(from) => from,
        Err(answer) => return *answer,
    };
    let is_ordinal = list.paging.is_ordinal();
    let rows = rows_of(list, asked, &users, from);
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
        return json_of(envelope(list, &[], &next, total));
    }
    if is_more && list.dice.chance(list.habits.false_ends) {
        is_more = false;
        list.lied = true;
    } else if !is_more && is_ordinal && list.dice.chance(list.habits.false_nexts) {
        is_more = true;
    }
    let next = match is_more {
        true if list.dice.chance(list.habits.unreadable) => {
            let kinds = [
                json!({ "a": 1 }),
                json!(true),
                json!([1]),
                json!(17),
                json!(ODD),
            ];
            kinds[list.dice.below(kinds.len())].clone()
        }
        true => next_after(list, asked, from, &rows, &users),
        false => Value::Null,
    };
    note_ties(list, asked, &users, from, &rows);
    if let Some(last) = rows.last() {
        list.border = Some(last.number);
    }
    let rows: Vec<String> = rows.iter().map(|user| row(list, user)).collect();
    json_of(envelope(list, &rows, &next, total))
}

/// The users of a page: those who follow, and others where the provider sends such.
fn rows_of(list: &mut List, asked: &Asked, users: &[User], from: usize) -> Vec<User> {
    let is_longer = list.dice.chance(list.habits.longer);
    let more = 1 + list.dice.below(4);
    let is_padded = is_longer && list.habits.is_padded;
    let size = asked.size + if is_longer && !is_padded { more } else { 0 };
    let rows = users.iter().skip(from).take(size);
    let mut rows: Vec<User> = rows.cloned().collect();
    if is_padded && rows.len() == asked.size {
        let at = match list.dice.below(3) {
            0 => 0,
            1 => users.len().saturating_sub(more),
            _ => list.dice.below(users.len()),
        };
        rows.extend(users[at..].iter().take(more).cloned());
    }
    if list.dice.chance(list.habits.repeats) && !rows.is_empty() {
        let twice = list.dice.below(rows.len());
        rows.insert(twice, rows[twice].clone());
        rows.truncate(asked.size.max(1));
    }
    rows
}

/// Notes the users that no client can find: they share the moment at which a page ended, come before its
/// end in this answer's order, and neither page shows two users of one moment.
fn note_ties(list: &mut List, asked: &Asked, users: &[User], from: usize, rows: &[User]) {
    if list.habits.ties == 0 {
        return;
    }
    let timed: Vec<&User> = rows.iter().filter(|row| row.form.is_timed()).collect();
    let has_ties = timed
        .windows(2)
        .any(|pair| pair[0].moment == pair[1].moment);
    // A user without a moment may share that of its neighbours.
    let is_timed = rows.iter().rev().take(2).all(|row| row.form.is_timed());
    if let Some(last) = rows.last().filter(|_| !has_ties && is_timed) {
        list.plain_ends.insert(last.number);
    }
    let end = asked.at.as_deref().and_then(|_| from.checked_sub(1));
    let Some(end) = end.and_then(|end| users.get(end)) else {
        return;
    };
    let goes_on = rows.first().is_some_and(|row| row.moment == end.moment);
    if has_ties || goes_on || !list.plain_ends.contains(&end.number) {
        return;
    }
    let before = users[..from - 1].iter().rev();
    let hidden = before.take_while(|user| user.moment == end.moment);
    list.hidden.extend(hidden.map(|user| user.number));
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

/// A next page that cannot be read, nor what would name it.
const ODD: &str = "odd";

/// A page around its rows, which are text: some are no JSON that libraries write.
fn envelope(list: &List, rows: &[String], next: &Value, total: usize) -> String {
    let rows = rows.join(",");
    if *next == ODD {
        return match list.paging {
            Paging::Keys => format!(r#"{{"data":[{rows}],"meta":"{ODD}"}}"#),
            Paging::Offsets | Paging::Tokens => {
                format!(r#"{{"results":[{rows}],"next":["{ODD}"]}}"#)
            }
            Paging::Numbers => format!(r#"{{"users":[{rows}],"pages":["{ODD}"]}}"#),
            Paging::CountedTokens => format!(r#"{{"data":[{rows}],"pages":true}}"#),
        };
    }
    match list.paging {
        Paging::Keys => format!(r#"{{"data":[{rows}],"meta":{{"next_page_url":{next}}}}}"#),
        Paging::Offsets if next.is_null() => format!(r#"{{"results":[{rows}]}}"#),
        Paging::Offsets => format!(r#"{{"results":[{rows}],"next":{next}}}"#),
        Paging::Numbers => format!(
            r#"{{"type":"user.list","users":[{rows}],"total_count":{total},"pages":{{"type":"pages","next":{next}}}}}"#
        ),
        Paging::CountedTokens => format!(
            r#"{{"type":"list","data":[{rows}],"total_count":{total},"pages":{{"type":"pages","next":{next}}}}}"#
        ),
        Paging::Tokens => format!(r#"{{"results":[{rows}],"next":{next},"previous":null}}"#),
    }
}
