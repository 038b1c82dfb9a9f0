//! Builds the HTTP client of one account: its proxy, the certificates that it trusts, its pool.

use std::{io, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, ErrorKind, Result};

/// How an account's provider is reached.
#[derive(Debug, Default)]
pub struct ConnectionOptions {
    /// The proxy.
    pub proxy: ProxyChoice,
    /// Certificates that are trusted in addition to those of the system.
    pub extra_roots: Vec<Certificate>,
}

/// The proxy of an account.
#[derive(Debug, Default)]
pub enum ProxyChoice {
    /// The proxy of the environment, as in `HTTPS_PROXY`; none for a provider on this machine.
    #[default]
    Environment,
    /// None.
    Direct,
    /// This one.
    Through(EgressProxy),
}

/// A configured proxy.
#[derive(Debug)]
pub struct EgressProxy {
    /// Its address, without a user name and a password.
    pub address: Url,
    /// The user name and the password.
    pub login: Option<(String, SecretString)>,
}

/// An HTTP client, and what it needs to explain its errors.
pub(super) struct Connection {
    pub(super) client: Client,
    /// Whether a proxy is configured. One of the environment may be used all the same.
    pub(super) has_proxy: bool,
    /// Whether the proxy reads requests and forwards them, as it does without TLS.
    pub(super) is_forwarded: bool,
}

impl Connection {
    /// Opens no connection yet.
    ///
    /// Redirects are not followed, so that credentials reach only the configured host. Idle
    /// connections are dropped before the provider closes them.
    ///
    /// # Errors
    /// `Internal` when the TLS roots of this machine cannot be loaded.
    pub(super) fn new(base: &Url, idle: Duration, options: &ConnectionOptions) -> Result<Self> {
        let cannot = |error| Error::internal(format!("cannot set up HTTPS: {error}"));
        let client = with_proxy(Client::builder(), base, &options.proxy)
            .map_err(cannot)?
            .tls_certs_merge(options.extra_roots.iter().cloned())
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(idle)
            .user_agent(concat!("roster/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(cannot)?;
        let through = match &options.proxy {
            ProxyChoice::Through(proxy) => Some(proxy.address.scheme().starts_with("http")),
            ProxyChoice::Environment | ProxyChoice::Direct => None,
        };
        Ok(Self {
            client,
            has_proxy: through.is_some(),
            is_forwarded: through == Some(true) && base.scheme() == "http",
        })
    }

    /// The error of a request that got no response.
    pub(super) fn error(&self, error: &reqwest::Error) -> Error {
        let cause = root_cause(error);
        // It names neither the proxy nor the provider.
        tracing::debug!(%cause, "a connection fails");
        let message = if error.is_connect() && causes(error).any(is_tls) {
            NO_TLS
        } else if error.is_connect() && self.has_proxy {
            proxy_failure(error, cause)
        } else if error.is_timeout() {
            return Error::timed_out();
        } else if error.is_connect() {
            "the provider cannot be reached"
        } else {
            "the provider closed the connection"
        };
        Error::new(ErrorKind::Unavailable, message)
    }

    /// The message for a bad status that may be the fault of the proxy and not of the provider.
    pub(super) fn blame(&self, status: StatusCode) -> Option<String> {
        let code = status.as_u16();
        match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Some(REFUSED_LOGIN.to_owned()),
            _ if status.is_server_error() && self.is_forwarded => Some(format!(
                "the provider, or the proxy in front of it, is unavailable ({code})"
            )),
            _ => None,
        }
    }
}

const NO_TLS: &str = "no TLS connection to the provider: its certificate is not trusted, or it speaks no TLS; \
     the gateway's operator must check `base_url`, `ca_file` and `proxy`";

const REFUSED_LOGIN: &str = "the proxy in front of the provider refuses its credentials (407); \
     the gateway's operator must check `proxy_user` and the proxy's password";

fn with_proxy(
    builder: ClientBuilder,
    base: &Url,
    choice: &ProxyChoice,
) -> reqwest::Result<ClientBuilder> {
    // A proxy of the environment cannot reach a service on this machine.
    let is_local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    Ok(match choice {
        ProxyChoice::Environment if !is_local => builder,
        ProxyChoice::Environment | ProxyChoice::Direct => builder.no_proxy(),
        ProxyChoice::Through(proxy) => builder.proxy(Proxy::all(proxy.with_login())?),
    })
}

impl EgressProxy {
    /// The address with the user name and the password, from which the client takes them.
    fn with_login(&self) -> Url {
        let mut address = self.address.clone();
        if let Some((user, password)) = &self.login {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            // Neither fails: an address of these schemes has a host.
            let _ = address.set_username(&encoded(user));
            let _ = address.set_password(Some(&encoded(password.expose_secret())));
        }
        address
    }
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// The reason why the file cannot be used.
pub fn read_certificates(pem: &[u8]) -> Result<Vec<Certificate>, &'static str> {
    let certificates = Certificate::from_pem_bundle(pem).map_err(|_| "its PEM cannot be read")?;
    if certificates.is_empty() {
        return Err("it holds no certificate: expected `-----BEGIN CERTIFICATE-----`");
    }
    // Only a client looks into them.
    let roots = certificates.iter().cloned();
    match Client::builder().no_proxy().tls_certs_only(roots).build() {
        Ok(_) => Ok(certificates),
        Err(_) => Err("it holds a certificate that cannot be read"),
    }
}

type Cause = dyn std::error::Error + 'static;

/// The error and all that it follows from.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &Cause> {
    let first: &Cause = error;
    std::iter::successors(Some(first), |error| error.source())
}

fn root_cause(error: &reqwest::Error) -> &Cause {
    causes(error).last().unwrap_or(error)
}

/// Whether a cause is an error of TLS, which comes in an I/O error, and that one in another.
fn is_tls(cause: &Cause) -> bool {
    let Some(error) = cause.downcast_ref::<io::Error>() else {
        return false;
    };
    error.kind() == io::ErrorKind::InvalidData || error.get_ref().is_some_and(|inner| is_tls(inner))
}

/// Why a connection through a proxy failed.
fn proxy_failure(error: &reqwest::Error, cause: &Cause) -> &'static str {
    if error.is_timeout() {
        "the proxy in front of the provider does not connect to it in time; \
         the gateway's operator must check `proxy`"
    } else if cause.is::<io::Error>() {
        "the proxy in front of the provider cannot be reached, or closes the connection; \
         the gateway's operator must check `proxy`"
    } else if cause.to_string().contains("authorization required") {
        REFUSED_LOGIN
    } else {
        "the proxy in front of the provider refuses to connect to it, or cannot be reached; \
         the gateway's operator must check `proxy`, `proxy_user` and the proxy's password"
    }
}
