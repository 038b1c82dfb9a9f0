//! The statuses of the graph page are those that the gateway answers.

use std::collections::BTreeSet;

use reqwest::{RequestBuilder, header};

use super::page::page;
use crate::world::World;

/// Statuses that other tests bring about: they take slow or large requests, or a full gateway.
const ELSEWHERE: [u16; 5] = [408, 413, 414, 431, 503];

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

/// The status of each request that a row of the page names.
async fn statuses(world: &World) -> BTreeSet<u16> {
    let url = format!("http://{}/graphql", world.gateway);
    let json = "application/json";
    let post = |body: &str| {
        let request = world.client.post(&url).body(body.to_owned());
        request.header(header::CONTENT_TYPE, json)
    };
    let form = world.client.get(format!("{url}?query={{__typename}}"));
    let mutation = "mutation{upsertUser(input:{provider:ADA}){outcome}}";
    let requests = [
        post(r#"{"query":"{ __typename }"}"#),
        post(r#"{"query":"{ users(provider: ADA, last: 1) { totalCount } }"}"#),
        post(r#"{"query":"{"}"#),
        world.client.get(&url).query(&[("query", mutation)]),
        post(r#"{"query":"{ __typename }"}"#).header(header::ACCEPT, "text/csv"),
        form.header(header::CONTENT_TYPE, "text/plain"),
        post(r#"{"query":"{ __typename }"}"#).header(header::HOST, "other.example"),
        post(r#"{"query":"{ unheardOf }"}"#),
    ];
    let mut found = BTreeSet::new();
    for request in requests {
        found.insert(status(request).await);
    }
    found
}

#[tokio::test]
async fn the_graph_page_has_the_statuses_that_the_gateway_answers() {
    let world = World::with(1, |_| {}).await;
    let mut expected = statuses(&world).await;
    expected.extend(ELSEWHERE);

    let rows = page("docs/graph.md").rows("HTTP");
    let cells = rows.iter().flat_map(|row| row[0].split(", "));
    let documented: BTreeSet<u16> = cells.map(|cell| cell.parse().expect("a status")).collect();

    assert_eq!(documented, expected);
}
