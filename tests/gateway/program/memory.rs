//! Responses that are too large, on the wire or once unpacked, are not held in memory.

use roster_sandbox::known::EVERYWHERE;
use serde_json::json;

use super::{File, serve::Gateway};
use crate::world::{FOUR, World, place, token};

/// The largest response of a provider.
const MAX_ANSWER: u64 = 4 << 20;
/// The size of the response that a provider sends.
const SENT: u64 = 1 << 30;

/// A configuration over the sandboxes of a world, with the files of its tokens.
pub(super) fn settings(world: &World, name: &str, server: &str) -> (File, Vec<File>) {
    let accounts = roster::demo::settings(world.sandbox).accounts;
    let (mut tables, mut tokens) = (String::new(), Vec::new());
    for of in FOUR {
        let base = accounts[of.name()].base_url.clone().unwrap_or_default();
        let file = File::holding(&format!("{name}-{}", of.name()), &token(of));
        tables += &format!(
            "[accounts.{}]\nbase_url = \"{base}\"\ntoken_file = \"{}\"\nmax_answer_bytes = {MAX_ANSWER}\n",
            of.name(),
            file.path()
        );
        tokens.push(file);
    }
    let text =
        format!("[server]\nlisten = \"127.0.0.1:0\"\n{server}[cache]\nseconds = 0.0\n{tables}");
    (File::holding(name, &text), tokens)
}

/// A gateway over the sandboxes of a world.
async fn gateway(world: &World, name: &str) -> Gateway {
    let (file, _tokens) = settings(world, name, "");
    Gateway::start(&file).await
}

/// The largest memory that a process ever held.
fn peak(gateway: &Gateway) -> u64 {
    let id = gateway.child.id().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a number") << 10
}

#[tokio::test]
async fn a_long_text_under_many_aliases_is_not_copied_before_it_is_counted() {
    let world = World::with(5, |_| {}).await;
    let gateway = gateway(&world, "long-text").await;
    let at = gateway.address.trim_start_matches("http://");
    let client = world.beside(at.parse().expect("an address"));
    // The gateway cannot write so long a text, so the contact is created at the provider.
    let contact = json!({ "role": "user", "external_id": "long", "email": "long@x.test", "name": "n".repeat(200_000) });
    let made = world
        .client
        .post(format!("http://{}/intercom/contacts", world.sandbox))
        .bearer_auth(roster_sandbox::TOKEN)
        .header("intercom-version", "2.17")
        .json(&contact)
        .send();
    assert!(made.await.expect("an answer").status().is_success());
    let find = "{ user(provider: INTERCOM, by: { externalId: \"long\" }) { id } }";
    let found = client.data(find).await;
    let id = &found["user"]["id"];
    assert!(id.is_string(), "{found}");
    let aliases = |of: &str| -> String { (0..3_000).map(|n| format!("a{n}:{of} ")).collect() };
    let before = peak(&gateway);

    for query in [
        format!(
            "query($id: ID!) {{ node(id: $id) {{ ... on User {{ {} }} }} }}",
            aliases("name")
        ),
        format!(
            "query($id: ID!) {{ node(id: $id) {{ ... on User {{ details {{ ... on IntercomUser {{ {} }} }} }} }} }}",
            aliases("name")
        ),
        format!(
            "query($id: ID!) {{ node(id: $id) {{ id }} person(email: \"long@x.test\") {{ {} }} }}",
            aliases("name")
        ),
    ] {
        let answer = client.answer_with(&query, json!({ "id": id })).await;
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(code, "QUERY_TOO_COMPLEX", "{answer:.300}");
    }

    let grown = peak(&gateway) - before;
    assert!(grown < 160 << 20, "{} MiB", grown >> 20);
}

#[tokio::test]
async fn responses_that_are_too_large_are_not_held() {
    let world = World::with(200, |_| {}).await;
    let gateway = gateway(&world, "large-answers").await;
    let at = gateway.address.trim_start_matches("http://");
    let client = world.beside(at.parse().expect("an address"));
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ sources {{ status error {{ code }} }} }} }}"
    );
    client.data(&query).await;
    let before = peak(&gateway);

    for fault in [
        json!({ "kind": "big", "bytes": SENT, "chunked": true }),
        json!({ "kind": "gzip_bomb", "bytes": SENT }),
    ] {
        for of in FOUR {
            world.fault(of, fault.clone()).await;
        }
        let data = client.data(&query).await;
        for of in FOUR {
            let source = &data["usersByEmail"]["sources"][place(of)];
            assert_eq!(
                source["error"]["code"], "PROVIDER_BAD_RESPONSE",
                "{fault}: {data}"
            );
        }
        world.heal().await;
    }

    // A growing buffer exists twice for a moment, and freed memory is not returned at once: a small
    // multiple of four largest responses, and far less than the eight gigabytes that were sent.
    let most = 4 * 4 * MAX_ANSWER + (16 << 20);
    let grown = peak(&gateway) - before;
    assert!(grown < most, "{} MiB", grown >> 20);
}
