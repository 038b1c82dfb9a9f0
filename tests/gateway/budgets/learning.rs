//! Intercom reports its limit and what is left of it in every response; other clients spend it too.

use futures_util::future::join_all;
use roster::account::Provider;

use super::{ids, refusal, request, world};
use crate::world::{World, account};

const OF: Provider = Provider::Intercom;

/// A world in which Intercom allows `limit` calls in `seconds` seconds, and the gateway is not
/// configured for it.
async fn untold(limit: u32, seconds: u32) -> World {
    let world = world(OF, &[], |settings| {
        account(settings, OF).budget = None;
        settings.limits.deadline_seconds = 4.0;
    })
    .await;
    world.behave(OF, "rate_limit", &limit.to_string()).await;
    world.behave(OF, "rate_seconds", &seconds.to_string()).await;
    world.behave(OF, "rate", "on").await;
    world
}

async fn budget(world: &World) -> serde_json::Value {
    let mut data = world
        .data("{ accounts { provider budget { window limit remaining resetsAt } } }")
        .await;
    let providers = data["accounts"].as_array_mut().expect("providers");
    let intercom = providers.iter_mut();
    let mut intercom = intercom.filter(|provider| provider["provider"] == "INTERCOM");
    intercom.next().expect("Intercom")["budget"].take()
}

#[tokio::test]
async fn the_limit_is_learned_from_responses() {
    let world = untold(300, 3_600).await;
    assert_eq!(budget(&world).await[0]["limit"], 1667);
    let ids = ids(&world, OF).await;

    request(&world, OF, &ids[0]).await;

    let budget = budget(&world).await;
    assert_eq!(budget[0]["window"], 10);
    assert_eq!(budget[0]["limit"], 300);
    assert_eq!(budget[0]["remaining"], 299);
}

#[tokio::test]
async fn calls_of_other_clients_are_respected_and_cost_no_429() {
    // The window is an hour, so it almost never ends while the test runs.
    let world = untold(30, 3_600).await;
    let ids = ids(&world, OF).await;
    for id in &ids[..2] {
        request(&world, OF, id).await;
    }
    // Another integration takes all but six; the gateway learns it from its next response.
    let others = (0..21).map(|_| world.at_provider(OF, "/users?per_page=1"));
    join_all(others).await;

    let answers = join_all(ids.iter().take(40).map(|id| request(&world, OF, id))).await;

    let served = answers.iter().filter(|answer| refusal(answer).is_none());
    let served = served.count();
    assert!((1..=7).contains(&served), "{served}");
    let calls = world.calls(OF).await;
    let refused = calls.iter().filter(|call| call.status == Some(429)).count();
    // Eight are in flight before the first response tells.
    assert!(refused <= 1, "{refused} calls were refused");
    for answer in answers.iter().filter(|answer| answer["errors"].is_array()) {
        assert_eq!(
            refusal(answer).map(|(code, _)| code),
            Some("PROVIDER_RATE_LIMITED")
        );
    }
}
