//! Accounts behind one shared store.

use super::{ACCOUNTS, named, settings, world};
use crate::{budgets::redis::Redis, world::World};

#[tokio::test]
async fn replicas_never_serve_a_cached_response_for_another_account() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let change = |all: &mut roster::config::Settings| {
        all.cache.seconds = 60.0;
        all.shared.url = Some(redis.url());
        all.shared.timeout_seconds = 2.0;
    };
    let (one, stand_in) = world(change).await;
    let address = stand_in.address();
    let query = |name: &str| {
        format!(
            "{{ user({}, by: {{ remoteId: \"1\" }}) {{ account name }} }}",
            named(name)
        )
    };
    for (name, _, _) in ACCOUNTS {
        assert_eq!(one.data(&query(name)).await["user"]["name"], name);
    }
    let other = World::over(address, |all| {
        settings(address, all);
        change(all);
    })
    .await;

    for (name, _, _) in ACCOUNTS {
        assert_eq!(other.data(&query(name)).await["user"]["name"], name);
    }
}
