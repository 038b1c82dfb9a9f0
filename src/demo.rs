//! The settings of the demo: every provider that has a sandbox, on loopback.

use std::net::SocketAddr;

use crate::{
    account::Provider,
    config::{AccountSettings, ServerSettings, Settings},
    connectors::{QuotaWindow, connector_spec},
};

/// The calls that each sandbox grants, unless its `rate` is switched on. The providers' own windows would make a scan
/// crawl.
const BUDGET: QuotaWindow = QuotaWindow {
    calls: 20_000,
    seconds: 10,
};

/// Settings that reach the sandboxes at an address: an account for each provider that has one.
#[must_use]
pub fn settings(sandbox: SocketAddr) -> Settings {
    let accounts = Provider::ALL.into_iter().filter_map(|provider| {
        let emulated: roster_sandbox::Provider = provider.name().parse().ok()?;
        let quota_headers = connector_spec(provider).http.quota_headers;
        let is_told = quota_headers.is_some_and(|headers| headers.is_always_sent);
        let budget = (!is_told).then_some(BUDGET);
        let account = AccountSettings {
            base_url: Some(emulated.base_url(sandbox)),
            token: Some(emulated.token(roster_sandbox::TOKEN).into()),
            budget: Some(budget.into_iter().collect()),
            ..AccountSettings::default()
        };
        Some((provider.name().to_owned(), account))
    });
    let server = ServerSettings {
        show_calls: true,
        // A frontend under development runs at some port of this machine.
        loopback_origins: true,
        ..ServerSettings::default()
    };
    Settings {
        server,
        accounts: accounts.collect(),
        ..Settings::default()
    }
}
