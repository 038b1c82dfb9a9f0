//! DigitalChalk, as its documents have it.

use reqwest::{Method, StatusCode};
use roster_sandbox::known;
use serde_json::{Value, json};

use crate::server::{SandboxServer, items, read, texts};

const USERS: &str = "/digitalchalk/dc/api/v5/users";

async fn emails(server: &SandboxServer, query: &str) -> Vec<String> {
    let (_, page) = server.get(&format!("{USERS}?{query}")).await;
    texts(&page["results"], "email")
}

#[tokio::test]
async fn offsets_lead_through_every_user_once() {
    let server = SandboxServer::of(47).await;
    let mut found = Vec::new();
    let mut next = Some(server.url(USERS));
    while let Some(url) = next.take() {
        let (_, page) = server.get(&url).await;
        found.push(texts(&page["results"], "id"));
        next = page["next"].as_str().map(str::to_owned);
    }
    let sizes: Vec<usize> = found.iter().map(Vec::len).collect();
    assert_eq!(sizes, [15, 15, 15, 2]);
    assert_eq!(found.concat(), server.ids("digitalchalk").await);
}

#[tokio::test]
async fn a_page_that_ends_with_the_list_has_no_next() {
    for (users, query, has_next) in [
        (15, "", false),
        (16, "", true),
        (100, "?limit=100", false),
        (101, "?limit=100", true),
        (101, "?limit=1000", true),
    ] {
        let server = SandboxServer::of(users).await;
        let (_, page) = server.get(&format!("{USERS}{query}")).await;
        assert_eq!(page.get("next").is_some(), has_next, "{users} {query}");
        assert_eq!(page.get("prev"), None);
    }
}

#[tokio::test]
async fn a_page_beyond_the_end_has_only_a_link_back() {
    let server = SandboxServer::of(20).await;
    let (status, page) = server.get(&format!("{USERS}?offset=40&limit=10")).await;
    let prev = server.url(&format!("{USERS}?limit=10&offset=30"));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(page, json!({"results": [], "prev": prev}));
}

#[tokio::test]
async fn an_email_filter_is_a_substring_in_any_case() {
    let server = SandboxServer::of(200).await;
    let found = emails(&server, "email=help%40trainco.test").await;
    assert_eq!(
        found,
        [known::SHARED, known::SHARED_DECOY, known::SHARED_UPPER]
    );
    assert_eq!(
        emails(&server, "email=a%40b.test").await,
        [known::PREFIX_LONGER, known::PREFIX]
    );
    assert_eq!(emails(&server, "email=un_der").await, [known::UNDERSCORE]);
    assert_eq!(
        emails(&server, "email=ann%2Bnews%40x.test").await,
        [known::PLUS]
    );
    // Form-style: a raw plus is a space.
    assert_eq!(emails(&server, "email=ann+news%40x.test").await, [""; 0]);
    let upper = emails(&server, "email=j%C3%B6rg%40x.test").await;
    assert_eq!(upper, [known::UNICODE_LOCAL_AT_DIGITAL_CHALK]);
}

#[tokio::test]
async fn filters_restrict_together_and_unknown_ones_not_at_all() {
    let server = SandboxServer::of(200).await;
    let query = "email=help%40trainco.test&firstName=AIK";
    assert_eq!(emails(&server, query).await, [known::SHARED_UPPER]);
    assert_eq!(emails(&server, "tags=vip").await.len(), 15);
}

#[tokio::test]
async fn an_exact_hit_lies_beyond_the_first_page() {
    let server = SandboxServer::of(500).await;
    let first = emails(&server, "email=hundred%40pages.test&limit=100").await;
    assert_eq!(first.len(), 100);
    assert!(!first.iter().any(|email| email == known::POSITION_101));
    let second = emails(&server, "email=hundred%40pages.test&limit=100&offset=100").await;
    assert_eq!(second, [known::POSITION_101]);
    let hits = emails(&server, "email=seventeen%40pages.test&limit=100").await;
    assert_eq!((hits.len(), hits[16].as_str()), (17, known::POSITION_17));
}

#[tokio::test]
async fn links_have_the_shape_switched_on() {
    let server = SandboxServer::of(200).await;
    let path = format!("{USERS}?email=%40x.test&limit=5&offset=5");
    let links = async || {
        let (_, page) = server.get(&path).await;
        ["next", "prev", "previous"].map(|key| page[key].as_str().map(str::to_owned))
    };
    let query = |offset| format!("?email=%40x.test&limit=5&offset={offset}");
    let next = |prefix: &str| Some(format!("{prefix}{}", query(10)));
    let base = server.url(USERS);

    let prev = Some(format!("{base}{}", query(0)));
    assert_eq!(links().await, [next(&base), prev.clone(), None]);
    server.set_switch("digitalchalk", "back", "previous").await;
    assert_eq!(links().await, [next(&base), None, prev]);
    server.set_switch("digitalchalk", "back", "none").await;
    assert_eq!(links().await, [next(&base), None, None]);

    server.set_switch("digitalchalk", "links", "relative").await;
    assert_eq!(links().await[0], next(USERS));
    server
        .set_switch("digitalchalk", "links", "other_prefix")
        .await;
    assert_eq!(
        links().await[0],
        next(&server.url("/digitalchalk/api/v5/users"))
    );
    server
        .set_switch("digitalchalk", "links", "foreign_host")
        .await;
    assert_eq!(
        links().await[0],
        next("http://attacker.test/dc/api/v5/users")
    );
    server
        .set_switch("digitalchalk", "links", "drop_filters")
        .await;
    assert_eq!(links().await[0], Some(format!("{base}?limit=5&offset=10")));
}

#[tokio::test]
async fn both_prefixes_and_both_endings_are_served() {
    let server = SandboxServer::of(3).await;
    let id = server.ids("digitalchalk").await.remove(1);
    for prefix in ["/dc/api/v5", "/api/v5"] {
        for slash in ["", "/"] {
            let path = format!("/digitalchalk{prefix}/users/{id}{slash}");
            let (status, user) = server.get(&path).await;
            assert_eq!(
                (status, &user["id"]),
                (StatusCode::OK, &json!(id)),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn a_limit_is_clamped_or_rejected() {
    let server = SandboxServer::of(120).await;
    assert_eq!(emails(&server, "limit=101").await.len(), 100);
    for query in ["limit=x", "limit=0", "limit=-1", "offset=-1", "offset=x"] {
        let (status, body) = server.get(&format!("{USERS}?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(body["errors"][0].is_string(), "{query}");
    }
    server.set_switch("digitalchalk", "limit", "reject").await;
    let (status, _) = server.get(&format!("{USERS}?limit=101")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn empty_fields_are_left_out() {
    let server = SandboxServer::of(200).await;
    let empty = async || {
        let (_, page) = server.get(&format!("{USERS}?limit=100")).await;
        let found = items(&page["results"]).find(|user| {
            let email = user.get("email").and_then(Value::as_str);
            email.is_none_or(str::is_empty)
                && user
                    .get("username")
                    .is_none_or(|u| !u.is_string() || u == "")
        });
        found.expect("the empty user").clone()
    };
    let keys = |user: &Value| {
        let fields = user.as_object().expect("an object");
        fields.keys().cloned().collect::<Vec<_>>()
    };

    assert_eq!(keys(&empty().await), ["id", "createdDate"]);
    server.set_switch("digitalchalk", "empty", "null").await;
    assert_eq!(empty().await["email"], Value::Null);
    assert_eq!(keys(&empty().await).len(), 9);
    server
        .set_switch("digitalchalk", "empty", "empty_string")
        .await;
    assert_eq!(empty().await["email"], "");
}

#[tokio::test]
async fn a_post_answers_with_a_location_alone() {
    let server = SandboxServer::of(3).await;
    let body = json!({"firstName": "Nora", "email": "nora@x.test", "tags": ["a b", "c,a"]});
    let request = server
        .call(Method::POST, "/digitalchalk/api/v5/users")
        .json(&body);

    let answer = request.send().await.unwrap();

    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        location.starts_with("/digitalchalk/api/v5/users/ff80"),
        "{location}"
    );
    assert_eq!(answer.bytes().await.unwrap().len(), 0);
    let (_, user) = server.get(&location).await;
    assert_eq!(user["email"], "nora@x.test");
    assert_eq!(user["username"], "nora@x.test");
    assert_eq!(user["tags"], json!(["a", "b", "c"]));
    assert_eq!(user.get("lastLoginDate"), None);
}

#[tokio::test]
async fn usernames_or_emails_are_unique() {
    let server = SandboxServer::of(200).await;
    let post = async |body: Value| server.send(Method::POST, USERS, body).await;

    let shared = json!({"email": known::EVERYWHERE, "username": "another"});
    assert_eq!(post(shared.clone()).await.0, StatusCode::CREATED);
    let (status, body) = post(json!({"email": "new@x.test", "username": "ANN"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body, json!({"fieldErrors": {"username": "already in use"}}));

    server.set_switch("digitalchalk", "usernames", "off").await;
    let (status, body) = post(shared).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body, json!({"fieldErrors": {"email": "already in use"}}));
}

#[tokio::test]
async fn a_put_changes_what_it_mentions() {
    let server = SandboxServer::of(3).await;
    let path = format!("{USERS}/{}", server.ids("digitalchalk").await[0]);

    let body = json!({"firstName": "Anna", "lastName": null, "tags": []});
    let (status, answer) = server.send(Method::PUT, &path, body).await;
    assert_eq!((status, answer), (StatusCode::NO_CONTENT, Value::Null));
    let (_, user) = server.get(&path).await;
    assert_eq!(user["firstName"], "Anna");
    assert_eq!(user["email"], known::EVERYWHERE);
    assert_eq!((user.get("lastName"), user.get("tags")), (None, None));

    server
        .set_switch("digitalchalk", "put_null", "ignore")
        .await;
    server.set_switch("digitalchalk", "put", "201").await;
    let (status, _) = server
        .send(Method::PUT, &path, json!({"firstName": null}))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(server.get(&path).await.1["firstName"], "Anna");
}

#[tokio::test]
async fn a_refused_put_changes_nothing() {
    let server = SandboxServer::of(3).await;
    let path = format!("{USERS}/{}", server.ids("digitalchalk").await[0]);
    let (_, before) = server.get(&path).await;
    for (body, field) in [
        (json!({"firstName": "X", "email": "nonsense"}), "email"),
        (json!({"firstName": "X", "email": 5}), "email"),
        (json!({"firstName": "X", "password": "short"}), "password"),
        (json!({"firstName": "X", "tags": "a"}), "tags"),
        (json!({"firstName": 5}), "firstName"),
    ] {
        let (status, answer) = server.send(Method::PUT, &path, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer["fieldErrors"][field].is_string(), "{body} {answer}");
        assert_eq!(server.get(&path).await.1, before);
    }
    let broken = server
        .call(Method::PUT, &path)
        .body("{")
        .header("content-type", "application/json");
    assert_eq!(read(broken).await.0, StatusCode::BAD_REQUEST);
    let untyped = server.call(Method::PUT, &path).body("{}");
    assert_eq!(read(untyped).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_deleted_user_is_gone() {
    let server = SandboxServer::of(3).await;
    let id = server.ids("digitalchalk").await.remove(0);
    let path = format!("{USERS}/{id}");
    let delete = async || read(server.call(Method::DELETE, &path)).await.0;
    assert_eq!(delete().await, StatusCode::NO_CONTENT);
    assert_eq!(delete().await, StatusCode::NOT_FOUND);
    assert_eq!(
        server.get(&path).await,
        (StatusCode::NOT_FOUND, Value::Null)
    );
    assert!(!server.ids("digitalchalk").await.contains(&id));
}

#[tokio::test]
async fn a_caller_without_the_token_gets_the_error_of_oauth() {
    let server = SandboxServer::of(1).await;
    let wrong = server.bare(Method::GET, USERS).bearer_auth("wrong");
    let answer = wrong.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    let body: Value = answer.json().await.unwrap();
    let expected =
        json!({"error": "invalid_token", "error_description": "Invalid access token: wrong"});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn user_field_values_are_kept_by_the_id_of_the_field() {
    let server = SandboxServer::of(30).await;
    let (_, fields) = server.get("/digitalchalk/api/v5/userfields").await;
    let names = texts(&fields["results"], "name");
    let ids = texts(&fields["results"], "id");
    let id = |name: &str| ids[names.iter().position(|n| n == name).expect("the field")].clone();
    let path = format!(
        "{USERS}/{}/userfieldvalues",
        server.ids("digitalchalk").await[0]
    );

    let (_, values) = server.get(&path).await;
    assert_eq!(values[&id("plan")], "gold");
    let body = json!({id("plan"): null, id("City"): "Leeds"});
    let (status, _) = server.send(Method::PUT, &path, body).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, values) = server.get(&path).await;
    assert_eq!(values.get(id("plan")), None);
    assert_eq!(values[&id("City")], "Leeds");
    assert_eq!(values[&id("seats")], 17);

    let (status, body) = server.send(Method::PUT, &path, json!({"unknown": 1})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["message"].is_string());
    let unknown = format!("{USERS}/unknown/userfieldvalues");
    assert_eq!(server.get(&unknown).await.0, StatusCode::NOT_FOUND);
}
