//! Tags in 2.x, as `developers.intercom.com/docs/references/2.17/rest-api/tags` tells.

use serde_json::{Value, json};

use super::{Call, present, sublist};
use crate::providers::intercom::refusal::Refusal;
use crate::providers::intercom::store::{Store, label_id};
use crate::providers::intercom::write::identifier;

/// `GET /tags` and `POST /tags`, which finds a tag by its name or makes it.
pub(super) fn answer(call: &Call<'_>, store: &mut Store) -> Result<Value, Refusal> {
    match call.method {
        "GET" => {
            let names = store.tag_names();
            let tags: Vec<Value> = names.into_iter().map(shown).collect();
            Ok(json!({"type": "list", "data": tags}))
        }
        "POST" => {
            let name = identifier(&call.fields()?, "name")?;
            let name = name.ok_or_else(|| Refusal::missing("name is needed"))?;
            store.tags.insert(name.clone());
            Ok(shown(&name))
        }
        _ => Err(Refusal::no_resource()),
    }
}

/// Below `/contacts/{id}/tags`: the list, putting on and taking off.
pub(super) fn of_contact(
    call: &Call<'_>,
    store: &mut Store,
    contact: &str,
    path: &[&str],
) -> Result<Value, Refusal> {
    let worn = &present(call, store, contact)?.tags;
    match (call.method, path) {
        ("GET", []) => Ok(sublist::tags(present(call, store, contact)?)),
        ("POST", []) => {
            let id = identifier(&call.fields()?, "id")?;
            let id = id.ok_or_else(|| Refusal::missing("tag not specified"))?;
            let name = named(&store.tag_names(), &id)?;
            if !worn.contains(&name) {
                store.amend(contact, |one| one.tags.push(name.clone()));
            }
            Ok(shown(&name))
        }
        ("DELETE", [id]) => {
            let worn: Vec<&str> = worn.iter().map(String::as_str).collect();
            let name = named(&worn, id)?;
            store.tags.insert(name.clone());
            store.amend(contact, |one| one.tags.retain(|known| *known != name));
            Ok(shown(&name))
        }
        _ => Err(Refusal::no_resource()),
    }
}

fn named(names: &[&str], id: &str) -> Result<String, Refusal> {
    let name = names.iter().find(|name| label_id(name) == id);
    name.map(|name| (*name).to_owned())
        .ok_or_else(Refusal::no_resource)
}

fn shown(name: &str) -> Value {
    json!({"type": "tag", "id": label_id(name), "name": name})
}
