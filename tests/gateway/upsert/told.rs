//! The payload of a write is true, and gives nothing away.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use roster::account::Provider;
use roster_sandbox::known::EVERYWHERE;
use serde_json::{Map, Value, json};

use super::{UPSERT, calls, record, text, upsert, written};
use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    subject::Subject::{Ada, DigitalChalk, IntercomContacts, IntercomUsers, Usertour},
    world::{World, account, intercom},
};

/// Writes at providers that a test plays, and gives the payload.
async fn payload(world: &World, mut input: Value) -> Value {
    let query = UPSERT.replace(" attributes", "");
    let of = input["provider"].take();
    input["provider"] = if of.is_null() {
        "DIGITAL_CHALK".into()
    } else {
        of
    };
    let mut data = world.data_with(&query, json!({ "input": input })).await;
    data["upsertUser"].take()
}

#[tokio::test]
async fn the_spelling_of_an_address_is_kept_by_whatever_the_record_is_found() {
    for subject in [
        Ada,
        DigitalChalk,
        IntercomContacts { version: "2.17" },
        IntercomUsers { version: "1.4" },
        Usertour,
    ] {
        let world = subject.world(3).await;
        let of = subject.provider();
        let field = if subject == DigitalChalk {
            "firstName"
        } else {
            "name"
        };
        let mut new = json!({ "email": "Ann.Lee@X.test", field: "Ann" });
        if subject != DigitalChalk {
            new["externalId"] = "ann".into();
        }
        let user = written(&world, of, new, "CREATED").await;
        let (id, stored) = (user["remoteId"].clone(), user["email"].clone());
        let mut ways = vec![json!({ "remoteId": id })];
        if subject != DigitalChalk {
            ways.push(json!({ "externalId": "ann" }));
        }
        if subject != Usertour {
            ways.push(json!({}));
        }
        for (at, mut way) in ways.into_iter().enumerate() {
            way["email"] = "ann.lee@x.TEST".into();
            way[field] = format!("Ann {at}").into();

            let user = written(&world, of, way, "UPDATED").await;

            assert_eq!(user["email"], stored, "{subject:?} {at}");
            assert_eq!(user["remoteId"], id, "{subject:?} {at}");
        }
    }
}

#[tokio::test]
async fn of_a_location_only_the_segment_of_the_id_is_read() {
    for (location, is_read) in [
        ("/dc/api/v5/users/7", true),
        ("https://other.test/api/users/7/?as=admin#x", true),
        ("/dc/api/v5/users/%37", true),
        ("/dc/api/v5/users/", false),
        ("/dc/api/v5/users/%2e%2e", false),
        ("/dc/api/v5/users/..%2F..%2Fadmin", false),
        ("/dc/api/v5/courses/7", false),
        ("7", false),
    ] {
        let provider = StandIn::of(move |call: &Asked| {
            if call.method == "POST" {
                return Said {
                    status: 201,
                    headers: vec![("location", location.to_owned())],
                    body: Vec::new(),
                };
            }
            let user = row(&call.path, "7", "new@x.test", "");
            match call.path.ends_with("/users") {
                true => Said::from(list(&call.path, &[])),
                false => Said::from(user),
            }
        })
        .await;
        let world = provider.world(|_| {}).await;

        let payload = payload(&world, json!({ "email": "new@x.test" })).await;

        assert_eq!(payload["outcome"], "CREATED", "{location} {payload}");
        assert_eq!(payload["user"].is_object(), is_read, "{location} {payload}");
        let paths = provider.take().into_iter().map(|call| call.path);
        let paths: Vec<_> = paths.filter(|path| !path.ends_with("/users")).collect();
        let expected: &[&str] = if is_read {
            &["/digitalchalk/dc/api/v5/users/7"]
        } else {
            &[]
        };
        assert_eq!(paths, expected, "{location}");
    }
}

#[tokio::test]
async fn problems_are_bounded_in_number() {
    let world = World::with(3, |settings| intercom(settings, "2.17")).await;
    let ill = json!({ "kind": "status", "status": 403, "path": "/companies" });
    world.fault(Provider::Intercom, ill).await;
    let companies = (0..30).map(|at| json!({ "externalId": format!("c{at}") }));
    let companies: Vec<_> = companies.collect();
    let input = json!({ "email": "new@x.test", "companies": companies });

    let payload = upsert(&world, Provider::Intercom, input).await;

    assert_eq!(payload["outcome"], "CREATED", "{payload}");
    let errors = payload["userErrors"].as_array().expect("errors");
    assert_eq!(errors.len(), 20);
    assert_eq!(errors[19]["message"], "11 more problems are not told");
}

#[tokio::test]
async fn problems_are_bounded_in_length() {
    let provider = StandIn::of(|call: &Asked| {
        if call.method == "GET" {
            return Said::from(list(&call.path, &[]));
        }
        let errors = (0..50).map(|at| {
            (
                format!("f{at}{}", "f".repeat(5_000)),
                "no ".repeat(5_000).into(),
            )
        });
        let errors: Map<String, Value> = errors.collect();
        Said::from((400, json!({ "fieldErrors": errors })))
    })
    .await;
    let world = provider.world(|_| {}).await;

    let payload = payload(&world, json!({ "email": "new@x.test" })).await;

    let errors = payload["userErrors"].as_array().expect("errors");
    assert!((1..=20).contains(&errors.len()), "{}", errors.len());
    assert!(
        payload.to_string().len() < 20 * 700,
        "{}",
        payload.to_string().len()
    );
}

#[tokio::test]
async fn a_user_that_is_gone_after_the_write_has_its_reason() {
    let provider = StandIn::of(|call: &Asked| {
        if call.method == "POST" {
            let headers = vec![("location", "/users/7".to_owned())];
            return Said {
                status: 201,
                headers,
                body: Vec::new(),
            };
        }
        match call.path.ends_with("/users") {
            true => Said::from(list(&call.path, &[])),
            false => Said::from((404, json!({}))),
        }
    })
    .await;
    let world = provider.world(|_| {}).await;

    let payload = payload(&world, json!({ "email": "new@x.test" })).await;

    assert_eq!(payload["outcome"], "CREATED", "{payload}");
    assert_eq!(payload["user"], Value::Null);
    assert_eq!(
        payload["userErrors"][0]["code"], "PROVIDER_BAD_RESPONSE",
        "{payload}"
    );
}

#[tokio::test]
async fn numbers_that_usertour_keeps_in_another_form_are_not_refused() {
    let provider = StandIn::of(|call: &Asked| {
        if call.method == "GET" {
            return Said::from((404, json!({ "error": { "code": "E1004", "message": "no" } })));
        }
        Said::from(
            r#"{"id":"a","attributes":{"n":1,"list":[{"big":9007199254740992,"one":1}],"text":"x"},"createdAt":"2026-01-01T00:00:00.000Z"}"#,
        )
    })
    .await;
    let world = provider.world(|_| {}).await;
    let attributes =
        json!({ "n": 1.0, "list": [{ "big": 9_007_199_254_740_993_u64, "one": 1.0 }] });
    let mut input = json!({ "provider": "USERTOUR", "externalId": "a", "attributes": attributes });

    let told = payload(&world, input.clone()).await;
    assert_eq!(told["outcome"], "CREATED", "{told}");
    assert_eq!(told["userErrors"], json!([]), "{told}");

    input["attributes"]["text"] = 5.into();
    let told = payload(&world, input).await;
    assert_eq!(
        told["userErrors"].as_array().map(Vec::len),
        Some(1),
        "{told}"
    );
}

#[tokio::test]
async fn intercom_1_does_not_say_created_where_its_search_was_cut_short() {
    let is_written = std::sync::Arc::new(AtomicBool::new(false));
    let written = std::sync::Arc::clone(&is_written);
    let provider = StandIn::of(move |call: &Asked| {
        if call.method == "POST" {
            written.store(true, SeqCst);
            return json!({ "type": "user", "id": "new", "email": "many@x.test" });
        }
        // A list that never ends, of others.
        let page: u64 = call
            .query
            .get("page")
            .and_then(|page| page.parse().ok())
            .unwrap_or(1);
        let users = (0..60).map(|at| {
            let id = format!("{page}-{at}");
            json!({ "type": "user", "id": id, "email": "other@x.test" })
        });
        json!({ "type": "user.list", "users": users.collect::<Vec<_>>(), "total_count": 100_000,
                "pages": { "next": "https://x.test/more" } })
    })
    .await;
    let world = provider.world(|settings| intercom(settings, "1.4")).await;

    let payload = payload(
        &world,
        json!({ "provider": "INTERCOM", "email": "many@x.test" }),
    )
    .await;

    assert_ne!(payload["outcome"], "CREATED", "{payload}");
    assert!(!payload["userErrors"].as_array().expect("errors").is_empty());
    assert!(!is_written.load(SeqCst), "{payload}");
}

#[tokio::test]
async fn a_second_write_that_is_refused_does_not_hide_the_first() {
    let world = World::with(3, |_| {}).await;
    let query = "mutation ($at: DateTime) {
        one: upsertUser(input: { provider: ADA, externalId: \"one\" }) { outcome }
        two: upsertUser(input: { provider: INTERCOM, email: \"two@x.test\", signedUpAt: \"yesterday\" }) { outcome }
        three: upsertUser(input: { provider: ADA, externalId: \"three\", name: \"a\\u0000b\" }) {
            outcome userErrors { field code } } }";

    let answer = world.answer(query).await;

    if let Some(data) = answer.get("data").filter(|data| !data.is_null()) {
        assert_eq!(data["one"], json!({ "outcome": "CREATED" }), "{answer}");
        assert_eq!(data["two"], Value::Null, "{answer}");
    } else {
        // It is refused before anything is written.
        assert_eq!(calls(&world, Provider::Ada).await, Vec::<String>::new());
    }
    let schema = include_str!("../../../schema.graphql");
    assert!(
        schema.contains("): UpsertUserPayload\n"),
        "upsertUser is not nullable"
    );
}

#[tokio::test]
async fn control_characters_are_refused_before_anything_is_sent() {
    let world = World::with(3, |_| {}).await;
    for (of, input) in [
        (
            Provider::Ada,
            json!({ "externalId": "a", "name": "a\u{0}b" }),
        ),
        (Provider::Ada, json!({ "externalId": "a\u{1b}" })),
        (
            Provider::Usertour,
            json!({ "externalId": "a", "attributes": { "k": ["a\u{7}"] } }),
        ),
        (
            Provider::DigitalChalk,
            json!({ "email": "a@x.test", "tags": ["a\nb"] }),
        ),
        (
            Provider::Intercom,
            json!({ "email": EVERYWHERE, "companies": [{ "externalId": "c", "name": "\u{9f}" }] }),
        ),
    ] {
        let payload = upsert(&world, of, input.clone()).await;

        assert_eq!(payload["outcome"], "SKIPPED", "{input}");
        assert_eq!(
            payload["userErrors"][0]["code"], "BAD_USER_INPUT",
            "{input}"
        );
        assert_eq!(calls(&world, of).await, Vec::<String>::new(), "{input}");
    }
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_unknown() {
    let world = World::with(200, |settings| {
        account(settings, Provider::DigitalChalk).attempts = 1
    })
    .await;
    let of = Provider::DigitalChalk;
    let id = record(&world, of, EVERYWHERE).await["id"].take();
    world
        .fault(of, json!({ "kind": "reset", "method": "PUT" }))
        .await;

    let payload = upsert(&world, of, json!({ "remoteId": id, "firstName": "New" })).await;

    assert_eq!(payload["outcome"], Value::Null, "{payload}");
    let codes = payload["userErrors"].as_array().expect("errors");
    let codes: Vec<_> = codes.iter().map(|error| text(&error["code"])).collect();
    assert_eq!(codes, ["PROVIDER_UNAVAILABLE", "OUTCOME_UNKNOWN"]);
}
