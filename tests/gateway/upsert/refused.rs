//! Writes that are refused before a provider hears of them, and writes beside each other.

use roster::account::Provider;
use roster_sandbox::known::{AT_DIGITAL_CHALK, EVERYWHERE};
use serde_json::{Value, json};

use super::{calls, skipped, text, upsert};
use crate::{
    faults::{MARK, gives_nothing_away},
    world::{FOUR, World, account},
};

async fn refused(world: &World, of: Provider, input: Value) -> Value {
    let errors = skipped(world, of, input).await;
    assert_eq!(calls(world, of).await, Vec::<String>::new(), "{errors}");
    assert!(errors.as_array().is_some_and(|errors| !errors.is_empty()));
    errors
}

#[tokio::test]
async fn a_field_that_cannot_be_written_is_refused_without_a_call() {
    let world = World::with(200, |_| {}).await;
    for (of, fields) in [
        (
            Provider::Ada,
            json!({ "username": "a", "phone": "1", "tags": [], "companies": [{ "externalId": "c" }], "signedUpAt": "2026-01-01T00:00:00Z", "unsubscribedFromEmails": true }),
        ),
        (
            Provider::DigitalChalk,
            json!({ "externalId": "a", "name": "a", "phone": "1", "avatarUrl": "https://a.test", "companies": [{ "externalId": "c" }]}),
        ),
        (
            Provider::Intercom,
            json!({ "firstName": "a", "lastName": "a", "username": "a", "locale": "en", "tags": ["a"] }),
        ),
        (
            Provider::Usertour,
            json!({ "firstName": "a", "lastName": "a", "username": "a", "phone": "1", "avatarUrl": "https://a.test", "locale": "en", "tags": ["a"], "signedUpAt": null, "unsubscribedFromEmails": null }),
        ),
    ] {
        for (field, value) in fields.as_object().into_iter().flatten() {
            let mut input = json!({ "email": EVERYWHERE });
            input[field] = value.clone();

            let errors = refused(&world, of, input).await;

            assert_eq!(
                errors[0]["field"],
                json!(["input", field]),
                "{of:?}: {errors}"
            );
            assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
        }
    }
}

#[tokio::test]
async fn all_fields_that_cannot_be_written_are_named_at_once() {
    let world = World::with(3, |_| {}).await;
    let input = json!({ "email": EVERYWHERE, "username": "a", "phone": null, "name": "fine" });

    let errors = refused(&world, Provider::Usertour, input).await;

    let fields: Vec<_> = errors
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| text(&error["field"][1]))
        .collect();
    assert_eq!(fields, ["username", "phone"]);
}

#[tokio::test]
async fn a_write_without_a_key_is_refused() {
    let world = World::with(3, |_| {}).await;
    for of in FOUR {
        for input in [
            json!({}),
            json!({ "email": null }),
            json!({ "remoteId": null, "email": null }),
        ] {
            let errors = refused(&world, of, input).await;
            assert!(
                text(&errors[0]["message"]).contains("`remoteId`, `externalId` and `email`"),
                "{errors}"
            );
        }
    }
}

#[tokio::test]
async fn an_empty_text_is_no_value() {
    let world = World::with(3, |_| {}).await;
    for (input, words) in [
        (json!({ "remoteId": "" }), "`remoteId` is empty"),
        (json!({ "externalId": " " }), "`externalId` is empty"),
        (json!({ "email": "" }), "`email` is empty"),
        (json!({ "email": "no address" }), "`email`"),
        (
            json!({ "externalId": "x", "name": "" }),
            "`name` is empty: null clears a field",
        ),
        (
            json!({ "externalId": "x", "attributes": [1] }),
            "`attributes` must be an object",
        ),
        (
            json!({ "externalId": "x", "attributes": "a" }),
            "`attributes` must be an object",
        ),
    ] {
        let errors = refused(&world, Provider::Usertour, input).await;
        assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
        assert!(text(&errors[0]["message"]).contains(words), "{errors}");
    }
}

#[tokio::test]
async fn an_unknown_provider_id_is_never_created() {
    let world = World::with(3, |_| {}).await;
    for (of, field, value) in [
        (Provider::Ada, "firstName", json!("New")),
        (Provider::DigitalChalk, "firstName", json!("New")),
        (Provider::Intercom, "name", json!("New")),
        (Provider::Usertour, "name", json!("New")),
    ] {
        let mut input = json!({ "remoteId": "nobody" });
        input[field] = value;

        let errors = skipped(&world, of, input).await;

        assert_eq!(errors[0]["field"], json!(["input", "remoteId"]), "{of:?}");
        assert_eq!(errors[0]["message"], "there is no user with this id");
    }
}

#[tokio::test]
async fn a_disabled_provider_is_skipped_without_error_and_without_call() {
    let world = World::with(3, |settings| {
        for of in FOUR {
            account(settings, of).enabled = false;
        }
    })
    .await;
    for of in FOUR {
        let payload = upsert(&world, of, json!({ "email": EVERYWHERE })).await;
        assert_eq!(
            payload,
            json!({ "outcome": "SKIPPED", "user": null, "userErrors": [] })
        );
        assert_eq!(calls(&world, of).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn one_failing_write_leaves_the_other_its_payload() {
    let world = World::with(200, |_| {}).await;
    for status in [401, 500] {
        world
            .fault(
                Provider::Usertour,
                json!({ "kind": "status", "status": status }),
            )
            .await;
        let query = "mutation($name: String) {
            bad: upsertUser(input: { provider: USERTOUR, externalId: \"x\" }) { outcome user { email } userErrors { code } }
            good: upsertUser(input: { provider: DIGITAL_CHALK, email: \"only.digitalchalk@x.test\", firstName: $name }) {
                outcome user { email firstName } userErrors { code } } }";

        let data = world
            .data_with(query, json!({ "name": format!("Name {status}") }))
            .await;

        let code = if status == 401 {
            "PROVIDER_AUTH"
        } else {
            "PROVIDER_UNAVAILABLE"
        };
        assert_eq!(data["bad"]["userErrors"], json!([{ "code": code }]));
        assert_eq!(
            data["good"],
            json!({ "outcome": "UPDATED", "userErrors": [],
                    "user": { "email": AT_DIGITAL_CHALK, "firstName": format!("Name {status}") } })
        );
        world.heal().await;
    }
}

#[tokio::test]
async fn the_providers_words_come_without_links_and_excess() {
    let world = World::with(3, |_| {}).await;
    let message = format!(
        "The name\u{7} is taken, see https://internal.test/{MARK}?token=1 {}",
        "x".repeat(1000)
    );
    for (of, body) in [
        (
            Provider::Ada,
            json!({ "errors": [{ "type": "e", "message": message }] }),
        ),
        (
            Provider::Intercom,
            json!({ "type": "error.list", "errors": [{ "code": "e", "message": message }] }),
        ),
        (
            Provider::Usertour,
            json!({ "error": { "code": "E1017", "message": message } }),
        ),
    ] {
        world
            .fault(
                of,
                json!({ "kind": "status", "status": 400, "method": "POST", "body": body }),
            )
            .await;

        let payload = upsert(&world, of, json!({ "externalId": "new" })).await;

        let says = text(&payload["userErrors"][0]["message"]);
        assert!(says.starts_with("The name is taken, see"), "{says}");
        assert!(says.chars().count() <= 300);
        assert!(!says.contains("internal.test"), "{says}");
    }
    let page = format!("<html>{MARK} http://internal.test</html>");
    world
        .fault(
            Provider::DigitalChalk,
            json!({ "kind": "status", "status": 400, "method": "POST", "body": page }),
        )
        .await;

    let payload = upsert(
        &world,
        Provider::DigitalChalk,
        json!({ "email": "new@x.test" }),
    )
    .await;

    gives_nothing_away(&world, &payload);
    assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_REJECTED");
}
