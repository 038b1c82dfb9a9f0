//! Two gateways over one sandbox and one Redis share one budget.

use std::time::Duration;

use futures_util::future::join_all;
use roster::{account::Provider, config::Settings, connectors::QuotaWindow};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{ids, most_within, redis::Redis, refusal};
use crate::world::{World, account, word};

const OF: Provider = Provider::Usertour;

/// Two gateways.
struct Two {
    world: World,
    gateways: [std::net::SocketAddr; 2],
    ids: Vec<String>,
}

impl Two {
    async fn over(redis: &Redis, budget: &[(u32, u32)]) -> Self {
        let change = |settings: &mut Settings| {
            let windows = budget.iter();
            let windows = windows.map(|&(calls, seconds)| QuotaWindow { calls, seconds });
            account(settings, OF).budget = Some(windows.collect());
            settings.shared.url = Some(redis.url());
            // A busy machine must not count as an unavailable store.
            settings.shared.timeout_seconds = 2.0;
            settings.limits.deadline_seconds = 10.0;
        };
        let world = World::with(300, change).await;
        let mut settings = crate::world::settings(world.sandbox);
        change(&mut settings);
        let gateways = [world.gateway, World::serve(&settings).await];
        let ids = ids(&world, OF).await;
        Self {
            world,
            gateways,
            ids,
        }
    }

    async fn post(&self, gateway: usize, query: &str) -> Value {
        let url = format!("http://{}/graphql", self.gateways[gateway]);
        let body = json!({ "query": query });
        let answer = self.world.client.post(url).json(&body).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    async fn request(&self, gateway: usize, user: usize) -> Value {
        let (of, id) = (word(OF), &self.ids[user]);
        let query =
            format!("{{ user(provider: {of}, by: {{ remoteId: \"{id}\" }}) {{ remoteId }} }}");
        self.post(gateway, &query).await
    }

    /// Asks for these users at once, at both gateways in turn.
    async fn request_all(&self, users: std::ops::Range<usize>) -> Vec<Value> {
        join_all(users.map(|user| self.request(user % 2, user))).await
    }

    /// Waits until a gateway reports this status of the store.
    async fn says(&self, gateway: usize, status: &str) {
        let url = format!("http://{}/health/ready", self.gateways[gateway]);
        for _ in 0..600 {
            let answer = self.world.client.get(&url).send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            let body: Value = answer.json().await.expect("JSON");
            assert_eq!(body["status"], "ready");
            if body["sharedStore"] == status {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the store is never said to be {status}");
    }
}

fn served(answers: &[Value]) -> usize {
    let served = answers.iter().filter(|answer| refusal(answer).is_none());
    served.count()
}

#[tokio::test]
async fn two_gateways_never_spend_more_than_one_budget() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let two = Two::over(&redis, &[(30, 1), (100, 3)]).await;

    let answers = two.request_all(0..120).await;

    assert_eq!(served(&answers), 120);
    let calls = two.world.calls(OF).await;
    assert_eq!(calls.len(), 120);
    assert!(most_within(&calls, Duration::from_secs(1)) <= 30);
    assert!(most_within(&calls, Duration::from_secs(3)) <= 100);
}

#[tokio::test]
async fn calls_of_one_gateway_count_for_the_other() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let two = Two::over(&redis, &[(10, 3_600)]).await;
    let first = join_all((0..9).map(|user| two.request(0, user))).await;
    assert_eq!(served(&first), 9);

    let second = join_all((9..14).map(|user| two.request(1, user))).await;

    assert_eq!(served(&second), 1);
    assert_eq!(two.world.calls(OF).await.len(), 10);
    let refused = second.iter().find_map(refusal).expect("a refusal");
    assert_eq!(refused.0, "PROVIDER_RATE_LIMITED");
    assert!(refused.1.expect("a wait") > 3_000);
}

#[tokio::test]
async fn a_429_at_one_gateway_pauses_the_other() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let two = Two::over(&redis, &[]).await;
    let enough = json!({ "kind": "rate_limit", "retry_after": 60, "count": 1 });
    two.world.fault(OF, enough).await;
    assert!(refusal(&two.request(0, 0).await).is_some());
    // The store's update is asynchronous.
    let mut user = 1;
    while refusal(&two.request(1, user).await).is_none() {
        user += 1;
        assert!(user < 100, "the other gateway is not closed");
    }

    let calls = two.world.calls(OF).await.len();
    assert_eq!(served(&two.request_all(200..230).await), 0);
    assert_eq!(two.world.calls(OF).await.len(), calls);
}

#[tokio::test]
async fn without_the_store_each_uses_its_share_until_the_store_is_back() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let two = Two::over(&redis, &[(20, 3_600)]).await;
    assert_eq!(served(&two.request_all(0..4).await), 4);
    two.says(0, "up").await;

    redis.kill();
    for gateway in 0..2 {
        two.says(gateway, "away").await;
    }
    // Each may make ten calls: each made two before.
    let alone = two.request_all(4..20).await;
    assert_eq!(served(&alone), 16);
    assert_eq!(served(&two.request_all(20..30).await), 0);

    redis.run().await;
    for gateway in 0..2 {
        two.says(gateway, "up").await;
    }
    // Both reported what they had spent, though the store had lost everything: nothing is left.
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(served(&two.request_all(30..40).await), 0);
    assert_eq!(two.world.calls(OF).await.len(), 20);
}

#[tokio::test]
async fn a_store_that_is_unavailable_from_the_start_delays_no_request() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    redis.kill();
    let two = Two::over(&redis, &[(20, 3_600)]).await;

    assert_eq!(served(&two.request_all(0..20).await), 20);

    for gateway in 0..2 {
        two.says(gateway, "away").await;
    }
    let metrics = format!("http://{}/metrics", two.gateways[0]);
    let metrics = two
        .world
        .client
        .get(metrics)
        .send()
        .await
        .expect("an answer");
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("roster_shared_store_up"), "{metrics}");
}

#[test]
fn an_invalid_store_is_refused_with_its_place() {
    for (shared, says) in [
        (
            "url = \"redis://:s3cret@redis:6379\"",
            "must not hold a user name or a password",
        ),
        ("url = \"rediss://redis:6379\"", "TLS is not supported"),
        (
            "url = \"http://redis\"",
            "must be of the form redis://host:6379",
        ),
        ("url = \"redis://r\"\nreplicas = 0", "shared.replicas is 0"),
        (
            "url = \"redis://r\"\nprefix = \"a b\"",
            "shared.prefix is \"a b\"",
        ),
        (
            "url = \"redis://r\"\npassword_file = \"/no/such/file\"",
            "shared.password_file: /no/such/file",
        ),
        (
            "url = \"redis://r\"\npassword_file = \"f\"\npassword_env = \"V\"",
            "exclude each other",
        ),
    ] {
        let settings = Settings::parse(&format!("[shared]\n{shared}\n")).expect("a configuration");

        let mistakes = settings.shared.store().expect_err("mistakes").to_string();

        assert!(mistakes.contains(says), "{mistakes}");
        assert!(!mistakes.contains("s3cret"), "{mistakes}");
    }
}
