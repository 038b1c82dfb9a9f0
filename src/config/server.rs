//! The settings of the HTTP server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Deserialize;

use super::{ConfigErrors, Settings, accounts::is_variable, variable_named};
use crate::{connectors::connector_spec, graphql::trace::TraceAccess};

/// The settings of the HTTP server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The address that serves `/metrics`, `/health/live` and `/health/ready`, which are then not
    /// found at `listen`. It has its own connections, so it answers even when all those of `listen`
    /// are taken. None of the three holds personal data: any address is fine, and it needs no proxy
    /// in front of it.
    pub admin_listen: Option<SocketAddr>,
    /// The hosts that clients may name in `Host` or `:authority`: names or addresses without a
    /// port. Any other host is answered 421, so that no page can point its own name here and read
    /// the responses. The names of loopback are always allowed when `listen` is a loopback address
    /// and when the list is empty; an IP address is allowed when the connection came in on it.
    /// `/health/*` is exempt.
    pub hosts: Vec<String>,
    /// Whether an authenticating proxy stands in front of the gateway. Without one, the gateway
    /// listens only on loopback addresses, because it does not authenticate clients itself.
    pub behind_authenticating_proxy: bool,
    /// Whether every answer lists its calls in `extensions.roster`: for development.
    pub show_calls: bool,
    /// The environment variable that holds a secret: a client that sends it in the header
    /// `x-roster-trace` sees the calls.
    pub show_calls_token_env: Option<String>,
    /// The origins whose pages may call the gateway from a browser, such as `https://app.example`.
    pub cors_origins: Vec<String>,
    /// Whether pages of all loopback origins may call it too: for the demo; no file can set it.
    #[serde(skip)]
    pub loopback_origins: bool,
    /// How many seconds after the signal to stop connections are still accepted while
    /// `/health/ready` answers 503: choose the time that a load balancer takes to notice.
    pub shutdown_delay_seconds: u64,
    /// How many seconds requests in flight may continue after that.
    pub drain_seconds: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: None,
            hosts: Vec::new(),
            behind_authenticating_proxy: false,
            show_calls: false,
            show_calls_token_env: None,
            cors_origins: Vec::new(),
            loopback_origins: false,
            shutdown_delay_seconds: 2,
            drain_seconds: 20,
        }
    }
}

impl ServerSettings {
    /// Which clients see the calls of a request.
    ///
    /// # Errors
    /// A missing secret.
    pub fn audience(&self) -> Result<TraceAccess, ConfigErrors> {
        match &self.show_calls_token_env {
            Some(_) if self.show_calls => Err(ConfigErrors(vec![
                "server.show_calls shows the calls to everybody, and show_calls_token_env only to clients with the secret: drop one"
                    .to_owned(),
            ])),
            None if self.show_calls => Ok(TraceAccess::Everybody),
            None => Ok(TraceAccess::Nobody),
            Some(variable) => match variable_named(variable).filter(|secret| !secret.is_empty()) {
                Some(secret) => Ok(TraceAccess::WithToken(secret.into())),
                None if is_variable(variable) => Err(ConfigErrors(vec![format!(
                    "server.show_calls_token_env: the environment variable {variable} is not set"
                )])),
                None => Err(ConfigErrors(vec![
                    "server.show_calls_token_env is not the name of an environment variable".to_owned(),
                ])),
            },
        }
    }
}

impl Settings {
    /// The address to listen on: the command line's, if it names one.
    ///
    /// # Errors
    /// An address that others can reach when no proxy protects it.
    pub fn listen(&self, asked: Option<SocketAddr>) -> Result<SocketAddr, ConfigErrors> {
        let listen = asked.unwrap_or(self.server.listen);
        if self.server.admin_listen == Some(listen) && listen.port() != 0 {
            return Err(ConfigErrors(vec![format!(
                "server.admin_listen is {listen}, where the gateway itself listens: choose another port"
            )]));
        }
        if listen.ip().is_loopback() || self.server.behind_authenticating_proxy {
            return Ok(listen);
        }
        Err(ConfigErrors(vec![format!(
            "server.listen is {listen}, which others can reach, and this gateway does not authenticate clients: \
             put an authenticating proxy before it and say so with `server.behind_authenticating_proxy = true`, \
             or listen on 127.0.0.1"
        )]))
    }

    /// The address at which this machine checks health and metrics.
    #[must_use]
    pub fn health(&self) -> SocketAddr {
        let address = self.server.admin_listen.unwrap_or(self.server.listen);
        let ip = match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, address.port())
    }

    /// The largest number of connections to providers.
    #[must_use]
    pub fn provider_connections(&self) -> usize {
        let accounts = self.accounts().unwrap_or_default().into_iter();
        let enabled = accounts.filter(|(_, settings)| settings.enabled);
        let calls = enabled.map(|(account, settings)| {
            let usual = connector_spec(account.provider()).concurrency;
            settings.concurrency.unwrap_or(usual)
        });
        calls.sum()
    }
}
