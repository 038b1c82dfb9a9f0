//! The accept loop: bounds on slow, idle and many clients, which `axum::serve` does not set, and a stop
//! that lets requests under way end.

use std::{io, pin::pin, sync::Arc, time::Duration};

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
    answer::Answer,
    body::{BodyLimits, Receiving},
    hosts::Arrived,
    pace::LeastRate,
    room::Room,
    stream::{Linger, Stream},
    traffic::Traffic,
};

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long after it was accepted a connection must have sent its first whole request head.
    pub head: Duration,
    /// How long a connection may be kept without a request under way, counted from its last answer.
    pub idle: Duration,
    /// How fast a client must read its answers at least, where it keeps the gateway waiting.
    pub rate: LeastRate,
    /// What a request's body may take.
    pub body: BodyLimits,
    /// How many connections there may be. For one more the longest idle one is closed (one that never sent
    /// a request first), or else the one whose request has been received for longest; where all are
    /// being answered, the new one waits.
    pub connections: usize,
    /// What is still read of a client whose last request was answered before it was read.
    pub linger: Linger,
    /// How long requests under way may go on after the stop.
    pub drain: Duration,
}

/// Far more than the providers could serve, and still less than 1 GiB of buffers.
const MOST_CONNECTIONS: usize = 4096;

/// Enough for a few scrapers and health checks.
const ADMIN_CONNECTIONS: usize = 32;

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            // Longer than the 60 s of most load balancers, so that it is they who close.
            idle: Duration::from_secs(75),
            rate: LeastRate::default(),
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

impl Limits {
    /// Those of the listener for health and metrics.
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
    /// When the listener fails for good.
    pub async fn serve(
        self,
        listener: TcpListener,
        app: Router,
        readiness: Readiness,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let builder = self.builder();
        let room = Arc::new(Room::of(self.connections));
        let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
        let mut stop = pin!(async {
            stop.await;
            readiness.withdraw();
            tokio::time::sleep(readiness.notice()).await;
        });
        loop {
            let (stream, slot) = tokio::select! {
                accepted = room.accept(&listener) => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file descriptors, for one: it passes.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = &mut stop => break,
            };
            let traffic = Traffic::of(self, Arc::clone(&room));
            let held = self.hold(
                (builder.clone(), app.clone()),
                stream,
                traffic,
                stopping.clone(),
            );
            connections.spawn(async move {
                held.await;
                drop(slot);
            });
        }
        drop(listener);
        stopping.cancel();
        connections.close();
        if timeout(self.drain, connections.wait()).await.is_err() {
            tracing::warn!("some requests did not end in time and were cut off");
        }
        Ok(())
    }

    fn builder(self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        // Hyper's own timer starts only when the protocol is known, and between requests too: it could
        // not tell a slow client from one that keeps its connection. `Traffic` does.
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(self.head));
        builder
    }

    /// One connection, to its end.
    async fn hold(
        self,
        (builder, app): (Builder<TokioExecutor>, Router),
        stream: TcpStream,
        traffic: Arc<Traffic>,
        stopping: CancellationToken,
    ) {
        let arrived = Arrived(stream.local_addr().ok().map(|address| address.ip()));
        let follower = Follower {
            traffic: Arc::clone(&traffic),
            body: self.body,
            arrived,
        };
        let app = Router::new()
            .fallback_service(app)
            .layer(middleware::from_fn_with_state(follower, followed));
        let (stream, left) = Stream::of(stream, Arc::clone(&traffic));
        let end = converse(builder, stream, app, &traffic, stopping).await;
        if end == End::Reached {
            self.linger.close(&left).await;
        }
        traffic.end();
    }
}

/// Answers requests until the client or the gateway has had enough.
async fn converse(
    builder: Builder<TokioExecutor>,
    stream: Stream,
    app: Router,
    traffic: &Traffic,
    stopping: CancellationToken,
) -> End {
    let service = TowerToHyperService::new(app);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            return End::Reached;
        }
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
        () = traffic.told_to_leave() => {
            connection.as_mut().graceful_shutdown();
            let ended = connection.as_mut().now_or_never();
            // A request came in the meantime: it is answered.
            if ended.is_none() && !traffic.is_spare() {
                tokio::select! {
                    _ = connection => {}
                    () = traffic.outstayed() => {}
                }
            }
        }
        () = traffic.outstayed() => {
            if traffic.is_idle() {
                connection.as_mut().graceful_shutdown();
                // A client that does not even take the goodbye gets none.
                let _ = timeout(traffic.limits.head, connection).await;
            } else {
                tracing::debug!("a client reads too slowly: its connection is closed");
            }
        }
    }
    End::Forced
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// By itself, after its last answer or when the client went.
    Reached,
    /// The gateway closed it.
    Forced,
}

/// What the requests of a connection need to know of it.
#[derive(Clone)]
struct Follower {
    traffic: Arc<Traffic>,
    body: BodyLimits,
    arrived: Arrived,
}

/// Counts a request as under way until its answer is handed over.
async fn followed(State(connection): State<Follower>, request: Request, next: Next) -> Response {
    let under_way = connection.traffic.begin();
    let mut request = request.map(|body| received(body, &connection.traffic));
    request.extensions_mut().insert(connection.body);
    request.extensions_mut().insert(connection.arrived);
    let answer = next.run(request).await;
    answer.map(|body| Body::new(Answer::of(body, under_way)))
}

/// A body that is noted for as long as it is received.
fn received(body: Body, traffic: &Arc<Traffic>) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Receiving::of(body, Arc::clone(traffic)))
}
