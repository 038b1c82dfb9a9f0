//! Writes: `PUT` and `DELETE`.

use serde_json::{Value, json};

use super::{held, refusal, users, usertour};

fn path(id: &str) -> String {
    format!("/usertour{}/{id}", users())
}

#[tokio::test]
async fn a_put_creates_a_user_and_then_merges() {
    let sandbox = usertour(3);
    let first = json!({"attributes": {"name": "Ann", "seats": 2}});
    let second = json!({"attributes": {"name": null, "seats": 3}, "companies": [{"id": "c-9"}]});

    let created = sandbox.put(&path("a%20b"), first).await;
    let updated = sandbox.put(&path("a%20b"), second).await;

    assert_eq!(created.at("/id"), (200, json!("a b")));
    assert_eq!(created.at("/companies").1, Value::Null);
    assert_eq!(updated.at("/attributes/seats"), (200, json!(3)));
    assert_eq!(updated.at("/attributes/name").1, Value::Null);
    let shown = sandbox
        .get(&format!("{}?expand=companies", path("a%20b")))
        .await;
    assert_eq!(shown.at("/companies"), (200, json!([])));
    assert_eq!(held(&sandbox).await.len(), 4);
}

#[tokio::test]
async fn an_attribute_of_a_wrong_type_is_refused_and_nothing_is_written() {
    let sandbox = usertour(3);
    let seats = |value: Value| json!({"attributes": {"seats": value, "note": "x"}});
    sandbox.put(&path("x"), seats(json!(2))).await;

    for body in [
        seats(json!("many")),
        json!({"attributes": {"constructor": 1}}),
        json!({"attributes": "text"}),
    ] {
        let refused = sandbox.put(&path("x"), body).await;
        assert_eq!(refusal(&refused), (400, "E1017".to_owned()));
    }
    let new = sandbox.put(&path("y"), seats(json!("many"))).await;
    assert_eq!(refusal(&new), (400, "E1017".to_owned()));
    assert_eq!(
        sandbox.get(&path("x")).await.at("/attributes/seats"),
        (200, json!(2))
    );
    assert_eq!(
        refusal(&sandbox.get(&path("y")).await),
        (404, "E1001".to_owned())
    );
    let blank = sandbox.put(&path("%20"), json!({})).await;
    assert_eq!(refusal(&blank), (400, "E1017".to_owned()));
}

#[tokio::test]
async fn a_deleted_user_is_gone_from_both_versions() {
    let sandbox = usertour(3);
    let v1 = sandbox.header("authorization", "Bearer ak_sandbox-token");

    let deleted = sandbox.delete(&path("crm-ann")).await;

    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(
        refusal(&sandbox.delete(&path("crm-ann")).await),
        (404, "E1001".to_owned())
    );
    let gone = v1.get("/usertour/v1/users/crm-ann").await;
    assert_eq!(refusal(&gone), (404, "E1001".to_owned()));
}
