//! A client that does not read what it asked for.

use std::time::Duration;

use futures_util::SinkExt;
use roster::server::{SocketLimits, accept::ConnectionLimits, slow_client::MinTransferRate};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{PATIENCE, StreamGateway};
use crate::world::World;

/// Sixteen lists of some megabyte each: more than the buffers between a gateway and a client hold.
fn large_query() -> String {
    let list = |n| format!("a{n}: users(provider: INTERCOM, first: 500) {{ nodes {{ raw }} }} ");
    format!("{{ {} }}", (0..16).map(list).collect::<String>())
}

#[tokio::test]
async fn a_response_that_no_client_reads_is_counted_until_its_socket_is_closed() {
    let world = World::with(2_000, |_| {}).await;
    let limits = ConnectionLimits {
        rate: MinTransferRate {
            max_lag: Duration::from_secs(4),
            ..MinTransferRate::default()
        },
        answer_time: Duration::from_millis(500),
        ..ConnectionLimits::default()
    };
    let gateway = StreamGateway::among(&world, SocketLimits::default(), limits, |_| {}).await;
    let memory = gateway.executor.graph().memory.clone();
    let mut socket = gateway.socket().await;

    socket.subscribe("1", &large_query()).await;
    let counted = async {
        while memory.used() < 1_000_000 {
            tokio::task::yield_now().await;
        }
        while memory.used() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(3 * PATIENCE, counted)
        .await
        .expect("a released response");

    // Its memory is free, so the socket is closed: the client cannot send any more.
    let closed = async {
        let ping = || Message::Ping(Default::default());
        while socket.stream.send(ping()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let closed = timeout(Duration::from_secs(1), closed).await;
    closed.expect("a response that still waits to be sent is not counted");
}
