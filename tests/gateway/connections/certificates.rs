//! Certificates: those of `ca_file` are trusted, others are not.

use roster::account::Provider;

use super::{beside, doubles::TlsFront, list, list_error, use_tls};
use crate::{
    program::File,
    world::{World, account},
};

#[tokio::test]
async fn a_private_authority_is_trusted_only_when_its_certificate_is_configured() {
    let world = World::with(20, |_| {}).await;
    let front = TlsFront::over(world.sandbox).await;
    let other = TlsFront::over(world.sandbox).await;
    let untrusted = beside(&world, |settings| {
        use_tls(settings, Provider::Intercom, &front);
    });
    let wrong = beside(&world, |settings| {
        use_tls(settings, Provider::Intercom, &front);
        account(settings, Provider::Intercom).ca_file = Some(other.ca.path().into());
    });

    for refused in [untrusted.await, wrong.await] {
        let (code, message) = list_error(&refused).await;
        assert_eq!(code, "PROVIDER_UNAVAILABLE", "{message}");
        assert!(message.contains("certificate is not trusted"), "{message}");
        assert!(message.contains("`ca_file`"), "{message}");
        assert!(!message.contains("localhost"), "{message}");
    }

    let both = [&other.ca, &front.ca].map(|ca| std::fs::read_to_string(ca.path()).expect("PEM"));
    let both = File::holding("ca-of-both", &format!("# Büro\n{}", both.join("\n")));
    let trusted = beside(&world, |settings| {
        use_tls(settings, Provider::Intercom, &front);
        account(settings, Provider::Intercom).ca_file = Some(both.path().into());
    })
    .await;
    let answer = list(&trusted, "INTERCOM").await;
    assert_eq!(answer.get("errors"), None, "{answer}");
}
