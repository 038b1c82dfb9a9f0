//! The rules of `graphql-transport-ws`, and of the older protocol.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use roster::{account::Provider, server::SocketLimits};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use super::{PATIENCE, StreamGateway, connect};
use crate::world::World;

const NAMES: &str = "{ accounts { name } }";

async fn gateway(limits: SocketLimits) -> (World, StreamGateway) {
    let world = World::with(5, |_| {}).await;
    let gateway = StreamGateway::over(&world, limits).await;
    (world, gateway)
}

#[tokio::test]
async fn a_query_is_answered_and_completed() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;

    socket.subscribe("1", NAMES).await;

    let messages = socket.messages("1").await;
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0]["type"], "next");
    let accounts = &messages[0]["payload"]["data"]["accounts"];
    assert_eq!(accounts[0]["name"], "ada");
    assert_eq!(messages[1], json!({ "type": "complete", "id": "1" }));
}

#[tokio::test]
async fn a_mutation_writes_once() {
    let (world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    let write = "mutation { upsertUser(input: { provider: USERTOUR, externalId: \"new-1\", name: \"N\" }) { outcome } }";

    socket.subscribe("w", write).await;

    let messages = socket.messages("w").await;
    let outcome = &messages[0]["payload"]["data"]["upsertUser"]["outcome"];
    assert_eq!(outcome, "CREATED", "{messages:?}");
    let records = world.records(Provider::Usertour).await;
    let written = records.iter().filter(|record| record["id"] == "new-1");
    assert_eq!(written.count(), 1);
}

#[tokio::test]
async fn a_request_that_cannot_run_is_an_error_and_not_a_response() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    for (id, payload, code) in [
        ("a", json!({ "query": "{" }), "GRAPHQL_PARSE_FAILED"),
        (
            "b",
            json!({ "query": "{ nobody }" }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("c", json!({ "query": 7 }), "BAD_USER_INPUT"),
        (
            "d",
            json!({ "query": NAMES, "variables": [1] }),
            "BAD_USER_INPUT",
        ),
        (
            "e",
            json!({ "query": "query($a: Int!) { users(provider: ADA, first: $a) { totalCount } }" }),
            "BAD_USER_INPUT",
        ),
    ] {
        socket
            .send(json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await;

        let messages = socket.messages(id).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(messages[0]["type"], "error");
        let found = &messages[0]["payload"][0]["extensions"]["code"];
        assert_eq!(found, code, "{messages:?}");
        assert!(messages[0]["payload"][0].get("data").is_none());
    }
    // The socket goes on.
    socket.subscribe("f", NAMES).await;
    assert_eq!(socket.messages("f").await.len(), 2);
}

#[tokio::test]
async fn an_operation_before_the_handshake_closes_with_4401() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.connect().await;

    socket.subscribe("1", NAMES).await;

    assert_eq!(socket.closed().await, (4401, "Unauthorized".to_owned()));
}

#[tokio::test]
async fn a_client_that_sends_no_init_is_closed_with_4408() {
    let (_world, gateway) = gateway(SocketLimits {
        init: Duration::from_millis(50),
        ..SocketLimits::default()
    })
    .await;
    let mut socket = gateway.connect().await;

    let closed = socket.closed().await;

    assert_eq!(closed.0, 4408, "{closed:?}");
    assert_eq!(closed.1, "Connection initialisation timeout");
}

#[tokio::test]
async fn a_second_init_closes_with_4429() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;

    socket.send(json!({ "type": "connection_init" })).await;

    assert_eq!(socket.closed().await.0, 4429);
}

#[tokio::test]
async fn a_second_operation_of_an_id_closes_with_4409() {
    let (world, gateway) = gateway(SocketLimits::default()).await;
    world.fault(Provider::Ada, json!({ "kind": "hang" })).await;
    let mut socket = gateway.socket().await;
    let hangs = "{ users(provider: ADA) { nodes { id } } }";

    socket.subscribe("1", hangs).await;
    socket.subscribe("1", NAMES).await;

    let closed = socket.closed().await;
    assert_eq!(closed, (4409, "Subscriber for 1 already exists".to_owned()));
}

#[tokio::test]
async fn an_id_may_be_used_again_when_its_operation_has_ended() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    for _ in 0..3 {
        socket.subscribe("1", NAMES).await;
        assert_eq!(socket.messages("1").await.len(), 2);
    }
}

#[tokio::test]
async fn a_secret_in_the_init_that_shows_nothing_closes_with_4403() {
    let world = World::with(0, |_| {}).await;
    let init = json!({ "type": "connection_init", "payload": { "x-roster-trace": "secret" } });

    let hidden = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = hidden.connect().await;
    socket.send(init.clone()).await;
    assert_eq!(socket.closed().await, (4403, "Forbidden".to_owned()));

    let shown = StreamGateway::with(&world, SocketLimits::default(), |settings| {
        settings.server.show_calls = true;
    })
    .await;
    let mut socket = shown.connect().await;
    socket.send(init).await;
    assert_eq!(socket.next().await["type"], "connection_ack");
    socket
        .subscribe("1", "{ users(provider: ADA) { totalCount } }")
        .await;
    let calls = &socket.messages("1").await[0]["payload"]["extensions"]["roster"]["calls"];
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
}

#[tokio::test]
async fn a_message_of_another_protocol_closes_with_4400_and_words_of_our_own() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    for text in [
        "nonsense",
        "7",
        "{}",
        r#"{"type":"unknown"}"#,
        r#"{"type":"subscribe","payload":{"query":"{ accounts { name } }"}}"#,
        r#"{"type":"subscribe","id":"","payload":{}}"#,
        r#"{"type":"complete"}"#,
    ] {
        let mut socket = gateway.socket().await;
        socket.send_text(text).await;

        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4400, "{text}: {reason}");
        for word in ["expected", "line", "column", "missing field", "variant"] {
            assert!(!reason.contains(word), "{text}: {reason}");
        }
    }
}

#[tokio::test]
async fn binary_messages_are_refused() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    let message = Message::Binary(b"{\"type\":\"ping\"}".to_vec().into());

    socket.stream.send(message).await.expect("an open socket");

    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn the_payload_of_a_ping_does_no_harm() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    let payload = json!({ "$serde_json::private::RawValue": "{broken" });

    socket
        .send(json!({ "type": "ping", "payload": payload }))
        .await;

    assert_eq!(socket.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_ping_of_the_protocol_is_answered() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = gateway.socket().await;

    socket.send(json!({ "type": "ping" })).await;

    assert_eq!(socket.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn the_gateway_pings_and_closes_a_client_that_answers_nothing() {
    let (_world, gateway) = gateway(SocketLimits {
        ping: Duration::from_millis(30),
        silence: Duration::from_millis(400),
        ..SocketLimits::default()
    })
    .await;

    // A client that reads answers pings by itself.
    let mut answers = gateway.socket().await;
    let pings = async {
        let mut pings = 0;
        while pings < 20 {
            let message = answers.stream.next().await.expect("an open socket");
            pings += usize::from(message.expect("a message").is_ping());
        }
    };
    timeout(PATIENCE, pings).await.expect("20 pings");

    // One that does not read answers none.
    let mut silent = gateway.socket().await;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(silent.closed().await.0, 1008);
}

#[tokio::test]
async fn the_close_of_a_client_is_answered() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    for code in [1000, 4999] {
        let mut socket = gateway.socket().await;
        let frame = CloseFrame {
            code: code.into(),
            reason: "bye".into(),
        };
        let close = Message::Close(Some(frame));
        socket.stream.send(close).await.expect("an open socket");

        assert_eq!(socket.closed().await.0, code);
    }
}

#[tokio::test]
async fn of_two_protocols_the_first_of_the_client_is_named_and_spoken() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    for (offered, spoken) in [
        ("graphql-ws, graphql-transport-ws", "data"),
        ("graphql-transport-ws, graphql-ws", "next"),
        ("mqtt, graphql-transport-ws", "next"),
    ] {
        let socket = connect(gateway.address, offered, &[]).await;
        let mut socket = socket.expect("an upgrade");
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket.subscribe("1", NAMES).await;
        assert_eq!(socket.messages("1").await[0]["type"], spoken, "{offered}");
    }
}

#[tokio::test]
async fn the_older_protocol_is_spoken_too() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let mut socket = connect(gateway.address, "graphql-ws", &[])
        .await
        .expect("an upgrade");
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.next().await["type"], "connection_ack");
    let start =
        |id: &str, query: &str| json!({ "type": "start", "id": id, "payload": { "query": query } });

    socket.send(start("1", NAMES)).await;
    let messages = socket.messages("1").await;
    assert_eq!(messages[0]["type"], "data", "{messages:?}");
    assert_eq!(messages[1]["type"], "complete");

    socket.send(start("2", "{ nobody }")).await;
    let messages = socket.messages("2").await;
    assert_eq!(messages[0]["type"], "error");
    let code = &messages[0]["payload"]["extensions"]["code"];
    assert_eq!(code, "GRAPHQL_VALIDATION_FAILED", "{messages:?}");

    socket.send(json!({ "type": "connection_terminate" })).await;
    assert_eq!(socket.closed().await.0, 1000);
}

#[tokio::test]
async fn a_socket_needs_a_protocol_that_is_spoken_here() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    for protocol in ["", "mqtt", "graphql-transport-ws2"] {
        assert_eq!(
            connect(gateway.address, protocol, &[]).await.err(),
            Some(400),
            "{protocol:?}"
        );
    }
}

#[tokio::test]
async fn an_upgrade_with_a_body_is_refused() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    for header in [("content-length", "5"), ("transfer-encoding", "chunked")] {
        let refused = connect(gateway.address, "graphql-transport-ws", &[header]).await;
        assert_eq!(refused.err(), Some(400), "{header:?}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_and_other_hosts_get_no_socket() {
    let (_world, gateway) = gateway(SocketLimits::default()).await;
    let own = format!("http://{}", gateway.address);
    for (headers, status) in [
        (("origin", "https://evil.example"), Some(403)),
        (("origin", "null"), Some(403)),
        (("host", "evil.example"), Some(421)),
        (("origin", "https://app.example"), None),
        (("origin", own.as_str()), None),
    ] {
        let refused = connect(gateway.address, "graphql-transport-ws", &[headers]).await;
        assert_eq!(refused.err(), status, "{headers:?}");
    }
}
