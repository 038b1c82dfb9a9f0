//! A gateway over a real server of SCIM 2.0, `scim2-server`, which shares no code with the gateway or its
//! sandboxes. `ROSTER_SCIM_SERVER` names the program; without it, nothing is tested here.

mod finding;
mod server;
mod walks;
mod writes;

use roster::{account::Provider::Scim, config::Settings, demo};
use serde_json::{Value, json};

use self::server::ScimServer;
use crate::world::{World, account};

/// A gateway over a server with so many users, whose pages have at most `cap` of them, and the server.
/// `None` where there is no program.
async fn world(users: usize, cap: usize) -> Option<(World, ScimServer)> {
    let server = ScimServer::start(cap).await?;
    for number in 0..users {
        server.create(&user(number)).await;
    }
    let world = World::over(server.relay, |settings| only_scim(settings, &server)).await;
    Some((world, server))
}

/// One account, with the token of the server.
fn only_scim(settings: &mut Settings, server: &ScimServer) {
    settings.accounts = demo::settings(server.relay).accounts;
    settings.accounts.retain(|name, _| name == Scim.name());
    let account = account(settings, Scim);
    account.base_url = Some(format!("http://{}/v2", server.relay));
    account.token = Some(server::TOKEN.into());
    account.breaker.enabled = false;
}

/// The user with a number: most have an address, some two, some none; some have no external id.
fn user(number: usize) -> Value {
    let mut user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": user_name(number),
        "name": { "givenName": format!("Given{number}"), "familyName": "Family" },
        "active": !number.is_multiple_of(11),
    });
    if !number.is_multiple_of(7) {
        user["externalId"] = external_id(number).into();
    }
    let mut emails = vec![json!({ "value": work(number), "type": "work", "primary": true })];
    if number.is_multiple_of(3) {
        emails.push(json!({ "value": home(number), "type": "home" }));
    }
    if number % 10 != 5 {
        user["emails"] = emails.into();
    }
    user
}

/// Every fourth user has a user name that is no address.
fn user_name(number: usize) -> String {
    match number.is_multiple_of(4) {
        true => format!("user{number}"),
        false => work(number),
    }
}

fn external_id(number: usize) -> String {
    format!("ext-{number}")
}

fn work(number: usize) -> String {
    format!("User{number}@Work.test")
}

fn home(number: usize) -> String {
    format!("user{number}@home.test")
}
