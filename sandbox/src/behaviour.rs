//! The behaviour switches: where a vendor's documents leave a choice open, or
//! contradict its server, a test turns the other way on.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;

use crate::providers::Provider;

/// One switch that a vendor knows. When it is not set, the vendor does as its
/// module says.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name, such as `cursor`.
    pub name: &'static str,
    /// What it may be set to.
    pub values: Values,
}

/// The values of a [`Variant`].
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number, such as calls for each minute.
    Number,
}

impl Variant {
    /// A switch with these positions, beside not being set.
    pub const fn one_of(name: &'static str, words: &'static [&'static str]) -> Self {
        Self {
            name,
            values: Values::OneOf(words),
        }
    }

    /// A switch that takes a number.
    pub const fn number(name: &'static str) -> Self {
        Self {
            name,
            values: Values::Number,
        }
    }
}

impl Values {
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

type Set = Arc<RwLock<BTreeMap<(Provider, &'static str), String>>>;

/// The switches of one vendor. Cheap to clone; what is set later is seen.
#[derive(Clone)]
pub struct Behaviour {
    vendor: Provider,
    set: Set,
}

impl Behaviour {
    /// Whether the switch stands at this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).as_deref() == Some(value)
    }

    /// The value of the switch, if it is set.
    pub fn get(&self, name: &str) -> Option<String> {
        read(&self.set)
            .iter()
            .find(|((vendor, known), _)| *vendor == self.vendor && *known == name)
            .map(|(_, value)| value.clone())
    }

    /// The value of the switch as a number, if it is set to one.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// The switches of all vendors.
#[derive(Clone, Default)]
pub(crate) struct Behaviours {
    set: Set,
}

/// A switch that is set.
#[derive(Serialize)]
pub(crate) struct Setting {
    vendor: Provider,
    name: &'static str,
    value: String,
}

impl Behaviours {
    pub(crate) fn of_provider(&self, vendor: Provider) -> Behaviour {
        Behaviour {
            vendor,
            set: Arc::clone(&self.set),
        }
    }

    /// Sets a switch, or says which names or values there are.
    pub(crate) fn set(&self, vendor: Provider, name: &str, value: String) -> Result<(), String> {
        let variants = vendor.spec().emulation.variants;
        let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
            return Err(unknown_name(vendor, name, variants));
        };
        if !variant.values.accept(&value) {
            let values = variant.values.describe();
            return Err(format!(
                "unknown value {value:?} of {vendor}'s {name:?}; known: {values}"
            ));
        }
        write(&self.set).insert((vendor, variant.name), value);
        Ok(())
    }

    /// What is set now, at one vendor or at all.
    pub(crate) fn list(&self, vendor: Option<Provider>) -> Vec<Setting> {
        read(&self.set)
            .iter()
            .filter(|((owner, _), _)| vendor.is_none_or(|vendor| vendor == *owner))
            .map(|((vendor, name), value)| Setting {
                vendor: *vendor,
                name,
                value: value.clone(),
            })
            .collect()
    }

    /// Turns switches back: all, those of a vendor, or one.
    pub(crate) fn clear(&self, vendor: Option<Provider>, name: Option<&str>) {
        write(&self.set).retain(|(owner, known), _| {
            vendor.is_some_and(|vendor| vendor != *owner) || name.is_some_and(|name| name != *known)
        });
    }
}

fn unknown_name(vendor: Provider, name: &str, variants: &[Variant]) -> String {
    let known: Vec<String> = variants
        .iter()
        .map(|variant| format!("{}={}", variant.name, variant.values.describe()))
        .collect();
    format!(
        "unknown behaviour {name:?} of {vendor}; known: {}",
        known.join(", ")
    )
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
