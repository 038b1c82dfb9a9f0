//! Sockets among other connections: their number, their size, and the end of the gateway.

use std::time::Duration;

use futures_util::SinkExt;
use roster::{
    account::Provider,
    context::MemoryMeter,
    server::{SocketLimits, accept::ConnectionLimits},
};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{PATIENCE, StreamGateway, connect, events, post_for_events};
use crate::world::World;

const NAMES: &str = "{ accounts { name } }";

#[tokio::test]
async fn one_socket_too_many_is_refused_and_requests_go_on() {
    let world = World::with(0, |_| {}).await;
    let limits = SocketLimits {
        sockets: 2,
        ..SocketLimits::default()
    };
    let gateway = StreamGateway::over(&world, limits).await;
    let first = gateway.socket().await;
    let _second = gateway.socket().await;

    let refused = connect(gateway.address, "graphql-transport-ws", &[]).await;
    assert_eq!(refused.err(), Some(503));
    let over_http = world.beside(gateway.address).data(NAMES).await;
    assert_eq!(over_http["accounts"][0]["name"], "ada");

    drop(first);
    let again = async {
        while connect(gateway.address, "graphql-transport-ws", &[])
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("a free place");
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_with_1009() {
    let world = World::with(0, |_| {}).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    let query = format!("{NAMES} # {}", "x".repeat(300_000));
    let message = json!({ "type": "subscribe", "id": "1", "payload": { "query": query } });

    // The gateway may close before all of it is sent.
    let _ = socket
        .stream
        .send(Message::Text(message.to_string().into()))
        .await;

    assert_eq!(socket.closed().await.0, 1009);
}

#[tokio::test]
async fn one_operation_too_many_is_refused_and_the_others_go_on() {
    let world = World::with(5, |_| {}).await;
    world.fault(Provider::Ada, json!({ "kind": "hang" })).await;
    let limits = SocketLimits {
        operations: 3,
        ..SocketLimits::default()
    };
    let gateway = StreamGateway::over(&world, limits).await;
    let mut socket = gateway.socket().await;
    for id in ["1", "2", "3"] {
        let hangs = "{ users(provider: ADA) { nodes { id } } }";
        socket.subscribe(id, hangs).await;
    }

    for n in 0..10_000 {
        socket.subscribe(&format!("more-{n}"), NAMES).await;
        let refused = socket.next().await;
        assert_eq!(refused["type"], "error", "{refused}");
        let code = &refused["payload"][0]["extensions"]["code"];
        assert_eq!(code, "RATE_LIMITED");
        if n == 500 {
            break;
        }
    }
    socket.send(json!({ "type": "complete", "id": "1" })).await;
    let served = async {
        loop {
            socket.subscribe("again", NAMES).await;
            let message = socket.next().await;
            if message["type"] == "next" {
                return;
            }
        }
    };
    timeout(PATIENCE, served).await.expect("room again");
}

#[tokio::test]
async fn an_operation_that_the_client_ends_makes_no_more_calls() {
    let world = World::with(2_000, |_| {}).await;
    let delay = json!({ "kind": "latency", "milliseconds": 100 });
    world.fault(Provider::Ada, delay).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    world.forget_calls().await;
    let search = "{ usersByEmail(email: \"nobody@x.test\", providers: [ADA]) { totalCount } }";

    socket.subscribe("1", search).await;
    while world.calls(Provider::Ada).await.is_empty() {
        tokio::task::yield_now().await;
    }
    socket.send(json!({ "type": "complete", "id": "1" })).await;

    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let calls = world.calls(Provider::Ada).await.len();
    assert!(calls < 10, "{calls} calls for an operation that has ended");
    // The socket goes on.
    socket.subscribe("2", NAMES).await;
    assert_eq!(socket.messages("2").await.len(), 2);
}

#[tokio::test]
async fn a_gateway_that_stops_says_goodbye_to_idle_sockets() {
    let world = World::with(0, |_| {}).await;
    let mut gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;

    gateway.stop();

    assert_eq!(socket.closed().await.0, 1001);
}

#[tokio::test]
async fn idle_sockets_give_their_places_to_new_connections() {
    let world = World::with(0, |_| {}).await;
    let limits = ConnectionLimits {
        connections: 4,
        ..ConnectionLimits::default()
    };
    let gateway = StreamGateway::among(&world, SocketLimits::default(), limits, |_| {}).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(gateway.socket().await);
    }

    let beside = world.beside(gateway.address);
    let over_http = beside.data(NAMES);
    let data = timeout(PATIENCE, over_http).await.expect("an answer");

    assert_eq!(data["accounts"][0]["name"], "ada");
    let closed = sockets[0].closed();
    assert_eq!(timeout(PATIENCE, closed).await.expect("a close").0, 1013);
    sockets[3].subscribe("1", NAMES).await;
    assert_eq!(sockets[3].messages("1").await.len(), 2);
}

#[tokio::test]
async fn a_gateway_that_stops_finishes_the_operations_of_a_socket_and_takes_no_more() {
    let world = World::with(5, |_| {}).await;
    let latency = json!({ "kind": "latency", "milliseconds": 1_000 });
    world.fault(Provider::Ada, latency).await;
    let mut gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    world.forget_calls().await;
    let query = "{ users(provider: ADA) { nodes { id } } }";
    socket.subscribe("1", query).await;
    while world.calls(Provider::Ada).await.is_empty() {
        tokio::task::yield_now().await;
    }

    gateway.stop();
    let refused = async {
        for n in 0.. {
            let id = format!("more-{n}");
            socket.subscribe(&id, NAMES).await;
            let message = socket.messages(&id).await.remove(0);
            if message["type"] == "error" {
                return message;
            }
        }
        unreachable!("an endless loop");
    };
    let refused = timeout(PATIENCE, refused).await.expect("a refusal");

    let code = &refused["payload"][0]["extensions"]["code"];
    assert_eq!(code, "OVERLOADED");
    assert_eq!(socket.messages("1").await[0]["type"], "next");
    assert_eq!(socket.closed().await.0, 1001);
}

#[tokio::test]
async fn a_request_that_finds_no_memory_is_refused_over_a_socket_and_as_an_event() {
    let world = World::with(200, |_| {}).await;
    let gateway = StreamGateway::with(&world, SocketLimits::default(), |settings| {
        (settings.limits.request_bytes, settings.limits.total_bytes) = (1 << 20, 1 << 20);
    })
    .await;
    let memory = gateway.executor.graph().memory.clone();
    let other = MemoryMeter::new(memory, 1 << 20);
    other.charge((1 << 20) - 1_000).expect("room");
    let query = "{ users(provider: USERTOUR, first: 100) { nodes { id } } }";

    let mut socket = gateway.socket().await;
    socket.subscribe("1", query).await;
    let messages = socket.messages("1").await;
    assert_eq!(messages[0]["type"], "error", "{messages:?}");
    let code = &messages[0]["payload"][0]["extensions"]["code"];
    assert_eq!(code, "OVERLOADED");

    let response = post_for_events(gateway.address, &json!({ "query": query })).await;
    let events = events(response).await;
    assert_eq!(events[0].1.get("data"), None, "{events:?}");
    let code = &events[0].1["errors"][0]["extensions"]["code"];
    assert_eq!(code, "OVERLOADED");
}
