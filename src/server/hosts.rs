//! The hosts that a request may name. A page can point its own DNS name at the gateway's address
//! and then read the gateway's responses under that name, so the gateway answers only to known
//! names.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::refused;
use crate::error::{ErrorCode, shown_value};

/// The address on which a request's connection came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalAddress(pub(super) Option<IpAddr>);

/// A host without its port.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum HostName {
    /// An IP address.
    Address(IpAddr),
    /// A name in lower case, without a final dot.
    Name(String),
}

/// The hosts that requests may name.
#[derive(Clone, Debug)]
pub struct AllowedHosts {
    listed: Arc<BTreeSet<HostName>>,
    has_loopback: bool,
}

impl AllowedHosts {
    /// Allows the listed hosts, and those of loopback if the gateway listens on loopback or the
    /// list is empty.
    ///
    /// # Errors
    /// The invalid entries, one message each.
    pub fn of(listed: &[String], listen: SocketAddr) -> Result<Self, Vec<String>> {
        let (mut hosts, mut wrong) = (BTreeSet::new(), Vec::new());
        for entry in listed {
            match HostName::parse(entry) {
                Some(host) => drop(hosts.insert(host)),
                None => wrong.push(format!(
                    "server.hosts: {} is no host: expected a name or an address alone, such as \
                     roster.example or [::1], without https://, port and path",
                    shown_value(entry)
                )),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            listed: Arc::new(hosts),
            has_loopback: listed.is_empty() || listen.ip().is_loopback(),
        })
    }

    fn allows(&self, host: &HostName, arrived: Option<IpAddr>) -> bool {
        let is_known = match host {
            // Nobody can point an IP address elsewhere.
            HostName::Address(address) => {
                Some(address.to_canonical()) == arrived.map(|arrived| arrived.to_canonical())
                    || self.has_loopback && address.to_canonical().is_loopback()
            }
            HostName::Name(name) => self.has_loopback && name == "localhost",
        };
        is_known || self.listed.contains(host)
    }

    fn check(&self, request: &Request) -> Result<(), (StatusCode, String)> {
        let arrived = request.extensions().get::<LocalAddress>();
        let arrived = arrived.and_then(|arrived| arrived.0);
        for host in
            requested_hosts(request).map_err(|wrong| (StatusCode::BAD_REQUEST, wrong.to_owned()))?
        {
            if !self.allows(&host, arrived) {
                let wrong = "this gateway does not answer to the host that the request names: its operator lists \
                             the names that clients may use in the setting `hosts` under [server]";
                return Err((StatusCode::MISDIRECTED_REQUEST, wrong.to_owned()));
            }
        }
        Ok(())
    }
}

/// Refuses requests that name an unknown host; health checks may name any host.
pub(super) async fn check(
    State(hosts): State<AllowedHosts>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/health/") {
        return next.run(request).await;
    }
    match hosts.check(&request) {
        Ok(()) => next.run(request).await,
        Err((status, message)) => refused(status, ErrorCode::BadUserInput, &message),
    }
}

/// Every host that a request names: in its target, which is `:authority` in HTTP/2, and in `Host`.
fn requested_hosts(request: &Request) -> Result<Vec<HostName>, &'static str> {
    let target = request.uri().authority().map(|target| target.as_str());
    let mut headers = request.headers().get_all(header::HOST).iter();
    let header = headers.next().map(|host| host.to_str().unwrap_or_default());
    if headers.next().is_some() {
        return Err("the request has two `Host` headers: send one");
    }
    let hosts = [target, header].into_iter().flatten();
    let hosts =
        hosts.map(|host| HostName::parse_with_port(host).ok_or("the request's `Host` is no host"));
    let hosts: Vec<_> = hosts.collect::<Result<_, _>>()?;
    match hosts.is_empty() {
        true => Err("the request has no `Host` header: send one"),
        false => Ok(hosts),
    }
}

impl HostName {
    /// Parses a host that may have a port.
    fn parse_with_port(text: &str) -> Option<Self> {
        let at = match text.rfind(']') {
            Some(end) => text[end..].find(':').map(|at| end + at),
            None => text.find(':'),
        };
        let (host, port) = at.map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
        let is_port = port.is_empty() || port.parse::<u16>().is_ok();
        is_port.then(|| Self::parse(host)).flatten()
    }

    /// Parses a host without a port.
    fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[') {
            let address = address.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?;
            return Some(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_name = name.split('.').all(|label| {
            let is_of = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
            !label.is_empty() && label.bytes().all(is_of)
        });
        is_name.then_some(Self::Name(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listed: &[&str], listen: &str) -> AllowedHosts {
        let listed: Vec<_> = listed.iter().map(|&host| host.to_owned()).collect();
        AllowedHosts::of(&listed, listen.parse().unwrap()).unwrap()
    }

    fn allows(hosts: &AllowedHosts, host: &str) -> bool {
        let arrived = Some(IpAddr::from([10, 0, 0, 5]));
        hosts.allows(&HostName::parse_with_port(host).expect("a host"), arrived)
    }

    #[test]
    fn port_case_and_a_last_dot_do_not_matter() {
        let hosts = hosts(&["Roster.example"], "10.0.0.5:80");
        for host in [
            "roster.example",
            "ROSTER.example:8443",
            "roster.EXAMPLE.",
            "roster.example.:1",
        ] {
            assert!(allows(&hosts, host), "{host}");
        }
        for host in [
            "example",
            "roster.example.org",
            "a.roster.example",
            "roster",
        ] {
            assert!(!allows(&hosts, host), "{host}");
        }
    }

    #[test]
    fn loopback_is_allowed_where_the_gateway_listens_on_it_or_nothing_is_listed() {
        let loopback = [
            "localhost",
            "LOCALHOST.:80",
            "127.0.0.1:9",
            "127.9.9.9",
            "[::1]",
            "[::1]:80",
        ];
        for host in loopback {
            assert!(allows(&hosts(&[], "127.0.0.1:80"), host), "{host}");
            assert!(allows(&hosts(&["a.test"], "[::1]:80"), host), "{host}");
            assert!(allows(&hosts(&[], "0.0.0.0:80"), host), "{host}");
            assert!(!allows(&hosts(&["a.test"], "0.0.0.0:80"), host), "{host}");
        }
        assert!(allows(
            &hosts(&["localhost", "a.test"], "0.0.0.0:80"),
            "localhost"
        ));
        assert!(!allows(&hosts(&[], "127.0.0.1:80"), "localhost.evil.test"));
    }

    #[test]
    fn the_address_that_a_connection_came_in_on_is_allowed_and_no_other() {
        let hosts = hosts(&["a.test"], "0.0.0.0:80");

        assert!(allows(&hosts, "10.0.0.5:80") && allows(&hosts, "[::ffff:10.0.0.5]"));
        assert!(!allows(&hosts, "10.0.0.6"));
    }

    #[test]
    fn what_is_no_host_is_none() {
        for text in [
            "", ":80", "a:b", "a:1:2", "a b", "a..b", ".", "user@a", "a/b", "[::1", "[a]",
            "[::1]a:1", "ä.test",
        ] {
            assert_eq!(HostName::parse_with_port(text), None, "{text}");
        }
    }

    #[test]
    fn an_entry_is_a_host_alone() {
        for entry in [
            "https://a.test",
            "a.test:80",
            "a.test/x",
            "",
            "*.a.test",
            "[::1]:80",
        ] {
            let wrong = AllowedHosts::of(&[entry.to_owned()], ([127, 0, 0, 1], 80).into());
            let wrong = wrong.expect_err(entry);
            assert!(
                wrong[0].contains("without https://, port and path"),
                "{wrong:?}"
            );
        }
    }
}
