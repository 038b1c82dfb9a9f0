//! The accept loop: limits on slow, idle and many clients, which `axum::serve` does not set, and a
//! shutdown that lets requests in flight end.

use std::{io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use futures_util::FutureExt;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Readiness,
    activity::ConnectionActivity,
    body::{BodyLimits, BodyReader, ReceivingBody},
    connection_pool::ConnectionPool,
    hosts::LocalAddress,
    response,
    slow_client::MinTransferRate,
    stream::{ClientStream, Linger},
    upgrade::UpgradeHandle,
};

/// Limits on connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The time within which a new connection must have sent its first whole request head.
    pub head: Duration,
    /// The time for which a connection may have no request in flight, counted from its last
    /// response.
    pub idle: Duration,
    /// The lowest rate at which a client must read its responses.
    pub rate: MinTransferRate,
    /// The time within which every response must be read: a response larger than `rate` allows in
    /// this time must be read faster.
    pub answer_time: Duration,
    /// Limits on the bodies of requests.
    pub body: BodyLimits,
    /// The largest number of streams of one HTTP/2 connection at a time.
    pub streams: u32,
    /// The largest number of connections. A new one beyond it closes another: one that never sent a
    /// request, or else the longest idle one, one whose response is not read, or one whose request
    /// arrives slowly. If there is none of these, the new one waits.
    pub connections: usize,
    /// Limits on reading the rest of a request that was answered before it arrived whole.
    pub linger: Linger,
    /// The time for which requests in flight may continue after the shutdown begins.
    pub drain: Duration,
}

/// Far more than the providers can serve, and still less than 1 GiB of buffers.
const MOST_CONNECTIONS: usize = 4096;

/// Enough for a few scrapers and health checks.
const ADMIN_CONNECTIONS: usize = 32;

/// The bytes that an HTTP/2 connection may send before a handler reads them: half of the largest
/// body.
const RECEIVE_WINDOW: u32 = 128 * 1024;

/// The same for one of its streams: the default of HTTP/2.
const STREAM_WINDOW: u32 = 64 * 1024 - 1;

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            // Longer than the 60 s of most load balancers, so that the load balancer closes first.
            idle: Duration::from_secs(75),
            rate: MinTransferRate::default(),
            answer_time: Duration::from_secs(300),
            streams: 64,
            body: BodyLimits::default(),
            connections: MOST_CONNECTIONS,
            linger: Linger {
                bytes: 16 * 1024 * 1024,
                time: Duration::from_secs(2),
            },
            drain: Duration::from_secs(20),
        }
    }
}

impl ConnectionLimits {
    /// The limits of the listener for health and metrics.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            connections: ADMIN_CONNECTIONS,
            ..Self::default()
        }
    }

    /// Serves connections within these limits until `stop`.
    ///
    /// # Errors
    /// A permanent failure of the listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        app: Router,
        readiness: Readiness,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let builder = self.builder();
        let bodies = BodyReader::new(self.body);
        let pool = Arc::new(ConnectionPool::new(self.connections));
        let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
        let mut stop = pin!(async {
            stop.await;
            readiness.start_draining();
            tokio::time::sleep(readiness.shutdown_delay()).await;
        });
        loop {
            let (stream, slot) = tokio::select! {
                accepted = pool.accept(&listener) => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // A lack of file descriptors, for example, passes.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = &mut stop => break,
            };
            let activity = ConnectionActivity::new(self, Arc::clone(&pool));
            let handle = ConnectionHandle {
                upgrade: UpgradeHandle::new(Arc::clone(&activity), stopping.clone()),
                activity,
                bodies: bodies.clone(),
                arrived: LocalAddress(stream.local_addr().ok().map(|address| address.ip())),
                peer: PeerAddress(stream.peer_addr().ok().map(|address| address.ip())),
            };
            let server = (builder.clone(), app.clone());
            let connection = self.run_connection(server, stream, handle, stopping.clone());
            connections.spawn(async move {
                connection.await;
                drop(slot);
            });
        }
        drop(listener);
        stopping.cancel();
        connections.close();
        let ended = async {
            connections.wait().await;
            readiness.wait_for_writes().await;
        };
        if timeout(self.drain, ended).await.is_err() {
            tracing::warn!("some requests did not end in time and were cut off");
        }
        Ok(())
    }

    fn builder(self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        // Hyper's own timer starts only when the protocol is known, and also runs between requests:
        // it cannot tell a slow client from one that keeps its connection. `ConnectionActivity`
        // can.
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None);
        // A ping queues behind data that the client has not read yet, so its answer may come as
        // late as a response may be read.
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.streams)
            .initial_connection_window_size(RECEIVE_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .keep_alive_interval(Some(self.head))
            .keep_alive_timeout(self.answer_time);
        builder
    }

    /// Serves one connection until it ends.
    async fn run_connection(
        self,
        (builder, app): (Builder<TokioExecutor>, Router),
        stream: TcpStream,
        handle: ConnectionHandle,
        stopping: CancellationToken,
    ) {
        let activity = Arc::clone(&handle.activity);
        let upgrade = handle.upgrade.clone();
        let app = Router::new()
            .fallback_service(app)
            .layer(middleware::from_fn_with_state(handle, track_request));
        let (stream, returned) = ClientStream::new(stream, Arc::clone(&activity));
        let end = serve_connection(builder, stream, app, &activity, stopping).await;
        if end == ConnectionEnd::Complete {
            upgrade.wait().await;
            if !activity.is_forced() {
                self.linger.close(&returned).await;
            }
        }
        activity.end();
    }
}

/// Answers requests until the client or the gateway ends the connection.
async fn serve_connection(
    builder: Builder<TokioExecutor>,
    stream: ClientStream,
    app: Router,
    activity: &ConnectionActivity,
    stopping: CancellationToken,
) -> ConnectionEnd {
    let service = TowerToHyperService::new(app);
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    tokio::select! {
        // A request that has arrived is read before its connection can be closed for another.
        biased;
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            return ConnectionEnd::Complete;
        }
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
        () = activity.wait_for_eviction() => {
            connection.as_mut().graceful_shutdown();
            let ended = connection.as_mut().now_or_never();
            // A request came in the meantime, so answer it.
            if ended.is_none() && !activity.is_evictable() {
                tokio::select! {
                    _ = connection => {}
                    () = activity.wait_for_timeout() => {}
                }
            }
        }
        () = activity.wait_for_timeout() => {
            if activity.is_idle() {
                connection.as_mut().graceful_shutdown();
                // A client that does not even take the goodbye gets none.
                let _ = timeout(activity.limits.head, connection).await;
            } else {
                tracing::debug!("a client reads too slowly: its connection is closed");
            }
        }
    }
    ConnectionEnd::Forced
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ConnectionEnd {
    /// It ended after its last response, or the client closed it.
    Complete,
    /// The gateway closed it.
    Forced,
}

/// The parts of a connection that its requests use.
#[derive(Clone)]
struct ConnectionHandle {
    activity: Arc<ConnectionActivity>,
    upgrade: UpgradeHandle,
    bodies: BodyReader,
    arrived: LocalAddress,
    peer: PeerAddress,
}

/// The address from which a client connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerAddress(pub(super) Option<IpAddr>);

/// Counts a request as in flight until the socket has taken its response.
async fn track_request(
    State(connection): State<ConnectionHandle>,
    request: Request,
    next: Next,
) -> Response {
    let ConnectionHandle {
        activity,
        upgrade,
        bodies,
        arrived,
        peer,
    } = connection;
    let in_flight = activity.begin_request();
    let mut request = request.map(|body| track_body(body, activity));
    request.extensions_mut().insert(bodies);
    request.extensions_mut().insert(arrived);
    request.extensions_mut().insert(upgrade);
    request.extensions_mut().insert(peer);
    response::track(next.run(request).await, in_flight)
}

/// Counts a body as being received until it has arrived.
fn track_body(body: Body, activity: Arc<ConnectionActivity>) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(ReceivingBody::new(body, activity))
}
