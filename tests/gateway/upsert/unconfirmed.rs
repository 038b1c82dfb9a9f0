//! Ada's users by external id: a record that does not show the id is confirmed, or not taken.

use serde_json::{Value, json};

use crate::stand_in::{Asked, Said, StandIn};

/// Ada without external ids in the answers of some calls.
async fn ada(shown_by_id: Option<&'static str>, is_shown_to_posts: bool) -> StandIn {
    StandIn::of(move |asked: &Asked| -> Said {
        let record = |external_id: Option<&str>| {
            let mut record = json!({ "end_user_id": "a1", "profile": { "display_name": "N" } });
            if let Some(id) = external_id {
                record["external_id"] = id.into();
            }
            record
        };
        match asked.method.as_str() {
            "POST" if is_shown_to_posts => record(Some("mine")).into(),
            "PATCH" => record(Some("mine")).into(),
            _ if asked.path.ends_with("/a1") => record(shown_by_id).into(),
            _ => record(None).into(),
        }
    })
    .await
}

const FIND: &str = "{ user(provider: ADA, by: { externalId: \"mine\" }) { remoteId } }";
const WRITE: &str =
    "mutation { upsertUser(input: { provider: ADA, externalId: \"mine\", name: \"N\" }) {
    outcome userErrors { code } } }";

#[tokio::test]
async fn a_user_of_ada_without_an_external_id_is_confirmed_by_id() {
    let providers = ada(Some("MINE"), false).await;
    let world = providers.world(|_| {}).await;

    let data = world.data(FIND).await;
    assert_eq!(data["user"]["remoteId"], "a1");
    let data = world.data(WRITE).await;
    assert_eq!(data["upsertUser"]["outcome"], "UPDATED");
}

#[tokio::test]
async fn a_user_of_ada_whose_external_id_is_never_shown_is_not_written_to() {
    for shown_by_id in [None, Some("other")] {
        let providers = ada(shown_by_id, false).await;
        let world = providers.world(|_| {}).await;

        let answer = world.answer(FIND).await;
        assert_eq!(answer["data"]["user"], Value::Null);
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(code, "PROVIDER_BAD_RESPONSE", "{shown_by_id:?}");

        providers.take();
        let data = world.data(WRITE).await;
        let written = &data["upsertUser"];
        assert_eq!(written["userErrors"][0]["code"], "PROVIDER_BAD_RESPONSE");
        let asked = providers.take();
        assert!(
            asked.iter().all(|asked| asked.method != "PATCH"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn a_user_of_ada_that_shows_its_external_id_costs_no_further_call() {
    let providers = ada(None, true).await;
    let world = providers.world(|_| {}).await;

    let data = world.data(WRITE).await;

    assert_eq!(data["upsertUser"]["outcome"], "UPDATED");
    let asked = providers.take();
    let methods: Vec<_> = asked.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH"]);
}
