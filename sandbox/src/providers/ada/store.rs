//! The users of the tenant, in the order of their ids, and the erase jobs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::erase::EraseJob;
use super::user::{self, EndUser, Profile};
use crate::emulation::Record;
use crate::people::Person;
use crate::providers::Provider;
use crate::rate::now;

/// The users and jobs of the tenant.
pub(super) struct AdaStore {
    data: Mutex<AdaData>,
}

/// The data behind the lock.
pub(super) struct AdaData {
    /// Ascending by id.
    pub(super) users: Vec<EndUser>,
    pub(super) jobs: BTreeMap<String, EraseJob>,
    /// Users ever created.
    created: usize,
}

impl AdaStore {
    pub(super) fn seeded(people: &[Person]) -> Self {
        let held = people.iter().filter(|person| person.is_at(Provider::Ada));
        let created = held.clone().next_back().map_or(0, |last| last.index + 1);
        Self {
            data: Mutex::new(AdaData {
                users: held.map(EndUser::of).collect(),
                jobs: BTreeMap::new(),
                created,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, AdaData> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.lock().users.iter().map(EndUser::record).collect()
    }
}

impl AdaData {
    /// The position of the user with this id.
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.users
            .binary_search_by(|user| user.id.as_str().cmp(id))
            .ok()
    }

    /// The position of the user with this external id, in any letter case.
    pub(super) fn position_of_external_id(&self, external_id: &str) -> Option<usize> {
        let wanted = external_id.trim().to_lowercase();
        self.users
            .iter()
            .position(|user| user.external_id.as_deref() == Some(wanted.as_str()))
    }

    /// Creates a user.
    pub(super) fn create(&mut self, external_id: Option<String>, profile: Profile) -> &EndUser {
        self.created += 1;
        let index = self.users.len();
        self.users.push(EndUser {
            id: user::id(self.created),
            external_id,
            profile,
            created_at: now(),
            updated_at: now(),
        });
        &self.users[index]
    }
}
