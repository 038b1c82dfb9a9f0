//! The gateway compares a response with the request: a surplus answer on a connection makes every
//! later answer another question's.

use roster::account::Provider;
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::{FOUR, intercom, word},
};

const BY_ID: &str = "query ($p: Provider!, $id: ID!) {
    user(provider: $p, by: { remoteId: $id }) { remoteId } }";
const BY_EXTERNAL_ID: &str = "query ($p: Provider!, $id: ID!) {
    user(provider: $p, by: { externalId: $id }) { remoteId externalId } }";

/// Answers every lookup with the same record, whose ids are `other`.
fn other(asked: &Asked) -> Said {
    let path = asked.path.as_str();
    let more = r#","external_id":"other","user_id":"other""#;
    let record = match path.split('/').nth(1) {
        Some("ada") => r#"{"end_user_id":"other","external_id":"other"}"#.to_owned(),
        _ => row(path, "other", "p1@x.test", more),
    };
    if path.ends_with("/search") {
        return list(path, &[record]).into();
    }
    record.into()
}

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

#[tokio::test]
async fn a_lookup_never_answers_another_user() {
    for version in ["1.1", "2.7", "2.17"] {
        let providers = StandIn::of(other).await;
        let world = providers
            .world(|settings| intercom(settings, version))
            .await;
        for provider in FOUR {
            for query in [BY_ID, BY_EXTERNAL_ID] {
                if provider == Provider::DigitalChalk && query == BY_EXTERNAL_ID {
                    continue;
                }
                let of = |id: &str| json!({ "p": word(provider), "id": id });
                let answer = world.answer_with(query, of("mine")).await;
                assert_eq!(
                    answer["data"]["user"],
                    Value::Null,
                    "{provider:?} {version}"
                );
                // A search that answers others has found nobody.
                let is_search =
                    query == BY_EXTERNAL_ID && version == "2.7" && provider == Provider::Intercom;
                if !is_search {
                    assert_eq!(
                        code(&answer),
                        "PROVIDER_BAD_RESPONSE",
                        "{provider:?} {version}"
                    );
                }

                let data = world.data_with(query, of("other")).await;
                assert_eq!(data["user"]["remoteId"], "other", "{provider:?} {version}");
            }
            // Case and space count in ids.
            let answer = world
                .answer_with(BY_ID, json!({ "p": word(provider), "id": "Other" }))
                .await;
            assert_eq!(
                code(&answer),
                "PROVIDER_BAD_RESPONSE",
                "{provider:?} {version}"
            );
        }
        let folded = json!({ "p": "ADA", "id": " OTHER " });
        let data = world.data_with(BY_EXTERNAL_ID, folded).await;
        assert_eq!(data["user"]["externalId"], "other");
    }
}

#[tokio::test]
async fn an_entity_that_is_another_is_an_error_of_its_own() {
    let providers = StandIn::of(other).await;
    let world = providers.world(|_| {}).await;
    let query =
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { remoteId } } }";
    let of = |id| json!({ "__typename": "User", "account": "ada", "remoteId": id });

    let answer = world
        .answer_with(query, json!({ "r": [of("other"), of("mine")] }))
        .await;

    assert_eq!(
        answer["data"]["_entities"],
        json!([{ "remoteId": "other" }, null])
    );
    assert_eq!(answer["errors"][0]["path"], json!(["_entities", 1]));
    assert_eq!(code(&answer), "PROVIDER_BAD_RESPONSE");
}

#[tokio::test]
async fn a_write_never_goes_to_a_record_that_does_not_match() {
    for (p, key) in [
        ("INTERCOM", "remoteId"),
        ("INTERCOM", "externalId"),
        ("ADA", "remoteId"),
        ("ADA", "externalId"),
        ("DIGITAL_CHALK", "remoteId"),
        ("USERTOUR", "externalId"),
    ] {
        let providers = StandIn::of(other).await;
        let world = providers.world(|_| {}).await;
        let field = if p == "DIGITAL_CHALK" {
            "firstName"
        } else {
            "name"
        };
        let write = format!(
            "mutation {{ upsertUser(input: {{ provider: {p}, {key}: \"mine\", {field}: \"N\" }}) {{
                outcome userErrors {{ code }} user {{ remoteId }} }} }}"
        );

        let data = world.data(&write).await;

        let written = &data["upsertUser"];
        assert_eq!(written["user"], Value::Null, "{p} {key}");
        assert_eq!(
            written["userErrors"][0]["code"], "PROVIDER_BAD_RESPONSE",
            "{p} {key}"
        );
        let asked = providers.take();
        let is_write = |asked: &&Asked| ["PUT", "PATCH"].contains(&asked.method.as_str());
        assert_eq!(
            asked.iter().filter(is_write).count(),
            0,
            "{p} {key}: {asked:?}"
        );
    }
}

#[tokio::test]
async fn a_contact_of_another_company_is_not_listed_as_one_of_it() {
    let providers = StandIn::of(|asked: &Asked| {
        if asked.path.ends_with("/companies") {
            return r#"{"type":"company","id":"c2","company_id":"theirs"}"#.to_owned();
        }
        list(&asked.path, &[row(&asked.path, "a1", "p1@x.test", "")])
    })
    .await;
    let world = providers.world(|_| {}).await;
    let query = "query ($c: ID!) { users(provider: INTERCOM, filter: { companyId: $c }) { nodes { remoteId } } }";

    let answer = world.answer_with(query, json!({ "c": "mine" })).await;
    assert_eq!(code(&answer), "PROVIDER_BAD_RESPONSE");
    let data = world.data_with(query, json!({ "c": "theirs" })).await;
    assert_eq!(data["users"]["nodes"], json!([{ "remoteId": "a1" }]));
}

#[tokio::test]
async fn a_search_for_a_part_is_compared_again() {
    let providers = StandIn::of(|asked: &Asked| {
        let path = asked.path.as_str();
        let of = |id, email| row(path, id, email, "");
        list(
            path,
            &[
                of("a1", "ANN@Bücher.test"),
                of("a2", "bob@x.test"),
                of("a3", "joann@bu\u{308}cher.test"),
            ],
        )
    })
    .await;
    let world = providers.world(|_| {}).await;
    let query = "query ($e: String!) { usersByEmail(email: $e, match: SUBSTRING, providers: [DIGITAL_CHALK]) {
        nodes { remoteId } } }";

    let data = world.data_with(query, json!({ "e": "nn@BÜC" })).await;
    let found = json!([{ "remoteId": "a1" }, { "remoteId": "a3" }]);
    assert_eq!(data["usersByEmail"]["nodes"], found);
}

#[tokio::test]
async fn custom_fields_are_not_written_to_another_user_than_the_one_created() {
    let providers = StandIn::of(|asked: &Asked| -> Said {
        let path = asked.path.as_str();
        match asked.method.as_str() {
            "POST" => Said {
                headers: vec![("location", "/users/other".to_owned())],
                ..(201, json!({})).into()
            },
            _ if path.ends_with("/other") => row(path, "other", "other@x.test", "").into(),
            _ => list(path, &[]).into(),
        }
    })
    .await;
    let world = providers.world(|_| {}).await;
    let write = "mutation { upsertUser(input: { provider: DIGITAL_CHALK, email: \"new@x.test\",
        firstName: \"N\", lastName: \"M\", attributes: { a: \"b\" } }) {
        outcome user { remoteId } userErrors { code } } }";

    let data = world.data(write).await;

    let expected = json!({ "outcome": "CREATED", "user": null,
        "userErrors": [{ "code": "PROVIDER_BAD_RESPONSE" }] });
    assert_eq!(data["upsertUser"], expected);
    let asked = providers.take();
    assert!(asked.iter().all(|asked| asked.method != "PUT"), "{asked:?}");
}
