//! The queries of clients.

use fastrand::Rng;
use serde_json::{Value, json};

use super::sandbox::Sandbox;

/// The providers as the graph spells them, and as the sandboxes do.
const PROVIDERS: [(&str, &str); 4] = [
    ("ADA", "ada"),
    ("DIGITAL_CHALK", "digitalchalk"),
    ("INTERCOM", "intercom"),
    ("USERTOUR", "usertour"),
];

const FIELDS: &str = "nodes { id provider remoteId email name createdAt } \
                      sources { provider status stale error { code retryAfter } }";

/// The people to ask for.
pub(crate) struct Known {
    emails: Vec<String>,
    /// Providers with their own ids.
    ids: Vec<(&'static str, String)>,
}

pub(crate) async fn known(sandbox: &Sandbox) -> Known {
    let (mut emails, mut ids) = (Vec::new(), Vec::new());
    for (provider, name) in PROVIDERS {
        let records: Vec<Value> = sandbox.get(&format!("records?provider={name}")).await;
        for record in records {
            // The odd properties of some people do not matter here.
            let plain = |text: &&str| {
                text.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"@.-".contains(&b))
            };
            if let Some(email) = record["email"].as_str().filter(plain) {
                emails.push(email.to_owned());
            }
            if let Some(id) = record["id"].as_str().filter(plain) {
                ids.push((provider, id.to_owned()));
            }
        }
    }
    Known { emails, ids }
}

/// A query: its name, its text, its variables.
pub(crate) type Question = (&'static str, String, Value);

impl Known {
    fn email(&self, dice: &mut Rng) -> String {
        match dice.u8(0..5) {
            0 => format!("nobody{}@soak.test", dice.u32(0..1_000)),
            _ => dice.choice(&self.emails).cloned().unwrap_or_default(),
        }
    }

    fn id(&self, dice: &mut Rng) -> (&'static str, String) {
        dice.choice(&self.ids).cloned().unwrap()
    }

    /// A random query.
    pub(crate) fn ask(&self, dice: &mut Rng) -> Question {
        match dice.u8(0..20) {
            0..6 => by_email(&self.email(dice)),
            6..10 => {
                let (provider, _) = PROVIDERS[dice.usize(0..PROVIDERS.len())];
                page(provider, dice.u32(5..120), None)
            }
            10..12 => self.by_ids(dice),
            12..14 => person(&self.email(dice)),
            14..16 => self.entities(dice),
            16 => filtered(dice),
            17 => parts(dice),
            _ => upsert(dice),
        }
    }

    fn by_ids(&self, dice: &mut Rng) -> Question {
        let users = (0..3).map(|n| {
            let (provider, id) = self.id(dice);
            format!("u{n}: user(provider: {provider}, by: {{ remoteId: {id:?} }}) {{ id email }}")
        });
        let users: Vec<_> = users.collect();
        ("user", format!("{{ {} }}", users.join(" ")), json!({}))
    }

    fn entities(&self, dice: &mut Rng) -> Question {
        let (provider, id) = self.id(dice);
        let query = "query($of: [_Any!]!) { _entities(representations: $of) {
            ... on User { email } ... on Person { users { provider email } } } }";
        let of = json!({ "of": [
            { "__typename": "Person", "email": self.email(dice) },
            { "__typename": "User", "account": account(provider), "remoteId": id },
        ]});
        ("_entities", query.to_owned(), of)
    }
}

/// The name of a provider's account.
fn account(provider: &str) -> String {
    provider.to_lowercase().replace('_', "")
}

fn by_email(email: &str) -> Question {
    let query = format!("query($email: String!) {{ usersByEmail(email: $email) {{ {FIELDS} }} }}");
    ("usersByEmail", query, json!({ "email": email }))
}

fn person(email: &str) -> Question {
    let query = "query($email: String!) { person(email: $email) {
        users { provider email } sources { provider status error { code } } } }";
    ("person", query.to_owned(), json!({ "email": email }))
}

/// A page of a list: the first, or the one after a cursor.
pub(crate) fn page(provider: &str, first: u32, after: Option<&str>) -> Question {
    let query = "query($of: Provider!, $first: Int, $after: String) {
        users(provider: $of, first: $first, after: $after) {
            nodes { id email } pageInfo { hasNextPage endCursor } } }";
    let variables = json!({ "of": provider, "first": first, "after": after });
    ("users", query.to_owned(), variables)
}

/// Objects by their global ids.
pub(crate) fn nodes(ids: &[Value]) -> Question {
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { email } } }";
    ("nodes", query.to_owned(), json!({ "ids": ids }))
}

fn filtered(dice: &mut Rng) -> Question {
    let filter = match dice.u8(0..3) {
        0 => "provider: INTERCOM, filter: { emailDomain: \"x.test\" }",
        1 => "provider: INTERCOM, filter: { createdSince: \"2020-01-01T00:00:00Z\", kind: USER }",
        _ => "provider: USERTOUR, filter: { email: \"ann@x.test\" }",
    };
    let query = format!("{{ users({filter}, first: 20) {{ nodes {{ id email }} }} }}");
    ("users, filtered", query, json!({}))
}

/// Fields that need their own calls.
fn parts(dice: &mut Rng) -> Question {
    let (provider, fields) = match dice.u8(0..3) {
        0 => ("INTERCOM", "tags companies { remoteId name }"),
        1 => ("DIGITAL_CHALK", "attributes"),
        _ => (
            "USERTOUR",
            "details { ... on UsertourUser { memberships { company { id } } } }",
        ),
    };
    let query =
        format!("{{ users(provider: {provider}, first: 5) {{ nodes {{ id {fields} }} }} }}");
    ("sub-lists", query, json!({}))
}

fn upsert(dice: &mut Rng) -> Question {
    let (provider, _) = PROVIDERS[dice.usize(0..PROVIDERS.len())];
    let n = dice.u32(0..200);
    let query = "mutation($input: UpsertUserInput!) { upsertUser(input: $input) {
        outcome user { id } userErrors { code message } } }";
    let mut input = json!({ "provider": provider });
    let name = match provider {
        "ADA" | "DIGITAL_CHALK" => "firstName",
        _ => "name",
    };
    input[name] = format!("Soak {}", dice.u32(0..9)).into();
    match provider {
        "DIGITAL_CHALK" => input["email"] = format!("soak{n}@soak.test").into(),
        _ => input["externalId"] = format!("soak-{n}").into(),
    }
    ("upsertUser", query.to_owned(), json!({ "input": input }))
}
