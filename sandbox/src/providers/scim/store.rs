//! The users in the order of their creation, and the groups.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::error::ScimError;
use crate::emulation::Record;
use crate::rate::now;

/// The resources of the service provider.
pub(super) struct ScimStore {
    data: Mutex<ScimData>,
}

/// The data behind the lock.
pub(super) struct ScimData {
    /// In the order of creation.
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Group>,
    /// Users ever created.
    created: usize,
}

/// A stored user.
#[derive(Clone)]
pub(super) struct User {
    pub(super) id: String,
    /// What clients can write, in the schema's spelling.
    pub(super) attributes: Map<String, Value>,
    /// The user name where user names are no addresses; none: the same.
    pub(super) handle: Option<String>,
    /// The positions of the groups.
    pub(super) groups: Vec<usize>,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) version: u64,
}

/// A group. The users know that they are its members.
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
}

/// The id of the nth user, from 1.
pub(super) fn user_id(number: usize) -> String {
    format!("2819c223-7f76-453a-919d-{number:012x}")
}

impl ScimStore {
    /// A store of these users; `created` were made so far.
    pub(super) fn new(users: Vec<User>, groups: Vec<Group>, created: usize) -> Self {
        Self {
            data: Mutex::new(ScimData {
                users,
                groups,
                created,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ScimData> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.lock().users.iter().map(User::record).collect()
    }
}

impl ScimData {
    /// The position of the user with this id.
    pub(super) fn position(&self, id: &str) -> Result<usize, ScimError> {
        let found = self.users.iter().position(|user| user.id == id);
        found.ok_or_else(|| ScimError::not_found("Resource", id))
    }

    /// Creates a user.
    pub(super) fn create(&mut self, attributes: Map<String, Value>) -> Result<&User, ScimError> {
        self.check_unique(None, &attributes)?;
        self.created += 1;
        let moment = now();
        self.users.push(User {
            id: user_id(self.created),
            attributes,
            handle: None,
            groups: Vec::new(),
            created: moment,
            modified: moment,
            version: 1,
        });
        Ok(&self.users[self.users.len() - 1])
    }

    /// Gives a user other attributes. The same ones make no new version.
    pub(super) fn change(
        &mut self,
        position: usize,
        attributes: Map<String, Value>,
    ) -> Result<&User, ScimError> {
        self.check_unique(Some(position), &attributes)?;
        let user = &mut self.users[position];
        if user.attributes != attributes {
            if user.attributes.get("userName") != attributes.get("userName") {
                user.handle = None;
            }
            user.attributes = attributes;
            user.modified = now();
            user.version += 1;
        }
        Ok(user)
    }

    /// User names are unique in any letter case.
    fn check_unique(
        &self,
        own: Option<usize>,
        attributes: &Map<String, Value>,
    ) -> Result<(), ScimError> {
        let folded = |name: &Value| name.as_str().unwrap_or_default().to_lowercase();
        let Some(wanted) = attributes.get("userName").map(folded) else {
            return Ok(());
        };
        let mut others = self.users.iter().enumerate();
        let is_taken = others.any(|(position, user)| {
            let name = user.attributes.get("userName").map(folded);
            let handle = user.handle.as_ref().map(|handle| handle.to_lowercase());
            own != Some(position) && [name, handle].contains(&Some(wanted.clone()))
        });
        if is_taken {
            let detail = "userName is already in use";
            return Err(ScimError::typed(StatusCode::CONFLICT, "uniqueness", detail));
        }
        Ok(())
    }
}

impl User {
    /// The address that is marked as primary, or the first one.
    fn email(&self) -> Option<&str> {
        let emails = self.attributes.get("emails")?.as_array()?;
        let primary = emails.iter().find(|email| email["primary"] == true);
        primary.or(emails.first())?["value"].as_str()
    }

    fn record(&self) -> Record {
        let external_id = self.attributes.get("externalId").and_then(Value::as_str);
        Record {
            id: self.id.clone(),
            external_id: external_id.map(str::to_owned),
            email: self.email().map(str::to_owned),
        }
    }
}
