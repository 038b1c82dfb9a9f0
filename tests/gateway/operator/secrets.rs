//! Tokens that change while the gateway runs.

use roster::account::Provider;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{Gateway, Setup, field, message};
use crate::{
    program::{File, PATIENCE, roster},
    world::World,
};

const WRONG: &str = "revoked-token-marker";

/// A gateway whose token Ada refuses.
async fn refused(world: &World, name: &'static str) -> Gateway {
    let mut setup = Setup::over(world.sandbox, name);
    setup.tokens.insert(Provider::Ada, WRONG.to_owned());
    setup.start().await
}

/// Puts the correct token into the file.
fn renew(gateway: &Gateway) {
    let file = gateway.tokens[&Provider::Ada].path();
    std::fs::write(file, format!("{}\n", roster_sandbox::TOKEN)).expect("a file");
}

#[tokio::test]
async fn a_token_file_is_read_again_when_the_provider_refuses_the_token() {
    let world = World::with(5, |_| {}).await;
    let gateway = refused(&world, "token-renewed").await;
    renew(&gateway);

    assert_eq!(gateway.list("ADA", 1).await, None);

    let statuses: Vec<_> = world
        .calls(Provider::Ada)
        .await
        .iter()
        .map(|call| call.status)
        .collect();
    assert_eq!(statuses, [Some(401), Some(200)]);
    let line = gateway
        .line(|line| message(line) == "the token was read again")
        .await;
    assert_eq!(field(&line, "provider.name"), "ada");
    assert_eq!(gateway.list("ADA", 2).await, None);
    assert_eq!(world.calls(Provider::Ada).await.len(), 3);
    let told = format!("{:?}", gateway.lines(|_| true));
    assert!(!told.contains(WRONG) && !told.contains(roster_sandbox::TOKEN));
}

#[tokio::test]
async fn a_write_that_was_refused_for_its_token_is_sent_again() {
    let world = World::with(5, |_| {}).await;
    let gateway = refused(&world, "token-write").await;
    renew(&gateway);

    let write = "mutation { upsertUser(input: { provider: ADA, externalId: \"x\", name: \"X\" }) { userErrors { code } } }";
    let answer = gateway.answer(write).await;

    assert_eq!(
        answer["data"]["upsertUser"]["userErrors"],
        serde_json::json!([]),
        "{answer}"
    );
}

#[tokio::test]
async fn a_token_that_stays_wrong_costs_one_call_per_request_and_is_read_again() {
    let world = World::with(5, |_| {}).await;
    let gateway = refused(&world, "token-wrong").await;

    for first in 1..=3 {
        let code = gateway.list("ADA", first).await;
        assert_eq!(code.as_deref(), Some("PROVIDER_AUTH"));
    }
    assert_eq!(world.calls(Provider::Ada).await.len(), 3);

    renew(&gateway);
    let renewed = timeout(PATIENCE, async {
        while gateway.list("ADA", 1).await.is_some() {
            sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    renewed.await.expect("the file is read again after a while");
}

#[tokio::test]
async fn a_hangup_reads_the_tokens_again_and_ends_nothing() {
    let world = World::with(5, |_| {}).await;
    let gateway = refused(&world, "token-hangup").await;
    renew(&gateway);

    gateway.signal("HUP").await;

    let line = gateway
        .line(|line| message(line) == "the token was read again")
        .await;
    assert_eq!(field(&line, "provider.name"), "ada");
    assert_eq!(gateway.list("ADA", 1).await, None);
    assert_eq!(world.calls(Provider::Ada).await.len(), 1);
}

#[tokio::test]
async fn a_deleted_token_file_leaves_the_current_token_in_use() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "token-gone").start().await;
    std::fs::remove_file(gateway.tokens[&Provider::Ada].path()).expect("removed");

    gateway.signal("HUP").await;

    let line = gateway
        .line(|line| message(line) == "the token cannot be read again")
        .await;
    assert_eq!(line["level"], "WARN", "{line}");
    assert_eq!(gateway.list("ADA", 1).await, None);
}

#[tokio::test]
async fn a_token_of_the_environment_stays_and_the_log_says_so() {
    let world = World::with(5, |_| {}).await;
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[accounts.ada]\nbase_url = \"http://{}/ada/api\"\n",
        world.sandbox
    );
    let file = File::holding("token-env", &text);
    let mut program = roster(&["serve", "--config", file.path(), "--log", "json"]);
    program.env("ROSTER_ADA_TOKEN", WRONG);
    let gateway = Gateway::of(program, file, Default::default()).await;

    assert_eq!(
        gateway.list("ADA", 1).await.as_deref(),
        Some("PROVIDER_AUTH")
    );
    let line = gateway
        .line(|line| field(line, "code") == "PROVIDER_AUTH")
        .await;
    assert!(field(&line, "why").contains("ROSTER_ADA_TOKEN"), "{line}");

    gateway.signal("HUP").await;
    let stays = |line: &Value| {
        message(line) == "the token stays: an environment variable is read at start only"
    };
    let line = gateway.line(stays).await;
    assert_eq!(field(&line, "provider.name"), "ada");
}
