//! The users of the seeded people.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schema::{CUSTOM, ENTERPRISE};
use super::store::{Group, ScimStore, User, user_id};
use crate::people::{Person, known};
use crate::providers::Provider;

/// The store of the people who are at the provider.
pub(super) fn store(people: &[Person]) -> ScimStore {
    let held = people.iter().filter(|person| person.is_at(Provider::Scim));
    let mut seed = Seed::default();
    let mut created = 0;
    let mut users = Vec::new();
    for person in held {
        created = person.index + 1;
        users.push(seed.user(person));
    }
    ScimStore::new(users, seed.groups, created)
}

/// What the users so far have taken.
#[derive(Default)]
struct Seed {
    groups: Vec<Group>,
    /// In lower case.
    user_names: BTreeSet<String>,
}

impl Seed {
    fn user(&mut self, person: &Person) -> User {
        let user_name = self.user_name(person);
        User {
            id: user_id(person.index + 1),
            attributes: attributes(person, user_name),
            handle: person.username.clone(),
            groups: person.tags.iter().map(|tag| self.group(tag)).collect(),
            created: person.created_at,
            modified: person.updated_at,
            version: 1,
        }
    }

    /// The address as long as it is free, or another unique name. An account without any value is
    /// older than the rule that users have user names.
    fn user_name(&mut self, person: &Person) -> Option<String> {
        let address = person.email_at(Provider::Scim);
        let names = [address, person.username.as_deref()].into_iter().flatten();
        let mut names = names.map(str::to_owned);
        names.find(|name| self.user_names.insert(name.to_lowercase()))
    }

    /// The position of the group with this name.
    fn group(&mut self, name: &str) -> usize {
        let found = self.groups.iter().position(|group| group.name == name);
        found.unwrap_or_else(|| {
            let number = self.groups.len() + 1;
            self.groups.push(Group {
                id: format!("e9e30dba-f08f-4109-8486-{number:012x}"),
                name: name.to_owned(),
            });
            number - 1
        })
    }
}

fn attributes(person: &Person, user_name: Option<String>) -> Map<String, Value> {
    let mut user = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        user.extend(value.map(|value| (name.to_owned(), value)));
    };
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let language = |locale: &String| locale.split('-').next().map(Value::from);
    set("externalId", text(&person.external_id));
    set("userName", user_name.map(Value::from));
    set("name", name(person));
    set("displayName", person.name().map(Value::from));
    set("locale", text(&person.locale));
    set(
        "preferredLanguage",
        person.locale.as_ref().and_then(language),
    );
    set("timezone", text(&person.timezone));
    set("active", Some((person.index % 11 != 6).into()));
    set("emails", emails(person));
    let phone = |phone: &String| json!([{"value": phone, "type": "work"}]);
    set("phoneNumbers", person.phone.as_ref().map(phone));
    let photo = |photo: &String| json!([{"value": photo, "type": "photo"}]);
    set("photos", person.avatar.as_ref().map(photo));
    let roles = person.segments.iter().map(|name| json!({"value": name}));
    let roles: Vec<Value> = roles.collect();
    set("roles", (!roles.is_empty()).then(|| roles.into()));
    set(ENTERPRISE, enterprise(person));
    let custom = &person.attributes;
    let custom = (!custom.is_empty()).then(|| Value::Object(custom.clone()));
    set(CUSTOM, custom);
    if person.email.as_deref() == Some(known::EVERYWHERE) {
        user.extend(rest());
    }
    user
}

fn name(person: &Person) -> Option<Value> {
    let mut name = Map::from_iter([("formatted".to_owned(), person.name()?.into())]);
    let parts = [
        ("familyName", &person.last_name),
        ("givenName", &person.first_name),
    ];
    for (key, part) in parts {
        name.extend(part.clone().map(|part| (key.to_owned(), part.into())));
    }
    Some(Value::Object(name))
}

/// Every third person has a private address, too. Some have no primary address, some have it
/// behind the other one.
fn emails(person: &Person) -> Option<Value> {
    let address = person.email_at(Provider::Scim)?;
    let mut work = json!({"value": address, "type": "work"});
    if person.index % 7 != 3 {
        work["primary"] = true.into();
    }
    let mut emails = vec![work];
    if person.index.is_multiple_of(3) {
        let local = address.split('@').next().unwrap_or(address);
        emails.push(json!({"value": format!("{local}@home.test"), "type": "home"}));
    }
    if person.index % 5 == 4 && person.index % 7 != 3 {
        emails.reverse();
    }
    Some(emails.into())
}

fn enterprise(person: &Person) -> Option<Value> {
    let company = person.companies.first()?;
    Some(json!({
        "employeeNumber": format!("{}", 70_000 + person.index),
        "organization": company.name,
        "department": "Sales",
    }))
}

/// The other attributes, all of which one person has.
fn rest() -> Map<String, Value> {
    let rest = json!({
        "nickName": "Annie",
        "profileUrl": "https://people.example/ann",
        "title": "Pilot",
        "userType": "Employee",
        "ims": [{"value": "ann.archer", "type": "xmpp"}],
        "addresses": [{
            "formatted": "1 Quay Street\nLondon E1 6AN\nUK",
            "streetAddress": "1 Quay Street",
            "locality": "London",
            "region": "London",
            "postalCode": "E1 6AN",
            "country": "GB",
            "type": "work",
            "primary": true,
        }],
        "entitlements": [{"value": "parking", "display": "Parking"}],
        "x509Certificates": [{"value": "MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAw"}],
        ENTERPRISE: {
            "employeeNumber": "701984",
            "costCenter": "4130",
            "organization": "Harbour Goods",
            "division": "Ferries",
            "department": "Sales",
            "manager": {"value": user_id(2), "displayName": "Joann Known"},
        },
    });
    match rest {
        Value::Object(rest) => rest,
        _ => Map::new(),
    }
}
