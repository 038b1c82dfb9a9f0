//! The pages of the list of users in Usertour v1, and the links between them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{cursor_after, refusal, usertour, walk};
use crate::in_process::column;

#[tokio::test]
async fn a_walk_lists_every_record_once_and_ends_with_null() {
    let sandbox = usertour(450);
    let held = column(&json!(sandbox.records("usertour").await), "id");

    assert_eq!(held.len(), 450);
    assert_eq!(walk(&sandbox, "/v1/users").await, (held.clone(), 23));
    assert_eq!(
        walk(&sandbox, "/v1/users?limit=100").await,
        (held.clone(), 5)
    );
    assert_eq!(
        walk(&sandbox, "/v1/users?limit=90").await,
        (held.clone(), 5)
    );
    let backwards: Vec<String> = held.into_iter().rev().collect();
    assert_eq!(
        walk(&sandbox, "/v1/users?limit=100&orderBy=-createdAt")
            .await
            .0,
        backwards
    );
}

#[tokio::test]
async fn cursors_are_internal_and_exclusive_and_fail_when_exhausted() {
    let sandbox = usertour(5);
    let invalid_cursor = (
        400,
        "E1007".to_owned(),
        "Invalid cursor parameter".to_owned(),
    );
    let held = sandbox.records("usertour").await;

    let cursor = cursor_after(&sandbox, "/usertour/v1/users?limit=2").await;
    assert_eq!(cursor.len(), 25);
    let rest = sandbox
        .get(&format!("/usertour/v1/users?cursor={cursor}"))
        .await
        .json();
    assert_eq!(rest["results"][0]["id"], held[2]["id"]);
    assert_eq!(rest["next"], Value::Null);
    let last = cursor_after(&sandbox, "/usertour/v1/users?limit=1&orderBy=-createdAt").await;
    for exhausted in [last.as_str(), "crm-ann", "nope"] {
        let reply = sandbox
            .get(&format!("/usertour/v1/users?cursor={exhausted}"))
            .await;
        assert_eq!(refusal(&reply), invalid_cursor, "{exhausted}");
    }
    let empty = sandbox.get("/usertour/v1/users?cursor=&limit=1").await;
    assert_eq!(empty.at("/previous"), (200, Value::Null));
}

#[tokio::test]
async fn links_are_relative_and_keep_the_query() {
    let sandbox = usertour(50);
    let link = async |query: &str| {
        let page = sandbox.get(&format!("/usertour{query}")).await.json();
        let next = page["next"].as_str().unwrap_or_default().to_owned();
        let cursor = next
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("cursor="));
        next.replace(cursor.unwrap_or("no cursor"), "C")
    };

    assert_eq!(link("/v1/users").await, "/v1/users?cursor=C&limit=20");
    assert_eq!(
        link("/V1/Users/?limit=0x2&x=a%20b").await,
        "/V1/Users/?limit=2&x=a+b&cursor=C"
    );
    assert_eq!(
        link("/v1/users?limit=2.5").await,
        "/v1/users?limit=2.5&cursor=C"
    );
    assert_eq!(
        link("/v1/users?expand=companies&expand=memberships").await,
        "/v1/users?cursor=C&limit=20&expand%5B%5D=companies&expand%5B%5D=memberships"
    );
    assert_eq!(
        link("/v1/users?expand[0]=companies&limit=3").await,
        "/v1/users?expand%5B0%5D=companies&limit=3&cursor=C&expand%5B%5D=companies"
    );
    assert_eq!(
        link("/v1/users?expand=companies").await,
        "/v1/users?expand=companies&cursor=C&limit=20"
    );
    assert_eq!(
        link("/v1/users?limit=3&q=what?&z=1").await,
        "/v1/users?limit=3&q=what&cursor=C"
    );
}

#[tokio::test]
async fn previous_starts_one_row_late() {
    let sandbox = usertour(200);
    let held = column(&json!(sandbox.records("usertour").await), "id");
    let mut link = "/v1/users?limit=50".to_owned();
    for _ in 0..3 {
        let page = sandbox.get(&format!("/usertour{link}")).await.json();
        link = page["next"].as_str().unwrap_or_default().to_owned();
    }
    let mut starts = Vec::new();
    for _ in 0..4 {
        let page = sandbox.get(&format!("/usertour{link}")).await.json();
        let first = &column(&page["results"], "id")[0];
        starts.push(held.iter().position(|id| id == first).unwrap_or_default());
        link = page["previous"]
            .as_str()
            .unwrap_or("/v1/users?limit=1")
            .to_owned();
    }

    assert_eq!(starts, [150, 101, 52, 3]);
    assert_eq!(link, "/v1/users?limit=50");
}

#[tokio::test]
async fn a_cursor_whose_user_was_deleted_is_an_error_once() {
    let sandbox = usertour(10);
    sandbox
        .set_switch("usertour", "delete_cursor", "once")
        .await;
    let cursor = cursor_after(&sandbox, "/usertour/v1/users?limit=3").await;

    let lost = sandbox
        .get(&format!("/usertour/v1/users?limit=3&cursor={cursor}"))
        .await;
    let (found, _) = walk(&sandbox, "/v1/users?limit=3").await;

    assert_eq!(refusal(&lost).1, "E1007");
    assert_eq!(found.len(), 9);
}

#[tokio::test]
async fn shuffled_ties_lose_and_repeat_users() {
    let sandbox = usertour(200);
    sandbox.set_switch("usertour", "ties", "shuffled").await;

    let (found, _) = walk(&sandbox, "/v1/users?limit=7").await;

    let distinct: BTreeSet<&String> = found.iter().collect();
    assert!(distinct.len() < 200, "{} of 200", distinct.len());
}
