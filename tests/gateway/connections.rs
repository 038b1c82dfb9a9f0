//! How providers are reached: through an account's proxy, and with the certificates that it trusts.

mod certificates;
mod doubles;

use roster::{account::Provider, config::Settings};
use serde_json::Value;

use self::doubles::{FakeProxy, Reply, TlsFront};
use crate::{
    program::File,
    world::{World, account, settings},
};

const PASSWORD: &str = "pass %41:word";

/// Another gateway over the sandboxes of a world, with other settings.
async fn beside(world: &World, change: impl FnOnce(&mut Settings)) -> World {
    let mut settings = settings(world.sandbox);
    settings.cache.seconds = 0.0;
    for account in settings.accounts.values_mut() {
        account.breaker.enabled = false;
        account.attempts = 1;
    }
    change(&mut settings);
    world.beside(World::serve(&settings).await)
}

/// Points an account to the front with TLS.
fn use_tls(settings: &mut Settings, provider: Provider, front: &TlsFront) {
    let account = account(settings, provider);
    let base = account.base_url.take().expect("the demo's address");
    let path = base.splitn(4, '/').nth(3).expect("a path");
    account.base_url = Some(format!("https://localhost:{}/{path}", front.address.port()));
}

async fn list(world: &World, provider: &str) -> Value {
    let query = format!("{{ users(provider: {provider}, first: 1) {{ nodes {{ id }} }} }}");
    world.answer(&query).await
}

async fn list_error(world: &World) -> (String, String) {
    let answer = list(world, "INTERCOM").await;
    let error = &answer["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&error["extensions"]["code"]), text(&error["message"]))
}

#[tokio::test]
async fn an_account_with_a_proxy_goes_through_it_and_another_does_not() {
    let world = World::with(20, |_| {}).await;
    let proxy = FakeProxy::start(Reply::Forward).await;
    let through = beside(&world, |settings| {
        account(settings, Provider::Intercom).proxy = Some(proxy.url("http"));
        account(settings, Provider::Ada).proxy = Some("none".to_owned());
    })
    .await;

    for provider in ["INTERCOM", "USERTOUR", "ADA"] {
        let answer = list(&through, provider).await;
        assert_eq!(answer.get("errors"), None, "{answer}");
    }

    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let absolute = format!("GET http://{}/intercom/", world.sandbox);
    assert!(heads[0].starts_with(&absolute), "{heads:?}");
}

#[tokio::test]
async fn the_proxy_gets_its_user_and_password_and_the_provider_does_not() {
    let world = World::with(20, |_| {}).await;
    let front = TlsFront::over(world.sandbox).await;
    let proxy = FakeProxy::start(Reply::Forward).await;
    let password = File::holding("proxy-password", &format!("{PASSWORD}\n"));
    let through = beside(&world, |settings| {
        use_tls(settings, Provider::Intercom, &front);
        let account = account(settings, Provider::Intercom);
        account.ca_file = Some(front.ca.path().into());
        account.proxy = Some(proxy.url("http"));
        account.proxy_user = Some("ro%41ster".to_owned());
        account.proxy_password_file = Some(password.path().into());
    })
    .await;

    let answer = list(&through, "INTERCOM").await;

    assert_eq!(answer.get("errors"), None, "{answer}");
    let heads = proxy.heads();
    let connect = format!("CONNECT localhost:{} ", front.address.port());
    assert!(heads[0].starts_with(&connect), "{heads:?}");
    // printf 'ro%%41ster:pass %%41:word' | base64
    let login = "proxy-authorization: basic cm8lNDFzdGVyOnBhc3MgJTQxOndvcmQ=";
    let lower = |text: &str| text.to_lowercase();
    assert!(lower(&heads[0]).contains(&lower(login)), "{heads:?}");
    assert!(!lower(&front.heads()[0]).contains("proxy-"), "{heads:?}");
}

#[tokio::test]
async fn a_socks_proxy_is_used() {
    let world = World::with(20, |_| {}).await;
    for scheme in ["socks5", "socks5h"] {
        let proxy = FakeProxy::start(Reply::Socks).await;
        let through = beside(&world, |settings| {
            account(settings, Provider::Intercom).proxy = Some(proxy.url(scheme));
        })
        .await;

        let answer = list(&through, "INTERCOM").await;

        assert_eq!(answer.get("errors"), None, "{answer}");
        assert_eq!(proxy.heads(), [format!("SOCKS {}", world.sandbox)]);
    }
}

/// The code and the message of a list through a proxy, to a provider with TLS or without.
async fn refusal(world: &World, scheme: &str, reply: Option<Reply>, tls: bool) -> (String, String) {
    let front = TlsFront::over(world.sandbox).await;
    let proxy = match reply {
        Some(reply) => FakeProxy::start(reply).await,
        None => FakeProxy::closed().await,
    };
    let through = beside(world, |settings| {
        if tls {
            use_tls(settings, Provider::Intercom, &front);
        }
        let account = account(settings, Provider::Intercom);
        account.ca_file = Some(front.ca.path().into());
        account.proxy = Some(proxy.url(scheme));
    })
    .await;
    let (code, message) = list_error(&through).await;
    let port = proxy.address.port().to_string();
    assert!(!message.contains(&port), "{message}");
    (code, message)
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_as_the_fault() {
    let world = World::with(20, |_| {}).await;
    let refuses_login = "refuses its credentials (407)";
    for (reply, tls, why) in [
        (Some(Reply::Status(407)), true, refuses_login),
        (Some(Reply::Status(407)), false, refuses_login),
        (Some(Reply::Status(502)), true, "refuses to connect"),
        (
            Some(Reply::Status(502)),
            false,
            "or the proxy in front of it, is unavailable (502)",
        ),
        (Some(Reply::Hangup), true, "refuses to connect"),
        (None, true, "cannot be reached"),
        (None, false, "cannot be reached"),
    ] {
        let (code, message) = refusal(&world, "http", reply, tls).await;

        assert_eq!(code, "PROVIDER_UNAVAILABLE", "{message}");
        assert!(message.contains("the proxy in front of"), "{message}");
        assert!(message.contains(why), "{message}");
    }
    let (code, message) = refusal(&world, "socks5", None, false).await;
    assert_eq!(code, "PROVIDER_UNAVAILABLE", "{message}");
    assert!(message.contains("the proxy in front of"), "{message}");
}

#[tokio::test]
async fn the_provider_is_told_which_program_calls_it() {
    let world = World::with(20, |_| {}).await;
    let front = TlsFront::over(world.sandbox).await;
    let called = beside(&world, |settings| {
        use_tls(settings, Provider::Intercom, &front);
        account(settings, Provider::Intercom).ca_file = Some(front.ca.path().into());
    })
    .await;

    list(&called, "INTERCOM").await;

    let agent = format!("user-agent: roster/{}\r\n", env!("CARGO_PKG_VERSION"));
    assert!(front.heads()[0].contains(&agent), "{:?}", front.heads());
}
