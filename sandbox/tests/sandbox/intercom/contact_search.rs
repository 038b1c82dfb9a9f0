//! The search of Intercom 2.x: filters, order, cursors, dates and the lag of the index.

use roster_sandbox::known;
use serde_json::{Value, json};

use super::contacts::{find, id_of};
use super::{code, intercom};
use crate::in_process::{Reply, Sandbox, column};

async fn search(sandbox: &Sandbox, query: Value) -> Reply {
    let body = json!({"query": query, "pagination": {"per_page": 150}});
    sandbox.post("/intercom/contacts/search", body).await
}

fn filter(field: &str, operator: &str, value: impl Into<Value>) -> Value {
    json!({"field": field, "operator": operator, "value": value.into()})
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The number of contacts that match the filter.
async fn count(sandbox: &Sandbox, field: &str, operator: &str, value: impl Into<Value>) -> u64 {
    let reply = search(sandbox, filter(field, operator, value)).await;
    let (status, count) = reply.at("/total_count");
    assert_eq!(status, 200, "{field} {operator}: {}", reply.text);
    count.as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_list_of_addresses_finds_every_contact_with_one() {
    let sandbox = intercom(known::ENOUGH, "2.13");
    let emails = json!([known::EVERYWHERE, known::SHARED, known::LEAD, known::NOBODY]);

    let found = search(&sandbox, filter("email", "IN", emails.clone()))
        .await
        .json();

    let mut held = column(&found["data"], "email");
    held.sort();
    let expected = [
        known::SHARED_UPPER,
        known::EVERYWHERE,
        known::SHARED,
        known::LEAD,
        known::LEAD,
    ];
    assert_eq!(held, expected);
    assert_eq!(found["total_count"], 5);
    sandbox
        .set_switch("intercom", "email", "case_sensitive")
        .await;
    assert_eq!(count(&sandbox, "email", "IN", emails.clone()).await, 4);
    sandbox.set_switch("intercom", "in_limit", "3").await;
    let refused = search(&sandbox, filter("email", "IN", emails)).await;
    assert_eq!(code(&refused), (400, json!("parameter_invalid")));
}

#[tokio::test]
async fn ids_and_external_ids_are_found_many_at_once() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let external_ids = json!([
        known::EVERYWHERE_EXTERNAL_ID,
        known::EMPTY_EXTERNAL_ID,
        "nope"
    ]);
    let found = search(&sandbox, filter("external_id", "IN", external_ids))
        .await
        .json();
    let ids = column(&found["data"], "id");

    assert_eq!(ids.len(), 2);
    assert_eq!(count(&sandbox, "id", "IN", ids.clone()).await, 2);
    assert_eq!(count(&sandbox, "id", "NIN", ids.clone()).await, 198);
    assert_eq!(count(&sandbox, "id", "=", ids[0].as_str()).await, 1);
}

#[tokio::test]
async fn every_kind_of_field_is_compared_in_its_own_way() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let leads = count(&sandbox, "role", "=", "lead").await;

    assert_eq!(leads, 2);
    assert_eq!(count(&sandbox, "role", "=", "user").await, 198);
    assert_eq!(
        count(&sandbox, "email_domain", "=", "TRAINCO.test").await,
        3
    );
    assert_eq!(count(&sandbox, "email", "^", "ann").await, 2);
    assert_eq!(count(&sandbox, "email", "$", "bücher.example").await, 1);
    assert_eq!(count(&sandbox, "name", "~", "ARCHER").await, 1);
    assert_eq!(count(&sandbox, "phone", "=", "+44 20 7946 0001").await, 1);
    let nameless = count(&sandbox, "name", "=", Value::Null).await;
    assert_eq!(
        count(&sandbox, "name", "!=", Value::Null).await,
        200 - nameless
    );
    let unsubscribed = count(&sandbox, "unsubscribed_from_emails", "=", true).await;
    assert_eq!(
        count(&sandbox, "unsubscribed_from_emails", "IN", json!([false])).await,
        200 - unsubscribed
    );
    let owner = find(&sandbox, known::EVERYWHERE).await["owner_id"].take();
    assert!(count(&sandbox, "owner_id", "=", owner).await > 1);
    assert_eq!(count(&sandbox, "os", "=", "Linux").await, 0);
    assert!(count(&sandbox, "location.city", "=", "London").await > 20);
    for (name, value) in [
        ("plan", json!("gold")),
        ("seats", json!(17)),
        ("beta", json!(true)),
    ] {
        let field = format!("custom_attributes.{name}");
        assert!(count(&sandbox, &field, "=", value).await > 0, "{name}");
    }
    assert_eq!(
        count(&sandbox, "custom_attributes.job title", "=", "pilot").await,
        1
    );
    assert_eq!(
        count(&sandbox, "custom_attributes.seats", ">=", 1000).await,
        0
    );
}

#[tokio::test]
async fn tags_and_segments_are_searched_by_their_identifiers() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let tags = sandbox.get("/intercom/tags").await.json();
    let tags = tags["data"].as_array().cloned().unwrap_or_default();
    let vip = tags
        .iter()
        .find(|tag| tag["name"] == "vip")
        .expect("there is the tag");
    let segments = sandbox.get("/intercom/segments").await.json();
    let segment = segments["segments"][0]["id"].clone();

    let with = count(&sandbox, "tag_id", "=", vip["id"].clone()).await;
    assert!(with > 0);
    assert_eq!(
        count(&sandbox, "tag_id", "!=", vip["id"].clone()).await,
        200 - with
    );
    assert!(count(&sandbox, "segment_id", "=", segment.clone()).await > 0);
    let refused = search(&sandbox, filter("tag_id", "IN", json!([vip["id"]]))).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn groups_are_nested_twice_and_hold_fifteen_filters() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let one = || filter("email", "=", known::EVERYWHERE);
    let group = |operator: &str, parts: Vec<Value>| json!({"operator": operator, "value": parts});
    let other = filter("external_id", "=", known::EMPTY_EXTERNAL_ID);
    let users = filter("role", "=", "user");

    let both = group("AND", vec![users, group("OR", vec![one(), other])]);
    assert_eq!(
        search(&sandbox, both).await.at("/total_count"),
        (200, json!(2))
    );
    let wide = |width| group("AND", vec![one(); width]);
    assert_eq!(search(&sandbox, wide(15)).await.status, 200);
    for refused in [
        wide(16),
        wide(0),
        group("OR", vec![group("AND", vec![group("OR", vec![one()])])]),
        json!({"operator": "AND", "value": "x"}),
        json!({"value": []}),
        json!([]),
    ] {
        let reply = search(&sandbox, refused.clone()).await;
        assert_eq!(code(&reply), (400, json!("parameter_invalid")), "{refused}");
    }
}

#[tokio::test]
async fn wrong_fields_operators_and_types_are_refused() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    for (field, operator, value) in [
        ("nope", "=", json!("x")),
        ("browser_version", "=", json!("x")),
        ("custom_attributes.nope", "=", json!("x")),
        ("email", ">", json!("x")),
        ("email", "=", json!(7)),
        ("email", "IN", json!("x")),
        ("email", "IN", json!(["x", null])),
        ("email", "LIKE", json!("x")),
        ("created_at", "=", json!("yesterday")),
        ("created_at", ">=", json!(1)),
        ("created_at", "!=", json!(1)),
        ("created_at", "IN", json!([1])),
        ("created_at", ">", json!(null)),
        ("unsubscribed_from_emails", "=", json!("true")),
        ("unsubscribed_from_emails", "~", json!(true)),
        ("custom_attributes.seats", "=", json!("17")),
        ("custom_attributes.seats", "^", json!(1)),
    ] {
        let reply = search(&sandbox, filter(field, operator, value)).await;
        assert_eq!(
            reply.at("/errors/0/code"),
            (400, json!("parameter_invalid")),
            "{field} {operator}"
        );
    }
    for operator in ["AND", "OR"] {
        let reply = search(&sandbox, filter("email", operator, json!([]))).await;
        assert_eq!(code(&reply), (500, json!("server_error")));
    }
}

/// The addresses in the order of a sort.
async fn sorted(sandbox: &Sandbox, sort: Value) -> Reply {
    let query = filter("role", "=", "user");
    let body = json!({"query": query, "sort": sort, "pagination": {"per_page": 150}});
    sandbox.post("/intercom/contacts/search", body).await
}

#[tokio::test]
async fn times_are_sorted_descending_by_default() {
    let sandbox = intercom(100, "2.16");
    let times = async |sort: Value| -> Vec<i64> {
        let reply = sorted(&sandbox, sort).await.json();
        let rows = reply["data"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| row["updated_at"].as_i64().unwrap_or_default())
            .collect()
    };

    let falling = times(json!({"field": "updated_at"})).await;
    assert!(falling.len() > 90 && falling.is_sorted_by(|one, next| one >= next));
    assert!(
        times(json!({"field": "updated_at", "order": "ascending"}))
            .await
            .is_sorted()
    );
    for order in ["asc", "desc", ""] {
        let reply = sorted(&sandbox, json!({"field": "updated_at", "order": order})).await;
        assert_eq!(code(&reply), (400, json!("invalid_sort_order")), "{order}");
    }
    assert_eq!(sorted(&sandbox, json!({"field": "nope"})).await.status, 400);
}

#[tokio::test]
async fn the_cursor_of_a_search_is_read_from_the_body_alone() {
    let sandbox = intercom(130, "2.16");
    let page = async |path: &str, pagination: Value| {
        let query = filter("role", "=", "user");
        let sort = json!({"field": "last_seen_at", "order": "ascending"});
        let body = json!({"query": query, "sort": sort, "pagination": pagination});
        sandbox.post(path, body).await
    };
    let path = "/intercom/contacts/search";
    let first = page(path, json!({})).await.json();
    assert_eq!(first["pages"]["per_page"], 50);
    let cursor = first["pages"]["next"]["starting_after"].clone();
    let escaped = cursor
        .as_str()
        .unwrap_or_default()
        .replace('=', "%3D")
        .replace('+', "%2B");

    let ignored = page(
        &format!("{path}?starting_after={escaped}&per_page=3"),
        json!({}),
    )
    .await;
    assert_eq!(ignored.json()["data"], first["data"]);
    assert_eq!(
        page(path, json!({"page": 2})).await.json()["data"],
        first["data"]
    );
    let (mut ids, mut body) = (column(&first["data"], "id"), first.clone());
    while let Some(next) = body["pages"].get("next") {
        let cursor = next["starting_after"].clone();
        body = page(path, json!({"per_page": 50, "starting_after": cursor}))
            .await
            .json();
        ids.extend(column(&body["data"], "id"));
    }
    assert_eq!(json!(ids.len()), first["total_count"]);
    ids.sort();
    ids.dedup();
    assert_eq!(json!(ids.len()), first["total_count"]);
    for wrong in [json!(null), json!("x"), json!("None"), json!(7)] {
        let reply = page(path, json!({"starting_after": wrong})).await;
        assert_eq!(code(&reply), (400, json!("client_error")), "{wrong}");
    }
    assert_eq!(
        page(path, json!({"per_page": 999}))
            .await
            .at("/pages/per_page")
            .1,
        150
    );
    sandbox.set_switch("intercom", "per_page", "reject").await;
    assert_eq!(page(path, json!({"per_page": 151})).await.status, 400);
}

#[tokio::test]
async fn dates_are_days_of_the_workspace_before_2_17_and_seconds_from_it_on() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::EVERYWHERE).await;
    // 2024-03-01 at 20:00 in UTC is 01:30 of the next day in the workspace.
    let at = 1_709_323_200;
    let path = format!("/intercom/contacts/{id}");
    let set = json!({"signed_up_at": at}).to_string();
    assert_eq!(sandbox.send("PUT", &path, set).await.status, 200);
    let matches = async |version: &str, operator: &str, value: i64| {
        let caller = sandbox.header("intercom-version", version);
        let both = json!([
            filter("signed_up_at", operator, value),
            filter("id", "=", id.as_str())
        ]);
        let reply = search(&caller, json!({"operator": "AND", "value": both})).await;
        reply.at("/total_count").1 == 1
    };
    let (day_starts, day_ends) = (at - 5_400, at - 5_400 + 86_400);

    for value in [day_starts, at, day_ends - 1] {
        assert!(matches("2.16", "=", value).await);
        assert!(!matches("2.9", ">", value).await && !matches("2.10", "<", value).await);
    }
    assert!(matches("2.16", ">", day_starts - 1).await);
    assert!(matches("2.16", "<", day_ends).await);
    assert!(matches("2.17", "=", at).await && !matches("2.17", "=", at + 1).await);
    assert!(matches("2.17", ">", at - 1).await && !matches("2.17", ">", at).await);
    assert!(matches("2.17", "<", at + 1).await && !matches("2.17", "<", at).await);
    sandbox.set_switch("intercom", "timezone_offset", "0").await;
    assert!(matches("2.16", "=", at - 20 * 3_600).await);
    assert!(!matches("2.16", "=", at + 4 * 3_600).await);
}

#[tokio::test]
async fn a_lagging_index_shows_former_states_and_lists_and_lookups_do_not_lag() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::EVERYWHERE).await;
    let gone = id_of(&sandbox, known::JOANN).await;
    sandbox.set_switch("intercom", "index_lag", "1000000").await;

    let made = sandbox
        .post("/intercom/contacts", json!({"email": "new@x.test"}))
        .await
        .json();
    let path = format!("/intercom/contacts/{id}");
    sandbox
        .send("PUT", &path, json!({"name": "Anna"}).to_string())
        .await;
    sandbox.delete(&format!("/intercom/contacts/{gone}")).await;
    // Nor does the index know the states in between.
    for path in [&path, &format!("/intercom/contacts/{}", text(&made["id"]))] {
        let body = json!({"phone": "+1 555"}).to_string();
        assert_eq!(sandbox.send("PUT", path, body).await.status, 200);
    }

    assert_eq!(count(&sandbox, "email", "=", "new@x.test").await, 0);
    assert_eq!(
        find(&sandbox, known::EVERYWHERE).await["name"],
        "Ann Archer"
    );
    assert_eq!(count(&sandbox, "id", "=", gone.as_str()).await, 1);
    assert_eq!(sandbox.get(&path).await.at("/name"), (200, json!("Anna")));
    let newest = sandbox.get("/intercom/contacts").await.json()["data"][0].clone();
    assert_eq!(newest["id"], made["id"]);
    sandbox.set_switch("intercom", "index_lag", "0").await;
    assert_eq!(count(&sandbox, "email", "=", "new@x.test").await, 1);
    assert_eq!(find(&sandbox, known::EVERYWHERE).await["name"], "Anna");
    assert_eq!(count(&sandbox, "id", "=", gone.as_str()).await, 0);
}
