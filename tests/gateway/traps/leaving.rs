//! Clients that leave before they have their answer.

use std::time::Duration;

use roster_sandbox::known::EVERYWHERE;
use serde_json::json;
use tokio::time::timeout;

use crate::world::{FOUR, World, account};

#[tokio::test]
async fn clients_that_leave_release_their_resources() {
    let world = World::with(200, |settings| {
        settings.limits.deadline_seconds = 600.0;
        for of in FOUR {
            let provider = account(settings, of);
            provider.timeout_seconds = Some(600.0);
            provider.concurrency = Some(1);
        }
    })
    .await;
    for of in FOUR {
        world.fault(of, json!({ "kind": "hang" })).await;
    }
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ nodes {{ email }} }}
            users(provider: INTERCOM, first: 1) {{ nodes {{ email }} }}
            person(email: \"{EVERYWHERE}\") {{ users {{ email }} }} }}"
    );
    for _ in 0..3 {
        let left = timeout(Duration::from_millis(150), world.answer(&query)).await;
        assert!(left.is_err(), "a provider that hangs has answered");
    }
    world.heal().await;

    // Every provider has one permit: an unreleased one would block this.
    let answer = timeout(Duration::from_secs(20), world.data(&query)).await;

    let data = answer.expect("no permit is held by who has left");
    assert_eq!(
        data["usersByEmail"]["nodes"],
        json!(vec![json!({ "email": EVERYWHERE }); 4])
    );
    assert_eq!(data["person"]["users"], data["usersByEmail"]["nodes"]);
}
