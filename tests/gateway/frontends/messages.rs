//! Messages for clients name the provider and say what to do instead.

use roster::account::Provider::{self, Intercom, Usertour};
use serde_json::{Value, json};

use crate::{
    subject::expected,
    world::{FOUR, World, intercom, word},
};

fn first_message(answer: &Value) -> &str {
    answer["errors"][0]["message"].as_str().expect("a message")
}

#[tokio::test]
async fn a_message_for_clients_names_a_provider_as_it_names_itself() {
    let world = World::with(0, |settings| {
        let chalk = crate::world::account(settings, Provider::DigitalChalk);
        chalk.enabled = false;
    })
    .await;
    for (query, expected) in [
        (
            "{ users(provider: ADA, filter: { tagId: \"1\" }) { nodes { id } } }",
            "Ada cannot narrow its list by `tagId`; ",
        ),
        (
            "{ users(provider: ADA, filter: { sort: { field: CREATED_AT } }) { nodes { id } } }",
            "Ada cannot sort its list by ",
        ),
        (
            "{ users(provider: DIGITAL_CHALK) { nodes { id } } }",
            "DigitalChalk is disabled in this gateway's configuration (accounts.digitalchalk.enabled)",
        ),
    ] {
        let answer = world.answer(query).await;
        assert!(first_message(&answer).starts_with(expected), "{answer}");
    }
}

#[tokio::test]
async fn a_message_about_a_providers_failure_names_the_provider() {
    let world = World::with(10, |settings| {
        for provider in settings.accounts.values_mut() {
            provider.attempts = 1;
        }
    })
    .await;
    for fault in [
        json!({ "kind": "status", "status": 500 }),
        json!({ "kind": "status", "status": 401 }),
        json!({ "kind": "status", "status": 404 }),
        json!({ "kind": "status", "status": 418 }),
        json!({ "kind": "rate_limit", "retry_after": 7 }),
        json!({ "kind": "reset" }),
        json!({ "kind": "truncate" }),
        json!({ "kind": "html" }),
        json!({ "kind": "not_json" }),
    ] {
        for provider in FOUR {
            world.heal().await;
            world.fault(provider, fault.clone()).await;
            let query = format!(
                "{{ users(provider: {}) {{ nodes {{ id }} }} }}",
                word(provider)
            );

            let answer = world.answer(&query).await;

            let message = first_message(&answer);
            assert!(message.contains("the provider"), "{message}");
        }
    }
}

async fn refused(world: &World, input: &str) -> Value {
    let query = format!(
        "mutation {{ upsertUser(input: {{ {input} }}) {{ outcome userErrors {{ field message code }} }} }}"
    );
    let mut data = world.data(&query).await;
    assert_eq!(data["upsertUser"]["outcome"], "SKIPPED");
    data["upsertUser"]["userErrors"].take()
}

#[tokio::test]
async fn an_unsupported_field_of_a_write_names_the_supported_ones() {
    let world = World::with(0, |_| {}).await;
    for (input, field, message) in [
        (
            "provider: DIGITAL_CHALK, email: \"a@x.test\", name: \"A B\"",
            "name",
            "DigitalChalk does not take `name`: write `firstName` and `lastName`",
        ),
        (
            "provider: INTERCOM, email: \"a@x.test\", firstName: \"A\"",
            "firstName",
            "Intercom does not take `firstName`: write `name`",
        ),
        (
            "provider: USERTOUR, externalId: \"a\", avatarUrl: \"https://x.test/a.png\"",
            "avatarUrl",
            "Usertour does not take `avatarUrl`: it takes `externalId`, `email`, `name`, `companies`, `attributes`",
        ),
    ] {
        let errors = refused(&world, input).await;

        let expected =
            json!([{ "field": ["input", field], "message": message, "code": "BAD_USER_INPUT" }]);
        assert_eq!(errors, expected);
        assert_eq!(world.tally().await, [0; 4]);
    }
}

/// The one source of a list that is narrowed so, and how many calls it took.
async fn source(world: &World, provider: Provider, filter: &Value) -> (Value, usize) {
    world.forget_calls().await;
    let query = "query ($of: Provider!, $filter: UserFilter) {
        users(provider: $of, filter: $filter) { nodes { id } sources { status notices { code message } calls } } }";
    let variables = json!({ "of": word(provider), "filter": filter });
    let mut data = world.data_with(query, variables).await;
    let users = &mut data["users"];
    assert_eq!(users["nodes"], json!([]), "{filter}");
    let calls = world.calls(provider).await.len();
    assert_eq!(users["sources"][0]["calls"], calls);
    (users["sources"][0].take(), calls)
}

#[tokio::test]
async fn an_unknown_tag_segment_or_company_differs_from_one_without_users() {
    for (provider, version) in [(Intercom, "2.17"), (Intercom, "1.4"), (Usertour, "2.17")] {
        let world = World::with(50, |settings| intercom(settings, version)).await;
        for (field, what) in [
            ("tagId", "tag"),
            ("segmentId", "segment"),
            ("companyId", "company"),
        ] {
            if provider == Usertour && field != "companyId" {
                continue;
            }

            let (source, calls) = source(&world, provider, &json!({ field: "nosuch" })).await;

            let notice = format!(
                "`{field}`: {} has no {what} with the id `nosuch`, so nobody is in the list",
                expected(provider).title
            );
            assert_eq!(
                (&source["status"], &source["notices"]),
                (
                    &json!("PARTIAL"),
                    &json!([{ "code": "UNKNOWN_FILTER_VALUE", "message": notice }])
                ),
                "{version}"
            );
            assert!(calls <= 3, "{version} {field}: {calls}");
        }
    }
}

#[tokio::test]
async fn a_tag_that_cannot_be_looked_up_leaves_an_empty_list_as_it_is() {
    let world = World::with(10, |settings| intercom(settings, "2.17")).await;
    let fault = json!({ "kind": "status", "status": 403, "path": "/tags" });
    world.fault(Intercom, fault).await;

    let (source, calls) = source(&world, Intercom, &json!({ "tagId": "nosuch" })).await;

    assert_eq!(
        (&source["status"], &source["notices"], calls),
        (
            &json!("PARTIAL"),
            &json!([{
                "code": "FILTER_VALUE_UNVERIFIED",
                "message": "whether Intercom has a tag with the id `nosuch` could not be told"
            }]),
            2
        )
    );
}

#[tokio::test]
async fn a_list_that_has_somebody_or_goes_on_costs_no_lookup() {
    let world = World::with(50, |settings| intercom(settings, "2.17")).await;
    let tags = world.at_provider(Intercom, "/tags").await;
    let tag = tags["data"][0]["id"].as_str().expect("an id");
    let nosuch = "users(provider: INTERCOM, first: 0, filter: { tagId: \"nosuch\" })";
    let query = format!(
        "{{ some: users(provider: INTERCOM, first: 1, filter: {{ tagId: \"{tag}\" }}) {{ ...Told }}
            none: {nosuch} {{ ...Told }} }}
        fragment Told on UserConnection {{ nodes {{ id }} sources {{ status notices {{ code message }} }} }}"
    );
    world.forget_calls().await;

    let data = world.data(&query).await;

    let complete = json!([{ "status": "COMPLETE", "notices": [] }]);
    assert_eq!(data["some"]["sources"], complete);
    assert_eq!(data["some"]["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(data["none"]["sources"], complete);
    let calls = world.calls(Intercom).await;
    assert!(
        calls
            .iter()
            .all(|call| call.request() == "POST /contacts/search"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn an_existing_tag_without_users_of_a_kind_is_complete() {
    let world = World::with(50, |settings| intercom(settings, "2.17")).await;
    let tags = world.at_provider(Intercom, "/tags").await;
    let filter = json!({ "tagId": tags["data"][0]["id"], "emailDomain": "nowhere.test" });

    let (source, calls) = source(&world, Intercom, &filter).await;

    assert_eq!(
        (&source["status"], &source["notices"], calls),
        (&json!("COMPLETE"), &json!([]), 2)
    );
}
