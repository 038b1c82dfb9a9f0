//! Tags in 2.x, as `developers.intercom.com/docs/references/2.17/rest-api/tags` has them.

use serde_json::{Value, json};

use super::{ContactRequest, present, sublist};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::{IntercomStore, label_id};
use crate::providers::intercom::write::identifier;

/// `GET /tags` and `POST /tags`, which finds a tag by its name or makes it.
pub(super) fn answer(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
) -> Result<Value, IntercomError> {
    match request.method {
        "GET" => {
            let names = store.tag_names();
            let tags: Vec<Value> = names.into_iter().map(tag_json).collect();
            Ok(json!({"type": "list", "data": tags}))
        }
        "POST" => {
            let name = identifier(&request.fields()?, "name")?;
            let name = name.ok_or_else(|| IntercomError::missing_parameter("name is needed"))?;
            store.tags.insert(name.clone());
            Ok(tag_json(&name))
        }
        _ => Err(IntercomError::no_resource()),
    }
}

/// Below `/contacts/{id}/tags`: listing, adding and removing.
pub(super) fn of_contact(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    contact: &str,
    path: &[&str],
) -> Result<Value, IntercomError> {
    let worn = &present(request, store, contact)?.tags;
    match (request.method, path) {
        ("GET", []) => Ok(sublist::tags(present(request, store, contact)?)),
        ("POST", []) => {
            let id = identifier(&request.fields()?, "id")?;
            let id = id.ok_or_else(|| IntercomError::missing_parameter("tag not specified"))?;
            let name = named(&store.tag_names(), &id)?;
            if !worn.contains(&name) {
                store.update(contact, |one| one.tags.push(name.clone()));
            }
            Ok(tag_json(&name))
        }
        ("DELETE", [id]) => {
            let worn: Vec<&str> = worn.iter().map(String::as_str).collect();
            let name = named(&worn, id)?;
            store.tags.insert(name.clone());
            store.update(contact, |one| one.tags.retain(|known| *known != name));
            Ok(tag_json(&name))
        }
        _ => Err(IntercomError::no_resource()),
    }
}

fn named(names: &[&str], id: &str) -> Result<String, IntercomError> {
    let name = names.iter().find(|name| label_id(name) == id);
    name.map(|name| (*name).to_owned())
        .ok_or_else(IntercomError::no_resource)
}

fn tag_json(name: &str) -> Value {
    json!({"type": "tag", "id": label_id(name), "name": name})
}
