//! Several accounts of one provider in one gateway: two Intercom workspaces of different versions and two
//! Adas, with the same ids in each. Nothing of one is ever given for another.

mod apart;
mod choice;
mod shared;
mod usertour_versions;
mod written;

use std::collections::BTreeMap;

use roster::{
    account::Provider,
    config::{AccountSettings, Settings},
    demo,
};
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::World,
};

/// The accounts: name, provider, and Intercom's version.
const ACCOUNTS: [(&str, Provider, Option<&str>); 4] = [
    ("ada", Provider::Ada, None),
    ("ada-eu", Provider::Ada, None),
    ("intercom-new", Provider::Intercom, Some("2.17")),
    ("intercom-old", Provider::Intercom, Some("1.1")),
];

/// The account that a call was sent to: each has another address.
fn account_of(asked: &Asked) -> &str {
    let mut parts = asked.path.split('/');
    parts
        .find(|part| part.contains("at-"))
        .map_or("", |part| &part[3..])
}

/// The response of every account: the user of an id, with the account in its name.
fn answer(asked: &Asked) -> Said {
    let account = account_of(asked);
    let path = format!("/{}", account.split('-').next().unwrap_or_default());
    let name = json!(account);
    let more = match path.as_str() {
        "/ada" => format!(r#","display_name":{name}"#),
        _ => format!(r#","name":{name}"#),
    };
    let user = |id: &str| match account {
        "intercom-old" => {
            format!(r#"{{"type":"user","id":"{id}","email":"ann@people.test","name":{name}}}"#)
        }
        _ => row(&path, id, "ann@people.test", &more),
    };
    let last = asked.path.rsplit('/').next().unwrap_or_default();
    match last {
        "search" | "contacts" | "end-users" | "" => list(&path, &[user("1"), user("2")]).into(),
        "users" => json!({
            "type": "user.list", "total_count": 2, "pages": { "page": 1, "per_page": 50, "total_pages": 1 },
            "users": [serde_json::from_str::<Value>(&user("1")).unwrap_or_default(),
                serde_json::from_str::<Value>(&user("2")).unwrap_or_default()],
        })
        .into(),
        id => user(id).into(),
    }
}

/// Settings of the four accounts at an address.
fn settings(address: std::net::SocketAddr, settings: &mut Settings) {
    let usual = demo::settings(address).accounts;
    let accounts = ACCOUNTS.map(|(name, provider, version)| {
        let token = usual[provider.name()].token.clone();
        let mut account = AccountSettings {
            provider: Some(provider),
            base_url: Some(format!("http://{address}/at-{name}")),
            token,
            ..AccountSettings::default()
        };
        account.breaker.enabled = false;
        if let Some(version) = version {
            account.options.insert("version".to_owned(), version.into());
        }
        (name.to_owned(), account)
    });
    settings.accounts = BTreeMap::from(accounts);
}

/// A gateway over the four accounts, which all answer alike.
async fn world(change: impl FnOnce(&mut Settings)) -> (World, StandIn) {
    let stand_in = StandIn::of(answer).await;
    let address = stand_in.address();
    let world = World::over(address, |all| {
        settings(address, all);
        change(all);
    });
    (world.await, stand_in)
}

/// The arguments that name an account.
fn named(name: &str) -> String {
    let provider = if name.starts_with("ada") {
        "ADA"
    } else {
        "INTERCOM"
    };
    format!("provider: {provider}, account: \"{name}\"")
}
