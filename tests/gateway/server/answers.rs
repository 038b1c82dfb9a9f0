//! Clients that read their answers slowly, or not at all.

use roster::server::slow_client::MinTransferRate;
use tokio::{
    net::TcpSocket,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    AsyncReadExt, AsyncWriteExt, ConnectionLimits, Duration, LARGE, MEDIUM, PATIENCE, SHORT,
    SocketAddr, TcpStream, closed, connect, request, rest, send, serve, sleep, timeout,
};

/// A rate that a test can fall behind.
const RATE: MinTransferRate = MinTransferRate {
    bytes_per_second: 1024,
    max_lag: Duration::from_millis(200),
};

fn one_place() -> ConnectionLimits {
    ConnectionLimits {
        rate: RATE,
        connections: 1,
        ..ConnectionLimits::default()
    }
}

/// A client whose system buffers little of what it does not read.
async fn small(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a size");
    socket.connect(address).await.expect("a connection")
}

/// Reads at a rate until the connection ends, or up to `bytes` bytes. Returns how many it read.
async fn read_at(stream: &mut TcpStream, bytes: usize, per_second: usize) -> usize {
    let mut piece = vec![0; per_second / 20];
    let mut ticks = interval(Duration::from_millis(50));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut read = 0;
    while read < bytes {
        ticks.tick().await;
        let got = timeout(PATIENCE, stream.read(&mut piece)).await;
        match got.expect("in time") {
            Ok(0) | Err(_) => return read,
            Ok(got) => read += got,
        }
    }
    read
}

/// An HTTP/2 connection that requests a path and gives the server only the first window.
async fn http_2(address: SocketAddr, settings: &[u8], path: &str) -> TcpStream {
    let mut stream = connect(address).await;
    let path_len = u8::try_from(path.len()).expect("a short path");
    let get = [
        b"\x82\x86\x44",
        &[path_len][..],
        path.as_bytes(),
        b"\x41\x06roster",
    ]
    .concat();
    let sent = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &[0, 0, settings.len() as u8, 4, 0, 0, 0, 0, 0],
        settings,
        &[0, 0, get.len() as u8, 1, 5, 0, 0, 0, 1],
        &get,
    ];
    let sent = stream.write_all(&sent.concat()).await;
    sent.expect("an open connection");
    stream
}

/// The setting that gives streams no window at first.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

#[tokio::test]
async fn an_answer_that_is_read_slowly_is_not_cut() {
    let rate = MinTransferRate {
        bytes_per_second: 128 * 1024,
        max_lag: Duration::from_millis(200),
    };
    let limits = ConnectionLimits {
        rate,
        ..ConnectionLimits::default()
    };
    let address = serve(limits, Duration::ZERO).await;
    // The systems of both sides buffer as usual.
    let mut stream = connect(address).await;
    send(&mut stream, "/medium").await;

    let read = read_at(&mut stream, MEDIUM, 2 * 128 * 1024).await;

    assert!(read >= MEDIUM, "cut after {read} bytes");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_loses_its_slot() {
    let address = serve(one_place(), Duration::ZERO).await;
    let mut idle = small(address).await;
    send(&mut idle, "/large").await;
    sleep(SHORT).await;

    request(&mut connect(address).await).await;

    let said = rest(&mut idle).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.len() < LARGE);
}

#[tokio::test]
async fn an_unread_http_2_answer_makes_room() {
    let address = serve(one_place(), Duration::ZERO).await;
    let mut stalled = http_2(address, b"", "/large").await;
    // The server sends what the first window allows.
    let mut first = vec![0; 60_000];
    stalled.read_exact(&mut first).await.expect("an answer");

    request(&mut connect(address).await).await;

    closed(stalled).await;
}

#[tokio::test]
async fn a_stream_of_http_2_that_gets_no_window_ends_its_connection() {
    let many = ConnectionLimits {
        connections: 10,
        ..one_place()
    };
    let address = serve(many, Duration::ZERO).await;
    let start = Instant::now();

    closed(http_2(address, NO_WINDOW, "/large").await).await;

    assert!(start.elapsed() < many.idle / 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_large_answer_must_be_read_within_its_time() {
    let limits = ConnectionLimits {
        rate: RATE,
        answer_time: Duration::from_secs(2),
        ..ConnectionLimits::default()
    };
    let address = serve(limits, Duration::ZERO).await;
    let mut stream = small(address).await;
    send(&mut stream, "/large").await;

    // A thousand times the lowest rate for small answers, and an eighth of what this one needs.
    let read = read_at(&mut stream, LARGE, 1 << 20).await;

    assert!(read < LARGE / 2, "{read} bytes");
}

/// The kind and the payload of the next frame.
async fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 9];
    let read = timeout(PATIENCE, stream.read_exact(&mut head)).await;
    read.expect("in time").expect("a frame");
    let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut payload).await.expect("a frame");
    (head[3], payload)
}

/// The value of a setting, if it is set.
fn setting(settings: &[[u8; 6]], id: u8) -> Option<u32> {
    let found = settings.iter().find(|setting| setting[..2] == [0, id]);
    found.map(|setting| u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]))
}

#[tokio::test]
async fn a_connection_of_http_2_has_64_streams_and_a_window_of_128_kib() {
    let address = serve(ConnectionLimits::default(), Duration::ZERO).await;
    let mut stream = http_2(address, b"", "/").await;

    const SETTINGS: u8 = 4;
    const WINDOW_UPDATE: u8 = 8;
    let (mut streams, mut window) = (0, 64 * 1024 - 1);
    while streams == 0 || window < 64 * 1024 {
        let (kind, payload) = frame(&mut stream).await;
        let (settings, _) = payload.as_chunks();
        match (kind, settings) {
            (SETTINGS, settings) => streams = setting(settings, 3).unwrap_or(streams),
            (WINDOW_UPDATE, _) => {
                window += u32::from_be_bytes(payload.try_into().expect("four bytes"))
            }
            _ => {}
        }
    }
    assert_eq!((streams, window), (64, 128 * 1024));
}
