//! Reads a request's body whole, unless it is too large or too slow.

use std::{
    convert::Infallible,
    fmt,
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
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{
    activity::ConnectionActivity,
    slow_client::{MinTransferRate, SlowClientTimer},
};

/// Limits on the bodies of requests.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The largest body, in bytes.
    pub bytes: usize,
    /// The bytes of all bodies being received at the same time.
    pub total_bytes: usize,
    /// The lowest rate at which a client must send.
    pub rate: MinTransferRate,
    /// The longest time for a whole body.
    pub time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024,
            total_bytes: 64 * 1024 * 1024,
            rate: MinTransferRate::default(),
            time: Duration::from_secs(60),
        }
    }
}

/// Why a body was not read whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BodyError {
    /// It exceeds the limit.
    TooLarge { bytes: usize },
    /// It came too slowly.
    TooSlow { per_second: usize, time: Duration },
    /// The client gave up, or sent an invalid body.
    CutShort,
    /// All bodies together exceed their limit.
    Overloaded,
}

impl BodyError {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::CutShort => StatusCode::BAD_REQUEST,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLarge { bytes } => {
                let most = size(bytes);
                write!(f, "the body is too large: a request may have {most}")
            }
            Self::TooSlow { per_second, time } => {
                let (rate, seconds) = (size(per_second), time.as_secs_f64());
                write!(
                    f,
                    "the body came too slowly: send at least {rate} a second, and all of it within \
                     {seconds} seconds"
                )
            }
            Self::CutShort => f.write_str("the body was cut short"),
            Self::Overloaded => f.write_str("the gateway receives too much; try again in a moment"),
        }
    }
}

/// Formats a number of bytes for people.
fn size(bytes: usize) -> String {
    if bytes.is_multiple_of(1024) {
        format!("{} KiB", bytes / 1024)
    } else {
        format!("{bytes} bytes")
    }
}

/// The body of a request, or why it is missing.
pub(super) struct RequestBody(pub(super) Result<Bytes, BodyError>);

impl<S: Sync> FromRequest<S> for RequestBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let reader = request.extensions().get::<BodyReader>().cloned();
        let reader = reader.unwrap_or_else(|| BodyReader::new(BodyLimits::default()));
        Ok(Self(reader.read(request.into_body()).await))
    }
}

/// A request's body while it arrives.
pub(super) struct ReceivingBody {
    body: Body,
    /// Taken when the whole body has arrived.
    activity: Option<Arc<ConnectionActivity>>,
}

impl ReceivingBody {
    pub(super) fn new(body: Body, activity: Arc<ConnectionActivity>) -> Self {
        activity.begin_body();
        let activity = Some(activity);
        Self { body, activity }
    }

    fn end(&mut self) {
        if let Some(activity) = self.activity.take() {
            activity.end_body();
        }
    }
}

impl Drop for ReceivingBody {
    fn drop(&mut self) {
        self.end();
    }
}

impl HttpBody for ReceivingBody {
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

/// Reads bodies within limits that all requests share.
#[derive(Clone, Debug)]
pub(super) struct BodyReader {
    limits: BodyLimits,
    /// One permit for each byte that may still be received.
    memory: Arc<Semaphore>,
}

impl BodyReader {
    pub(super) fn new(limits: BodyLimits) -> Self {
        let memory = limits.total_bytes.min(Semaphore::MAX_PERMITS);
        Self {
            limits,
            memory: Arc::new(Semaphore::new(memory)),
        }
    }

    async fn read(self, mut body: Body) -> Result<Bytes, BodyError> {
        let BodyLimits {
            bytes, rate, time, ..
        } = self.limits;
        // A client that sends `Expect: 100-continue` gets its refusal before it sends the body.
        if body.size_hint().lower() > bytes as u64 {
            return Err(BodyError::TooLarge { bytes });
        }
        let mut received = ReceivedBytes::none(&self.memory)?;
        let mut timer = SlowClientTimer::new(rate, Duration::ZERO);
        let end = Instant::now() + time;
        loop {
            let asked = Instant::now();
            let frame = timeout_at(end.min(asked + timer.remaining()), body.frame()).await;
            let data = match frame.map_err(|_| self.too_slow())? {
                None => return Ok(Bytes::from_owner(received)),
                Some(Err(_)) => return Err(BodyError::CutShort),
                // Nothing here needs trailers.
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            if received.bytes.len() + data.len() > bytes {
                return Err(BodyError::TooLarge { bytes });
            }
            timer.add_wait(asked.elapsed());
            timer.add_bytes(data.len());
            received.add(&data, &self.memory)?;
        }
    }

    fn too_slow(&self) -> BodyError {
        BodyError::TooSlow {
            per_second: self.limits.rate.bytes_per_second as usize,
            time: self.limits.time,
        }
    }
}

/// The bytes of a body, with the permits for them.
struct ReceivedBytes {
    bytes: Vec<u8>,
    memory: OwnedSemaphorePermit,
}

impl ReceivedBytes {
    fn none(memory: &Arc<Semaphore>) -> Result<Self, BodyError> {
        Ok(Self {
            bytes: Vec::new(),
            memory: acquire(memory, 0)?,
        })
    }

    fn add(&mut self, data: &[u8], memory: &Arc<Semaphore>) -> Result<(), BodyError> {
        self.memory.merge(acquire(memory, data.len())?);
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

impl AsRef<[u8]> for ReceivedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn acquire(memory: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, BodyError> {
    let permits = u32::try_from(bytes).map_err(|_| BodyError::Overloaded)?;
    let acquired = Arc::clone(memory).try_acquire_many_owned(permits);
    acquired.map_err(|_| BodyError::Overloaded)
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use tokio::time::sleep;

    use super::*;

    /// Reads a body of `pieces` pieces, one per interval.
    async fn read(pieces: usize, bytes: usize, every: Duration) -> Result<usize, BodyError> {
        let pieces = stream::iter(0..pieces).then(move |_| async move {
            sleep(every).await;
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; bytes]))
        });
        let body = Body::from_stream(pieces);
        let read = BodyReader::new(BodyLimits::default()).read(body).await;
        read.map(|body| body.len())
    }

    const SECOND: Duration = Duration::from_secs(1);

    const TOO_SLOW: BodyError = BodyError::TooSlow {
        per_second: 1024,
        time: Duration::from_secs(60),
    };

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_the_least_rate_is_read() {
        assert_eq!(read(50, 1024, SECOND).await, Ok(50 * 1024));
        assert_eq!(read(6, 40_000, 9 * SECOND).await, Ok(240_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_the_least_rate_but_not_the_minute_is_too_slow() {
        assert_eq!(read(61, 1024, SECOND).await, Err(TOO_SLOW));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_below_the_least_rate_is_too_slow() {
        assert_eq!(read(100, 1, 8 * SECOND).await, Err(TOO_SLOW));
        assert_eq!(read(1, 1, 11 * SECOND).await, Err(TOO_SLOW));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_over_the_limit_is_too_large_whether_or_not_it_says_its_size() {
        let said = Body::from(vec![b'x'; 256 * 1024 + 1]);

        let too_large = BodyError::TooLarge { bytes: 256 * 1024 };
        let reader = BodyReader::new(BodyLimits::default());
        assert_eq!(reader.read(said).await, Err(too_large));
        assert_eq!(read(257, 1024, Duration::ZERO).await, Err(too_large));
        assert_eq!(read(256, 1024, Duration::ZERO).await, Ok(256 * 1024));
    }

    #[test]
    fn messages_name_the_limits_as_they_are_set() {
        let messages = [
            BodyError::TooLarge { bytes: 2048 },
            BodyError::TooLarge { bytes: 1000 },
            TOO_SLOW,
        ];

        assert_eq!(
            messages.map(|error| error.to_string()),
            [
                "the body is too large: a request may have 2 KiB",
                "the body is too large: a request may have 1000 bytes",
                "the body came too slowly: send at least 1 KiB a second, and all of it within 60 seconds",
            ]
        );
    }

    #[tokio::test]
    async fn bodies_hold_their_part_of_the_memory_until_they_are_dropped() {
        let reader = BodyReader::new(BodyLimits {
            total_bytes: 100,
            ..BodyLimits::default()
        });
        let read = |bytes| reader.clone().read(Body::from(vec![b'x'; bytes]));

        let first = read(60).await.expect("there is room");
        assert_eq!(read(41).await, Err(BodyError::Overloaded));
        let second = read(40).await.expect("there is room");
        assert!(read(0).await.is_ok());

        drop((first, second));
        assert!(read(100).await.is_ok());
    }
}
