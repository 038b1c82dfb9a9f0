//! The objects in Usertour's answers.

use serde_json::{Value, json};

use super::jsonb;
use super::moment;
use super::store::{Definition, Membership, Row, UsertourStore};

/// Which identifiers a membership shows for its user and its company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MembershipIds {
    /// Those of the database, as version 1 does.
    Internal,
    /// Those of the customer, as version 2 does.
    External,
}

impl MembershipIds {
    fn of(self, row: &Row) -> &str {
        match self {
            Self::Internal => &row.key,
            Self::External => &row.id,
        }
    }
}

/// A user. A list is null where it is not expanded, and `[]` where it is empty.
pub(super) fn user(
    store: &UsertourStore,
    serial: u64,
    row: &Row,
    expand: &[&str],
    ids: MembershipIds,
) -> Value {
    let wants = |word: &str| expand.contains(&word);
    let with_company = wants("memberships.company");
    let joined = if expand.is_empty() {
        Vec::new()
    } else {
        store.companies_of(serial)
    };
    let companies = wants("companies").then(|| {
        let rows = joined
            .iter()
            .filter_map(|(company, _)| store.companies.get(*company));
        rows.map(|company| nested("company", company))
            .collect::<Vec<_>>()
    });
    let memberships = (wants("memberships") || with_company).then(|| {
        let pairs = joined.iter().filter_map(|(company, membership)| {
            let company = store.companies.get(*company)?;
            let mut shown = self::membership(membership, ids.of(row), ids.of(company));
            if with_company {
                shown["company"] = nested("company", company);
            }
            Some(shown)
        });
        pairs.collect::<Vec<_>>()
    });
    let mut shown = nested("user", row);
    shown["companies"] = json!(companies);
    shown["memberships"] = json!(memberships);
    shown
}

/// A company, with its users.
pub(super) fn company(store: &UsertourStore, serial: u64, row: &Row, expand: &[&str]) -> Value {
    let wants = |word: &str| expand.contains(&word);
    let with_user = wants("memberships.user");
    let joined = if expand.is_empty() {
        Vec::new()
    } else {
        store.users_of(serial)
    };
    let users = wants("users").then(|| {
        let rows = joined.iter().filter_map(|(user, _)| store.users.get(*user));
        rows.map(|user| nested("user", user)).collect::<Vec<_>>()
    });
    let memberships = (wants("memberships") || with_user).then(|| {
        let pairs = joined.iter().filter_map(|(user, membership)| {
            let user = store.users.get(*user)?;
            let mut shown = self::membership(membership, &user.key, &row.key);
            if with_user {
                shown["user"] = nested("user", user);
            }
            Some(shown)
        });
        pairs.collect::<Vec<_>>()
    });
    let mut shown = nested("company", row);
    shown["users"] = json!(users);
    shown["memberships"] = json!(memberships);
    shown
}

/// An attribute definition.
pub(super) fn definition(definition: &Definition) -> Value {
    json!({
        "id": definition.key,
        "object": "attributeDefinition",
        "createdAt": moment::text(definition.created_at),
        "dataType": definition.data_type.word(),
        "description": "",
        "displayName": display_name(definition),
        "codeName": definition.code_name,
        "scope": definition.scope.word(),
    })
}

/// The code name with a capital.
pub(super) fn display_name(definition: &Definition) -> String {
    let mut letters = definition.code_name.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A user within a company, or a company within a user.
fn nested(object: &str, row: &Row) -> Value {
    json!({
        "id": row.id,
        "object": object,
        "attributes": jsonb::ordered(&row.attributes),
        "createdAt": moment::text(row.created_at),
    })
}

/// A membership, with the identifiers of its user and its company.
fn membership(membership: &Membership, user: &str, company: &str) -> Value {
    json!({
        "id": membership.key,
        "object": "companyMembership",
        "attributes": jsonb::ordered(&membership.attributes),
        "createdAt": moment::text(membership.created_at),
        "companyId": company,
        "userId": user,
    })
}
