//! Tokens, projects and environments, and the paths that there are.

use roster_sandbox::known;
use serde_json::{Value, json};

use super::{environment, get, refusal, users, usertour};
use crate::in_process::Sandbox;

#[tokio::test]
async fn a_token_is_missing_or_wrong() {
    let open = Sandbox::with_users(3);
    let status = async |header: &str| {
        let caller = open.header("authorization", header);
        refusal(&get(&caller, "").await)
    };

    let missing = (401, "E1010".to_owned());
    assert_eq!(refusal(&get(&open, "").await), missing);
    for header in [
        "bearer utp_sandbox-token",
        "Bearer  utp_sandbox-token",
        "Bearer",
        "Basic x",
    ] {
        assert_eq!(status(header).await, missing, "{header}");
    }
    let wrong = (403, "E1000".to_owned());
    for header in [
        "Bearer ak_sandbox-token",
        "Bearer sandbox-token",
        "Bearer utp_utp_sandbox-token",
        "Bearer utp_nope",
    ] {
        assert_eq!(status(header).await, wrong, "{header}");
    }
}

#[tokio::test]
async fn a_token_of_version_2_is_wrong_in_version_1() {
    let reply = usertour(3).get("/usertour/v1/users").await;

    assert_eq!(refusal(&reply), (403, "E1000".to_owned()));
}

#[tokio::test]
async fn an_expired_token_is_refused_by_version_2_alone() {
    let sandbox = usertour(3);
    sandbox.set_switch("usertour", "token", "expired").await;
    let v1 = sandbox.header("authorization", "Bearer ak_sandbox-token");

    let expired = (401, "E1020".to_owned());
    assert_eq!(refusal(&get(&sandbox, "").await), expired);
    assert_eq!(v1.get("/usertour/v1/users").await.status, 200);
}

#[tokio::test]
async fn a_token_has_one_project_and_the_project_one_environment() {
    let sandbox = usertour(3);
    let project = known::USERTOUR_PROJECT;
    for (path, code) in [
        (environment("nope", known::USERTOUR_ENVIRONMENT), "E1011"),
        (environment(project, "nope"), "E1000"),
        (
            environment(project, known::USERTOUR_ENVIRONMENT_OF_OTHERS),
            "E1019",
        ),
    ] {
        let reply = sandbox.get(&format!("/usertour{path}")).await;
        assert_eq!(refusal(&reply), (403, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_route_and_a_broken_body_have_the_shape_of_the_api() {
    let open = Sandbox::with_users(3);
    for (method, path) in [
        ("GET", "/v2".to_owned()),
        ("GET", "/v2/users".to_owned()),
        ("POST", users()),
        ("PATCH", format!("{}/x", users())),
        ("GET", users().replace("users", "companies")),
        ("GET", format!("{}/x/y", users())),
    ] {
        let reply = open.send(method, &format!("/usertour{path}"), "").await;
        let expected = json!({"error": {
            "code": "E1033", "message": "Unknown API route", "doc_url": "https://docs.usertour.io",
        }});
        assert_eq!(
            (reply.status.as_u16(), reply.json()),
            (404, expected),
            "{method} {path}"
        );
        assert_eq!(reply.header("x-ratelimit-limit"), None);
    }
    let json = open.header("content-type", "application/json");
    let path = format!("/usertour{}/x", users());
    let broken = json.send("PUT", &path, "{\"attributes\":").await;
    assert_eq!(refusal(&broken), (400, "E1017".to_owned()));
}

#[tokio::test]
async fn paths_are_taken_in_any_letter_case_and_with_a_slash_at_the_end() {
    let sandbox = usertour(3);
    let path = users()
        .replace("users", "Users")
        .replace("projects", "Projects");
    let page = sandbox.get(&format!("/usertour{path}/?limit=1")).await;

    assert_eq!(page.at("/previous"), (200, Value::Null));
    assert_eq!(
        refusal(&get(&sandbox, "/nope").await),
        (404, "E1001".to_owned())
    );
    let head = sandbox.send("HEAD", &format!("/usertour{path}"), "").await;
    assert_eq!(head.status, 200);
}
