//! The call log, the switches and the records.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use roster_sandbox::{Options, known, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::server::{SandboxServer, items, read, texts};

#[tokio::test]
async fn calls_are_logged_as_sent_in_the_order_of_arrival() {
    let server = SandboxServer::of(3).await;
    server
        .get("/ada/api/v2/end-users/?email=a%40b.test&limit=1")
        .await;
    server.get("/digitalchalk/dc/api/v5/users/a%2Fb").await;
    server.get("/ada").await;

    let (_, calls) = server.get("/_sandbox/calls").await;
    assert_eq!(texts(&calls, "provider"), ["ada", "digitalchalk", "ada"]);
    assert_eq!(
        server.calls("ada").await,
        [
            "GET /api/v2/end-users/?email=a%40b.test&limit=1 200",
            "GET /? 404"
        ]
    );
    assert_eq!(
        server.calls("digitalchalk").await,
        ["GET /dc/api/v5/users/a%2Fb? 404"]
    );

    let (status, _) = read(server.call(Method::DELETE, "/_sandbox/calls")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(server.get("/_sandbox/calls").await.1, json!([]));
}

#[tokio::test]
async fn the_version_header_is_logged() {
    let server = SandboxServer::of(3).await;
    let request = server.call(Method::GET, "/intercom/users");
    read(request.header("Intercom-Version", "1.4")).await;
    let (_, calls) = server.get("/_sandbox/calls?provider=intercom").await;
    assert_eq!(calls[0]["version"], "1.4");
}

#[tokio::test]
async fn every_provider_lists_all_its_records() {
    let server = SandboxServer::of(150).await;
    // Two of Intercom's are leads, which its list of users does not show.
    for (provider, count) in [
        ("ada", 150),
        ("digitalchalk", 150),
        ("intercom", 148),
        ("usertour", 150),
    ] {
        assert_eq!(server.ids(provider).await.len(), count, "{provider}");
    }
    let (_, records) = server.get("/_sandbox/records?provider=ada").await;
    let ann = items(&records).find(|record| record["email"] == known::EVERYWHERE);
    let ann = ann.expect("the known person");
    assert_eq!(ann["externalId"], known::EVERYWHERE_EXTERNAL_ID);
}

#[tokio::test]
async fn a_wrong_control_is_refused_with_the_known_values() {
    let server = SandboxServer::of(1).await;
    for (body, says) in [
        (
            json!({"provider": "ada", "name": "nonsense", "value": "x"}),
            "cursor=exclusive",
        ),
        (
            json!({"provider": "ada", "name": "cursor", "value": "x"}),
            "exclusive",
        ),
        (
            json!({"provider": "nobody", "name": "cursor", "value": "x"}),
            "digitalchalk",
        ),
        (json!({"provider": "ada"}), "name"),
        (json!("ada"), "struct"),
    ] {
        let (status, answer) = server
            .send(Method::POST, "/_sandbox/behaviour", body.clone())
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        let message = answer["message"].as_str().expect("a message");
        assert!(message.contains(says), "{message}");
    }
    for path in [
        "/_sandbox/records",
        "/_sandbox/calls?provider=x",
        "/_sandbox/faults?x=1",
    ] {
        assert_eq!(server.get(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_switch_can_be_cleared() {
    let server = SandboxServer::of(1).await;
    server.set_switch("ada", "dates", "z").await;
    server.set_switch("ada", "cursor", "exclusive").await;
    server.set_switch("digitalchalk", "put", "201").await;
    let set = async || server.get("/_sandbox/behaviour").await.1;
    assert_eq!(texts(&set().await, "name"), ["cursor", "dates", "put"]);

    read(server.call(
        Method::DELETE,
        "/_sandbox/behaviour?provider=ada&name=dates",
    ))
    .await;
    assert_eq!(texts(&set().await, "name"), ["cursor", "put"]);
    read(server.call(Method::DELETE, "/_sandbox/behaviour?provider=ada")).await;
    assert_eq!(texts(&set().await, "name"), ["put"]);
    read(server.call(Method::DELETE, "/_sandbox/behaviour")).await;
    assert_eq!(set().await, json!([]));
}

#[tokio::test]
async fn another_token_and_latency_are_options() {
    let server = SandboxServer::with(Options {
        users: 1,
        token: "another".to_owned(),
        latency: Duration::from_millis(120),
        ..Options::default()
    })
    .await;
    let start = Instant::now();
    let (status, _) = server.get("/ada/api/v2/end-users/").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(start.elapsed() >= Duration::from_millis(120));
    let right = server.bare(Method::GET, "/ada/api/v2/end-users/");
    assert_eq!(read(right.bearer_auth("another")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_hanging_call_does_not_delay_the_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let options = Options {
        users: 1,
        ..Options::default()
    };
    let served = tokio::spawn(async move {
        let shutdown = async { drop(stopped.await) };
        serve(listener, &options, shutdown).await
    });
    let client = reqwest::Client::new();
    let fault = json!({"provider": "ada", "kind": "hang"});
    let set = client.post(format!("{url}/_sandbox/faults")).json(&fault);
    assert_eq!(set.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let hanging = client
        .get(format!("{url}/ada/"))
        .timeout(Duration::from_millis(100));
    let keeper = tokio::spawn(client.get(format!("{url}/ada/")).send());
    assert!(hanging.send().await.is_err());

    stop.send(()).unwrap();

    let ended = tokio::time::timeout(Duration::from_secs(10), served).await;
    assert!(ended.unwrap().unwrap().is_ok());
    keeper.abort();
}

#[tokio::test]
async fn an_unknown_path_lists_the_providers() {
    let server = SandboxServer::of(1).await;
    for path in ["/", "/nobody/users", "/_sandbox/nothing", "//ada"] {
        assert_eq!(
            server.get(path).await,
            (StatusCode::NOT_FOUND, Value::Null),
            "{path}"
        );
    }
}
