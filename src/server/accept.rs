//! The accept loop: bounds on slow, idle and many clients, which `axum::serve` does not set, and a stop
//! that lets requests under way end.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Readiness;

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long after it was accepted a connection must have sent its first whole request head.
    pub head: Duration,
    /// How long a connection may be kept without a request under way, counted from its last answer.
    pub idle: Duration,
    /// How many connections there may be; more wait in the system's queue until one ends.
    pub connections: usize,
    /// How long requests under way may go on after the stop.
    pub drain: Duration,
}

/// Far more than the vendors could serve, and still less than 1 GiB of buffers.
const MOST_CONNECTIONS: usize = 4096;

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            // Longer than the 60 s of most load balancers, so that it is they who close.
            idle: Duration::from_secs(75),
            connections: MOST_CONNECTIONS,
            drain: Duration::from_secs(20),
        }
    }
}

/// Serves connections until `stop`, then lets requests under way end for at most `drain`.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    readiness: Readiness,
    drain: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = Limits {
        drain,
        ..Limits::default()
    };
    limits.serve(listener, app, readiness, stop).await
}

impl Limits {
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
        let slots = Arc::new(Semaphore::new(self.connections));
        let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
        let mut stop = pin!(async {
            stop.await;
            readiness.withdraw();
            tokio::time::sleep(readiness.notice()).await;
        });
        loop {
            let (stream, slot) = tokio::select! {
                accepted = accept(&listener, &slots) => match accepted {
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
            let held = self.hold(builder.clone(), stream, app.clone(), stopping.clone());
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
        // not tell a slow client from one that keeps its connection. `unused` does.
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
        builder: Builder<TokioExecutor>,
        stream: TcpStream,
        app: Router,
        stopping: CancellationToken,
    ) {
        // Answers are written whole: there is nothing to gain from waiting for more of one.
        let _ = stream.set_nodelay(true);
        let (under_way, use_of_it) = watch::channel(Use::Never);
        let app = Router::new()
            .fallback_service(app)
            .layer(middleware::from_fn_with_state(under_way, counted));
        let service = TowerToHyperService::new(app);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = self.unused(use_of_it) => {
                connection.as_mut().graceful_shutdown();
                // A client that does not even take the goodbye gets none.
                timeout(self.head, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    /// Ends when a connection has sent no request for too long, and none is under way.
    async fn unused(self, mut of_it: watch::Receiver<Use>) {
        loop {
            let patience = match *of_it.borrow_and_update() {
                Use::Never => self.head,
                Use::Requests(0) => self.idle,
                Use::Requests(_) => Duration::MAX,
            };
            match timeout(patience, of_it.changed()).await {
                Ok(Ok(())) => {}
                // The connection is over: its task is about to see that.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => return,
            }
        }
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await;
    let slot = slot.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

/// What a connection has been used for.
#[derive(Clone, Copy)]
enum Use {
    /// No request has come yet.
    Never,
    /// So many requests are under way now.
    Requests(usize),
}

/// A request under way, counted until it is dropped: some are answered, some are given up.
struct UnderWay(watch::Sender<Use>);

impl UnderWay {
    fn on(connection: watch::Sender<Use>) -> Self {
        connection.send_modify(|used| {
            *used = match *used {
                Use::Never => Use::Requests(1),
                Use::Requests(number) => Use::Requests(number + 1),
            };
        });
        Self(connection)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|used| {
            if let Use::Requests(number) = used {
                *number = number.saturating_sub(1);
            }
        });
    }
}

async fn counted(
    State(connection): State<watch::Sender<Use>>,
    request: Request,
    next: Next,
) -> Response {
    let _under_way = UnderWay::on(connection);
    next.run(request).await
}
