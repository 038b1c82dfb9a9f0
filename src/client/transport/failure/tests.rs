use std::{io, net::SocketAddr, sync::Arc};

use reqwest::dns::{Name, Resolve, Resolving};

use super::{Connection, ErrorKind, FailureStage, send_error};

/// A resolver that fails as a machine does.
struct Failing(fn() -> io::Error);

impl Resolve for Failing {
    fn resolve(&self, _: Name) -> Resolving {
        let error = (self.0)();
        Box::pin(async move {
            Err(error.into()) as Result<Box<dyn Iterator<Item = SocketAddr> + Send>, _>
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the error is what is tested")]
async fn ends_with(error: fn() -> io::Error) -> (ErrorKind, FailureStage) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .dns_resolver(Arc::new(Failing(error)));
    let connection = Connection {
        client: client.build().expect("a client"),
        has_proxy: false,
        is_forwarded: false,
    };
    let sent = connection.client.get("http://provider.test/").send().await;
    let error = send_error(&connection, &sent.expect_err("no address"));
    (error.kind(), error.failure_stage())
}

#[tokio::test]
async fn a_lack_of_resources_here_is_no_providers_fault() {
    let ours = (ErrorKind::Overloaded, FailureStage::NotSent);
    assert_eq!(ends_with(|| io::Error::from_raw_os_error(24)).await, ours);
    assert_eq!(ends_with(|| io::Error::from_raw_os_error(23)).await, ours);
    assert_eq!(ends_with(|| io::ErrorKind::OutOfMemory.into()).await, ours);
    assert_eq!(
        ends_with(|| io::ErrorKind::AddrNotAvailable.into()).await,
        ours
    );

    let theirs = (ErrorKind::Unavailable, FailureStage::Provider);
    assert_eq!(ends_with(|| io::ErrorKind::NotFound.into()).await, theirs);
    assert_eq!(
        ends_with(|| io::ErrorKind::ConnectionRefused.into()).await,
        theirs
    );
}
