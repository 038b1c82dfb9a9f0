//! The behaviour switches. Where a provider's documents leave a choice open, or contradict its
//! server, a switch selects the other behaviour.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;

use crate::providers::Provider;

/// A switch of a provider. While it is not set, the provider does as its module says.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// Its name, such as `cursor`.
    pub name: &'static str,
    /// The values that it takes.
    pub values: SwitchValues,
}

/// The values of a [`Switch`].
#[derive(Clone, Copy, Debug)]
pub enum SwitchValues {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number, such as calls per minute.
    Number,
}

impl Switch {
    /// A switch that takes one of these words.
    pub const fn one_of(name: &'static str, words: &'static [&'static str]) -> Self {
        Self {
            name,
            values: SwitchValues::OneOf(words),
        }
    }

    /// A switch that takes a number.
    pub const fn number(name: &'static str) -> Self {
        Self {
            name,
            values: SwitchValues::Number,
        }
    }
}

impl SwitchValues {
    fn accept(self, value: &str) -> bool {
        match self {
            Self::OneOf(words) => words.contains(&value),
            Self::Number => value.parse::<u64>().is_ok(),
        }
    }

    fn describe(self) -> String {
        match self {
            Self::OneOf(words) => words.join("|"),
            Self::Number => "a whole number".to_owned(),
        }
    }
}

type SwitchSettings = Arc<RwLock<BTreeMap<(Provider, &'static str), String>>>;

/// The switches of one provider. Cheap to clone; every clone sees later changes.
#[derive(Clone)]
pub struct Behaviour {
    provider: Provider,
    set: SwitchSettings,
}

impl Behaviour {
    /// Whether the switch is set to this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).as_deref() == Some(value)
    }

    /// The value of the switch, if it is set.
    pub fn get(&self, name: &str) -> Option<String> {
        read(&self.set)
            .iter()
            .find(|((provider, known), _)| *provider == self.provider && *known == name)
            .map(|(_, value)| value.clone())
    }

    /// The value of the switch as a number, if it is set to one.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// The switches of all providers.
#[derive(Clone, Default)]
pub(crate) struct BehaviourRegistry {
    set: SwitchSettings,
}

/// A switch that is set.
#[derive(Serialize)]
pub(crate) struct SwitchSetting {
    provider: Provider,
    name: &'static str,
    value: String,
}

impl BehaviourRegistry {
    pub(crate) fn of_provider(&self, provider: Provider) -> Behaviour {
        Behaviour {
            provider,
            set: Arc::clone(&self.set),
        }
    }

    /// Sets a switch. The error lists the names or values that exist.
    pub(crate) fn set(&self, provider: Provider, name: &str, value: String) -> Result<(), String> {
        let switches = provider.spec().emulation.switches;
        let Some(switch) = switches.iter().find(|switch| switch.name == name) else {
            return Err(unknown_name(provider, name, switches));
        };
        if !switch.values.accept(&value) {
            let values = switch.values.describe();
            return Err(format!(
                "unknown value {value:?} of {provider}'s {name:?}; known: {values}"
            ));
        }
        write(&self.set).insert((provider, switch.name), value);
        Ok(())
    }

    /// The switches that are set, of one provider or of all.
    pub(crate) fn list(&self, provider: Option<Provider>) -> Vec<SwitchSetting> {
        read(&self.set)
            .iter()
            .filter(|((owner, _), _)| provider.is_none_or(|provider| provider == *owner))
            .map(|((provider, name), value)| SwitchSetting {
                provider: *provider,
                name,
                value: value.clone(),
            })
            .collect()
    }

    /// Clears switches: all, those of a provider, or one.
    pub(crate) fn clear(&self, provider: Option<Provider>, name: Option<&str>) {
        write(&self.set).retain(|(owner, known), _| {
            provider.is_some_and(|provider| provider != *owner)
                || name.is_some_and(|name| name != *known)
        });
    }
}

fn unknown_name(provider: Provider, name: &str, switches: &[Switch]) -> String {
    let known: Vec<String> = switches
        .iter()
        .map(|switch| format!("{}={}", switch.name, switch.values.describe()))
        .collect();
    format!(
        "unknown behaviour {name:?} of {provider}; known: {}",
        known.join(", ")
    )
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
