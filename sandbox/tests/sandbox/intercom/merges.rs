//! Merges in Intercom 2.x: a merged contact is gone and links to the contact that it became part of.

use roster_sandbox::known;
use serde_json::{Value, json};

use super::contacts::{find, id_of};
use super::{code, intercom};
use crate::in_process::{Reply, Sandbox};

async fn merge(sandbox: &Sandbox, from: &str, into: &str) -> Reply {
    let body = json!({"from": from, "into": into});
    sandbox.post("/intercom/contacts/merge", body).await
}

async fn get(sandbox: &Sandbox, id: &str) -> Reply {
    sandbox.get(&format!("/intercom/contacts/{id}")).await
}

/// New contacts of a role.
async fn made<const N: usize>(sandbox: &Sandbox, role: &str) -> [String; N] {
    let mut ids = [const { String::new() }; N];
    for (number, id) in ids.iter_mut().enumerate() {
        let body = json!({"role": role, "external_id": format!("{role}-{number}")});
        let contact = sandbox.post("/intercom/contacts", body).await.json();
        *id = contact["id"].as_str().unwrap_or_default().to_owned();
    }
    ids
}

fn link(id: &str) -> String {
    format!("</contacts/{id}>; rel=\"canonical\"")
}

/// The lead and the user of one address.
async fn pair(sandbox: &Sandbox) -> (String, String) {
    let query = json!({"query": {"field": "email", "operator": "=", "value": known::LEAD}});
    let found = sandbox
        .post("/intercom/contacts/search", query)
        .await
        .json();
    let id = |role: &str| {
        let rows = found["data"].as_array().into_iter().flatten();
        let mut ids = rows.filter(|row| row["role"] == role).map(|row| &row["id"]);
        ids.next()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    (id("lead"), id("user"))
}

#[tokio::test]
async fn a_lead_becomes_part_of_a_user() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let (lead, user) = pair(&sandbox).await;
    let path = format!("/intercom/contacts/{lead}");
    sandbox
        .send("PUT", &path, json!({"phone": "+1 555"}).to_string())
        .await;

    let merged = merge(&sandbox, &lead, &user).await;

    assert_eq!(merged.at("/id"), (200, json!(user)));
    assert_eq!(merged.at("/phone").1, "+1 555");
    assert_eq!(merged.at("/role").1, "user");
    assert_eq!(find(&sandbox, known::LEAD).await["id"], user);
    assert_eq!(
        sandbox.get("/intercom/contacts").await.at("/total_count").1,
        199
    );
    for version in ["2.0", "2.13", "2.17"] {
        let caller = sandbox.header("intercom-version", version);
        let gone = get(&caller, &lead).await;
        assert_eq!(code(&gone), (410, json!("contact_merged")));
        assert_eq!(gone.header("link"), Some(link(&user).as_str()));
    }
    let old = sandbox.header("intercom-version", "1.4");
    assert_eq!(get(&old, &lead).await.status, 404);
    sandbox.set_switch("intercom", "merged", "404").await;
    let gone = get(&sandbox, &lead).await;
    assert_eq!(
        (code(&gone), gone.header("link")),
        ((404, json!("not_found")), None)
    );
}

#[tokio::test]
async fn only_a_lead_is_merged_into_a_user_with_its_address() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let (lead, user) = pair(&sandbox).await;
    let ann = id_of(&sandbox, known::EVERYWHERE).await;

    for (from, into) in [(&user, &lead), (&user, &ann), (&lead, &lead), (&lead, &ann)] {
        let refused = merge(&sandbox, from, into).await;
        assert_eq!(code(&refused), (400, json!("invalid_merge")));
    }
    assert_eq!(merge(&sandbox, "nope", &ann).await.status, 404);
    assert_eq!(merge(&sandbox, &lead, "nope").await.status, 404);
    let unsaid = sandbox
        .post("/intercom/contacts/merge", json!({"from": lead}))
        .await;
    assert_eq!(code(&unsaid), (400, json!("parameter_not_found")));
    let body = json!({"from": lead, "into": ann, "skip_duplicate_validation": true});
    let old = sandbox.header("intercom-version", "2.15");
    assert_eq!(
        old.post("/intercom/contacts/merge", body.clone())
            .await
            .status,
        400
    );
    let merged = sandbox.post("/intercom/contacts/merge", body).await;
    assert_eq!(merged.at("/email"), (200, json!(known::EVERYWHERE)));
}

#[tokio::test]
async fn a_link_follows_three_merges_or_one() {
    let sandbox = intercom(3, "2.16");
    sandbox.set_switch("intercom", "merge", "any").await;
    let ids: [String; 5] = made(&sandbox, "user").await;
    for pair in ids.windows(2) {
        assert_eq!(merge(&sandbox, &pair[0], &pair[1]).await.status, 200);
    }
    let leads = async |from: usize| {
        let reply = get(&sandbox, &ids[from]).await;
        reply.header("link").map(str::to_owned)
    };

    assert_eq!(
        leads(0).await,
        Some(link(&ids[3])),
        "the fourth merge is left over"
    );
    assert_eq!(leads(1).await, Some(link(&ids[4])));
    assert_eq!(leads(3).await, Some(link(&ids[4])));
    assert_eq!(
        (get(&sandbox, &ids[4]).await.status.as_u16(), leads(4).await),
        (200, None)
    );
    sandbox.set_switch("intercom", "merged", "next_hop").await;
    for hop in 0..4 {
        assert_eq!(leads(hop).await, Some(link(&ids[hop + 1])));
    }
}

#[tokio::test]
async fn merges_can_form_a_circle() {
    let sandbox = intercom(3, "2.16");
    sandbox.set_switch("intercom", "merge", "any").await;
    let [one, other]: [String; 2] = made(&sandbox, "user").await;

    assert_eq!(merge(&sandbox, &one, &other).await.status, 200);
    assert_eq!(merge(&sandbox, &other, &one).await.status, 200);

    for hop in ["next_hop", "404"] {
        let expected = (hop != "404").then(|| (link(&other), link(&one)));
        sandbox.set_switch("intercom", "merged", hop).await;
        let first = get(&sandbox, &one).await;
        let second = get(&sandbox, &other).await;
        let links = first.header("link").zip(second.header("link"));
        let links = links.map(|(first, second)| (first.to_owned(), second.to_owned()));
        assert_eq!(links, expected, "{hop}");
    }
}
