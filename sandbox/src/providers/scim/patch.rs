//! The operations of a PATCH, RFC 7644, section 3.5.2.

use serde_json::{Map, Value, json};

use super::error::ScimError;
use super::filter::{Filter, FilterError, FilterRules};
use super::path::{AttributePath, key_of};
use super::schema;

type Fields = Map<String, Value>;

/// What an operation does.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Add,
    Replace,
    Remove,
}

/// The attributes after all operations of a body.
pub(super) fn apply(
    body: &Fields,
    attributes: Fields,
    rules: FilterRules,
) -> Result<Fields, ScimError> {
    let operations = key_of(body, "Operations").and_then(|key| body.get(key));
    let operations = operations.and_then(Value::as_array);
    let operations = operations.filter(|operations| !operations.is_empty());
    let operations =
        operations.ok_or_else(|| ScimError::bad("invalidSyntax", "Operations is no list"))?;
    let had_name = attributes.contains_key("userName");
    let mut attributes = attributes;
    for operation in operations {
        let before = attributes.clone();
        apply_one(operation, &mut attributes, rules)?;
        demote(&before, &mut attributes);
    }
    let attributes = schema::writable(&attributes)?;
    if had_name {
        schema::check_user_name(&attributes)?;
    }
    Ok(attributes)
}

fn apply_one(
    operation: &Value,
    attributes: &mut Fields,
    rules: FilterRules,
) -> Result<(), ScimError> {
    let word = operation["op"].as_str().unwrap_or_default();
    let kind = match word.to_ascii_lowercase().as_str() {
        "add" => Kind::Add,
        "replace" => Kind::Replace,
        "remove" => Kind::Remove,
        _ => {
            return Err(ScimError::bad(
                "invalidSyntax",
                "op is add, replace or remove",
            ));
        }
    };
    let value = operation.get("value");
    match (operation.get("path").and_then(Value::as_str), kind) {
        (Some(path), Kind::Remove) => Target::parse(path, rules)?.remove(attributes),
        (Some(path), _) => {
            let missing = || ScimError::bad("invalidValue", "value is missing");
            let value = value.ok_or_else(missing)?;
            Target::parse(path, rules)?.set(attributes, kind, value)
        }
        (None, Kind::Remove) => Err(no_target("remove needs a path")),
        (None, _) => set_all(attributes, kind, value),
    }
}

/// An operation without a path: an object of attributes.
fn set_all(attributes: &mut Fields, kind: Kind, value: Option<&Value>) -> Result<(), ScimError> {
    let fields = value.and_then(Value::as_object);
    let fields = fields.ok_or_else(|| ScimError::bad("invalidValue", "value must be an object"))?;
    for (path, value) in fields.iter().filter(|(path, _)| *path != "schemas") {
        Target::parse(path, FilterRules::default())?.set(attributes, kind, value)?;
    }
    Ok(())
}

fn no_target(why: &str) -> ScimError {
    ScimError::bad("noTarget", why)
}

/// What a path of an operation leads to.
struct Target {
    path: AttributePath,
    /// Selects items of a list.
    filter: Option<Filter>,
    is_multi: bool,
}

impl Target {
    fn parse(text: &str, rules: FilterRules) -> Result<Self, ScimError> {
        let wrong = || ScimError::bad("invalidPath", format!("{text} is no path"));
        let (before, filter, behind) = match text.split_once('[') {
            Some((before, rest)) => {
                let (filter, behind) = rest.rsplit_once(']').ok_or_else(wrong)?;
                (before, Some(filter), behind)
            }
            None => (text, None, ""),
        };
        let path = AttributePath::parse(&format!("{before}{behind}")).ok_or_else(wrong)?;
        let filter = filter.map(|filter| {
            let list = AttributePath::parse(before);
            Filter::parse_within(filter, rules, list.as_ref())
        });
        let filter = filter.transpose().map_err(|failure| match failure {
            FilterError::Invalid(why) => ScimError::bad("invalidFilter", why),
            FilterError::TooMany => ScimError::bad("tooMany", "The filter has too many parts"),
        })?;
        let target = Self {
            is_multi: path.attribute().is_some_and(|known| known.is_multi),
            path,
            filter,
        };
        target.check(text)?;
        Ok(target)
    }

    /// Whether the attribute exists, is written by clients, and is a list where items are selected.
    fn check(&self, text: &str) -> Result<(), ScimError> {
        let is_open = self.path.extension == Some(schema::CUSTOM);
        let is_whole = self.path.extension.is_some() && self.path.name.is_empty();
        if is_open || is_whole {
            return Ok(());
        }
        let wrong = || ScimError::bad("invalidPath", format!("{text} is no attribute of a user"));
        let attribute = self
            .path
            .attribute()
            .filter(|known| known.name != "members");
        let attribute = attribute.ok_or_else(wrong)?;
        let part = self.path.part.as_deref();
        if part.is_some_and(|part| attribute.part(part).is_none()) {
            return Err(wrong());
        }
        if self.filter.is_some() && !attribute.is_multi {
            return Err(wrong());
        }
        if attribute.is_read_only {
            return Err(ScimError::bad("mutability", format!("{text} is read-only")));
        }
        Ok(())
    }

    fn set(&self, attributes: &mut Fields, kind: Kind, value: &Value) -> Result<(), ScimError> {
        if self.path.name.is_empty() {
            let holder = self.holder(attributes)?;
            let fields = value.as_object();
            let wrong = || ScimError::bad("invalidValue", "value must be an object");
            merge(holder, fields.ok_or_else(wrong)?);
            return Ok(());
        }
        if self.filter.is_some() {
            return self.set_items(attributes, value);
        }
        let (part, is_multi) = (self.path.part.as_deref(), self.is_multi);
        let holder = self.holder(attributes)?;
        let key = self.key(holder);
        match part {
            Some(part) if is_multi => {
                let items = holder.get_mut(&key).and_then(Value::as_array_mut);
                let items = items.filter(|items| !items.is_empty());
                let items = items.ok_or_else(|| no_target("the list has no items"))?;
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    put(item, part, value.clone());
                }
            }
            Some(part) => {
                let whole = holder.entry(key).or_insert_with(|| json!({}));
                if let Value::Object(whole) = whole {
                    put(whole, part, value.clone());
                }
            }
            None => set_whole(holder, key, (kind, is_multi), value),
        }
        Ok(())
    }

    fn set_items(&self, attributes: &mut Fields, value: &Value) -> Result<(), ScimError> {
        for item in self.selected(attributes)? {
            match (&self.path.part, value) {
                (Some(part), _) => put(item, part, value.clone()),
                (None, Value::Object(fields)) => merge(item, fields),
                (None, _) => {
                    return Err(ScimError::bad("invalidValue", "value must be an object"));
                }
            }
        }
        Ok(())
    }

    fn remove(&self, attributes: &mut Fields) -> Result<(), ScimError> {
        if self.path.name.is_empty() {
            attributes.shift_remove(self.path.extension.unwrap_or_default());
            return Ok(());
        }
        if self.filter.is_some() {
            return self.remove_items(attributes);
        }
        let holder = self.holder(attributes)?;
        let key = self.key(holder);
        let Some(part) = &self.path.part else {
            holder.shift_remove(&key);
            return Ok(());
        };
        let items: Vec<&mut Value> = match holder.get_mut(&key) {
            Some(Value::Array(items)) => items.iter_mut().collect(),
            one => one.into_iter().collect(),
        };
        for item in items.into_iter().filter_map(Value::as_object_mut) {
            take(item, part);
        }
        Ok(())
    }

    fn remove_items(&self, attributes: &mut Fields) -> Result<(), ScimError> {
        let selected = self.selected(attributes)?;
        if let Some(part) = &self.path.part {
            selected.into_iter().for_each(|item| take(item, part));
            return Ok(());
        }
        let holder = self.holder(attributes)?;
        let key = self.key(holder);
        if let Some(Value::Array(items)) = holder.get_mut(&key) {
            items.retain(|item| !self.selects(item));
        }
        Ok(())
    }

    /// The items of the list that the filter selects: at least one.
    fn selected<'a>(&self, attributes: &'a mut Fields) -> Result<Vec<&'a mut Fields>, ScimError> {
        let holder = self.holder(attributes)?;
        let key = self.key(holder);
        let items = holder.get_mut(&key).and_then(Value::as_array_mut);
        let items = items
            .into_iter()
            .flatten()
            .filter(|item| self.selects(item));
        let items: Vec<&mut Fields> = items.filter_map(Value::as_object_mut).collect();
        if items.is_empty() {
            return Err(no_target("no item of the list fits"));
        }
        Ok(items)
    }

    fn selects(&self, item: &Value) -> bool {
        let filter = self.filter.as_ref();
        let fields = item.as_object();
        filter
            .zip(fields)
            .is_some_and(|(filter, fields)| filter.selects(fields))
    }

    /// The object that has the attribute: the user or an extension.
    fn holder<'a>(&self, attributes: &'a mut Fields) -> Result<&'a mut Fields, ScimError> {
        let Some(extension) = self.path.extension else {
            return Ok(attributes);
        };
        let holder = attributes.entry(extension).or_insert_with(|| json!({}));
        let wrong = || ScimError::bad("invalidPath", format!("{extension} is no object"));
        holder.as_object_mut().ok_or_else(wrong)
    }

    /// The name of the attribute as it is stored.
    fn key(&self, holder: &Fields) -> String {
        let known = self.path.attribute().map(|known| known.name);
        let stored = key_of(holder, &self.path.name);
        known.or(stored).unwrap_or(&self.path.name).to_owned()
    }
}

fn set_whole(holder: &mut Fields, key: String, (kind, is_multi): (Kind, bool), value: &Value) {
    match (holder.get_mut(&key), value) {
        (Some(Value::Array(items)), Value::Array(more)) if is_multi && kind == Kind::Add => {
            for item in more {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
        }
        (Some(Value::Array(items)), one) if is_multi && kind == Kind::Add => {
            if !items.contains(one) {
                items.push(one.clone());
            }
        }
        (Some(Value::Object(fields)), Value::Object(more)) if !is_multi => merge(fields, more),
        (_, one @ Value::Object(_)) if is_multi => {
            holder.insert(key, json!([one]));
        }
        _ => {
            holder.insert(key, value.clone());
        }
    }
}

fn merge(fields: &mut Fields, more: &Fields) {
    for (name, value) in more {
        put(fields, name, value.clone());
    }
}

fn put(fields: &mut Fields, name: &str, value: Value) {
    let key = key_of(fields, name).unwrap_or(name).to_owned();
    fields.insert(key, value);
}

fn take(fields: &mut Fields, name: &str) {
    if let Some(key) = key_of(fields, name).map(str::to_owned) {
        fields.shift_remove(&key);
    }
}

/// A new primary item makes the one before it an ordinary one.
fn demote(before: &Fields, after: &mut Fields) {
    for (name, value) in after.iter_mut() {
        let Some(items) = value.as_array_mut() else {
            continue;
        };
        let primary = items.iter().filter(|item| item["primary"] == true).count();
        let old = before.get(name).and_then(Value::as_array);
        let was_primary = |item: &Value| {
            let mut old = old.into_iter().flatten();
            old.any(|old| old["primary"] == true && old["value"] == item["value"])
        };
        if primary > 1 {
            for item in items.iter_mut().filter(|item| was_primary(item)) {
                item["primary"] = false.into();
            }
        }
    }
}
