//! What a provider says about the rest of a list, where it cannot be read, contradicts the rows, or comes
//! with a page of nobody: never the end, and never COMPLETE without everybody.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::Uri,
};
use roster::account::Provider;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{World, intercom, word};

type Pairs = Vec<(String, String)>;
type Answer = Arc<dyn Fn(&str, &Pairs) -> Value + Send + Sync>;
type Calls = Arc<Mutex<Vec<String>>>;

/// A gateway over a provider that answers as it is told, with the queries that it got.
async fn told(
    answer: impl Fn(&str, &Pairs) -> Value + Send + Sync + 'static,
    version: &str,
    seconds: f64,
) -> (World, Calls) {
    let calls = Calls::default();
    let app =
        Router::new().fallback(
            |State((answer, calls)): State<(Answer, Calls)>,
             uri: Uri,
             Query(query): Query<Pairs>| async move {
                let asked = uri.query().unwrap_or_default().to_owned();
                calls
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(asked);
                Json(answer(uri.path(), &query))
            },
        );
    let app = app.with_state((Arc::new(answer) as Answer, Arc::clone(&calls)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (gateway(address, version, seconds).await, calls)
}

async fn gateway(address: SocketAddr, version: &str, seconds: f64) -> World {
    World::with(0, |settings| {
        *settings = crate::world::settings(address);
        settings.cache.seconds = seconds;
        settings.server.show_calls = false;
        for provider in settings.accounts.values_mut() {
            (provider.breaker.enabled, provider.attempts) = (false, 1);
        }
        intercom(settings, version);
    })
    .await
}

fn count(calls: &Calls) -> usize {
    calls.lock().unwrap_or_else(PoisonError::into_inner).len()
}

async fn list(world: &World, of: Provider, arguments: &str) -> Value {
    let of = word(of);
    let query = format!(
        "{{ users(provider: {of}, {arguments}) {{ nodes {{ remoteId createdAt }}
             pageInfo {{ hasNextPage endCursor }} sources {{ status notices {{ code message }} }} }} }}"
    );
    world.answer(&query).await
}

fn get<'a>(query: &'a Pairs, name: &str) -> Option<&'a str> {
    let mut pairs = query.iter();
    let pair = pairs.find(|(key, _)| key == name);
    pair.map(|(_, value)| value.as_str())
}

fn number(query: &Pairs, name: &str) -> Option<usize> {
    get(query, name)?.parse().ok()
}

/// A user in the words of every provider.
fn row(number: usize) -> Value {
    let id = format!("r{number}");
    json!({ "id": id, "end_user_id": id, "type": "contact", "role": "user", "object": "user",
        "email": format!("p{number}@x.test"), "attributes": {},
        "createdAt": format!("2026-01-01T00:{:02}:{:02}.000Z", number / 60, number % 60) })
}

fn rows(numbers: impl Iterator<Item = usize>) -> Vec<Value> {
    numbers.map(row).collect()
}

/// A list of one page, which says this about the rest.
fn page(of: Provider, version: &str, rest: &Value) -> Value {
    let rows = rows(0..3);
    match (of, version) {
        (Provider::Ada, _) => json!({ "data": rows, "meta": rest }),
        (Provider::Intercom, "1.1") => json!({ "type": "user.list", "users": rows, "pages": rest }),
        (Provider::Intercom, _) => json!({ "type": "list", "data": rows, "pages": rest }),
        _ => json!({ "results": rows, "next": rest }),
    }
}

#[tokio::test]
async fn a_rest_that_cannot_be_read_is_no_end() {
    let odd = [json!({ "a": 1 }), json!(true), json!([1]), json!(7)];
    let links = |name: &str| {
        odd.iter()
            .map(|odd| json!({ name: odd }))
            .collect::<Vec<_>>()
    };
    let texts = [json!("more"), json!([1]), json!(7), json!(true)];
    let cases = [
        (
            Provider::Ada,
            "2.17",
            [links("next_page_url"), texts.to_vec()].concat(),
        ),
        (Provider::DigitalChalk, "2.17", odd.to_vec()),
        (Provider::Usertour, "2.17", odd.to_vec()),
        (Provider::Intercom, "2.17", texts.to_vec()),
        (
            Provider::Intercom,
            "1.1",
            [links("next"), texts.to_vec()].concat(),
        ),
    ];
    for (of, version, rests) in cases {
        for rest in rests {
            let answer = page(of, version, &rest);
            let (world, _) = told(move |_, _| answer.clone(), version, 0.0).await;

            let answer = list(&world, of, "first: 50").await;

            let code = &answer["errors"][0]["extensions"]["code"];
            assert_eq!(
                code, "PROVIDER_BAD_RESPONSE",
                "{of:?} {version} {rest}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_list_of_contacts_without_pages_does_not_say_that_it_ends() {
    let answer = json!({ "type": "list", "data": rows(0..3), "total_count": 3 });
    let (world, _) = told(move |_, _| answer.clone(), "2.17", 0.0).await;

    let answer = list(&world, Provider::Intercom, "first: 50").await;

    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "PROVIDER_BAD_RESPONSE"
    );
}

#[tokio::test]
async fn a_count_that_cannot_be_read_or_contradicts_the_rows_is_no_whole_list() {
    for (total, status) in [
        (json!(3), Some("COMPLETE")),
        (json!("3"), Some("COMPLETE")),
        (Value::Null, Some("COMPLETE")),
        (json!(9), Some("PARTIAL")),
        (json!(2), Some("PARTIAL")),
        (json!(-1), None),
        (json!("many"), None),
        (json!({}), None),
    ] {
        let pages = json!({ "type": "pages" });
        let said =
            json!({ "type": "list", "data": rows(0..3), "pages": pages, "total_count": total });
        let (world, _) = told(move |_, _| said.clone(), "2.17", 0.0).await;

        let answer = list(&world, Provider::Intercom, "first: 50").await;

        let source = &answer["data"]["users"]["sources"][0];
        assert_eq!(source["status"].as_str(), status, "{total}: {answer}");
        let is_said = source["notices"][0]["code"].is_string();
        assert_eq!(is_said, status == Some("PARTIAL"), "{total}");
    }
}

#[tokio::test]
async fn a_count_of_more_users_than_numbered_pages_hold_is_said() {
    let pages = json!({ "type": "pages", "next": null });
    let answer = move |_: &str, query: &Pairs| {
        let (page, size) = (number(query, "page"), number(query, "per_page"));
        let from = (page.unwrap_or(1) - 1) * size.unwrap_or(50);
        let users = rows((0..3).skip(from).take(size.unwrap_or(50)));
        json!({ "type": "user.list", "users": users, "pages": pages, "total_count": 9 })
    };
    let (world, calls) = told(answer, "1.1", 0.0).await;

    let answer = list(&world, Provider::Intercom, "first: 50").await;

    let users = &answer["data"]["users"];
    assert_eq!(users["nodes"].as_array().map(Vec::len), Some(3), "{answer}");
    assert_eq!(users["pageInfo"]["hasNextPage"], false);
    assert_eq!(users["sources"][0]["status"], "PARTIAL");
    assert_eq!(count(&calls), 2, "it is looked for once");
}

/// A list of 150 users of DigitalChalk; the test can delete the first ones.
fn students(gone: &Arc<Mutex<usize>>) -> impl Fn(&str, &Pairs) -> Value + Send + Sync + use<> {
    let gone = Arc::clone(gone);
    move |_, query| {
        let gone = *gone.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, size) = (number(query, "offset"), number(query, "limit"));
        let (from, size) = (from.unwrap_or(0) + gone, size.unwrap_or(15));
        let to = (from + size).min(150);
        let page = rows(from..to);
        match to < 150 {
            true => json!({ "results": page, "next": format!("/users?offset={}", to - gone) }),
            false => json!({ "results": page }),
        }
    }
}

#[tokio::test]
async fn a_page_that_was_kept_is_not_joined_with_a_new_one() {
    let gone = Arc::new(Mutex::new(0));
    let (world, calls) = told(students(&gone), "2.17", 60.0).await;
    list(&world, Provider::DigitalChalk, "first: 100").await;
    assert_eq!(count(&calls), 1);
    *gone.lock().unwrap_or_else(PoisonError::into_inner) = 2;

    let answer = list(&world, Provider::DigitalChalk, "first: 150").await;

    let nodes = answer["data"]["users"]["nodes"].as_array().expect("users");
    let ids: Vec<_> = nodes
        .iter()
        .filter_map(|node| node["remoteId"].as_str())
        .collect();
    let now: Vec<_> = (2..150).map(|number| format!("r{number}")).collect();
    assert_eq!(ids, now, "nobody of the page from before");
    assert_eq!(answer["data"]["users"]["sources"][0]["status"], "COMPLETE");
    assert_eq!(
        count(&calls),
        3,
        "the second page, which was new, was not read again"
    );
    list(&world, Provider::DigitalChalk, "first: 150").await;
    assert_eq!(count(&calls), 3, "all of them are kept now");
}

#[tokio::test]
async fn users_deleted_between_two_windows_hide_no_other_user() {
    let gone = Arc::new(Mutex::new(0));
    let (world, _) = told(students(&gone), "2.17", 0.0).await;
    let first = list(&world, Provider::DigitalChalk, "first: 60").await;
    let cursor = first["data"]["users"]["pageInfo"]["endCursor"].clone();
    *gone.lock().unwrap_or_else(PoisonError::into_inner) = 20;

    let rest = list(
        &world,
        Provider::DigitalChalk,
        &format!("first: 500, after: {cursor}"),
    )
    .await;

    let nodes = rest["data"]["users"]["nodes"].as_array().expect("users");
    assert_eq!((nodes.len(), &nodes[0]["remoteId"]), (90, &json!("r60")));
    assert_eq!(rest["data"]["users"]["sources"][0]["status"], "COMPLETE");
    // All that the cursor names is gone: what follows cannot be told.
    *gone.lock().unwrap_or_else(PoisonError::into_inner) = 100;
    let rest = list(
        &world,
        Provider::DigitalChalk,
        &format!("first: 500, after: {cursor}"),
    )
    .await;
    let source = &rest["data"]["users"]["sources"][0];
    assert_eq!(source["status"], "PARTIAL", "{rest}");
}

#[tokio::test]
async fn joined_lists_of_spellings_keep_the_requested_order() {
    let spelled = |_: &str, query: &Pairs| {
        let is_lower = get(query, "email") == Some("jo@x.test");
        let mut numbers: Vec<_> = (0..8)
            .filter(|number| (number % 3 == 0) == is_lower)
            .collect();
        if get(query, "orderBy") == Some("-createdAt") {
            numbers.reverse();
        }
        let rows = numbers.into_iter().map(|number| {
            let mut row = row(number);
            let email = if is_lower { "jo@x.test" } else { "Jo@x.test" };
            row["attributes"] = json!({ "email": email });
            row
        });
        json!({ "results": rows.collect::<Vec<_>>(), "next": null })
    };
    let (world, _) = told(spelled, "2.17", 0.0).await;
    for (direction, expected) in [
        ("ASCENDING", (0..8).collect::<Vec<_>>()),
        ("DESCENDING", (0..8).rev().collect()),
    ] {
        let filter = format!(
            "filter: {{ email: \"Jo@x.test\", sort: {{ field: CREATED_AT, direction: {direction} }} }}"
        );
        let mut found = Vec::new();
        let mut after = "null".to_owned();
        for _ in 0..3 {
            let arguments = format!("first: 3, after: {after}, {filter}");
            let users = &list(&world, Provider::Usertour, &arguments).await["data"]["users"];
            let nodes = users["nodes"].as_array().expect("users");
            found.extend(
                nodes
                    .iter()
                    .filter_map(|node| node["remoteId"].as_str().map(str::to_owned)),
            );
            after = users["pageInfo"]["endCursor"].to_string();
        }
        let expected: Vec<_> = expected.iter().map(|number| format!("r{number}")).collect();
        assert_eq!(found, expected, "{direction}");
    }
}
