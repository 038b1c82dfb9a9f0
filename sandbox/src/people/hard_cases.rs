//! The people of [`known`](super::known).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Company, EPOCH, Person, known};
use crate::providers::Provider;

const ALL: &[Provider] = &Provider::ALL;

/// The people with the lowest numbers.
pub(super) fn first() -> Vec<Person> {
    [
        everywhere(),
        same_address(),
        spellings(),
        at_one_provider(),
        odd_addresses(),
        odd_profiles(),
        odd_ids(),
        deep_in_the_results(known::POSITION_17, 16),
        deep_in_the_results(known::POSITION_101, 100),
    ]
    .concat()
}

/// The two on either side of a page boundary, created in the same second.
pub(super) fn at_the_edge() -> Vec<Person> {
    // They must be later than all people before them: a day is far more than those need.
    let created_at = EPOCH + 86_400;
    [known::EDGE_LAST, known::EDGE_FIRST]
        .map(|email| Person {
            created_at,
            ..person(email, &[Provider::Ada, Provider::Usertour])
        })
        .into()
}

/// A person with a name and ids made from the address.
fn person(email: &str, providers: &[Provider]) -> Person {
    let local = email.split('@').next().unwrap_or(email);
    let mut words = local.split(['.', '+', '_', '%', '\'']).map(capitalised);
    let key: String = email.to_lowercase().replace('@', "-at-");
    Person {
        first_name: words.next(),
        last_name: Some(words.next().unwrap_or_else(|| "Known".to_owned())),
        username: Some(key.clone()),
        email: Some(email.to_owned()),
        locale: Some("en-GB".to_owned()),
        timezone: Some("Europe/London".to_owned()),
        last_seen_at: Some(EPOCH + 40_000_000),
        tags: vec!["known".to_owned()],
        external_id: Some(format!("k-{}", key.chars().take(34).collect::<String>())),
        providers: providers.iter().copied().collect(),
        ..Person::default()
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn attributes(json: Value) -> Map<String, Value> {
    match json {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn everywhere() -> Vec<Person> {
    let ann = Person {
        first_name: Some("Ann".to_owned()),
        last_name: Some("Archer".to_owned()),
        username: Some("ann".to_owned()),
        phone: Some("+44 20 7946 0001".to_owned()),
        avatar: Some("https://pictures.example/ann.png".to_owned()),
        tags: vec!["known".to_owned(), "vip".to_owned()],
        companies: vec![Company {
            id: "c-1".to_owned(),
            name: "Harbour Goods".to_owned(),
        }],
        segments: vec!["Active".to_owned()],
        attributes: attributes(
            json!({"plan": "gold", "seats": 17, "beta": true, "job title": "pilot"}),
        ),
        external_id: Some(known::EVERYWHERE_EXTERNAL_ID.to_owned()),
        ..person(known::EVERYWHERE, ALL)
    };
    vec![ann, person(known::JOANN, ALL), person(known::PLUS, ALL)]
}

fn same_address() -> Vec<Person> {
    let named = |first: &str, username: &str, person: Person| Person {
        first_name: Some(first.to_owned()),
        username: Some(username.to_owned()),
        external_id: Some(format!("crm-{username}")),
        ..person
    };
    let lead = Person {
        lead: true,
        ..named(
            "Lea",
            "lead-lead",
            person(known::LEAD, &[Provider::Intercom]),
        )
    };
    let alone = Person {
        lead: true,
        ..person(known::LEAD_ALONE, &[Provider::Intercom])
    };
    let user = person(known::LEAD, &[Provider::Intercom, Provider::Usertour]);
    vec![
        named("Noor", "nhaddad", person(known::SHARED, ALL)),
        named("Tomas", "tlind", person(known::SHARED_DECOY, ALL)),
        named("Aiko", "amori", person(known::SHARED_UPPER, ALL)),
        named("Lee", "lead-user", user),
        lead,
        alone,
    ]
}

fn spellings() -> Vec<Person> {
    let spelt = |email, provider, spelling: &str| Person {
        spellings: BTreeMap::from([(provider, spelling.to_owned())]),
        ..person(email, ALL)
    };
    vec![
        spelt(
            known::MIXED_CASE,
            Provider::Usertour,
            known::MIXED_CASE_AT_USERTOUR,
        ),
        spelt(known::UPPER, Provider::Intercom, known::UPPER_AT_INTERCOM),
        spelt(
            known::UNICODE_LOCAL,
            Provider::DigitalChalk,
            known::UNICODE_LOCAL_AT_DIGITAL_CHALK,
        ),
    ]
}

fn at_one_provider() -> Vec<Person> {
    vec![
        person(known::AT_ADA, &[Provider::Ada]),
        person(known::AT_DIGITAL_CHALK, &[Provider::DigitalChalk]),
        person(known::AT_INTERCOM, &[Provider::Intercom]),
        person(known::AT_USERTOUR, &[Provider::Usertour]),
    ]
}

fn odd_addresses() -> Vec<Person> {
    [
        known::UNDERSCORE_DECOY,
        known::UNDERSCORE,
        known::PERCENT_DECOY,
        known::PERCENT,
        known::APOSTROPHE,
        known::PREFIX_LONGER,
        known::PREFIX,
        known::IDN,
    ]
    .map(|email| person(email, ALL))
    .into()
}

fn odd_profiles() -> Vec<Person> {
    let unicode = Person {
        first_name: Some("Žofie 🎻".to_owned()),
        last_name: Some("Åström-李".to_owned()),
        tags: vec!["número-uno".to_owned()],
        ..person(known::UNICODE_NAME, ALL)
    };
    let big = json!({
        "account": known::BIG_NUMBER_ACCOUNT, "largest": i64::MAX, "visits": 4_294_967_296_i64,
    });
    let odd = json!({
        "name": 42, "list": ["a", 1, null], "object": {"deep": {"er": true}}, "nothing": null, "ratio": 0.5,
    });
    let big = Person {
        attributes: attributes(big),
        ..person(known::BIG_NUMBER, ALL)
    };
    let odd = Person {
        attributes: attributes(odd),
        ..person(known::ODD_TYPES, ALL)
    };
    vec![
        unicode,
        big,
        odd,
        no_name(),
        never_seen(),
        no_email(),
        empty(),
    ]
}

fn no_name() -> Person {
    Person {
        first_name: None,
        last_name: None,
        ..person(known::NO_NAME, ALL)
    }
}

fn never_seen() -> Person {
    Person {
        last_seen_at: None,
        locale: None,
        timezone: None,
        tags: Vec::new(),
        ..person(known::NEVER_SEEN, ALL)
    }
}

fn no_email() -> Person {
    Person {
        email: None,
        external_id: Some(known::NO_EMAIL_EXTERNAL_ID.to_owned()),
        ..person("no.email", ALL)
    }
}

fn empty() -> Person {
    Person {
        external_id: Some(known::EMPTY_EXTERNAL_ID.to_owned()),
        providers: Provider::ALL.into(),
        ..Person::default()
    }
}

fn odd_ids() -> Vec<Person> {
    known::ODD_EXTERNAL_IDS
        .into_iter()
        .zip(known::ODD_EXTERNAL_ID_EMAILS)
        .map(|(id, email)| Person {
            external_id: Some(id.to_owned()),
            ..person(email, &[Provider::Intercom, Provider::Usertour])
        })
        .collect()
}

/// DigitalChalk records whose addresses contain `email`, and then its own.
fn deep_in_the_results(email: &str, before: usize) -> Vec<Person> {
    (1..=before)
        .map(|place| format!("n{place:03}.{email}"))
        .chain([email.to_owned()])
        .map(|email| person(&email, &[Provider::DigitalChalk]))
        .collect()
}
