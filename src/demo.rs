//! The settings of the demo: the four providers, played by the sandboxes on loopback.

use std::net::SocketAddr;

use secrecy::SecretString;

use crate::{
    account::Provider,
    config::{AccountSettings, ServerSettings, Settings},
    connectors::QuotaWindow,
};

/// Settings that reach the sandboxes at an address.
#[must_use]
pub fn settings(sandbox: SocketAddr) -> Settings {
    let accounts = Provider::ALL.into_iter().map(|provider| {
        let base = format!("http://{sandbox}/{}{}", provider.name(), prefix(provider));
        let account = AccountSettings {
            base_url: Some(base),
            token: Some(token(provider)),
            budget: Some(budget(provider)),
            ..AccountSettings::default()
        };
        (provider.name().to_owned(), account)
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

/// What follows the host in a provider's addresses.
fn prefix(provider: Provider) -> &'static str {
    match provider {
        Provider::Ada => "/api",
        Provider::DigitalChalk => "/dc/api/v5",
        Provider::Intercom | Provider::Usertour => "",
    }
}

/// The sandboxes grant what they are asked, unless their `rate` is switched on: the providers' own windows
/// would make Ada's scan crawl. Intercom's says in its headers what it grants.
fn budget(provider: Provider) -> Vec<QuotaWindow> {
    match provider {
        Provider::Intercom => Vec::new(),
        Provider::Ada | Provider::DigitalChalk | Provider::Usertour => vec![QuotaWindow {
            calls: 20_000,
            seconds: 10,
        }],
    }
}

fn token(provider: Provider) -> SecretString {
    let token = roster_sandbox::TOKEN;
    match provider {
        Provider::Usertour => format!("ak_{token}").into(),
        Provider::Ada | Provider::DigitalChalk | Provider::Intercom => token.to_owned().into(),
    }
}
