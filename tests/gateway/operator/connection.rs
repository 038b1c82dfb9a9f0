//! The log of an account whose proxy or certificate is at fault.

use tokio::net::TcpListener;

use super::{Setup, field};
use crate::{program::File, world::World};

#[tokio::test]
async fn a_proxy_that_fails_is_logged_with_its_setting_and_without_its_address_and_password() {
    let world = World::with(20, |_| {}).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let password = File::holding("logged-proxy-password", "s3cr3t-marker");
    let mut setup = Setup::over(world.sandbox, "logged-proxy");
    setup.account += &format!(
        "proxy = \"http://127.0.0.1:{port}\"\nproxy_user = \"roster\"\nproxy_password_file = \"{}\"\n",
        password.path()
    );
    let gateway = setup.start().await;

    let code = gateway.list("INTERCOM", 1).await;

    assert_eq!(code.as_deref(), Some("PROVIDER_UNAVAILABLE"));
    let line = gateway
        .line(|line| field(line, "code") == "PROVIDER_UNAVAILABLE")
        .await;
    assert_eq!(line["level"], "WARN", "{line}");
    assert_eq!(field(&line, "account.name"), "intercom");
    let why = field(&line, "why");
    assert!(why.contains("the proxy in front of the provider"), "{why}");
    assert!(why.contains("must check `proxy`"), "{why}");
    let all = format!("{:?}", gateway.lines(|_| true));
    assert!(!all.contains("s3cr3t-marker"), "{all}");
    assert!(!all.contains(&format!(":{port}")), "{all}");
}
