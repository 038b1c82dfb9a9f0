//! Answers that are too large: as they are, and in gzip.

use std::io;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures_util::stream::{self, Stream, StreamExt};

const HEAD: &[u8] = br#"{"padding":""#;
const TAIL: &[u8] = br#""}"#;
const PIECE: u64 = 64 << 10;
/// Gzip, deflate, nothing more known.
const GZIP_HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A JSON object of a size.
pub(super) fn big(bytes: u64, is_chunked: bool) -> Response {
    let padding = bytes.saturating_sub(frame());
    let piece = Bytes::from(vec![b'x'; size(PIECE.min(padding))]);
    let pieces = stream::unfold(padding, move |left| {
        let piece = piece.clone();
        async move {
            let size = size(left.min(PIECE));
            (size > 0).then(|| (piece.slice(..size), left - size as u64))
        }
    });
    let mut answer = json(fixed(HEAD).chain(pieces).chain(fixed(TAIL)));
    if !is_chunked {
        let length = HeaderValue::from(padding + frame());
        answer.headers_mut().insert(CONTENT_LENGTH, length);
    }
    answer
}

/// A JSON object of a size in gzip. One piece of its padding is packed once, in
/// a way that lets it be repeated, so it costs the sandbox almost no time or memory.
pub(super) fn gzip_bomb(bytes: u64) -> Response {
    let padding = bytes.saturating_sub(frame());
    let (full, rest) = (padding / PIECE, padding % PIECE);
    let piece = vec![b'x'; size(PIECE)];
    let (rest, packed) = (&piece[..size(rest)], Bytes::from(pack(&piece)));
    let mut crc = Crc::new();
    crc.update(HEAD);
    let mut of_piece = Crc::new();
    of_piece.update(&piece);
    (0..full).for_each(|_| crc.combine(&of_piece));
    crc.update(rest);
    crc.update(TAIL);
    let start = [GZIP_HEAD, &pack(HEAD)].concat();
    // An empty last block ends the stream.
    let end = [
        &pack(rest),
        &pack(TAIL),
        &[3, 0][..],
        &crc.sum().to_le_bytes(),
        &crc.amount().to_le_bytes(),
    ]
    .concat();
    let pieces = stream::iter((0..full).map(move |_| packed.clone()));
    let body = once(start.into()).chain(pieces).chain(once(end.into()));
    let mut answer = json(body);
    let gzip = HeaderValue::from_static("gzip");
    answer.headers_mut().insert(CONTENT_ENCODING, gzip);
    answer
}

/// Packs a piece so that it depends on nothing before it and ends at a byte.
fn pack(piece: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(piece.len() + 64);
    if !piece.is_empty() {
        let mut deflate = Compress::new(Compression::best(), false);
        // It writes to a vector, which grows as needed, so it cannot fail.
        let _ = deflate.compress_vec(piece, &mut packed, FlushCompress::Full);
    }
    packed
}

fn frame() -> u64 {
    (HEAD.len() + TAIL.len()) as u64
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

fn once(part: Bytes) -> impl Stream<Item = Bytes> {
    stream::once(async move { part })
}

fn fixed(part: &'static [u8]) -> impl Stream<Item = Bytes> {
    once(Bytes::from_static(part))
}

fn json(body: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(body.map(Ok::<_, io::Error>));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
