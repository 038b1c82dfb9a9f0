//! The cache never hides newer knowledge: a deleted user, refused credentials. A write that was
//! never sent invalidates nothing.

use std::time::Duration;

use roster::account::Provider::{Ada, Intercom, Usertour};
use serde_json::{Value, json};

use super::{ann, keeping};
use crate::world::{FOUR, account};

/// Shorter than any request takes.
const AN_INSTANT: f64 = 0.000_001;

#[tokio::test]
async fn a_write_that_is_never_sent_invalidates_nothing() {
    let world = keeping(|settings| {
        let ada = account(settings, Ada);
        ada.attempts = 1;
        ada.breaker.enabled = true;
    })
    .await;
    let (known, _) = ann(&world, Ada).await;
    let fault = json!({ "kind": "status", "status": 503 });
    world.fault(Ada, fault).await;
    for number in 0..40 {
        let query = "query ($id: ID!) { user(provider: ADA, by: { remoteId: $id }) { id } }";
        let id = format!("nobody-{number}");
        world.answer_with(query, json!({ "id": id })).await;
    }
    world.forget_calls().await;

    let write =
        "mutation { upsertUser(input: { provider: ADA, externalId: \"crm-ann\", name: \"N\" }) {
        outcome userErrors { message code } } }";
    let written = world.answer(write).await;

    assert_eq!(
        world.calls(Ada).await.len(),
        0,
        "the circuit is open: {written}"
    );
    let (user, source) = ann(&world, Ada).await;
    assert_eq!(user, known);
    let said = (&source["status"], &source["error"]);
    assert_eq!(said, (&json!("COMPLETE"), &Value::Null));
}

#[tokio::test]
async fn a_deleted_user_does_not_come_back_when_empty_results_are_not_cached() {
    let world = keeping(|settings| {
        settings.cache.seconds = AN_INSTANT;
        settings.cache.negative_seconds = 0.0;
        settings.cache.stale_seconds = 0.0;
        account(settings, Usertour).attempts = 1;
    })
    .await;
    assert_eq!(ann(&world, Usertour).await.0["name"], "Ann Archer");
    let url = format!("http://{}/usertour/v1/users/crm-ann", world.sandbox);
    let token = format!("ak_{}", roster_sandbox::TOKEN);
    let gone = world.client.delete(url).bearer_auth(token).send().await;
    assert!(gone.expect("an answer").status().is_success());
    assert_eq!(ann(&world, Usertour).await.0, Value::Null);
    let fault = json!({ "kind": "status", "status": 503 });
    world.fault(Usertour, fault).await;

    let (user, source) = ann(&world, Usertour).await;

    assert_eq!((&user, &source["status"]), (&Value::Null, &json!("FAILED")));
}

#[tokio::test]
async fn refused_credentials_are_reported_despite_a_stale_response() {
    for of in FOUR {
        let world = keeping(|settings| {
            settings.cache.seconds = AN_INSTANT;
            settings.cache.stale_seconds = 3600.0;
            account(settings, of).attempts = 1;
        })
        .await;
        let (known, _) = ann(&world, of).await;
        assert_ne!(known, Value::Null, "{of:?}");
        let fault = json!({ "kind": "status", "status": 401 });
        world.fault(of, fault).await;

        let told = async {
            while ann(&world, of).await.1["status"] != "FAILED" {
                tokio::task::yield_now().await;
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(20), told).await;
        told.unwrap_or_else(|_| panic!("{of:?} hides that its token was revoked"));
        let (user, source) = ann(&world, of).await;
        assert_eq!(source["error"]["code"], "PROVIDER_AUTH", "{of:?}");
        assert_eq!(user, Value::Null, "{of:?}");
        world.heal().await;
        assert_eq!(ann(&world, of).await.0, known, "{of:?}");
    }
}

#[tokio::test]
async fn no_cache_looks_up_a_company_again() {
    let world = keeping(|settings| settings.cache.seconds = 0.0).await;
    let query =
        "{ users(provider: INTERCOM, first: 2, filter: { companyId: \"c-2\" }) { nodes { id } } }";
    for (sent, calls) in [
        (None, 2),
        (None, 1),
        (Some("no-cache"), 2),
        (Some("max-age=0"), 2),
        (None, 1),
    ] {
        world.forget_calls().await;
        let url = format!("http://{}/graphql", world.gateway);
        let mut request = world.client.post(url).json(&json!({ "query": query }));
        if let Some(sent) = sent {
            request = request.header("cache-control", sent);
        }
        let answer = request.send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer.get("errors"), None, "{sent:?}");
        assert_eq!(world.calls(Intercom).await.len(), calls, "{sent:?}");
    }
}
