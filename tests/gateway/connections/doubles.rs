//! A proxy and a provider's TLS, played by the test.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::program::File;

type Heads = Arc<Mutex<Vec<String>>>;

/// What a proxy does with a connection.
#[derive(Clone, Copy)]
pub(super) enum Reply {
    /// It passes it on, whether it is asked to connect or to forward.
    Forward,
    /// It passes it on, as SOCKS 5 has it.
    Socks,
    /// It answers with this status.
    Status(u16),
    /// It closes the connection.
    Hangup,
}

/// A proxy that remembers what it was asked.
pub(super) struct FakeProxy {
    pub(super) address: SocketAddr,
    heads: Heads,
}

impl FakeProxy {
    pub(super) async fn start(reply: Reply) -> Self {
        let (listener, address) = listen().await;
        let heads = Heads::default();
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, reply, Arc::clone(&seen)));
            }
        });
        Self { address, heads }
    }

    /// A port at which nobody listens.
    pub(super) async fn closed() -> Self {
        let (_, address) = listen().await;
        Self {
            address,
            heads: Heads::default(),
        }
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// The heads of the first requests of its connections, or the targets of SOCKS.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn pass_on(mut client: TcpStream, reply: Reply, seen: Heads) {
    if matches!(reply, Reply::Socks) {
        let target = socks_target(&mut client).await;
        seen.lock()
            .expect("no panic")
            .push(format!("SOCKS {target}"));
        let answer = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        client.write_all(&answer).await.expect("a client");
        return relay(client, target, b"").await;
    }
    let head = read_head(&mut client).await;
    seen.lock().expect("no panic").push(head.clone());
    match reply {
        Reply::Status(status) => {
            let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
            client.write_all(answer.as_bytes()).await.expect("a client");
        }
        Reply::Forward => {
            let target = head.split(' ').nth(1).expect("a target");
            match target.strip_prefix("http://") {
                Some(url) => {
                    let target = url.split('/').next().expect("a host");
                    let target = target.parse().expect("an address");
                    relay(client, target, head.as_bytes()).await;
                }
                None => {
                    let port = target.rsplit(':').next().expect("a port");
                    let target = format!("127.0.0.1:{port}").parse().expect("an address");
                    let answer = b"HTTP/1.1 200 Connected\r\n\r\n";
                    client.write_all(answer).await.expect("a client");
                    relay(client, target, b"").await;
                }
            }
        }
        Reply::Socks | Reply::Hangup => {}
    }
}

async fn relay(mut client: impl AsyncRead + AsyncWrite + Unpin, to: SocketAddr, first: &[u8]) {
    let mut server = TcpStream::connect(to).await.expect("the target");
    server.write_all(first).await.expect("the target");
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

async fn read_head(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("a head")
}

/// Answers the greeting of SOCKS 5 without a login, and reads the request to connect to an IPv4
/// address.
async fn socks_target(client: &mut TcpStream) -> SocketAddr {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await.expect("a greeting");
    let mut methods = vec![0; greeting[1].into()];
    client.read_exact(&mut methods).await.expect("methods");
    client.write_all(&[5, 0]).await.expect("a client");
    let mut request = [0; 4];
    client.read_exact(&mut request).await.expect("a request");
    assert_eq!(request, [5, 1, 0, 1], "an IPv4 address");
    let address = client.read_u32().await.expect("an address");
    let port = client.read_u16().await.expect("a port");
    SocketAddr::from((address.to_be_bytes(), port))
}

/// TLS in front of a server, with a certificate for `localhost` of an authority that nobody knows.
pub(super) struct TlsFront {
    pub(super) address: SocketAddr,
    /// The authority's certificate.
    pub(super) ca: File,
    heads: Heads,
}

impl TlsFront {
    pub(super) async fn over(server: SocketAddr) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (config, pem) = server_config();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = listen().await;
        let heads = Heads::default();
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else {
                        return;
                    };
                    let head = read_head(&mut client).await;
                    seen.lock().expect("no panic").push(head.clone());
                    relay(client, server, head.as_bytes()).await;
                });
            }
        });
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let ca = File::holding(&format!("ca-{count}"), &pem);
        Self { address, ca, heads }
    }

    /// The heads of the first requests of its connections.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

/// The settings of a server whose certificate an authority has issued, and the authority's
/// certificate.
fn server_config() -> (ServerConfig, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&key).expect("an authority");
    let issuer = Issuer::new(params, key);
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let leaf = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key);
    (config.expect("a certificate and its key"), ca.pem())
}
