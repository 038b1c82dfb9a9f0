//! One table of hostile requests over four transports: the same limits, the same codes, the same bytes.

use roster::{account::Provider, server::SocketLimits};
use serde_json::{Value, json};

use super::{Socket, StreamGateway, events, post_for_events};
use crate::world::World;

/// How a request is sent.
#[derive(Clone, Copy, Debug)]
enum Transport {
    Post,
    Get,
    WebSocket,
    Events,
}

const TRANSPORTS: [Transport; 4] = [
    Transport::Post,
    Transport::Get,
    Transport::WebSocket,
    Transport::Events,
];

/// A hostile request.
struct Attack {
    name: &'static str,
    body: Value,
    /// The code of its errors, each of them.
    code: &'static str,
    /// Whether it is too long for the URL of a GET.
    is_long: bool,
}

fn attack(name: &'static str, query: &str, code: &'static str) -> Attack {
    Attack {
        name,
        is_long: query.len() > 4_000,
        body: json!({ "query": query }),
        code,
    }
}

fn repeated(times: usize, text: impl Fn(usize) -> String) -> String {
    (0..times).map(text).collect()
}

/// Documents that no variables make worse.
fn documents() -> Vec<Attack> {
    let list = "users(provider: ADA, first: 500) { nodes { id } }";
    let deep = format!("{}a{}", "{a".repeat(200), "}".repeat(200));
    let bomb = repeated(8, |of| {
        let spread = format!("...f{} ", of + 1).repeat(10);
        format!("fragment f{of} on Query {{ {spread} }} ")
    });
    let bomb = format!("{{ ...f0 }} {bomb} fragment f8 on Query {{ __typename }}");
    let tokens = format!("{{ {} }}", "a ".repeat(16_000));
    let rows = format!("{{ {} }}", repeated(21, |n| format!("a{n}: {list} ")));
    let roots = format!("{{ {} }}", repeated(301, |n| format!("a{n}: __typename ")));
    let cycle = "{ ...f } fragment f on Query { ...f }";
    let two = "query A { __typename } query B { __typename }";
    vec![
        attack("not a document", "{", "GRAPHQL_PARSE_FAILED"),
        attack("unknown field", "{ nobody }", "GRAPHQL_VALIDATION_FAILED"),
        attack("brackets", &deep, "QUERY_TOO_COMPLEX"),
        attack("tokens", &tokens, "QUERY_TOO_COMPLEX"),
        attack("fragments", &bomb, "QUERY_TOO_COMPLEX"),
        attack("rows", &rows, "QUERY_TOO_COMPLEX"),
        attack("roots", &roots, "QUERY_TOO_COMPLEX"),
        attack("fragment cycle", cycle, "GRAPHQL_VALIDATION_FAILED"),
        attack("no such operation", two, "BAD_USER_INPUT"),
    ]
}

/// Requests whose variables, or whose shape, are wrong.
fn requests() -> Vec<Attack> {
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let ids: Vec<_> = (0..501).map(|n| n.to_string()).collect();
    let first = "query($n: Int!) { users(provider: ADA, first: $n) { totalCount } }";
    let request = |name, body, code, is_long| Attack {
        name,
        body,
        code,
        is_long,
    };
    let with = |query: &str, variables: Value| json!({ "query": query, "variables": variables });
    vec![
        request(
            "keys",
            with(nodes, json!({ "ids": ids })),
            "QUERY_TOO_COMPLEX",
            true,
        ),
        request(
            "a variable of another type",
            with(first, json!({ "n": "7" })),
            "BAD_USER_INPUT",
            false,
        ),
        request(
            "a number that is no integer",
            with(first, json!({ "n": 1e30 })),
            "BAD_USER_INPUT",
            false,
        ),
        request(
            "a query that is no text",
            json!({ "query": [1] }),
            "BAD_USER_INPUT",
            true,
        ),
    ]
}

/// The errors of a response: none of its data may be there.
async fn errors(
    gateway: &StreamGateway,
    socket: &mut Socket,
    transport: Transport,
    body: &Value,
) -> Value {
    let url = format!("http://{}/graphql", gateway.address);
    let client = reqwest::Client::new();
    let response = match transport {
        Transport::Post => client.post(url).json(body).send().await,
        Transport::Get => {
            let mut url: url::Url = url.parse().expect("a URL");
            for (name, value) in body.as_object().expect("an object") {
                let text = value.as_str().map(str::to_owned);
                let text = text.unwrap_or_else(|| value.to_string());
                url.query_pairs_mut().append_pair(name, &text);
            }
            client.get(url).send().await
        }
        Transport::Events => Ok(post_for_events(gateway.address, body).await),
        Transport::WebSocket => {
            let message = json!({ "type": "subscribe", "id": "a", "payload": body });
            socket.send(message).await;
            let messages = socket.messages("a").await;
            return match messages[0]["type"].as_str() {
                Some("error") => messages[0]["payload"].clone(),
                _ => messages[0]["payload"]["errors"].clone(),
            };
        }
    };
    let response = response.expect("an answer");
    let media = response.headers()["content-type"].to_str().expect("text");
    if media.starts_with("text/event-stream") {
        return events(response).await[0].1["errors"].clone();
    }
    let answer: Value = response.json().await.expect("JSON");
    answer["errors"].clone()
}

#[tokio::test]
async fn a_hostile_request_is_refused_alike_over_every_transport() {
    let world = World::with(5, |_| {}).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    world.forget_calls().await;
    for Attack {
        name,
        body,
        code,
        is_long,
    } in documents().into_iter().chain(requests())
    {
        let over_post = errors(&gateway, &mut socket, Transport::Post, &body).await;
        let codes: Vec<_> = over_post
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["extensions"]["code"].clone())
            .collect();
        assert!(
            !codes.is_empty() && codes.iter().all(|found| found == code),
            "{name}: {codes:?}"
        );
        for transport in TRANSPORTS {
            if is_long && matches!(transport, Transport::Get) {
                continue;
            }
            let found = errors(&gateway, &mut socket, transport, &body).await;
            assert_eq!(found, over_post, "{name} over {transport:?}");
        }
    }
    assert_eq!(world.tally().await, [0; 4], "a provider was asked");
}

/// Asserts that a query fails with a code over every transport.
async fn assert_code_everywhere(gateway: &StreamGateway, query: &str, code: &str) {
    let mut socket = gateway.socket().await;
    for transport in TRANSPORTS {
        let body = json!({ "query": query });
        let found = errors(gateway, &mut socket, transport, &body).await;

        assert_eq!(
            found[0]["extensions"]["code"], code,
            "{transport:?}: {found}"
        );
    }
}

#[tokio::test]
async fn the_bytes_of_a_request_are_metered_over_every_transport() {
    let world = World::with(500, |_| {}).await;
    let gateway = StreamGateway::with(&world, SocketLimits::default(), |settings| {
        settings.limits.request_bytes = 100_000;
    })
    .await;

    let list = "{ users(provider: ADA, first: 500) { nodes { id raw } } }";
    assert_code_everywhere(&gateway, list, "QUERY_TOO_COMPLEX").await;
}

#[tokio::test]
async fn the_deadline_holds_over_every_transport() {
    let world = World::with(5, |_| {}).await;
    world.fault(Provider::Ada, json!({ "kind": "hang" })).await;
    let gateway = StreamGateway::with(&world, SocketLimits::default(), |settings| {
        settings.limits.deadline_seconds = 0.3;
    })
    .await;

    let list = "{ users(provider: ADA) { nodes { id } } }";
    assert_code_everywhere(&gateway, list, "DEADLINE_EXCEEDED").await;
}

#[tokio::test]
async fn the_deadline_holds_for_each_event_of_a_subscription() {
    let world = World::with(5, |_| {}).await;
    world.fault(Provider::Ada, json!({ "kind": "hang" })).await;
    let gateway = StreamGateway::with(&world, SocketLimits::default(), |settings| {
        settings.limits.deadline_seconds = 0.3;
    })
    .await;
    let mut socket = gateway.socket().await;
    let search = "subscription { usersByEmail(email: \"ann@x.test\") { source { account error { code } } } }";

    socket.subscribe("1", search).await;

    let messages = socket.messages("1").await;
    let sources: Vec<_> = messages
        .iter()
        .map(|message| &message["payload"]["data"]["usersByEmail"]["source"])
        .collect();
    let late = sources.iter().find(|source| source["account"] == "ada");
    let code = &late.expect("an event of Ada")["error"]["code"];
    assert_eq!(code, "DEADLINE_EXCEEDED");
    assert_eq!(messages.len(), 5, "{messages:?}");
}
