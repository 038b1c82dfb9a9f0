//! The call log, the switches and the records.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use roster_sandbox::{Options, known, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::house::{House, items, read, texts};

#[tokio::test]
async fn calls_are_logged_as_sent_in_the_order_of_arrival() {
    let house = House::of(3).await;
    house
        .get("/ada/api/v2/end-users/?email=a%40b.test&limit=1")
        .await;
    house.get("/digitalchalk/dc/api/v5/users/a%2Fb").await;
    house.get("/ada").await;

    let (_, calls) = house.get("/_sandbox/calls").await;
    assert_eq!(texts(&calls, "vendor"), ["ada", "digitalchalk", "ada"]);
    assert_eq!(
        house.calls("ada").await,
        [
            "GET /api/v2/end-users/?email=a%40b.test&limit=1 200",
            "GET /? 404"
        ]
    );
    assert_eq!(
        house.calls("digitalchalk").await,
        ["GET /dc/api/v5/users/a%2Fb? 404"]
    );

    let (status, _) = read(house.call(Method::DELETE, "/_sandbox/calls")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(house.get("/_sandbox/calls").await.1, json!([]));
}

#[tokio::test]
async fn the_version_header_is_logged() {
    let house = House::of(3).await;
    let request = house.call(Method::GET, "/intercom/users");
    read(request.header("Intercom-Version", "1.4")).await;
    let (_, calls) = house.get("/_sandbox/calls?vendor=intercom").await;
    assert_eq!(calls[0]["version"], "1.4");
}

#[tokio::test]
async fn every_vendor_tells_all_the_records_of_its_list() {
    let house = House::of(150).await;
    // Two of Intercom's are leads, which its list of users does not show.
    for (vendor, count) in [
        ("ada", 150),
        ("digitalchalk", 150),
        ("intercom", 148),
        ("usertour", 150),
    ] {
        assert_eq!(house.ids(vendor).await.len(), count, "{vendor}");
    }
    let (_, records) = house.get("/_sandbox/records?vendor=ada").await;
    let ann = items(&records).find(|record| record["email"] == known::EVERYWHERE);
    let ann = ann.expect("the known person");
    assert_eq!(ann["externalId"], known::EVERYWHERE_EXTERNAL_ID);
}

#[tokio::test]
async fn a_wrong_control_is_refused_with_what_is_known() {
    let house = House::of(1).await;
    for (body, says) in [
        (
            json!({"vendor": "ada", "name": "nonsense", "value": "x"}),
            "cursor=exclusive",
        ),
        (
            json!({"vendor": "ada", "name": "cursor", "value": "x"}),
            "exclusive",
        ),
        (
            json!({"vendor": "nobody", "name": "cursor", "value": "x"}),
            "digitalchalk",
        ),
        (json!({"vendor": "ada"}), "name"),
        (json!("ada"), "struct"),
    ] {
        let (status, answer) = house
            .send(Method::POST, "/_sandbox/behaviour", body.clone())
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        let message = answer["message"].as_str().expect("a message");
        assert!(message.contains(says), "{message}");
    }
    for path in [
        "/_sandbox/records",
        "/_sandbox/calls?vendor=x",
        "/_sandbox/faults?x=1",
    ] {
        assert_eq!(house.get(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_switch_turns_back() {
    let house = House::of(1).await;
    house.switch("ada", "dates", "z").await;
    house.switch("ada", "cursor", "exclusive").await;
    house.switch("digitalchalk", "put", "201").await;
    let set = async || house.get("/_sandbox/behaviour").await.1;
    assert_eq!(texts(&set().await, "name"), ["cursor", "dates", "put"]);

    read(house.call(Method::DELETE, "/_sandbox/behaviour?vendor=ada&name=dates")).await;
    assert_eq!(texts(&set().await, "name"), ["cursor", "put"]);
    read(house.call(Method::DELETE, "/_sandbox/behaviour?vendor=ada")).await;
    assert_eq!(texts(&set().await, "name"), ["put"]);
    read(house.call(Method::DELETE, "/_sandbox/behaviour")).await;
    assert_eq!(set().await, json!([]));
}

#[tokio::test]
async fn another_token_and_latency_are_options() {
    let house = House::with(Options {
        users: 1,
        token: "another".to_owned(),
        latency: Duration::from_millis(120),
        ..Options::default()
    })
    .await;
    let start = Instant::now();
    let (status, _) = house.get("/ada/api/v2/end-users/").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(start.elapsed() >= Duration::from_millis(120));
    let right = house.bare(Method::GET, "/ada/api/v2/end-users/");
    assert_eq!(read(right.bearer_auth("another")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_hanging_call_does_not_hold_the_shutdown_up() {
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
    let fault = json!({"vendor": "ada", "kind": "hang"});
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
async fn an_unknown_path_names_the_vendors() {
    let house = House::of(1).await;
    for path in ["/", "/nobody/users", "/_sandbox/nothing", "//ada"] {
        assert_eq!(
            house.get(path).await,
            (StatusCode::NOT_FOUND, Value::Null),
            "{path}"
        );
    }
}
