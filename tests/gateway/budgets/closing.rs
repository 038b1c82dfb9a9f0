//! A provider's 429 pauses the calls of all requests.

use roster::account::Provider;
use serde_json::json;

use super::{ids, refusal, request, request_all, world};
use crate::world::FOUR;

#[tokio::test]
async fn one_429_pauses_a_provider_for_all_requests() {
    for of in FOUR {
        let world = world(of, &[], |settings| {
            settings.limits.deadline_seconds = 5.0;
        })
        .await;
        let ids = ids(&world, of).await;
        let enough = json!({ "kind": "rate_limit", "retry_after": 60, "count": 1 });
        world.fault(of, enough).await;
        let first = request(&world, of, &ids[0]).await;
        assert_eq!(refusal(&first), Some(("PROVIDER_RATE_LIMITED", Some(60))));

        let answers = request_all(&world, of, 50).await;

        for answer in &answers {
            let (code, retry_after) = refusal(answer).expect("a refusal");
            assert_eq!(code, "PROVIDER_RATE_LIMITED");
            assert!(
                (50..=60).contains(&retry_after.expect("a wait")),
                "{answer}"
            );
        }
        assert_eq!(world.calls(of).await.len(), 1, "{of:?} was asked again");
    }
}

#[tokio::test]
async fn requests_wait_for_the_end_of_a_short_pause() {
    let of = Provider::DigitalChalk;
    let world = world(of, &[], |_| {}).await;
    let enough = json!({ "kind": "rate_limit", "retry_after": 1, "count": 1 });
    world.fault(of, enough).await;

    let answers = request_all(&world, of, 30).await;

    for answer in &answers {
        assert!(answer["data"]["user"]["remoteId"].is_string(), "{answer}");
    }
    let calls = world.calls(of).await;
    let refused = calls.iter().position(|call| call.status == Some(429));
    let refused = refused.expect("one refusal");
    // Those that were in flight with it, and all others after a second.
    let early = calls
        .iter()
        .filter(|call| call.at < calls[refused].at + 950);
    assert!(early.count() <= 2 * 4, "{calls:?}");
    assert_eq!(calls.len(), 31);
}
