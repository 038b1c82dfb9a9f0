//! Lookups and filtered lists of users in Intercom 1.x.

use roster_sandbox::known;
use serde_json::json;

use super::{code, intercom};
use crate::in_process::column;

#[tokio::test]
async fn no_match_by_email_is_an_error_in_1_0_and_an_empty_list_later() {
    let sandbox = intercom(known::ENOUGH, "1.0");
    let path = format!("/intercom/users?email={}", known::NOBODY);

    assert_eq!(code(&sandbox.get(&path).await), (404, json!("not_found")));
    for version in ["1.1", "1.2", "1.3", "1.4"] {
        let reply = sandbox.header("intercom-version", version).get(&path).await;
        let expected = json!({
            "type": "user.list", "limited": false, "total_count": 0,
            "pages": {"type": "pages", "next": null, "page": 1, "per_page": 50, "total_pages": 0},
            "users": [],
        });
        assert_eq!((reply.status.as_u16(), reply.json()), (200, expected));
    }
}

#[tokio::test]
async fn a_match_by_email_is_a_bare_user_in_1_0_and_a_list_later() {
    let sandbox = intercom(known::ENOUGH, "1.0");
    let path = format!("/intercom/users?email={}", known::EVERYWHERE);
    let shared = format!("/intercom/users?email={}", known::SHARED);

    assert_eq!(
        sandbox.get(&path).await.at("/user_id"),
        (200, json!("crm-ann"))
    );
    assert_eq!(code(&sandbox.get(&shared).await), (409, json!("conflict")));
    let later = sandbox.header("intercom-version", "1.3");
    let emails = column(&later.get(&shared).await.json()["users"], "email");
    assert_eq!(emails, [known::SHARED_UPPER, known::SHARED]);
    sandbox
        .set_switch("intercom", "email", "case_sensitive")
        .await;
    let emails = column(&later.get(&shared).await.json()["users"], "email");
    assert_eq!(emails, [known::SHARED]);
}

#[tokio::test]
async fn leads_are_mixed_into_the_matches_of_1_1_alone() {
    let sandbox = intercom(known::ENOUGH, "1.1");
    let path = format!("/intercom/users?email={}", known::LEAD);
    let kinds = async |version: &str| {
        let reply = sandbox.header("intercom-version", version).get(&path).await;
        column(&reply.json()["users"], "type")
    };

    assert_eq!(kinds("1.1").await, ["contact", "user"]);
    assert_eq!(kinds("1.2").await, ["user"]);
    let reply = sandbox.header("intercom-version", "1.0").get(&path).await;
    assert_eq!(reply.at("/anonymous"), (200, json!(false)));
    let leads = sandbox.get("/intercom/contacts").await.json();
    assert_eq!(leads["type"], "contact.list");
    assert_eq!(
        column(&leads["contacts"], "email"),
        [known::LEAD_ALONE, known::LEAD]
    );
    let id = leads["contacts"][0]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let lead = sandbox.get(&format!("/intercom/contacts/{id}")).await;
    assert_eq!(lead.at("/anonymous"), (200, json!(true)));
    assert_eq!(
        sandbox.get(&format!("/intercom/users/{id}")).await.status,
        404
    );
}

#[tokio::test]
async fn users_are_found_by_their_own_ids_and_by_phone_from_1_2() {
    let sandbox = intercom(known::ENOUGH, "1.2");
    let by_user_id = sandbox.get("/intercom/users?user_id=odd%2Fslash").await;
    let id = by_user_id.json()["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();

    assert_eq!((by_user_id.status.as_u16(), id.len()), (200, 24));
    assert_eq!(
        sandbox
            .get(&format!("/intercom/users/{id}"))
            .await
            .at("/user_id")
            .1,
        "odd/slash"
    );
    assert_eq!(code(&sandbox.get("/intercom/users/crm-ann").await).0, 404);
    assert_eq!(
        code(&sandbox.get("/intercom/users?user_id=nope").await).0,
        404
    );
    let path = "/intercom/users?phone=%2B44%2020%207946%200001";
    assert_eq!(sandbox.get(path).await.at("/total_count").1, 1);
    let old = sandbox
        .header("intercom-version", "1.1")
        .get(path)
        .await
        .json();
    assert!(
        old["total_count"].as_u64() > Some(1),
        "1.1 does not know the parameter"
    );
}

#[tokio::test]
async fn tags_and_segments_list_their_members_and_exclude_each_other() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    let tags = sandbox.get("/intercom/tags").await.json();
    let tags = tags["tags"].as_array().cloned().unwrap_or_default();
    let known_tag = tags
        .iter()
        .find(|tag| tag["name"] == "known")
        .expect("there is the tag");
    let id = known_tag["id"].as_str().unwrap_or_default();

    let tagged = sandbox
        .get(&format!("/intercom/users?tag_id={id}"))
        .await
        .json();

    assert!(column(&tagged["users"], "type").contains(&"contact".to_owned()));
    let both = sandbox
        .get(&format!("/intercom/users?tag_id={id}&segment_id=1"))
        .await;
    assert_eq!(code(&both), (400, json!("bad_request")));
}

#[tokio::test]
async fn a_company_has_its_users_under_either_of_its_ids() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    let ann = sandbox.get("/intercom/users?user_id=crm-ann").await.json();
    let id = ann["companies"]["companies"][0]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();

    let one = sandbox
        .get(&format!("/intercom/companies/{id}/users"))
        .await
        .json();
    let other = sandbox
        .get("/intercom/companies?company_id=c-1&type=user")
        .await
        .json();

    assert_eq!(one["users"], other["users"]);
    assert!(column(&one["users"], "user_id").contains(&"crm-ann".to_owned()));
    let unknown = sandbox.get("/intercom/companies/nope/users").await;
    assert_eq!(code(&unknown), (404, json!("company_not_found")));
}
