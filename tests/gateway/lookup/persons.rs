//! A person: the records of one address, merged.

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::{World, account};

const PERSON: &str = "query ($email: String!) { person(email: $email) { email name avatarUrl
    firstSeenAt lastSeenAt users { provider email kind } sources { provider status } } }";

#[tokio::test]
async fn a_person_gathers_the_records_and_merges_what_they_say() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    let data = world
        .data_with(PERSON, json!({ "email": "Ann@X.test" }))
        .await;

    let user = |provider| json!({ "provider": provider, "email": "ann@x.test", "kind": "USER" });
    let expected = json!({
        "email": "ann@x.test", "name": "Ann Archer", "avatarUrl": "https://pictures.example/ann.png",
        "firstSeenAt": "2023-11-14T22:13:20Z", "lastSeenAt": "2025-02-19T21:20:00.006Z",
        "users": [user("ADA"), user("DIGITAL_CHALK"), user("INTERCOM"), user("USERTOUR")],
        "sources": [
            { "provider": "ADA", "status": "COMPLETE" }, { "provider": "DIGITAL_CHALK", "status": "COMPLETE" },
            { "provider": "INTERCOM", "status": "COMPLETE" }, { "provider": "USERTOUR", "status": "PARTIAL" },
        ],
    });
    assert_eq!(data["person"], expected);
    assert_eq!(world.tally().await, [2, 1, 1, 2]);
}

#[tokio::test]
async fn a_users_word_counts_more_than_a_leads() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    let data = world
        .data_with(PERSON, json!({ "email": known::LEAD }))
        .await;

    assert_eq!(data["person"]["name"], "Lee Known");
    assert_eq!(data["person"]["avatarUrl"], json!(null));
    let lead = world
        .data_with(PERSON, json!({ "email": known::LEAD_ALONE }))
        .await;
    assert_eq!(lead["person"]["name"], "Only Lead");
}

#[tokio::test]
async fn a_person_is_null_only_when_every_account_was_searched() {
    let world = World::with(60, |_| {}).await;
    let data = world
        .data_with(PERSON, json!({ "email": known::NOBODY }))
        .await;
    // Usertour may pass another spelling over, which its capabilities say; it searched as it can.
    assert_eq!(data, json!({ "person": null }));

    let certain = World::with(60, |settings| {
        account(settings, Provider::Usertour).enabled = false
    })
    .await;
    let data = certain
        .data_with(PERSON, json!({ "email": known::NOBODY }))
        .await;
    assert_eq!(data, json!({ "person": null }));
    assert_eq!(certain.tally().await, [1, 1, 1, 0]);

    certain
        .fault(
            Provider::Intercom,
            json!({ "kind": "status", "status": 401 }),
        )
        .await;
    let data = certain
        .data_with(PERSON, json!({ "email": known::NOBODY }))
        .await;
    assert_eq!(data["person"]["users"], json!([]));
    assert_eq!(
        data["person"]["sources"][2],
        json!({ "provider": "INTERCOM", "status": "FAILED" })
    );
}

#[tokio::test]
async fn a_person_with_records_is_there_though_a_provider_failed() {
    let world = World::with(60, |_| {}).await;
    world
        .fault(
            Provider::DigitalChalk,
            json!({ "kind": "status", "status": 403 }),
        )
        .await;

    let data = world
        .data_with(PERSON, json!({ "email": known::EVERYWHERE }))
        .await;

    assert_eq!(data["person"]["name"], "Ann Archer");
    assert_eq!(data["person"]["users"].as_array().map(Vec::len), Some(3));
    let failed = json!({ "provider": "DIGITAL_CHALK", "status": "FAILED" });
    assert_eq!(data["person"]["sources"][1], failed);
}

const NODE: &str = "query ($id: ID!) { node(id: $id) { __typename id
    ... on Person { email users { provider } sources { status } } ... on User { remoteId } } }";

#[tokio::test]
async fn a_persons_global_id_finds_the_person_again() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let id = |email: &str| {
        let email = email.to_owned();
        let world = &world;
        async move {
            let find = "query ($email: String!) { person(email: $email) { id } }";
            let data = world.data_with(find, json!({ "email": email })).await;
            data["person"]["id"].clone()
        }
    };
    let ann = id("ann@x.test").await;
    assert_eq!(id(" Ann@X.Test").await, ann, "one person, one id");

    let data = world.data_with(NODE, json!({ "id": ann })).await;

    let users =
        ["ADA", "DIGITAL_CHALK", "INTERCOM", "USERTOUR"].map(|of| json!({ "provider": of }));
    let sources = ["COMPLETE", "COMPLETE", "COMPLETE", "PARTIAL"].map(|of| json!({ "status": of }));
    let person = json!({
        "__typename": "Person", "id": ann, "email": "ann@x.test", "users": users, "sources": sources,
    });
    assert_eq!(data["node"], person);

    let any = json!([
        { "__typename": "Person", "id": ann },
        { "__typename": "Person", "email": "ann@x.test" },
        { "__typename": "User", "id": ann },
    ]);
    let entities = "query ($any: [_Any!]!) { _entities(representations: $any) {
        ... on Person { id email } ... on User { id } } }";
    let answer = world.answer_with(entities, json!({ "any": any })).await;
    let same = json!({ "id": ann, "email": "ann@x.test" });
    assert_eq!(answer["data"]["_entities"], json!([same, same, null]));
    assert_eq!(answer["errors"][0]["path"], json!(["_entities", 2]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn nodes_takes_users_and_persons_side_by_side_and_an_unknown_one_is_null() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let find = "{ user(provider: ADA, by: { externalId: \"crm-ann\" }) { id person { id } } }";
    let data = world.data(find).await;
    let (user, person) = (&data["user"]["id"], &data["user"]["person"]["id"]);
    // Version 3 of the id of a person without records.
    let nobody = "WzMsInBlcnNvbiIsIm5vYm9keUBub3doZXJlLnRlc3QiXQ";
    let nodes = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

    let data = world
        .data_with(nodes, json!({ "ids": [person, user, nobody, person] }))
        .await;

    let of = |name: &str, id: &Value| json!({ "__typename": name, "id": id });
    let ann = of("Person", person);
    assert_eq!(data["nodes"], json!([ann, of("User", user), null, ann]));
}

#[tokio::test]
async fn users_of_one_email_share_the_search_for_their_person() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let query = "query ($email: String!) { usersByEmail(email: $email) {
        nodes { provider person { email users { provider } sources { status } } } } }";

    let data = world
        .data_with(query, json!({ "email": known::EVERYWHERE }))
        .await;

    let nodes = data["usersByEmail"]["nodes"].as_array().expect("users");
    assert_eq!(nodes.len(), 4);
    for user in nodes {
        assert_eq!(user["person"], nodes[0]["person"]);
        assert_eq!(user["person"]["users"].as_array().map(Vec::len), Some(4));
    }
    assert_eq!(
        world.tally().await,
        [2, 1, 1, 1],
        "as many calls as for one person"
    );
}

#[tokio::test]
async fn a_user_without_an_email_is_no_person() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let query = format!(
        "{{ user(provider: ADA, by: {{ externalId: \"{}\" }}) {{ email emails person {{ email }} }} }}",
        known::EMPTY_EXTERNAL_ID
    );

    let data = world.data(&query).await;

    assert_eq!(
        data["user"],
        json!({ "email": null, "emails": [], "person": null })
    );
}
