//! Every field that calls a provider, while that provider does not respond.

use futures_util::future::join_all;
use roster::account::Provider;
use serde_json::{Value, json};

use super::{code, in_time, search, world};
use crate::{
    subject::expected,
    world::{FOUR, World, neighbour, word},
};

/// Faults with which a response never ends.
fn ways() -> [Value; 2] {
    [
        json!({ "kind": "hang" }),
        json!({ "kind": "drip", "milliseconds": 60_000 }),
    ]
}

/// The id of a provider's first user.
async fn first(world: &World, of: Provider) -> (String, String) {
    let query = format!(
        "{{ users(provider: {}, first: 1) {{ nodes {{ id remoteId }} }} }}",
        word(of)
    );
    let data = world.data(&query).await;
    let node = &data["users"]["nodes"][0];
    let text = |name: &str| node[name].as_str().expect("an id").to_owned();
    (text("id"), text("remoteId"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_of_all_providers_has_the_records_of_those_that_respond() {
    for way in ways() {
        let providers = FOUR.map(|sick| {
            let way = way.clone();
            async move {
                let world = world(|_| {}).await;
                world.fault(sick, way).await;
                search(&world, sick).await;
            }
        });
        join_all(providers).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_lookups_end_at_the_deadline() {
    for way in ways() {
        let providers = FOUR.map(|sick| {
            let way = way.clone();
            async move {
                let world = world(|_| {}).await;
                let other = neighbour(sick);
                let ((id, remote_id), (well, _)) =
                    (first(&world, sick).await, first(&world, other).await);
                world.fault(sick, way).await;
                let sick = word(sick);
                let query = format!(
                    "{{ list: users(provider: {sick}, first: 300) {{ nodes {{ id }} }}
                        one: user(provider: {sick}, by: {{ remoteId: \"{remote_id}\" }}) {{ id }}
                        node(id: \"{id}\") {{ id }}
                        nodes(ids: [\"{id}\", \"{well}\"]) {{ id }}
                        person(email: \"somebody@x.test\") {{ email }} }}"
                );

                let answer = in_time(&world, &query).await;

                assert_eq!(
                    answer["data"]["nodes"],
                    json!([null, { "id": well }]),
                    "{answer}"
                );
                let errors = answer["errors"].as_array().expect("errors");
                for path in ["list", "one", "node", "nodes"] {
                    let of = errors.iter().find(|error| error["path"][0] == path);
                    let code = &of.expect(path)["extensions"]["code"];
                    assert_eq!(code, "DEADLINE_EXCEEDED", "{path}: {answer}");
                }
            }
        });
        join_all(providers).await;
    }
}

#[tokio::test]
async fn a_subresource_with_its_own_call_ends_at_the_deadline() {
    let world = world(|_| {}).await;
    let (_, id) = first(&world, Provider::Intercom).await;
    let hang = json!({ "kind": "hang", "path": format!("/contacts/{id}/") });
    world.fault(Provider::Intercom, hang).await;
    let query = format!(
        "{{ user(provider: INTERCOM, by: {{ remoteId: \"{id}\" }}) {{
            remoteId details {{ ... on IntercomUser {{ tags {{ id }} segments {{ id }} }} }}
        }} }}"
    );

    let answer = in_time(&world, &query).await;

    assert_eq!(answer["data"]["user"]["remoteId"], id, "{answer}");
    assert_eq!(code(&answer), "DEADLINE_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_end_at_the_deadline_and_so_do_the_next_ones() {
    let providers = FOUR.map(|sick| async move {
        let world = world(|_| {}).await;
        world.fault(sick, json!({ "kind": "hang" })).await;
        let write = |alias: &str, of: Provider| {
            let id = match expected(of).has_external_ids {
                true => "externalId: \"n-1\"",
                false => "",
            };
            format!(
                "{alias}: upsertUser(input: {{ provider: {}, email: \"new@x.test\" {id} }}) {{
                    outcome userErrors {{ code }}
                }}",
                word(of)
            )
        };
        let other = neighbour(sick);
        // The fields of a mutation run in sequence, within one deadline.
        let query = format!(
            "mutation {{ {} {} {} }}",
            write("before", other),
            write("sick", sick),
            write("after", sick)
        );

        let answer = in_time(&world, &query).await;

        assert_eq!(
            answer["data"]["before"]["userErrors"],
            json!([]),
            "{answer}"
        );
        for alias in ["sick", "after"] {
            let errors = &answer["data"][alias]["userErrors"];
            assert_eq!(errors[0]["code"], "DEADLINE_EXCEEDED", "{alias}: {answer}");
        }
        // A write that was never sent is known to be undone.
        assert_eq!(answer["data"]["after"]["outcome"], "SKIPPED", "{answer}");
        assert_eq!(world.calls(sick).await.len(), 1);
    });
    join_all(providers).await;
}
