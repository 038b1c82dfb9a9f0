//! The operations of a PATCH.

use serde_json::{Value, json};

use super::{ENTERPRISE, created, refusal, sandbox};
use crate::in_process::{Reply, Sandbox};

const OPERATIONS: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn patch(sandbox: &Sandbox, user: &str, operations: Value) -> Reply {
    let body = json!({"schemas": [OPERATIONS], "Operations": operations});
    let sender = sandbox.header("content-type", "application/scim+json");
    sender.send("PATCH", user, body.to_string()).await
}

/// A user with two addresses.
async fn user(sandbox: &Sandbox) -> String {
    let fields = json!({
        "title": "T",
        "name": {"givenName": "A", "familyName": "B"},
        "emails": [
            {"value": "a@work.test", "type": "work", "primary": true},
            {"value": "a@home.test", "type": "home"},
        ],
        ENTERPRISE: {"department": "Sales"},
    });
    created(sandbox, "a", fields).await
}

/// Asserts what an operation makes of the user.
async fn assert_patched(operation: &Value, pointer: &str, expected: Value) {
    let sandbox = sandbox(0);
    let user = user(&sandbox).await;
    let reply = patch(&sandbox, &user, json!([operation])).await;
    assert_eq!(reply.status.as_u16(), 200, "{operation} {}", reply.text);
    assert_eq!(reply.at(pointer).1, expected, "{operation}");
    assert_eq!(sandbox.get(&user).await.json(), reply.json());
}

#[tokio::test]
async fn operations_change_single_values() {
    for (operation, pointer, expected) in [
        (
            json!({"op": "replace", "path": "title", "value": "U"}),
            "/title",
            json!("U"),
        ),
        (
            json!({"op": "Replace", "path": "TITLE", "value": "U"}),
            "/title",
            json!("U"),
        ),
        (
            json!({"op": "add", "path": "nickName", "value": "N"}),
            "/nickName",
            json!("N"),
        ),
        (
            json!({"op": "remove", "path": "title"}),
            "/title",
            Value::Null,
        ),
        (
            json!({"op": "replace", "path": "title", "value": null}),
            "/title",
            Value::Null,
        ),
        (
            json!({"op": "replace", "value": {"title": "U", "name.givenName": "C"}}),
            "/name/givenName",
            json!("C"),
        ),
        (
            json!({"op": "replace", "path": "name.givenName", "value": "C"}),
            "/name",
            json!({"familyName": "B", "givenName": "C"}),
        ),
        (
            json!({"op": "replace", "path": "name", "value": {"givenName": "C"}}),
            "/name/familyName",
            json!("B"),
        ),
        (
            json!({"op": "remove", "path": "name.familyName"}),
            "/name",
            json!({"givenName": "A"}),
        ),
        (
            json!({"op": "replace", "path": "active", "value": false}),
            "/active",
            json!(false),
        ),
    ] {
        assert_patched(&operation, pointer, expected).await;
    }
}

#[tokio::test]
async fn operations_change_lists() {
    let work = json!({"value": "a@work.test", "type": "work", "primary": true});
    let home = json!({"value": "a@home.test", "type": "home"});
    let third = json!({"value": "b@x.test"});
    for (operation, pointer, expected) in [
        (
            json!({"op": "add", "path": "emails", "value": [third]}),
            "/emails",
            json!([work, home, third]),
        ),
        (
            json!({"op": "add", "path": "emails", "value": third}),
            "/emails",
            json!([work, home, third]),
        ),
        (
            json!({"op": "add", "path": "emails", "value": [home]}),
            "/emails",
            json!([work, home]),
        ),
        (
            json!({"op": "replace", "path": "emails", "value": [third]}),
            "/emails",
            json!([third]),
        ),
        (
            json!({"op": "remove", "path": "emails"}),
            "/emails",
            Value::Null,
        ),
    ] {
        assert_patched(&operation, pointer, expected).await;
    }
}

#[tokio::test]
async fn operations_change_selected_items_of_lists() {
    let home = json!({"value": "a@home.test", "type": "home"});
    for (operation, pointer, expected) in [
        (
            json!({"op": "remove", "path": "emails[type eq \"work\"]"}),
            "/emails",
            json!([home]),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "c@x.test"}),
            "/emails/0/value",
            json!("c@x.test"),
        ),
        (
            json!({"op": "replace", "path": "emails[value eq \"a@home.test\"].primary", "value": true}),
            "/emails/0/primary",
            json!(false),
        ),
        (
            json!({"op": "remove", "path": "emails[primary eq true].type"}),
            "/emails/0/type",
            Value::Null,
        ),
        (
            json!({"op": "add", "path": "emails[type eq \"home\"]", "value": {"display": "D"}}),
            "/emails/1/display",
            json!("D"),
        ),
    ] {
        assert_patched(&operation, pointer, expected).await;
    }
}

#[tokio::test]
async fn operations_change_extensions() {
    for (operation, pointer, expected) in [
        (
            json!({"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": "Ops"}),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
            json!("Ops"),
        ),
        (
            json!({"op": "add", "path": ENTERPRISE, "value": {"costCenter": "1"}}),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            json!({"department": "Sales", "costCenter": "1"}),
        ),
        (
            json!({"op": "remove", "path": ENTERPRISE}),
            "/schemas",
            json!([super::USER]),
        ),
        (
            json!({"op": "add", "path": "urn:example:sandbox:2.0:User:any", "value": [1]}),
            "/urn:example:sandbox:2.0:User/any",
            json!([1]),
        ),
    ] {
        assert_patched(&operation, pointer, expected).await;
    }
}

/// Operations, and the `scimType` of their refusals.
fn refused() -> [(Value, &'static str); 16] {
    [
        (
            json!({"op": "replace", "path": "unheard", "value": 1}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "name.unheard", "value": 1}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "a b", "value": 1}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"work\"", "value": 1}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "title[type eq \"work\"]", "value": 1}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "emails[type is 1]", "value": 1}),
            "invalidFilter",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"x\"].value", "value": "a@b.test"}),
            "noTarget",
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"x\"]"}),
            "noTarget",
        ),
        (json!({"op": "remove"}), "noTarget"),
        (
            json!({"op": "replace", "path": "id", "value": "x"}),
            "mutability",
        ),
        (
            json!({"op": "add", "path": "groups", "value": []}),
            "mutability",
        ),
        (
            json!({"op": "remove", "path": "meta.created"}),
            "mutability",
        ),
        (json!({"op": "remove", "path": "userName"}), "invalidValue"),
        (
            json!({"op": "replace", "path": "active", "value": "no"}),
            "invalidValue",
        ),
        (json!({"op": "add", "path": "title"}), "invalidValue"),
        (
            json!({"op": "move", "path": "title", "value": "x"}),
            "invalidSyntax",
        ),
    ]
}

#[tokio::test]
async fn operations_that_lead_nowhere_are_refused() {
    for (operation, expected) in refused() {
        let sandbox = sandbox(0);
        let user = user(&sandbox).await;
        let before = sandbox.get(&user).await.json();
        let first = json!({"op": "replace", "path": "title", "value": "half"});
        let reply = patch(&sandbox, &user, json!([first, operation])).await;
        assert_eq!(refusal(&reply), (400, json!(expected)), "{operation}");
        // All of the operations are applied, or none.
        assert_eq!(sandbox.get(&user).await.json(), before, "{operation}");
    }
}

#[tokio::test]
async fn a_patch_keeps_to_versions_and_user_names() {
    let sandbox = sandbox(0);
    let user = user(&sandbox).await;
    created(&sandbox, "taken", json!({})).await;
    let rename = json!([{"op": "replace", "path": "userName", "value": "Taken"}]);
    assert_eq!(
        refusal(&patch(&sandbox, &user, rename.clone()).await),
        (409, json!("uniqueness"))
    );
    let stale = sandbox.header("if-match", "W/\"7\"");
    assert_eq!(
        refusal(&patch(&stale, &user, rename).await),
        (412, Value::Null)
    );
    assert_eq!(
        refusal(&patch(&sandbox, &user, json!([])).await),
        (400, json!("invalidSyntax"))
    );
}
