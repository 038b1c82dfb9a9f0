//! Response bodies in small pieces. Each piece notes when the socket has taken it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use http_body::{Frame, SizeHint};

use super::activity::InFlightRequest;

/// The largest piece that is sent at once. At the lowest rate, the client reads it before it is too
/// late.
const PIECE_BYTES: usize = 8 * 1024;

/// The usual factor by which compression shrinks JSON.
const COMPRESSION_RATIO: u64 = 8;

/// The size of a response before compression. A handler adds it to the response's extensions,
/// because the compressed size is unknown until the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct UncompressedBytes(pub(super) usize);

/// The body of a response. Its request is in flight until the socket has taken the last piece.
pub(super) struct ResponseBody {
    body: Body,
    /// The rest of a frame of the body.
    rest: Bytes,
    request: Arc<InFlightRequest>,
}

/// A piece of a response; it is dropped when the socket has taken it.
struct ResponseChunk {
    bytes: Bytes,
    request: Arc<InFlightRequest>,
}

/// Replaces a response's body with one that notes whether the client reads it.
pub(super) fn track(answer: Response, request: InFlightRequest) -> Response {
    request.begin_answer(expected_bytes(&answer));
    answer.map(|body| {
        Body::new(ResponseBody {
            body,
            rest: Bytes::new(),
            request: Arc::new(request),
        })
    })
}

/// The expected size of a response on the wire; 0 when it is unknown.
fn expected_bytes(answer: &Response) -> u64 {
    let uncompressed = answer.extensions().get::<UncompressedBytes>();
    let compressed = || uncompressed.map(|bytes| bytes.0 as u64 / COMPRESSION_RATIO);
    let exact = answer.body().size_hint().exact();
    exact.or_else(compressed).unwrap_or(0)
}

impl ResponseBody {
    fn next_piece(&mut self) -> Bytes {
        let bytes = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        Bytes::from_owner(ResponseChunk {
            bytes,
            request: Arc::clone(&self.request),
        })
    }
}

impl AsRef<[u8]> for ResponseChunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for ResponseChunk {
    fn drop(&mut self) {
        self.request.piece_taken();
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = Pin::new(&mut self.body).poll_frame(context);
            self.request.waits_for_client(frame.is_ready());
            match frame {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        // A stream of events has no size before they are there.
                        self.request.expect_bytes(data.len() as u64);
                        self.rest = data;
                    }
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end_or_pending => return end_or_pending,
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.next_piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_answer_is_expected_to_be_an_eighth_of_its_size() {
        let mut answer = Response::new(Body::from("12345"));
        answer.extensions_mut().insert(UncompressedBytes(8_000));
        assert_eq!(expected_bytes(&answer), 5);

        let unknown = futures_util::stream::pending::<Result<Bytes, axum::Error>>();
        let answer = answer.map(|_| Body::from_stream(unknown));
        assert_eq!(expected_bytes(&answer), 1_000);
    }
}
