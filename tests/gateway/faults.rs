//! Providers that fail, each in every way we know of: the others' answers arrive, `sources` and errors
//! tell the truth, and nothing of the provider's own reaches the client.

mod answers;
mod partial;
mod refusals;
mod silence;

use std::time::Duration;

use roster::{account::Provider, config::Settings};
use roster_sandbox::known::EVERYWHERE;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    subject::expected,
    world::{FOUR, World, neighbour, place, word},
};

/// The number of users from which the known people are there: two pages of Ada's list.
const USERS: usize = 200;

/// How many calls the search by address costs a provider in good health.
pub(crate) fn calls_of_a_search(provider: Provider) -> u64 {
    expected(provider).calls.email_among_200 as u64
}

/// The status of a search by address at a provider in good health.
pub(crate) fn status_of_a_search(provider: Provider) -> &'static str {
    expected(provider).search_status()
}

/// How a failure must look to a client.
#[derive(Clone, Copy)]
struct Failure {
    code: &'static str,
    /// How many calls each of the two fields costs.
    calls: u64,
    /// The least and the most seconds in `retryAfter`.
    retry_after: Option<(u64, u64)>,
}

impl Failure {
    fn of(code: &'static str, calls: u64) -> Self {
        Self {
            code,
            calls,
            retry_after: None,
        }
    }
}

const QUERY: &str = "query($email: String!, $sick: Provider!, $other: Provider!) {
    byEmail: usersByEmail(email: $email) {
        nodes { provider email }
        sources { provider status calls asOf error { code message retryAfter } }
    }
    list: users(provider: $sick, first: 2) { nodes { remoteId } }
    neighbour: users(provider: $other, first: 2) { nodes { provider } }
}";

/// A world whose providers are asked twice at most.
async fn world(change: impl FnOnce(&mut Settings)) -> World {
    World::with(USERS, |settings| {
        for provider in settings.accounts.values_mut() {
            provider.attempts = 2;
        }
        change(settings);
    })
    .await
}

/// Sets a fault at each provider in turn, and checks that it fails alone and in this way.
async fn each_provider_fails_alone(world: &World, fault: &Value, failure: Failure) {
    for sick in FOUR {
        world.fault(sick, fault.clone()).await;
        fails_alone(world, sick, failure).await;
        let calls = world.calls(sick).await.len() as u64;
        assert_eq!(calls, 2 * failure.calls, "{sick:?} {fault}");
        world.heal().await;
    }
}

/// Asks everything at once, and checks that one provider fails in this way, and nothing else does.
async fn fails_alone(world: &World, sick: Provider, failure: Failure) {
    let other = neighbour(sick);
    let variables = json!({ "email": EVERYWHERE, "sick": word(sick), "other": word(other) });
    world.forget_calls().await;

    let answer = world.answer_with(QUERY, variables).await;

    gives_nothing_away(world, &answer);
    neighbours_live(&answer, sick, other);
    let errors = answer["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{answer}");
    assert_eq!(errors[0]["path"], json!(["list"]));
    is_failure(&errors[0]["extensions"], failure);
    // Our own deadline is no provider's fault.
    let is_ours = failure.code == "DEADLINE_EXCEEDED";
    let at_fault = (!is_ours).then(|| json!(word(sick)));
    assert_eq!(errors[0]["extensions"].get("provider"), at_fault.as_ref());
    let source = &answer["data"]["byEmail"]["sources"][place(sick)];
    assert_eq!(source["status"], "FAILED", "{source}");
    assert_eq!(source["asOf"], Value::Null);
    assert_eq!(source["calls"], failure.calls, "{source}");
    is_failure(&source["error"], failure);
    assert_eq!(errors[0]["message"], source["error"]["message"]);
}

fn is_failure(error: &Value, failure: Failure) {
    assert_eq!(error["code"], failure.code, "{error}");
    match (failure.retry_after, error["retryAfter"].as_u64()) {
        (None, None) => {}
        (Some((least, most)), Some(wait)) => assert!((least..=most).contains(&wait), "{error}"),
        _ => panic!("{error}"),
    }
}

fn neighbours_live(answer: &Value, sick: Provider, other: Provider) {
    let data = &answer["data"];
    assert_eq!(data["list"], Value::Null, "{answer}");
    let neighbour = json!({ "provider": word(other) });
    assert_eq!(data["neighbour"]["nodes"], json!([neighbour, neighbour]));
    let healthy = FOUR.into_iter().filter(|of| *of != sick);
    let found: Vec<_> = healthy
        .map(|of| json!({ "provider": word(of), "email": EVERYWHERE }))
        .collect();
    assert_eq!(data["byEmail"]["nodes"], json!(found));
    for of in FOUR {
        let source = &data["byEmail"]["sources"][place(of)];
        assert_eq!(source["provider"], word(of));
        if of != sick {
            assert_eq!(source["status"], status_of_a_search(of), "{source}");
            assert_eq!(source["error"], Value::Null);
            assert_eq!(source["calls"], calls_of_a_search(of), "{source}");
        }
    }
}

/// No token, no address, and no page of a provider's is in an answer.
pub(crate) fn gives_nothing_away(world: &World, answer: &Value) {
    let text = answer.to_string().to_lowercase();
    let secrets = [
        roster_sandbox::TOKEN,
        "http://",
        "https://",
        "attacker",
        "<html",
        "bearer",
        "127.0.0.1",
        MARK,
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in {answer}");
    }
    assert!(!text.contains(&world.sandbox.to_string()));
}

/// A text in the bodies of providers that no client may see.
pub(crate) const MARK: &str = "for the provider's eyes only";

/// Runs something that must end by a request's deadline; generously, for busy machines.
async fn within_deadline<T>(deadline: Duration, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let done = work.await;
    let taken = started.elapsed();
    assert!(taken < deadline + Duration::from_secs(3), "{taken:?}");
    done
}
