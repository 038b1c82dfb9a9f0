//! Tools read the schema by introspection, with one large query.

use serde_json::json;

use crate::world::World;

/// The query that GraphiQL sends, with all its options.
const GRAPHIQL: &str = "query IntrospectionQuery { __schema { description
    queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
  fragment FullType on __Type { kind name description specifiedByURL isOneOf
    fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue }
      type { ...TypeRef } isDeprecated deprecationReason }
    inputFields(includeDeprecated: true) { ...InputValue }
    interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
    possibleTypes { ...TypeRef } }
  fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
  fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name } } } } } } } } } }";

#[tokio::test]
async fn the_introspection_of_graphiql_passes_the_limits() {
    let world = World::with(0, |_| {}).await;

    let data = world.data(GRAPHIQL).await;

    let schema = &data["__schema"];
    assert_eq!(
        schema["queryType"],
        json!({ "name": "Query", "kind": "OBJECT" })
    );
    assert_eq!(schema["mutationType"]["name"], "Mutation");
    assert_eq!(schema["subscriptionType"]["name"], "Subscription");
    let types = schema["types"].as_array().expect("types");
    let key = types
        .iter()
        .find(|of| of["name"] == "UserKey")
        .expect("UserKey");
    assert_eq!(key["isOneOf"], true);
}

#[tokio::test]
async fn a_router_can_read_the_subgraph() {
    let world = World::with(0, |_| {}).await;

    let data = world.data("{ _service { sdl } }").await;

    let sdl = data["_service"]["sdl"].as_str().expect("text");
    assert!(
        sdl.contains("type User implements Node @key(fields: \"id\")"),
        "{sdl}"
    );
}
