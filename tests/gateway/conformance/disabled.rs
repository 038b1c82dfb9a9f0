//! A vendor that is switched off: reads say so, writes are skipped, nobody is called.

use roster::user::Provider;
use serde_json::{Value, json};

use crate::world::{World, vendor, word};

async fn without(provider: Provider) -> World {
    World::with(20, |settings| vendor(settings, provider).enabled = false).await
}

pub(super) async fn reads_say_that_it_is_disabled_and_call_nobody(provider: Provider) {
    let (world, enabled) = (without(provider).await, World::with(20, |_| {}).await);
    let list =
        "query ($of: Provider!) { users(provider: $of, first: 1) { nodes { id vendorId } } }";
    let of = json!({ "of": word(provider) });
    let id = enabled.data_with(list, of).await["users"]["nodes"][0]["id"].take();
    let read = "query ($of: Provider!, $id: ID!, $any: [_Any!]!) {
        users(provider: $of) { totalCount }
        byVendorId: user(provider: $of, by: { vendorId: \"v\" }) { id }
        byExternalId: user(provider: $of, by: { externalId: \"e\" }) { id }
        node(id: $id) { id } nodes(ids: [$id]) { id }
        _entities(representations: $any) { __typename }
        usersByEmail(email: \"ann@x.test\", providers: [$of]) {
            nodes { id } sources { status error { code } asOf upstreamCalls } }
        part: usersByEmail(email: \"ann@\", match: SUBSTRING, providers: [$of]) { sources { status } } }";
    let any = json!([{ "__typename": "User", "id": id }]);
    let variables = json!({ "of": word(provider), "id": id, "any": any });

    let answer = world.answer_with(read, variables).await;

    let source = json!({ "status": "DISABLED", "error": null, "asOf": null, "upstreamCalls": 0 });
    let expected = json!({
        "users": null, "byVendorId": null, "byExternalId": null, "node": null, "nodes": [null],
        "_entities": [null], "usersByEmail": { "nodes": [], "sources": [source] },
        "part": { "sources": [{ "status": "DISABLED" }] },
    });
    assert_eq!(answer["data"], expected);
    let errors = answer["errors"].as_array().expect("errors");
    let mut paths: Vec<_> = errors
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    paths.sort();
    let failed = [
        "[\"_entities\"]",
        "[\"byExternalId\"]",
        "[\"byVendorId\"]",
        "[\"node\"]",
        "[\"nodes\",0]",
        "[\"users\"]",
    ];
    assert_eq!(paths, failed);
    for error in errors {
        let extensions = json!({ "code": "PROVIDER_DISABLED", "provider": word(provider) });
        assert_eq!(error["extensions"], extensions, "{error}");
    }
    assert_eq!(world.tally().await, [0; 4]);
}

pub(super) async fn writes_are_skipped_without_an_error_and_call_nobody(provider: Provider) {
    let world = without(provider).await;
    let write =
        "mutation ($of: Provider!) { upsertUser(input: { provider: $of, email: \"new@x.test\" }) {
        outcome user { id } userErrors { message } } }";
    let before = world.records(provider).await;

    let data = world
        .data_with(write, json!({ "of": word(provider) }))
        .await;

    let expected = json!({ "outcome": "SKIPPED", "user": null, "userErrors": [] });
    assert_eq!(data["upsertUser"], expected);
    assert_eq!(world.tally().await, [0; 4]);
    assert_eq!(world.records(provider).await, before);

    let status = "{ providers { provider enabled health calls capabilities { pageSize } } }";
    let status = &world.data(status).await["providers"][provider as usize];
    let expected = json!({
        "provider": word(provider), "enabled": false, "health": "UNKNOWN", "calls": 0,
        "capabilities": Value::Null,
    });
    assert_eq!(*status, expected);
}
