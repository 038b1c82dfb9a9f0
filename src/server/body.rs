//! A request's body, read whole: neither too large nor too slow.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::StatusCode,
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::{
    pace::{LeastRate, Pace},
    traffic::Traffic,
};

/// What a body may take.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The largest body, in bytes.
    pub bytes: usize,
    /// How fast it must come at least.
    pub rate: LeastRate,
    /// How long it may take in all.
    pub time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024,
            rate: LeastRate::default(),
            time: Duration::from_secs(60),
        }
    }
}

/// Why a body is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unread {
    /// It is larger than it may be.
    TooLarge,
    /// It came too slowly.
    TooSlow,
    /// The client gave up, or sent what is no body.
    CutShort,
}

impl Unread {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::CutShort => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::TooLarge => "the body is too large: a request may have 256 KiB",
            Self::TooSlow => {
                "the body came too slowly: send at least 1 KiB a second, and all of it within a minute"
            }
            Self::CutShort => "the body was cut short",
        }
    }
}

/// The body of a request, or why it is not there.
pub(super) struct Whole(pub(super) Result<Bytes, Unread>);

impl<S: Sync> FromRequest<S> for Whole {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let limits = request.extensions().get::<BodyLimits>().copied();
        let body = limits.unwrap_or_default().read(request.into_body()).await;
        Ok(Self(body))
    }
}

/// The body of a request while it is received.
pub(super) struct Receiving {
    body: Body,
    /// Nothing when all of it is here.
    traffic: Option<Arc<Traffic>>,
}

impl Receiving {
    pub(super) fn of(body: Body, traffic: Arc<Traffic>) -> Self {
        traffic.receives(true);
        let traffic = Some(traffic);
        Self { body, traffic }
    }

    fn end(&mut self) {
        if let Some(traffic) = self.traffic.take() {
            traffic.receives(false);
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.end();
    }
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if self.body.is_end_stream() || !matches!(frame, Some(Ok(_))) {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl BodyLimits {
    async fn read(self, mut body: Body) -> Result<Bytes, Unread> {
        // A client that asks first whether to send so much is told before it does.
        if body.size_hint().lower() > self.bytes as u64 {
            return Err(Unread::TooLarge);
        }
        let (mut whole, mut pace) = (Vec::new(), Pace::new(self.rate));
        let end = Instant::now() + self.time;
        loop {
            let asked = Instant::now();
            let frame = timeout_at(end.min(asked + pace.left()), body.frame()).await;
            let data = match frame.map_err(|_| Unread::TooSlow)? {
                None => return Ok(whole.into()),
                Some(Err(_)) => return Err(Unread::CutShort),
                // Trailers say nothing that is wanted.
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            if whole.len() + data.len() > self.bytes {
                return Err(Unread::TooLarge);
            }
            pace.waited(asked.elapsed());
            pace.moved(data.len());
            whole.extend_from_slice(&data);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use tokio::time::sleep;

    use super::*;

    /// A body of so many pieces, one every so often.
    async fn read(pieces: usize, bytes: usize, every: Duration) -> Result<usize, Unread> {
        let pieces = stream::iter(0..pieces).then(move |_| async move {
            sleep(every).await;
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; bytes]))
        });
        let body = Body::from_stream(pieces);
        let read = BodyLimits::default().read(body).await;
        read.map(|body| body.len())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_the_least_rate_is_read() {
        assert_eq!(read(50, 1024, SECOND).await, Ok(50 * 1024));
        assert_eq!(read(6, 40_000, 9 * SECOND).await, Ok(240_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_the_least_rate_but_not_the_minute_is_too_slow() {
        assert_eq!(read(61, 1024, SECOND).await, Err(Unread::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_below_the_least_rate_is_too_slow() {
        assert_eq!(read(100, 1, 8 * SECOND).await, Err(Unread::TooSlow));
        assert_eq!(read(1, 1, 11 * SECOND).await, Err(Unread::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_over_the_limit_is_too_large_whether_or_not_it_says_its_size() {
        let said = Body::from(vec![b'x'; 256 * 1024 + 1]);

        assert_eq!(
            BodyLimits::default().read(said).await,
            Err(Unread::TooLarge)
        );
        assert_eq!(read(257, 1024, Duration::ZERO).await, Err(Unread::TooLarge));
        assert_eq!(read(256, 1024, Duration::ZERO).await, Ok(256 * 1024));
    }
}
