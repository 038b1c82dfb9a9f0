//! The parameters of the list: their results and their errors.

use std::collections::BTreeSet;

use roster_sandbox::known;
use serde_json::{Value, json};

use super::{get, ids, refusal, usertour};
use crate::in_process::{Sandbox, column};

async fn found(sandbox: &Sandbox, query: &str) -> Vec<String> {
    ids(&get(sandbox, &format!("?limit=100&{query}")).await.json())
}

#[tokio::test]
async fn an_email_is_found_in_its_own_letter_case_only() {
    let sandbox = usertour(known::ENOUGH);
    for (email, count) in [
        (known::EVERYWHERE, 1),
        (known::MIXED_CASE, 0),
        (known::MIXED_CASE_AT_USERTOUR, 1),
        (known::SHARED, 1),
        (known::NOBODY, 0),
    ] {
        let users = found(&sandbox, &format!("email={email}")).await;
        assert_eq!(users.len(), count, "{email}");
    }
    assert_eq!(found(&sandbox, "email=ann%2Bnews@x.test").await.len(), 1);
}

#[tokio::test]
async fn an_address_beyond_ascii_cannot_be_searched_for() {
    let sandbox = usertour(known::ENOUGH);
    for email in [
        "j%C3%B6rg@x.test",
        "info@b%C3%BCcher.example",
        "per%25cent@x.test",
    ] {
        let reply = get(&sandbox, &format!("?email={email}")).await;
        assert_eq!(refusal(&reply), (400, "E1017".to_owned()), "{email}");
    }
}

#[tokio::test]
async fn a_company_narrows_the_list_and_an_unknown_one_is_404() {
    let sandbox = usertour(known::ENOUGH);
    let v1 = sandbox.header("authorization", "Bearer ak_sandbox-token");
    let company = v1
        .get("/usertour/v1/companies/c-1?expand=users")
        .await
        .json();
    let members: BTreeSet<String> = column(&company["users"], "id").into_iter().collect();

    let users = found(&sandbox, "companyId=c-1").await;

    assert!(members.len() > 1);
    assert_eq!(users.into_iter().collect::<BTreeSet<_>>(), members);
    let unknown = get(&sandbox, "?companyId=nope").await;
    assert_eq!(refusal(&unknown), (404, "E1002".to_owned()));
}

#[tokio::test]
async fn a_segment_narrows_the_list_and_an_unknown_one_is_404() {
    let sandbox = usertour(90);
    let all = found(&sandbox, "").await;
    let of = async |segment: &str| found(&sandbox, &format!("segmentId={segment}")).await;

    assert_eq!(of(known::SEGMENT_OF_ALL).await, all);
    assert_eq!(of("").await, all);
    let fifths: Vec<String> = all.iter().step_by(5).cloned().collect();
    assert_eq!(of(known::SEGMENT_BY_HAND).await, fifths);
    for unknown in ["none", known::SEGMENT_OF_OTHERS] {
        let reply = get(&sandbox, &format!("?segmentId={unknown}")).await;
        assert_eq!(refusal(&reply), (404, "E1025".to_owned()), "{unknown}");
    }
}

#[tokio::test]
async fn bounds_of_creation_are_inclusive_and_a_date_is_the_whole_day() {
    let sandbox = usertour(200);
    let page = get(&sandbox, "?limit=100").await.json();
    let rows = page["results"].as_array().cloned().unwrap_or_default();
    let created = |place: usize| rows[place]["createdAt"].as_str().unwrap_or_default();
    let range = format!("createdAfter={}&createdBefore={}", created(3), created(7));

    assert_eq!(found(&sandbox, &range).await, ids(&page)[3..=7]);
    let day = created(0).split('T').next().unwrap_or_default();
    let of_day = found(&sandbox, &format!("createdAfter={day}&createdBefore={day}")).await;
    let expected: Vec<Value> = rows
        .iter()
        .filter(|row| {
            row["createdAt"]
                .as_str()
                .is_some_and(|at| at.starts_with(day))
        })
        .map(|row| row["id"].clone())
        .collect();
    assert!(!expected.is_empty() && expected.len() < 200);
    assert_eq!(json!(of_day), json!(expected));
}

#[tokio::test]
async fn every_wrong_parameter_is_reported() {
    let sandbox = usertour(3);
    let wrong = async |query: &str| {
        let reply = get(&sandbox, &format!("?{query}")).await;
        assert_eq!(refusal(&reply), (400, "E1017".to_owned()), "{query}");
        column(&reply.json()["error"]["issues"], "path")
    };
    for limit in ["0", "101", "2.5", "abc", "", "-1"] {
        assert_eq!(wrong(&format!("limit={limit}")).await, ["limit"], "{limit}");
    }
    assert_eq!(wrong("limit=5&limit=5").await, ["limit"]);
    assert_eq!(wrong("orderBy=name").await, ["orderBy"]);
    assert_eq!(
        wrong("createdAfter=2026-01-02T03:04:05").await,
        ["createdAfter"]
    );
    assert_eq!(
        wrong("limit=x&cursor=a&cursor=b&expand=companies,memberships&createdBefore=soon").await,
        ["limit", "cursor", "expand", "createdBefore"]
    );
    assert_eq!(
        refusal(&get(&sandbox, "/x?expand=friends").await).1,
        "E1017"
    );
}

#[tokio::test]
async fn the_first_segment_of_the_table_narrows_lists_without_one() {
    let sandbox = usertour(90);
    let all = found(&sandbox, "").await;
    sandbox
        .set_switch("usertour", "segments", "first_by_hand")
        .await;
    let by_hand = format!("segmentId={}", known::SEGMENT_BY_HAND);

    assert_eq!(found(&sandbox, "").await, found(&sandbox, &by_hand).await);
    assert_eq!(found(&sandbox, "segmentId=").await, all);
}
