//! What the service provider says of itself.

use serde_json::{Value, json};

use super::{API, ENTERPRISE, USER, sandbox};
use crate::in_process::column;

#[tokio::test]
async fn the_configuration_follows_the_switches() {
    let sandbox = sandbox(1);
    let config = async || sandbox.get(&format!("{API}/ServiceProviderConfig")).await;
    let supports = async || {
        let config = config().await.json();
        ["patch", "filter", "sort", "etag", "bulk"].map(|name| config[name]["supported"] == true)
    };
    assert_eq!(supports().await, [true, true, true, true, false]);
    assert_eq!(config().await.at("/filter/maxResults"), (200, json!(100)));
    for (switch, value) in [
        ("patch", "off"),
        ("filter", "unsupported"),
        ("sort", "ignored"),
        ("etag", "off"),
        ("cap", "7"),
    ] {
        sandbox.set_switch("scim", switch, value).await;
    }
    assert_eq!(supports().await, [false; 5]);
    assert_eq!(config().await.at("/filter/maxResults"), (200, json!(7)));

    sandbox.set_switch("scim", "config", "404").await;
    assert_eq!(config().await.status.as_u16(), 404);
}

#[tokio::test]
async fn the_types_of_resources_name_their_schemas() {
    let sandbox = sandbox(1);
    let types = sandbox.get(&format!("{API}/ResourceTypes")).await.json();
    assert_eq!(
        column(&types["Resources"], "endpoint"),
        ["/Users", "/Groups"]
    );
    let user = sandbox.get(&format!("{API}/ResourceTypes/User")).await;
    assert_eq!(user.json(), types["Resources"][0]);
    assert_eq!(user.at("/schema"), (200, json!(USER)));
    assert_eq!(
        user.at("/schemaExtensions/0/schema"),
        (200, json!(ENTERPRISE))
    );
    let nothing = sandbox.get(&format!("{API}/ResourceTypes/Nothing")).await;
    assert_eq!(nothing.status.as_u16(), 404);
}

#[tokio::test]
async fn the_schemas_have_every_attribute_that_users_show() {
    let sandbox = sandbox(1);
    let schemas = sandbox.get(&format!("{API}/Schemas")).await.json();
    assert_eq!(schemas["totalResults"], 4);
    let one = sandbox.get(&format!("{API}/Schemas/{USER}")).await.json();
    assert_eq!(one, schemas["Resources"][0]);

    let known = column(&one["attributes"], "name");
    let users = sandbox.get(&format!("{API}/Users")).await.json();
    let shown = users["Resources"][0].as_object().expect("a user").keys();
    let core = shown.filter(|name| !name.starts_with("urn:"));
    for name in
        core.filter(|name| !["schemas", "id", "externalId", "meta"].contains(&name.as_str()))
    {
        assert!(known.contains(name), "{name}");
    }
    let name = one["attributes"].as_array().and_then(|all| all.first());
    assert_eq!(
        name.map(|name| &name["uniqueness"]),
        Some(&Value::from("server"))
    );
}
