//! A client that does not read what it asked for.

use std::time::Duration;

use futures_util::SinkExt;
use roster::server::{SocketLimits, accept::ConnectionLimits, slow_client::MinTransferRate};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{PATIENCE, StreamGateway};
use crate::world::World;

#[tokio::test]
async fn a_socket_that_never_reads_is_closed_and_its_memory_released() {
    let world = World::with(500, |_| {}).await;
    let limits = ConnectionLimits {
        rate: MinTransferRate {
            max_lag: Duration::from_secs(2),
            ..MinTransferRate::default()
        },
        answer_time: Duration::from_millis(500),
        ..ConnectionLimits::default()
    };
    let gateway = StreamGateway::among(&world, SocketLimits::default(), limits, |_| {}).await;
    let mut socket = gateway.socket().await;
    let memory = gateway.executor.graph().memory.clone();
    let query = "{ users(provider: INTERCOM, first: 500) { nodes { raw attributes details { __typename } } } }";

    // Each response has some hundred thousand bytes: in the end no buffer takes the next one, and it is
    // counted for as long as it waits.
    let (mut counted, mut waited) = (0, 0);
    let fill = async {
        for n in 0.. {
            let message =
                json!({ "type": "subscribe", "id": n.to_string(), "payload": { "query": query } });
            let message = Message::Text(message.to_string().into());
            if socket.stream.send(message).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            waited = if memory.used() > 100_000 {
                waited + 1
            } else {
                0
            };
            counted = counted.max(waited);
        }
    };
    timeout(3 * PATIENCE, fill).await.expect("a closed socket");
    assert!(
        counted >= 25,
        "what waits to be sent is not counted: {counted}"
    );

    let released = async {
        while memory.used() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, released).await.expect("released memory");
}
