//! The endpoints that describe the service provider, RFC 7644, section 4.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ScimError;
use super::schema::{self, Attribute};
use super::{API, ScimState};
use crate::emulation::Origin;

const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// `GET /ServiceProviderConfig`.
pub(super) async fn service_provider(State(scim): ScimState, origin: Origin) -> Response {
    if scim.behaviour.is("config", "404") {
        return super::unknown_path().await;
    }
    let supported = |supported: bool| json!({"supported": supported});
    let filters = !scim.behaviour.is("filter", "unsupported");
    let config = json!({
        "schemas": [CONFIG],
        "documentationUri": "https://www.rfc-editor.org/rfc/rfc7644",
        "patch": supported(scim.has_patch()),
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": filters, "maxResults": scim.cap()},
        "changePassword": supported(false),
        "sort": supported(!scim.behaviour.is("sort", "ignored")),
        "etag": supported(scim.has_etags()),
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "A token in the header Authorization",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": origin.link(&format!("{API}/ServiceProviderConfig")),
        },
    });
    super::json(StatusCode::OK, &config)
}

/// `GET /ResourceTypes`.
pub(super) async fn resource_types(origin: Origin) -> Response {
    list(&types(&origin))
}

/// `GET /ResourceTypes/{id}`.
pub(super) async fn resource_type(origin: Origin, Path(id): Path<String>) -> Response {
    one(types(&origin), &id)
}

/// `GET /Schemas`.
pub(super) async fn schemas(origin: Origin) -> Response {
    list(&described(&origin))
}

/// `GET /Schemas/{id}`.
pub(super) async fn schema(origin: Origin, Path(id): Path<String>) -> Response {
    one(described(&origin), &id)
}

fn list(resources: &[Value]) -> Response {
    let page = json!({
        "schemas": [LIST],
        "totalResults": resources.len(),
        "itemsPerPage": resources.len(),
        "startIndex": 1,
        "Resources": resources,
    });
    super::json(StatusCode::OK, &page)
}

fn one(resources: Vec<Value>, id: &str) -> Response {
    let found = resources.into_iter().find(|resource| resource["id"] == id);
    match found {
        Some(resource) => super::json(StatusCode::OK, &resource),
        None => ScimError::not_found("Resource", id).into_response(),
    }
}

fn types(origin: &Origin) -> Vec<Value> {
    let extensions = schema::EXTENSIONS.map(|urn| json!({"schema": urn, "required": false}));
    let kind = |name: &str, endpoint: &str, urn: &str, extensions: &[Value]| {
        json!({
            "schemas": [RESOURCE_TYPE],
            "id": name,
            "name": name,
            "endpoint": endpoint,
            "schema": urn,
            "schemaExtensions": extensions,
            "meta": {
                "resourceType": "ResourceType",
                "location": origin.link(&format!("{API}/ResourceTypes/{name}")),
            },
        })
    };
    vec![
        kind("User", "/Users", schema::USER, &extensions),
        kind("Group", "/Groups", schema::GROUP, &[]),
    ]
}

fn described(origin: &Origin) -> Vec<Value> {
    let describe = |urn: &str, name: &str, attributes: &[Attribute]| {
        let attributes: Vec<Value> = attributes.iter().map(Attribute::describe).collect();
        json!({
            "schemas": [SCHEMA],
            "id": urn,
            "name": name,
            "attributes": attributes,
            "meta": {
                "resourceType": "Schema",
                "location": origin.link(&format!("{API}/Schemas/{urn}")),
            },
        })
    };
    vec![
        describe(schema::USER, "User", schema::OF_USER),
        describe(schema::ENTERPRISE, "EnterpriseUser", schema::OF_ENTERPRISE),
        describe(schema::CUSTOM, "CustomUser", &[]),
        describe(schema::GROUP, "Group", schema::OF_GROUP),
    ]
}
