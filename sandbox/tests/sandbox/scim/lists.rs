//! Pages, what they show, and their order.

use serde_json::{Value, json};

use super::{API, USERS, all_ids, ids, refusal, sandbox};
use crate::in_process::column;

#[tokio::test]
async fn indices_lead_through_every_user_once() {
    let sandbox = sandbox(130);
    let mut found = Vec::new();
    for start in (1..=130).step_by(20) {
        let path = format!("{USERS}?startIndex={start}&count=20");
        let page = sandbox.get(&path).await.json();
        let size = page["Resources"].as_array().expect("a list").len();
        assert_eq!(page["startIndex"], start);
        assert_eq!(page["itemsPerPage"], size);
        assert_eq!(page["totalResults"], 130);
        found.extend(ids(&page));
    }
    assert_eq!(found, all_ids(&sandbox).await);
}

#[tokio::test]
async fn a_page_has_as_many_users_as_asked_up_to_the_cap() {
    let sandbox = sandbox(130);
    for (query, start, rows) in [
        ("", 1, 100),
        ("?count=100", 1, 100),
        ("?count=101", 1, 100),
        ("?count=1", 1, 1),
        ("?startIndex=0&count=2", 1, 2),
        ("?startIndex=-7&count=2", 1, 2),
        ("?startIndex=130", 130, 1),
        ("?startIndex=131", 131, 0),
        ("?startIndex=999999999999", 999_999_999_999_i64, 0),
    ] {
        let page = sandbox.get(&format!("{USERS}{query}")).await.json();
        let size = page["Resources"].as_array().map(Vec::len);
        assert_eq!(
            (&page["startIndex"], size),
            (&json!(start), Some(rows)),
            "{query}"
        );
        assert_eq!(page["totalResults"], 130);
    }
}

#[tokio::test]
async fn a_count_of_0_or_less_asks_for_the_total_alone() {
    let sandbox = sandbox(30);
    for count in ["0", "-3"] {
        let page = sandbox.get(&format!("{USERS}?count={count}")).await.json();
        assert_eq!(page["totalResults"], 30);
        assert_eq!(page["itemsPerPage"], 0);
        assert_eq!(page.get("Resources"), None);
    }
}

#[tokio::test]
async fn what_is_no_number_is_refused() {
    let sandbox = sandbox(1);
    for query in ["count=x", "count=", "startIndex=1.5"] {
        let reply = sandbox.get(&format!("{USERS}?{query}")).await;
        assert_eq!(refusal(&reply), (400, json!("invalidValue")), "{query}");
    }
}

#[tokio::test]
async fn attributes_select_what_is_shown() {
    let sandbox = sandbox(200);
    let shown = async |query: &str| {
        let page = sandbox.get(&format!("{USERS}?count=1&{query}")).await;
        let user = page.json()["Resources"][0].clone();
        let names = user.as_object().expect("a user").keys().cloned();
        (names.collect::<Vec<_>>().join(" "), user)
    };
    let (names, user) = shown("attributes=userName,NAME.givenname,emails.value").await;
    assert_eq!(names, "schemas id userName name emails");
    assert_eq!(user["name"], json!({"givenName": "Ann"}));
    assert_eq!(
        user["emails"],
        json!([{"value": "ann@x.test"}, {"value": "ann@home.test"}])
    );

    let department = format!("attributes={}:department", super::ENTERPRISE);
    let (_, user) = shown(&department).await;
    assert_eq!(user[super::ENTERPRISE], json!({"department": "Sales"}));

    let (names, user) = shown("excludedAttributes=id,groups,emails.type,meta").await;
    assert!(
        names.starts_with("schemas id externalId userName"),
        "{names}"
    );
    assert!(!names.contains("groups") && !names.contains("meta"));
    assert_eq!(user["emails"][1], json!({"value": "ann@home.test"}));
}

#[tokio::test]
async fn one_user_is_shown_as_selected_too() {
    let sandbox = sandbox(1);
    let id = all_ids(&sandbox).await.swap_remove(0);
    let reply = sandbox.get(&format!("{USERS}/{id}?attributes=title")).await;
    assert_eq!(reply.at("/title"), (200, json!("Pilot")));
    assert_eq!(reply.at("/userName"), (200, Value::Null));
}

#[tokio::test]
async fn lists_are_sorted_unless_orders_are_ignored() {
    let sandbox = sandbox(60);
    let names = async |query: &str| {
        let page = sandbox.get(&format!("{USERS}?{query}")).await.json();
        column(&page["Resources"], "userName")
    };
    let unsorted = names("").await;
    let mut sorted = unsorted.clone();
    sorted.sort_by_key(|name| (name.is_empty(), name.to_lowercase()));
    assert_eq!(names("sortBy=USERNAME").await, sorted);
    sorted.reverse();
    assert_eq!(names("sortBy=userName&sortOrder=descending").await, sorted);
    let mut created = names("sortBy=meta.created&sortOrder=descending").await;
    created.reverse();
    assert_eq!(created, unsorted);

    let reply = sandbox.get(&format!("{USERS}?sortBy=a+b")).await;
    assert_eq!(refusal(&reply), (400, json!("invalidPath")));

    sandbox.set_switch("scim", "sort", "ignored").await;
    assert_eq!(names("sortBy=userName").await, unsorted);
}

#[tokio::test]
async fn a_search_has_its_parameters_in_the_body() {
    let sandbox = sandbox(60);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["userName"],
        "filter": "userName co \"@x.test\"",
        "startIndex": 2,
        "count": 3,
    });
    let searched = sandbox.post(&format!("{USERS}/.search"), body).await;
    let query = "attributes=userName&filter=userName+co+%22@x.test%22&startIndex=2&count=3";
    let listed = sandbox.get(&format!("{API}/Users?{query}")).await;
    assert_eq!(searched.json(), listed.json());
    assert_eq!(ids(&listed.json()).len(), 3);
}
