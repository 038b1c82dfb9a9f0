//! Segments: known ones, unknown ones, and the first of the table.

use roster_sandbox::known;
use serde_json::json;

use super::{refusal, usertour};
use crate::in_process::{Sandbox, column};

async fn listed(sandbox: &Sandbox, query: &str) -> Vec<String> {
    let path = format!("/usertour/v1/users?limit=100{query}");
    column(&sandbox.get(&path).await.json()["results"], "id")
}

async fn set_switch(sandbox: &Sandbox, value: &str) {
    let behaviour = json!({ "provider": "usertour", "name": "segments", "value": value });
    sandbox.post("/_sandbox/behaviour", behaviour).await;
}

#[tokio::test]
async fn a_segment_narrows_a_list_and_an_unknown_one_does_not() {
    let sandbox = usertour(90);
    let all = listed(&sandbox, "").await;
    assert_eq!(all.len(), 90);

    let of = async |segment: &str| listed(&sandbox, &format!("&segmentId={segment}")).await;
    assert_eq!(of(known::SEGMENT_OF_ALL).await, all);
    let fifths: Vec<String> = all.iter().step_by(5).cloned().collect();
    assert_eq!(of(known::SEGMENT_BY_HAND).await, fifths);
    let by_rule = of(known::SEGMENT_BY_RULE).await;
    assert!(!by_rule.is_empty() && by_rule.len() < all.len());
    assert!(of(known::SEGMENT_OF_OTHERS).await.is_empty());
    for unknown in ["", "none", "cmnobodys"] {
        assert_eq!(of(unknown).await, all, "{unknown}");
    }
    let with_nul = sandbox.get("/usertour/v1/users?segmentId=a%00b").await;
    assert_eq!(refusal(&with_nul).0, 500);
}

#[tokio::test]
async fn the_first_segment_of_the_table_narrows_lists_without_one() {
    let sandbox = usertour(90);
    let all = listed(&sandbox, "").await;
    for (value, segment) in [
        ("first_by_hand", known::SEGMENT_BY_HAND),
        ("first_by_rule", known::SEGMENT_BY_RULE),
    ] {
        set_switch(&sandbox, value).await;
        let segment = format!("&segmentId={segment}");
        assert_eq!(listed(&sandbox, "").await, listed(&sandbox, &segment).await);
        assert_eq!(listed(&sandbox, "&segmentId=none").await, all, "{value}");
    }
    set_switch(&sandbox, "strict").await;
    let refused = sandbox.get("/usertour/v1/users?segmentId=none").await;
    let not_found = (404, "E1025".to_owned(), "Segment not found".to_owned());
    assert_eq!(refusal(&refused), not_found);
}
