//! The limit of version 2, and the headers that show it.

use super::{get, refusal, usertour};
use crate::in_process::{Reply, Sandbox};

fn rate(reply: &Reply) -> [Option<u64>; 3] {
    ["limit", "remaining", "reset"].map(|name| {
        let value = reply.header(&format!("x-ratelimit-{name}"));
        value.and_then(|value| value.parse().ok())
    })
}

#[tokio::test]
async fn every_answer_shows_the_rate_with_the_seconds_left() {
    let sandbox = usertour(3);
    for path in ["", "/nope", "?limit=0"] {
        let [limit, remaining, reset] = rate(&get(&sandbox, path).await);
        assert_eq!((limit, remaining), (Some(1000), Some(999)), "{path}");
        assert!(
            reset.is_some_and(|reset| (1..=60).contains(&reset)),
            "{reset:?}"
        );
    }
    let stranger = get(&Sandbox::with_users(3), "").await;
    assert_eq!(rate(&stranger)[0], Some(100));
    let v1 = sandbox.header("authorization", "Bearer ak_sandbox-token");
    assert_eq!(rate(&v1.get("/usertour/v1/users").await), [None; 3]);
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_refused_until_the_window_ends() {
    let sandbox = usertour(3);
    for (name, value) in [
        ("rate", "on"),
        ("rate_limit", "2"),
        ("rate_seconds", "3600"),
    ] {
        sandbox.set_switch("usertour", name, value).await;
    }
    let first = get(&sandbox, "").await;
    get(&sandbox, "").await;
    let refused = get(&sandbox, "").await;

    assert_eq!(rate(&first)[..2], [Some(2), Some(1)]);
    assert_eq!(refusal(&refused), (429, "E1013".to_owned()));
    assert_eq!(rate(&refused)[..2], [Some(2), Some(0)]);
    let left = refused.header("x-ratelimit-reset");
    assert_eq!(refused.header("retry-after"), left);
    assert!(left.is_some());
}

#[tokio::test]
async fn the_fault_of_a_rate_limit_shows_the_seconds_left() {
    let sandbox = usertour(3);
    let fault = serde_json::json!({
        "provider": "usertour", "kind": "rate_limit", "retry_after": 7, "reset": 9,
    });
    sandbox.post("/_sandbox/faults", fault).await;

    let refused = get(&sandbox, "").await;

    assert_eq!(refusal(&refused), (429, "E1013".to_owned()));
    assert_eq!(rate(&refused), [Some(1000), Some(0), Some(9)]);
    assert_eq!(refused.header("retry-after"), Some("7"));
}
