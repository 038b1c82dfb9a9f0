//! A connection's socket. It counts the bytes that are written, and gives a client that is still
//! sending when its response is ready the time to read it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use super::activity::ConnectionActivity;

/// The unsent bytes that the system buffers for a connection. With a larger buffer it would take
/// minutes to see that a slow client reads on.
const UNSENT: u32 = 16 * 1024;

/// The place where a connection puts its socket when it ends.
pub(super) type ReturnedSocket = Arc<Mutex<Option<TcpStream>>>;

/// The socket of a connection.
pub(super) struct ClientStream {
    socket: Option<TcpStream>,
    returned: ReturnedSocket,
    activity: Arc<ConnectionActivity>,
}

impl ClientStream {
    pub(super) fn new(
        socket: TcpStream,
        activity: Arc<ConnectionActivity>,
    ) -> (Self, ReturnedSocket) {
        // Responses are written whole, so waiting for more data gains nothing.
        let _ = socket.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT);
        let returned = ReturnedSocket::default();
        let stream = Self {
            socket: Some(socket),
            returned: Arc::clone(&returned),
            activity,
        };
        (stream, returned)
    }

    fn with_socket<T>(
        &mut self,
        then: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.socket {
            Some(socket) => then(Pin::new(socket)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Notes whether the socket took bytes.
    fn record_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.activity.note_blocked(),
            Poll::Ready(Ok(bytes)) => self.activity.note_written(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = self.socket.take();
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.with_socket(|socket| socket.poll_read(context, buffer));
        let bytes = buffer.filled().len() - before;
        match self.activity.messages().received(bytes) {
            Ok(()) => read,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.with_socket(|socket| socket.poll_write(context, bytes));
        self.record_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.with_socket(|socket| socket.poll_write_vectored(context, slices));
        self.record_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_socket(|socket| socket.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_socket(|socket| socket.poll_shutdown(context))
    }
}

/// Limits on what a client may still send after its last response. It is read and dropped.
#[derive(Clone, Copy, Debug)]
pub struct Linger {
    /// The largest number of bytes.
    pub bytes: u64,
    /// The longest time.
    pub time: Duration,
}

impl Linger {
    /// Closes a socket. Closing one with unread bytes resets it, and its client may never see the
    /// response, so those bytes are read first.
    pub(super) async fn close(self, returned: &ReturnedSocket) {
        let socket = returned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut socket) = socket else { return };
        let drain = async {
            socket.shutdown().await?;
            tokio::io::copy(&mut socket.take(self.bytes), &mut tokio::io::sink()).await
        };
        // The socket closes in either case.
        let _ = timeout(self.time, drain).await;
    }
}
