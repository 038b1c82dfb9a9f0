//! A provider that is switched off: reads say so, writes are skipped, nobody is called.

use roster::config::Settings;
use serde_json::{Value, json};

use crate::{
    subject::Subject,
    world::{World, account, row_of},
};

async fn without(subject: Subject) -> World {
    let disable = |settings: &mut Settings| account(settings, subject.provider()).enabled = false;
    subject.world_with(20, disable).await
}

pub(super) async fn reads_report_that_the_account_is_disabled_and_make_no_call(subject: Subject) {
    let (world, enabled) = (without(subject).await, subject.world(20).await);
    let list =
        "query ($of: Provider!) { users(provider: $of, first: 1) { nodes { id remoteId } } }";
    let of = json!({ "of": subject.word() });
    let id = enabled.data_with(list, of).await["users"]["nodes"][0]["id"].take();
    let read = "query ($of: Provider!, $id: ID!, $any: [_Any!]!) {
        users(provider: $of) { totalCount }
        byRemoteId: user(provider: $of, by: { remoteId: \"v\" }) { id }
        byExternalId: user(provider: $of, by: { externalId: \"e\" }) { id }
        node(id: $id) { id } nodes(ids: [$id]) { id }
        _entities(representations: $any) { __typename }
        usersByEmail(email: \"ann@x.test\", providers: [$of]) {
            nodes { id } sources { status error { code } asOf calls } }
        part: usersByEmail(email: \"ann@\", match: SUBSTRING, providers: [$of]) { sources { status } } }";
    let any = json!([{ "__typename": "User", "id": id }]);
    let variables = json!({ "of": subject.word(), "id": id, "any": any });

    let answer = world.answer_with(read, variables).await;

    let source = json!({ "status": "DISABLED", "error": null, "asOf": null, "calls": 0 });
    let expected = json!({
        "users": null, "byRemoteId": null, "byExternalId": null, "node": null, "nodes": [null],
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
        "[\"_entities\",0]",
        "[\"byExternalId\"]",
        "[\"byRemoteId\"]",
        "[\"node\"]",
        "[\"nodes\",0]",
        "[\"users\"]",
    ];
    assert_eq!(paths, failed);
    for error in errors {
        let extensions = json!({
            "code": "ACCOUNT_DISABLED",
            "provider": subject.word(),
            "account": subject.provider().name(),
        });
        assert_eq!(error["extensions"], extensions, "{error}");
    }
    assert_eq!(world.called().await, []);
}

pub(super) async fn writes_are_skipped_without_an_error_and_make_no_call(subject: Subject) {
    let world = without(subject).await;
    let write =
        "mutation ($of: Provider!) { upsertUser(input: { provider: $of, email: \"new@x.test\" }) {
        outcome user { id } userErrors { message } } }";
    let before = world.records(subject.provider()).await;

    let data = world
        .data_with(write, json!({ "of": subject.word() }))
        .await;

    let expected = json!({ "outcome": "SKIPPED", "user": null, "userErrors": [] });
    assert_eq!(data["upsertUser"], expected);
    assert_eq!(world.called().await, []);
    assert_eq!(world.records(subject.provider()).await, before);

    let status = "{ accounts { provider enabled health calls capabilities { pageSize } } }";
    let data = world.data(status).await;
    let status = row_of(&data["accounts"], subject.provider());
    let expected = json!({
        "provider": subject.word(), "enabled": false, "health": "UNKNOWN", "calls": 0,
        "capabilities": Value::Null,
    });
    assert_eq!(*status, expected);
}
