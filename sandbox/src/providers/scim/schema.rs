//! The attributes of users and groups, as RFC 7643 defines them, and the check of what a client
//! writes.

use serde_json::{Map, Value, json};

use super::error::ScimError;
use super::path::key_of;

/// The core schema of users.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core schema of groups.
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The customer's own extension. It takes any attributes.
pub(super) const CUSTOM: &str = "urn:example:sandbox:2.0:User";

/// The extensions of a user.
pub(super) const EXTENSIONS: [&str; 2] = [ENTERPRISE, CUSTOM];

/// An attribute, or one within a complex attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether its value is a list.
    pub(super) is_multi: bool,
    /// Whether letter case counts in comparisons.
    pub(super) is_exact: bool,
    /// Whether clients cannot write it.
    pub(super) is_read_only: bool,
}

/// The type of an attribute.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Boolean,
    Moment,
    Complex(&'static [Attribute]),
}

const fn text(name: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Kind::Text,
        is_multi: false,
        is_exact: false,
        is_read_only: false,
    }
}

const fn exact(name: &'static str) -> Attribute {
    Attribute {
        is_exact: true,
        ..text(name)
    }
}

const fn read_only(attribute: Attribute) -> Attribute {
    Attribute {
        is_read_only: true,
        ..attribute
    }
}

const fn boolean(name: &'static str) -> Attribute {
    Attribute {
        kind: Kind::Boolean,
        ..text(name)
    }
}

const fn moment(name: &'static str) -> Attribute {
    Attribute {
        kind: Kind::Moment,
        ..text(name)
    }
}

const fn complex(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute {
        kind: Kind::Complex(parts),
        ..text(name)
    }
}

const fn multi(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute {
        is_multi: true,
        ..complex(name, parts)
    }
}

/// The parts of most lists.
const PARTS: &[Attribute] = &[
    text("value"),
    text("display"),
    text("type"),
    boolean("primary"),
];
const EXACT_PARTS: &[Attribute] = &[
    exact("value"),
    text("display"),
    text("type"),
    boolean("primary"),
];
const NAME: &[Attribute] = &[
    text("formatted"),
    text("familyName"),
    text("givenName"),
    text("middleName"),
    text("honorificPrefix"),
    text("honorificSuffix"),
];
const ADDRESS: &[Attribute] = &[
    text("formatted"),
    text("streetAddress"),
    text("locality"),
    text("region"),
    text("postalCode"),
    text("country"),
    text("type"),
    boolean("primary"),
];
const MEMBERSHIP: &[Attribute] = &[exact("value"), exact("$ref"), text("display"), text("type")];
const META: &[Attribute] = &[
    exact("resourceType"),
    moment("created"),
    moment("lastModified"),
    exact("location"),
    exact("version"),
];

/// The attributes that every resource has.
const COMMON: &[Attribute] = &[
    read_only(exact("id")),
    exact("externalId"),
    read_only(complex("meta", META)),
];

/// The core attributes of a user.
pub(super) const OF_USER: &[Attribute] = &[
    text("userName"),
    complex("name", NAME),
    text("displayName"),
    text("nickName"),
    exact("profileUrl"),
    text("title"),
    text("userType"),
    text("preferredLanguage"),
    text("locale"),
    text("timezone"),
    boolean("active"),
    multi("emails", PARTS),
    multi("phoneNumbers", PARTS),
    multi("ims", PARTS),
    multi("photos", EXACT_PARTS),
    multi("addresses", ADDRESS),
    read_only(multi("groups", MEMBERSHIP)),
    multi("entitlements", PARTS),
    multi("roles", PARTS),
    multi("x509Certificates", EXACT_PARTS),
];

/// The attributes of the enterprise extension.
pub(super) const OF_ENTERPRISE: &[Attribute] = &[
    text("employeeNumber"),
    text("costCenter"),
    text("organization"),
    text("division"),
    text("department"),
    complex(
        "manager",
        &[exact("value"), exact("$ref"), text("displayName")],
    ),
];

/// The attributes of a group.
pub(super) const OF_GROUP: &[Attribute] = &[text("displayName"), multi("members", MEMBERSHIP)];

impl Attribute {
    /// The part with this name, in any letter case.
    pub(super) fn part(&self, name: &str) -> Option<&'static Self> {
        match self.kind {
            Kind::Complex(parts) => named(parts, name),
            _ => None,
        }
    }

    /// The attribute as `/Schemas` shows it.
    pub(super) fn describe(&self) -> Value {
        let (kind, parts): (&str, &[Self]) = match self.kind {
            Kind::Text => ("string", &[]),
            Kind::Boolean => ("boolean", &[]),
            Kind::Moment => ("dateTime", &[]),
            Kind::Complex(parts) => ("complex", parts),
        };
        let mut shown = json!({
            "name": self.name,
            "type": kind,
            "multiValued": self.is_multi,
            "required": self.name == "userName",
            "caseExact": self.is_exact,
            "mutability": if self.is_read_only { "readOnly" } else { "readWrite" },
            "returned": "default",
            "uniqueness": if self.name == "userName" { "server" } else { "none" },
        });
        if !parts.is_empty() {
            shown["subAttributes"] = parts.iter().map(Self::describe).collect();
        }
        shown
    }
}

/// The attribute with this name in an extension, or in the core schemas.
pub(super) fn attribute(extension: Option<&str>, name: &str) -> Option<&'static Attribute> {
    match extension {
        Some(ENTERPRISE) => named(OF_ENTERPRISE, name),
        Some(_) => None,
        None => [COMMON, OF_USER, OF_GROUP]
            .into_iter()
            .find_map(|attributes| named(attributes, name)),
    }
}

fn named(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// What a client may write of a body, in the schema's spelling. Unknown and read-only attributes
/// are left out, and so are values that mean "unassigned": null and empty lists.
pub(super) fn writable(body: &Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let mut kept = Map::new();
    for (name, value) in body {
        if let Some(extension) = extension(name) {
            keep(&mut kept, extension, extended(extension, value)?);
        } else if let Some(known) = attribute(None, name).filter(|known| is_of_user(known)) {
            keep(&mut kept, known.name, checked(known, value)?);
        }
    }
    Ok(kept)
}

/// What a client may write of the body of a whole user, which has a user name.
pub(super) fn writable_user(body: &Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let user = writable(body)?;
    check_user_name(&user)?;
    Ok(user)
}

/// Whether a user has a user name.
pub(super) fn check_user_name(user: &Map<String, Value>) -> Result<(), ScimError> {
    let is_name = |name: &Value| name.as_str().is_some_and(|name| !name.trim().is_empty());
    match user.get("userName").is_some_and(is_name) {
        true => Ok(()),
        false => Err(ScimError::bad("invalidValue", "userName is required")),
    }
}

/// The extension with this URN, in any letter case.
pub(super) fn extension(urn: &str) -> Option<&'static str> {
    EXTENSIONS
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(urn))
}

fn is_of_user(attribute: &Attribute) -> bool {
    !attribute.is_read_only && attribute.name != "members"
}

fn keep(kept: &mut Map<String, Value>, name: &str, value: Value) {
    let is_unassigned = match &value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if !is_unassigned {
        kept.insert(name.to_owned(), value);
    }
}

fn extended(extension: &str, value: &Value) -> Result<Value, ScimError> {
    let fields = match value {
        Value::Null => return Ok(Value::Null),
        Value::Object(fields) => fields,
        _ => return Err(invalid(extension, "an object")),
    };
    if extension == CUSTOM {
        return Ok(value.clone());
    }
    let mut kept = Map::new();
    for (name, value) in fields {
        if let Some(known) = attribute(Some(extension), name) {
            keep(&mut kept, known.name, checked(known, value)?);
        }
    }
    Ok(Value::Object(kept))
}

/// The value of an attribute, if it has the attribute's type.
fn checked(attribute: &Attribute, value: &Value) -> Result<Value, ScimError> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Array(items) if attribute.is_multi => {
            let items: Result<Vec<Value>, _> =
                items.iter().map(|item| single(attribute, item)).collect();
            let items = items?;
            check_primary(attribute, &items)?;
            Ok(Value::Array(items))
        }
        _ if attribute.is_multi => Err(invalid(attribute.name, "a list")),
        one => single(attribute, one),
    }
}

fn single(attribute: &Attribute, value: &Value) -> Result<Value, ScimError> {
    match (&attribute.kind, value) {
        (Kind::Text | Kind::Moment, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => {
            Ok(value.clone())
        }
        (Kind::Complex(parts), Value::Object(fields)) => complex_value(attribute, parts, fields),
        (Kind::Text | Kind::Moment, _) => Err(invalid(attribute.name, "text")),
        (Kind::Boolean, _) => Err(invalid(attribute.name, "true or false")),
        (Kind::Complex(_), _) => Err(invalid(attribute.name, "an object")),
    }
}

fn complex_value(
    attribute: &Attribute,
    parts: &'static [Attribute],
    fields: &Map<String, Value>,
) -> Result<Value, ScimError> {
    let mut kept = Map::new();
    for part in parts {
        if let Some(value) = key_of(fields, part.name).and_then(|key| fields.get(key)) {
            keep(&mut kept, part.name, checked(part, value)?);
        }
    }
    let is_address = |value: &Value| value.as_str().is_some_and(|value| value.contains('@'));
    if attribute.name == "emails" && !kept.get("value").is_some_and(is_address) {
        return Err(invalid("emails.value", "an address"));
    }
    Ok(Value::Object(kept))
}

fn check_primary(attribute: &Attribute, items: &[Value]) -> Result<(), ScimError> {
    let primary = items.iter().filter(|item| item["primary"] == true);
    if primary.count() > 1 {
        return Err(invalid(attribute.name, "a list with one primary value"));
    }
    Ok(())
}

fn invalid(name: &str, expected: &str) -> ScimError {
    ScimError::bad("invalidValue", format!("{name} must be {expected}"))
}
