//! A write in flight when the program is stopped.

use std::time::Duration;

use roster::account::Provider::DigitalChalk;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{File, PATIENCE, serve::Gateway, terminate};
use crate::world::World;

#[tokio::test]
async fn a_write_whose_client_has_left_is_finished_before_the_program_ends() {
    let world = World::with(3, |_| {}).await;
    let before = world.records(DigitalChalk).await.len();
    let slow = json!({ "kind": "latency", "milliseconds": 1000, "method": "POST" });
    world.fault(DigitalChalk, slow).await;
    let slow = json!({ "kind": "latency", "milliseconds": 1000, "method": "PUT" });
    world.fault(DigitalChalk, slow).await;
    let token = File::holding("drain-token", roster_sandbox::TOKEN);
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nshutdown_delay_seconds = 0\n[accounts.digitalchalk]\nenabled = true\n\
         base_url = \"http://{}/digitalchalk/dc/api/v5\"\ntoken_file = \"{}\"\n",
        world.sandbox,
        token.path()
    );
    let file = File::holding("drain", &config);
    let gateway = Gateway::start(&file).await;
    let url = format!("http://{}/digitalchalk/dc/api/v5/userfields", world.sandbox);
    let fields = world.client.get(url).bearer_auth(roster_sandbox::TOKEN);
    let fields: Value = fields
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let field = fields["results"][0]["id"].as_str().expect("an id");
    let input = json!({ "provider": "DIGITAL_CHALK", "email": "new@x.test", "attributes": { field: "+46 8 123" } });
    let query = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) { outcome } }";
    let write = world
        .client
        .post(format!("{}/graphql", gateway.address))
        .json(&json!({ "query": query, "variables": { "input": input } }))
        .send();
    let write = tokio::spawn(write);
    let is_sent = async {
        let is_post = |call: &crate::world::Call| call.method == "POST";
        while !world.calls(DigitalChalk).await.iter().any(is_post) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, is_sent).await.expect("it is sent");

    write.abort();
    terminate(&gateway.child).await;
    assert_eq!(gateway.end().await, Some(0));

    let records = world.records(DigitalChalk).await;
    assert_eq!(records.len(), before + 1);
    let id = records.iter().find(|user| user["email"] == "new@x.test");
    let id = id.expect("the user")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let values: Value = world
        .at_provider(DigitalChalk, &format!("/users/{id}/userfieldvalues"))
        .await;
    assert!(values.to_string().contains("+46 8 123"), "{values}");
}
