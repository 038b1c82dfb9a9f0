//! Usertour v1.

mod pages;
mod segments;
mod writes;

use std::collections::BTreeSet;

use roster_sandbox::known;
use serde_json::{Value, json};

use crate::in_process::{Reply, Sandbox, column};

fn usertour(users: usize) -> Sandbox {
    Sandbox::with_users(users).header("authorization", "Bearer ak_sandbox-token")
}

fn refusal(reply: &Reply) -> (u16, String, String) {
    let error = &reply.json()["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (reply.status.as_u16(), text("code"), text("message"))
}

fn invalid(message: &str) -> (u16, String, String) {
    (400, "E1017".to_owned(), message.to_owned())
}

async fn walk(sandbox: &Sandbox, first: &str) -> (Vec<String>, usize) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    let mut next = Some(first.to_owned());
    while let Some(link) = next {
        let page = sandbox.get(&format!("/usertour{link}")).await.json();
        ids.extend(column(&page["results"], "id"));
        pages += 1;
        next = page["next"].as_str().map(str::to_owned);
        assert!(pages < 1000, "the walk ends");
    }
    (ids, pages)
}

async fn cursor_after(sandbox: &Sandbox, path: &str) -> String {
    let page = sandbox.get(path).await.json();
    let next = page["next"].as_str().unwrap_or_default();
    let cursor = next
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix("cursor="));
    cursor.expect("there is a next page").to_owned()
}

#[tokio::test]
async fn a_missing_key_is_401_and_a_wrong_one_403() {
    let open = Sandbox::with_users(3);
    let missing = (401, "E1010".to_owned(), "Missing API key".to_owned());
    let wrong = (
        403,
        "E1000".to_owned(),
        "Invalid API key provided".to_owned(),
    );
    let status = async |header: &'static str| {
        let caller = open.header("authorization", header);
        refusal(&caller.get("/usertour/v1/users").await)
    };

    assert_eq!(refusal(&open.get("/usertour/v1/users").await), missing);
    for header in [
        "bearer ak_sandbox-token",
        "Bearer  ak_sandbox-token",
        "Basic ak_sandbox-token",
        "Bearer",
    ] {
        assert_eq!(status(header).await, missing, "{header}");
    }
    for header in [
        "Bearer nope",
        "Bearer ak_ak_sandbox-token",
        "Bearer AK_sandbox-token",
    ] {
        assert_eq!(status(header).await, wrong, "{header}");
    }
    for header in ["Bearer sandbox-token", "Bearer ak_sandbox-token more words"] {
        let caller = open.header("authorization", header);
        assert_eq!(
            caller.get("/usertour/v1/users").await.status,
            200,
            "{header}"
        );
    }
}

#[tokio::test]
async fn body_and_route_are_checked_before_the_key_and_the_key_before_the_values() {
    let open = Sandbox::with_users(3);
    let sender = open.header("content-type", "application/json");

    let broken = sender.send("POST", "/usertour/v1/users", "{\"id\":").await;
    let expected = json!({"message": "Unexpected end of JSON input", "error": "Bad Request", "statusCode": 400});
    assert_eq!((broken.status.as_u16(), broken.json()), (400, expected));
    let unknown = open.get("/usertour/v1/nope?x=1").await;
    let expected =
        json!({"message": "Cannot GET /v1/nope?x=1", "error": "Not Found", "statusCode": 404});
    assert_eq!((unknown.status.as_u16(), unknown.json()), (404, expected));
    assert_eq!(
        refusal(&open.get("/usertour/v1/users?limit=0").await).1,
        "E1010"
    );
    for (method, path) in [
        ("PUT", "/users"),
        ("PATCH", "/users/x"),
        ("POST", "/users/x"),
        ("DELETE", "/users"),
        ("GET", "/company-memberships"),
        ("GET", "//users"),
    ] {
        let reply = open.send(method, &format!("/usertour/v1{path}"), "").await;
        assert_eq!(
            reply.at("/error"),
            (404, json!("Not Found")),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn bodies_are_limited_in_size_and_charset() {
    let sandbox = usertour(3);
    let json = sandbox.header("content-type", "application/json");
    let large = format!("{{\"id\":\"{}\"}}", "x".repeat(100 * 1024));
    let latin = sandbox.header("content-type", "application/json; charset=latin1");
    let plain = sandbox.header("content-type", "text/plain");

    let reply = json.send("POST", "/usertour/v1/users", large).await;
    assert_eq!(reply.status, 413);
    assert_eq!(
        reply.json(),
        json!({"statusCode": 413, "message": "request entity too large"})
    );
    let reply = latin
        .send("POST", "/usertour/v1/users", "{\"id\":\"x\"}")
        .await;
    assert_eq!(reply.at("/statusCode"), (415, json!(415)));
    let reply = plain
        .send("POST", "/usertour/v1/users", "{\"id\":\"x\"}")
        .await;
    assert_eq!(refusal(&reply), invalid("id must be a non-empty string"));
}

#[tokio::test]
async fn a_request_with_a_line_and_headers_beyond_16_kb_is_431() {
    let sandbox = usertour(3);
    let listed = async |padding: usize| {
        let path = format!("/usertour/v1/users?x={}", "x".repeat(padding));
        sandbox.get(&path).await
    };

    assert_eq!(listed(16_000).await.status, 200);
    let refused = listed(16_400).await;
    assert_eq!((refused.status.as_u16(), refused.text.as_str()), (431, ""));
    assert_eq!(refused.header("connection"), Some("close"));
}

#[tokio::test]
async fn only_the_first_wrong_parameter_is_reported() {
    let sandbox = usertour(3);
    let limit = "limit must not be greater than 100";
    let expand = "each value in expand must be one of the following values: companies, memberships, memberships.company";
    let order = "each value in orderBy must be one of the following values: createdAt, -createdAt";
    for (query, message) in [
        ("limit=abc&cursor[]=x&email=x", limit),
        ("limit[]=5", limit),
        ("limit=5&limit=5", limit),
        ("limit=", "limit must not be less than 1"),
        ("cursor=a&cursor=b&orderBy=x", "cursor must be a string"),
        ("orderBy=name&expand=x", order),
        ("expand=companies,memberships", expand),
        ("expand=", expand),
        ("email=ann%2Bnews%40localhost", "email must be an email"),
        ("email=ann+news@x.test", "email must be an email"),
        ("email=a@x.test&email=a@x.test", "email must be an email"),
        ("companyId[]=c-1", "companyId must be a string"),
    ] {
        let reply = sandbox.get(&format!("/usertour/v1/users?{query}")).await;
        assert_eq!(refusal(&reply), invalid(message), "{query}");
    }
    let reply = sandbox.get("/usertour/v1/companies?limit=2.5").await;
    assert_eq!(refusal(&reply), invalid("limit must be an integer number"));
    let reply = sandbox
        .get("/usertour/v1/users?LIMIT=x&segmentId=nope")
        .await;
    assert_eq!(reply.json()["results"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn emails_are_found_in_their_own_case_only() {
    let sandbox = usertour(known::ENOUGH);
    let emails = async |email: &str| {
        let email = email.replace('+', "%2B");
        let reply = sandbox
            .get(&format!("/usertour/v1/users?email={email}"))
            .await;
        assert_eq!(reply.status, 200);
        let users = reply.json()["results"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let attributes: Value = users
            .into_iter()
            .map(|user| user["attributes"].clone())
            .collect();
        column(&attributes, "email")
    };

    assert_eq!(emails(known::PLUS).await, [known::PLUS]);
    assert_eq!(emails(known::MIXED_CASE).await, Vec::<String>::new());
    assert_eq!(
        emails(known::MIXED_CASE_AT_USERTOUR).await,
        [known::MIXED_CASE_AT_USERTOUR]
    );
    assert_eq!(emails(known::SHARED).await, [known::SHARED]);
    assert_eq!(emails(known::NOBODY).await, Vec::<String>::new());
}

#[tokio::test]
async fn ids_are_decoded_once_and_unknown_ones_have_a_code() {
    let sandbox = usertour(known::ENOUGH);
    let paths = [
        "odd%2Fslash",
        "odd%3Fquestion",
        "odd%23hash",
        "odd%2525percent",
        "odd%20space",
    ];
    for (path, id) in paths.into_iter().zip(known::ODD_EXTERNAL_IDS) {
        let reply = sandbox.get(&format!("/usertour/v1/users/{path}")).await;
        assert_eq!(reply.at("/id"), (200, json!(id)));
    }
    let missing = (404, "E1001".to_owned(), "User not found".to_owned());

    assert_eq!(
        refusal(&sandbox.get("/usertour/v1/users/CRM-ANN").await),
        missing
    );
    assert_eq!(
        refusal(&sandbox.get("/usertour/v1/users/a%00").await).1,
        "E0000"
    );
    let reply = sandbox.get("/usertour/v1/users/%zz").await;
    assert_eq!(
        reply.at("/message"),
        (400, json!("Failed to decode param '%zz'"))
    );
    let chinese = sandbox.header("accept-language", "zh-CN");
    assert_eq!(
        refusal(&chinese.get("/usertour/v1/users/nope").await).2,
        "用户未找到"
    );
}

#[tokio::test]
async fn expansion_shows_internal_ids_in_memberships_and_no_company_unless_asked() {
    let sandbox = usertour(known::ENOUGH);
    let plain = sandbox.get("/usertour/v1/users/crm-ann").await.json();
    let expanded = sandbox
        .get("/usertour/v1/users/crm-ann?expand[]=companies&expand[]=memberships")
        .await
        .json();
    let deep = sandbox
        .get("/usertour/v1/users/crm-ann?expand=memberships.company")
        .await
        .json();
    let alone = sandbox
        .get("/usertour/v1/users/crm-empty?expand=companies")
        .await
        .json();

    assert_eq!(
        (&plain["companies"], &plain["memberships"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(column(&expanded["companies"], "id"), ["c-1"]);
    assert_eq!(expanded["companies"][0].get("users"), None);
    let membership = &expanded["memberships"][0];
    assert_eq!(membership["companyId"].as_str().map(str::len), Some(25));
    assert_eq!(membership.get("company"), None);
    assert_eq!(deep["companies"], Value::Null);
    assert_eq!(deep["memberships"][0]["company"]["id"], "c-1");
    assert_eq!(
        (&alone["companies"], &alone["memberships"]),
        (&json!([]), &Value::Null)
    );
    let company = sandbox
        .get("/usertour/v1/companies/c-1?expand=memberships.user")
        .await
        .json();
    assert_eq!(company["memberships"][0]["user"]["id"], "crm-ann");
}

#[tokio::test]
async fn companies_filter_users_by_their_external_id() {
    let sandbox = usertour(known::ENOUGH);
    let company = sandbox
        .get("/usertour/v1/companies/c-1?expand=users")
        .await
        .json();
    let members: BTreeSet<String> = column(&company["users"], "id").into_iter().collect();

    let (found, _) = walk(&sandbox, "/v1/users?companyId=c-1&limit=7").await;

    assert!(members.len() > 1);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), members);
    assert_eq!(
        walk(&sandbox, "/v1/users?companyId=nope").await,
        (Vec::new(), 1)
    );
}

#[tokio::test]
async fn a_known_entity_tag_answers_304() {
    let sandbox = usertour(3);
    let reply = sandbox.get("/usertour/v1/users").await;
    let tag = reply.header("etag").unwrap_or_default().to_owned();

    assert!(tag.starts_with("W/\""));
    assert_eq!(reply.header("x-powered-by"), Some("Express"));
    assert_eq!(reply.header("x-ratelimit-limit"), None);
    let again = sandbox
        .header("if-none-match", tag)
        .get("/usertour/v1/users")
        .await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
}

#[tokio::test]
async fn attribute_definitions_come_from_the_first_value() {
    let sandbox = usertour(known::ENOUGH);
    let list = sandbox
        .get("/usertour/v1/attribute-definitions?scope=user&limit=100&orderBy=codeName")
        .await
        .json();
    let rows = list["results"].as_array().cloned().unwrap_or_default();
    let data_type = |name: &str| {
        let row = rows.iter().find(|row| row["codeName"] == name);
        row.map(|row| row["dataType"].clone())
    };

    assert_eq!(data_type("seats"), Some(json!("number")));
    assert_eq!(data_type("email"), Some(json!("string")));
    assert_eq!(data_type("last_seen_at"), Some(json!("datetime")));
}

#[tokio::test]
async fn racing_creations_fail_once_and_leave_the_user() {
    let sandbox = usertour(3);
    sandbox.set_switch("usertour", "race", "500").await;
    let body = json!({"id": "r", "attributes": {"name": "Rae"}});

    let lost = sandbox.post("/usertour/v1/users", body.clone()).await;
    let between = sandbox.get("/usertour/v1/users/r").await;
    let won = sandbox.post("/usertour/v1/users", body).await;

    assert_eq!(
        refusal(&lost),
        (
            500,
            "E0000".to_owned(),
            "An unexpected error occurred".to_owned()
        )
    );
    assert_eq!(between.at("/attributes/name"), (200, Value::Null));
    assert_eq!(won.at("/attributes/name"), (201, json!("Rae")));
}
