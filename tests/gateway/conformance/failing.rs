//! A provider that fails: each failure has its code and its calls, and shows nothing of the provider's text.

use roster::config::{BreakerSettings, Settings};
use serde_json::{Value, json};

use crate::{
    faults::{MARK, gives_nothing_away},
    subject::Subject,
    world::World,
};

const LIST: &str = "query ($of: Provider!, $first: Int = 2) {
    users(provider: $of, first: $first) { nodes { remoteId } } }";
const SEARCH: &str =
    "query ($of: Provider!) { usersByEmail(email: \"ann@x.test\", providers: [$of]) {
    nodes { email } sources { status error { code } } } }";

/// A world of a few users whose gateway makes each call once.
async fn world(subject: Subject, change: impl FnOnce(&mut Settings)) -> World {
    let once = |settings: &mut Settings| {
        for account in settings.accounts.values_mut() {
            account.attempts = 1;
        }
        change(settings);
    };
    subject.world_with(5, once).await
}

fn status(status: u16) -> Value {
    let body =
        json!({ "message": MARK, "error": { "message": MARK }, "errors": [{ "message": MARK }] });
    json!({ "kind": "status", "status": status, "body": body })
}

pub(super) async fn a_failure_has_its_code_and_none_of_the_providers_text(subject: Subject) {
    let world = world(subject, |_| {}).await;
    let of = json!({ "of": subject.word() });
    for (fault, code) in [
        (status(401), "PROVIDER_AUTH"),
        (status(422), "PROVIDER_REJECTED"),
        (status(500), "PROVIDER_UNAVAILABLE"),
        (json!({ "kind": "html" }), "PROVIDER_UNAVAILABLE"),
        (json!({ "kind": "reset" }), "PROVIDER_UNAVAILABLE"),
        (json!({ "kind": "truncate" }), "PROVIDER_BAD_RESPONSE"),
        (json!({ "kind": "not_json" }), "PROVIDER_BAD_RESPONSE"),
    ] {
        world.heal().await;
        world.fault(subject.provider(), fault.clone()).await;
        world.forget_calls().await;

        let list = world.answer_with(LIST, of.clone()).await;
        let search = world.answer_with(SEARCH, of.clone()).await;

        gives_nothing_away(&world, &list);
        gives_nothing_away(&world, &search);
        assert_eq!(list["data"], json!({ "users": null }), "{fault}");
        assert_eq!(list["errors"][0]["extensions"]["code"], code, "{fault}");
        let failed = json!({ "status": "FAILED", "error": { "code": code } });
        let expected = json!({ "nodes": [], "sources": [failed] });
        assert_eq!(search["data"]["usersByEmail"], expected, "{fault}");
        let calls = world.calls(subject.provider()).await.len();
        assert_eq!(calls, 2, "{fault}");
    }
}

pub(super) async fn a_provider_that_hangs_fails_at_the_deadline(subject: Subject) {
    let world = world(subject, |settings| settings.limits.deadline_seconds = 0.5).await;
    let hang = json!({ "kind": "hang" });
    world.fault(subject.provider(), hang).await;

    let list = world.answer_with(LIST, json!({ "of": subject.word() }));
    let list = tokio::time::timeout(std::time::Duration::from_secs(20), list).await;

    let list = list.expect("an answer at the deadline");
    assert_eq!(list["errors"][0]["extensions"]["code"], "DEADLINE_EXCEEDED");
}

pub(super) async fn an_open_circuit_makes_no_call(subject: Subject) {
    let cooldown_seconds = 300.0;
    let world = world(subject, |settings| {
        for account in settings.accounts.values_mut() {
            account.breaker = BreakerSettings {
                cooldown_seconds,
                max_cooldown_seconds: cooldown_seconds,
                ..BreakerSettings::default()
            };
        }
    })
    .await;
    world.fault(subject.provider(), status(500)).await;
    // Five failures of different calls open the circuit.
    for first in 1..=5 {
        let variables = json!({ "of": subject.word(), "first": first });
        world.answer_with(LIST, variables).await;
    }
    world.heal().await;
    world.forget_calls().await;

    let list = world
        .answer_with(LIST, json!({ "of": subject.word() }))
        .await;

    let code = &list["errors"][0]["extensions"]["code"];
    assert_eq!(code, "PROVIDER_UNAVAILABLE", "{list}");
    assert_eq!(world.called().await, []);
}
