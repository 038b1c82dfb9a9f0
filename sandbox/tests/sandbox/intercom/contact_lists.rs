//! The lists of Intercom 2.x below a contact or a company: companies, tags and segments.

use roster_sandbox::known;
use serde_json::{Value, json};

use super::contacts::{find, id_of, walk};
use super::{code, intercom};
use crate::in_process::column;

#[tokio::test]
async fn a_contact_shows_ten_of_its_tags_and_companies() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let rich = find(&sandbox, known::AT_INTERCOM).await;
    let id = rich["id"].as_str().unwrap_or_default();

    for (name, total) in [("tags", 13), ("companies", 130)] {
        let list = &rich[name];
        assert_eq!(column(&list["data"], "id").len(), 10);
        assert_eq!(
            (&list["total_count"], &list["has_more"]),
            (&json!(total), &json!(true))
        );
        assert_eq!(list["url"], format!("/contacts/{id}/{name}"));
        assert_eq!(list["data"][0].get("name"), None, "names are elsewhere");
    }
    let poor = find(&sandbox, known::NEVER_SEEN).await;
    let url = format!("/contacts/{}/tags", poor["id"].as_str().unwrap_or_default());
    let none = json!({"type": "list", "data": [], "url": url, "total_count": 0, "has_more": false});
    assert_eq!(poor["tags"], none);
    assert_eq!(poor["companies"]["total_count"], 0);
}

#[tokio::test]
async fn all_companies_of_a_contact_are_paged_with_their_names() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::AT_INTERCOM).await;
    let path = format!("contacts/{id}/companies");

    let page = async |query: &str| {
        let reply = sandbox.get(&format!("/intercom/{path}?{query}")).await;
        reply.json()
    };
    let walk = async |size: u64| {
        let mut ids = Vec::new();
        for number in 1.. {
            let body = page(&format!("per_page={size}&page={number}")).await;
            ids.extend(column(&body["data"], "id"));
            let Some(next) = body["pages"]["next"].as_str() else {
                return (ids, number);
            };
            let query = format!("per_page={size}&page={}", number + 1);
            assert_eq!(next, format!("https://api.intercom.io/{path}?{query}"));
        }
        unreachable!("a walk ends")
    };

    let (ids, pages) = walk(60).await;
    assert_eq!((ids.len(), pages), (130, 3));
    assert_eq!(walk(7).await.0, ids);
    assert_eq!(page("").await["pages"]["per_page"], 50);
    assert_eq!(page("per_page=99").await["pages"]["per_page"], 60);
    let third = page("page=3").await;
    assert_eq!(column(&third["data"], "id"), ids[100..]);
    assert_eq!(third["data"][0]["name"], "Subsidiary 101");
    assert_eq!(third["data"][0]["company_id"], "many-101");
    assert_eq!(page("page=4").await["data"], json!([]));
    let empty = id_of(&sandbox, known::NEVER_SEEN).await;
    let none = sandbox
        .get(&format!("/intercom/contacts/{empty}/companies"))
        .await;
    assert_eq!(none.at("/total_count"), (200, json!(0)));
}

#[tokio::test]
async fn tags_and_segments_of_a_contact_are_whole_and_named() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::AT_INTERCOM).await;
    let names = async |list: &str| {
        let reply = sandbox
            .get(&format!("/intercom/contacts/{id}/{list}"))
            .await;
        column(&reply.json()["data"], "name")
    };

    let tags = names("tags").await;
    assert_eq!((tags.len(), tags[0].as_str()), (13, "known"));
    assert_eq!(
        names("segments").await,
        ["Early birds", "Enterprise", "Spring campaign"]
    );
    for list in ["tags", "segments", "companies"] {
        let unknown = sandbox
            .get(&format!("/intercom/contacts/nope/{list}"))
            .await;
        assert_eq!(code(&unknown), (404, json!("not_found")));
    }
}

#[tokio::test]
async fn a_contact_joins_and_leaves_a_company() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::NEVER_SEEN).await;
    let made = sandbox
        .post(
            "/intercom/companies",
            json!({"company_id": "new", "name": "New"}),
        )
        .await;
    let company = made.at("/id").1.as_str().unwrap_or_default().to_owned();
    let path = format!("/intercom/contacts/{id}/companies");
    let members = format!("/intercom/companies/{company}/contacts");

    let joined = sandbox.post(&path, json!({"id": company})).await;
    assert_eq!(joined.at("/name"), (200, json!("New")));
    sandbox.post(&path, json!({"id": company})).await;
    assert_eq!(sandbox.get(&path).await.at("/total_count").1, 1);
    assert_eq!(sandbox.get(&members).await.at("/data/0/id").1, id);
    let old = sandbox.header("intercom-version", "1.4");
    let users = old
        .get("/intercom/companies?company_id=new&type=user")
        .await;
    assert_eq!(users.at("/users/0/id").1, id);
    let left = sandbox.delete(&format!("{path}/{company}")).await;
    assert_eq!(left.at("/company_id"), (200, json!("new")));
    assert_eq!(sandbox.get(&members).await.at("/total_count").1, 0);

    for (reply, expected) in [
        (
            sandbox.delete(&format!("{path}/{company}")).await,
            "company_not_found",
        ),
        (
            sandbox.post(&path, json!({"id": "nope"})).await,
            "company_not_found",
        ),
        (
            sandbox.get("/intercom/companies/nope/contacts").await,
            "company_not_found",
        ),
    ] {
        assert_eq!(code(&reply), (404, json!(expected)));
    }
    let unsaid = sandbox.post(&path, json!({})).await;
    assert_eq!(code(&unsaid), (400, json!("parameter_not_found")));
}

#[tokio::test]
async fn companies_are_created_renamed_and_found() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let put = async |body: Value| sandbox.post("/intercom/companies", body).await;

    let made = put(json!({"company_id": "new", "name": "New"})).await;
    let renamed = put(json!({"company_id": "new", "name": "Newer"})).await;
    assert_eq!(
        (made.status.as_u16(), made.json()["id"].clone()),
        renamed.at("/id")
    );
    for query in ["company_id=new", "name=Newer"] {
        let found = sandbox.get(&format!("/intercom/companies?{query}")).await;
        assert_eq!(found.at("/id"), renamed.at("/id"));
        assert_eq!(found.at("/name").1, "Newer");
    }
    let unknown = sandbox.get("/intercom/companies?company_id=nope").await;
    assert_eq!(code(&unknown), (404, json!("company_not_found")));
    assert_eq!(put(json!({"name": "N"})).await.status, 400);
    let (ids, _) = walk(&sandbox, "companies", 50).await;
    assert_eq!(
        ids.len(),
        137,
        "130 of one contact, six of the crowd, and the new one"
    );
}

#[tokio::test]
async fn the_contacts_of_a_company_are_paged() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let company = sandbox
        .get("/intercom/companies?company_id=c-2")
        .await
        .json();
    let id = company["id"].as_str().unwrap_or_default();
    let path = format!("companies/{id}/contacts");

    let (ids, _) = walk(&sandbox, &path, 60).await;

    assert_eq!(json!(ids.len()), company["user_count"]);
    assert_eq!(walk(&sandbox, &path, 4).await.0, ids);
    let second = sandbox
        .get(&format!("/intercom/{path}?per_page=4&page=2"))
        .await
        .json();
    assert_eq!(column(&second["data"], "id"), ids[4..8]);
    assert_eq!(second["data"][0]["type"], "contact");
}

#[tokio::test]
async fn tags_are_created_added_and_removed() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::NEVER_SEEN).await;
    let made = sandbox
        .post("/intercom/tags", json!({"name": "brand new"}))
        .await;
    assert_eq!(made.at("/type"), (200, json!("tag")));
    let tag = made.json()["id"].as_str().unwrap_or_default().to_owned();
    let listed = sandbox.get("/intercom/tags").await.json();
    assert!(column(&listed["data"], "id").contains(&tag));
    let path = format!("/intercom/contacts/{id}/tags");

    let put_on = sandbox.post(&path, json!({"id": tag})).await;
    assert_eq!(put_on.at("/name"), (200, json!("brand new")));
    sandbox.post(&path, json!({"id": tag})).await;
    let worn = sandbox.get(&path).await.json();
    assert_eq!(column(&worn["data"], "name"), ["brand new"]);
    let off = sandbox.delete(&format!("{path}/{tag}")).await;
    assert_eq!(off.at("/id"), (200, json!(tag)));
    assert_eq!(sandbox.get(&path).await.at("/data").1, json!([]));
    assert_eq!(sandbox.delete(&format!("{path}/{tag}")).await.status, 404);
    assert_eq!(sandbox.post(&path, json!({"id": "nope"})).await.status, 404);
}
