//! The executor as the engine's own transports use it: by the trait of `async_graphql`.

use std::sync::Arc;

use async_graphql::{Data, Executor, Request, Value};
use futures_util::StreamExt;
use roster::{
    graphql::executor::{AllowedOperations, RequestOptions},
    server::SocketLimits,
};

use super::StreamGateway;
use crate::world::World;

#[tokio::test]
async fn a_transport_of_the_engine_gets_the_limits_of_every_request() {
    let world = World::with(5, |_| {}).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let executor = &gateway.executor;
    let code = |response: async_graphql::Response| {
        let extensions = response.errors.first()?.extensions.clone()?;
        extensions.get("code").cloned()
    };

    let answered = executor
        .execute(Request::new("{ accounts { name } }"))
        .await;
    assert_eq!(answered.errors, []);
    let many = format!("{{ {} }}", "__typename ".repeat(16_000));
    let refused = executor.execute(Request::new(many)).await;
    assert_eq!(code(refused), Some(Value::from("QUERY_TOO_COMPLEX")));

    let search = "subscription { usersByEmail(email: \"ann@x.test\") { source { status } } }";
    let mut session = Data::default();
    session.insert(RequestOptions {
        allowed: AllowedOperations {
            mutations: false,
            subscriptions: true,
        },
        ..RequestOptions::default()
    });
    let events = executor.execute_stream(Request::new(search), Some(Arc::new(session)));
    assert_eq!(events.count().await, 4);
    // A transport says what it can carry; one that says nothing carries queries.
    let mut refused = executor.execute_stream(Request::new(search), None);
    let refused = refused.next().await.expect("a response");
    assert_eq!(code(refused), Some(Value::from("BAD_USER_INPUT")));
}
