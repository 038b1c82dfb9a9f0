//! The seeded people: the hard cases of [`known`] first, then generated ones, most of them at
//! several providers.
//!
//! Every provider has exactly the number of records asked for. The people come in the order of
//! their creation; a provider that is full takes no more of them, so a small number of users leaves
//! the later hard cases out.

mod draw;
mod generated;
mod hard_cases;
pub mod known;
mod sequence;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use self::sequence::Sequence;
use crate::providers::Provider;

/// Unix seconds at which the first person was created.
pub(crate) const EPOCH: i64 = 1_700_000_000;

/// One person, as the providers know them.
///
/// `attributes` are the custom fields; one named like a standard field (such
/// as `name`) is the value that a customer stored under that name.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// The number among all people, from 0; ids are made from it. There are gaps where a person is
    /// at no provider.
    pub index: usize,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Login name, unique; DigitalChalk has it.
    pub username: Option<String>,
    /// Email, unless a provider stores another spelling ([`Person::email_at`]).
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Address of a picture.
    pub avatar: Option<String>,
    /// BCP-47 language with region, such as `pt-BR`.
    pub locale: Option<String>,
    /// IANA time zone.
    pub timezone: Option<String>,
    /// Unix seconds; strictly ascending but for [`known::EDGE_FIRST`].
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Unix seconds of the last visit or login.
    pub last_seen_at: Option<i64>,
    /// Tags, without spaces or commas.
    pub tags: Vec<String>,
    /// Companies that the person belongs to.
    pub companies: Vec<Company>,
    /// Names of segments.
    pub segments: Vec<String>,
    /// Custom fields, of any JSON type.
    pub attributes: Map<String, Value>,
    /// An anonymous lead at Intercom; an ordinary user elsewhere.
    pub lead: bool,
    /// The customer's own id, unique, at most 36 characters. Everybody at Usertour has one.
    pub external_id: Option<String>,
    providers: BTreeSet<Provider>,
    spellings: BTreeMap<Provider, String>,
}

/// A company of a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Company {
    /// The customer's id of the company, such as `c-3`.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Person {
    /// Whether the provider has a record of the person.
    pub fn is_at(&self, provider: Provider) -> bool {
        self.providers.contains(&provider)
    }

    /// The email as this provider stores it.
    pub fn email_at(&self, provider: Provider) -> Option<&str> {
        let spelling = self.spellings.get(&provider);
        spelling.or(self.email.as_ref()).map(String::as_str)
    }

    /// First and last name, as far as there are any.
    pub fn name(&self) -> Option<String> {
        match (self.first_name.as_deref(), self.last_name.as_deref()) {
            (Some(first), Some(last)) => Some(format!("{first} {last}")),
            (one, other) => one.or(other).map(str::to_owned),
        }
    }
}

/// The people of a sandbox: every provider has exactly `users` of them.
pub fn people(users: usize, seed: u64) -> Vec<Person> {
    people_at(&Provider::ALL, users, seed)
}

/// People such that each of these providers has exactly `users` of them. Which people a provider
/// has follows from the seed and its name: it does not matter who else is in the list.
pub fn people_at(providers: &[Provider], users: usize, seed: u64) -> Vec<Person> {
    let mut sequence = Sequence::new(seed);
    let held: Vec<(Provider, Vec<usize>)> = providers
        .iter()
        .map(|provider| (*provider, draw::held(*provider, users, &mut sequence)))
        .collect();
    let mut people = sequence.into_people();
    people
        .iter_mut()
        .for_each(|person| person.providers.clear());
    for (provider, numbers) in held {
        for number in numbers {
            people[number].providers.insert(provider);
        }
    }
    people.retain(|person| !person.providers.is_empty());
    people
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Person, known, people, people_at};
    use crate::providers::Provider;

    fn at(people: &[Person], provider: Provider) -> Vec<&Person> {
        people.iter().filter(|p| p.is_at(provider)).collect()
    }

    #[test]
    fn every_provider_has_exactly_the_users_asked_for() {
        for users in [0, 1, 2, 15, 16, 99, 100, 101, 150, 500, 1203] {
            let people = people(users, 7);
            for provider in Provider::ALL {
                assert_eq!(at(&people, provider).len(), users, "{provider}");
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_people() {
        let once = format!("{:?}", people(200, 3));
        assert_eq!(once, format!("{:?}", people(200, 3)));
        assert_ne!(once, format!("{:?}", people(200, 4)));
    }

    /// The people at a provider, without the other providers that they are at.
    fn known_at(people: &[Person], provider: Provider) -> Vec<String> {
        let apart = |person: &Person| Person {
            providers: BTreeSet::new(),
            ..person.clone()
        };
        let held = at(people, provider).into_iter();
        held.map(|person| format!("{:?}", apart(person))).collect()
    }

    #[test]
    fn adding_or_removing_a_provider_moves_nobody() {
        let everywhere = people(500, 1);
        for left_out in Provider::ALL {
            let mut providers = Provider::ALL.to_vec();
            providers.retain(|provider| *provider != left_out);
            providers.reverse();
            let fewer = people_at(&providers, 500, 1);
            for provider in providers {
                let (before, after) = (known_at(&everywhere, provider), known_at(&fewer, provider));
                assert_eq!(before, after, "{provider} without {left_out}");
            }
            assert_eq!(at(&fewer, left_out).len(), 0);
        }
    }

    #[test]
    fn a_provider_alone_has_the_same_people_as_among_others() {
        let everywhere = people(150, 9);
        for provider in Provider::ALL {
            let alone = people_at(&[provider], 150, 9);
            assert_eq!(known_at(&alone, provider), known_at(&everywhere, provider));
        }
    }

    #[test]
    fn more_users_leave_the_first_ones_as_they_are() {
        let (few, many) = (people(120, 1), people(500, 1));
        for provider in Provider::ALL {
            let (few, many) = (known_at(&few, provider), known_at(&many, provider));
            assert_eq!(few[..], many[..120], "{provider}");
        }
    }

    #[test]
    fn the_edge_persons_divide_the_first_hundred_from_the_second() {
        let people = people(500, 1);
        for provider in [Provider::Ada, Provider::Usertour] {
            let held = at(&people, provider);
            assert_eq!(held[99].email.as_deref(), Some(known::EDGE_LAST));
            assert_eq!(held[100].email.as_deref(), Some(known::EDGE_FIRST));
            assert_eq!(held[99].created_at, held[100].created_at);
        }
    }

    #[test]
    fn exact_hits_lie_deep_in_the_substring_results() {
        let people = people(500, 1);
        let held = at(&people, Provider::DigitalChalk);
        for (email, position) in [(known::POSITION_17, 17), (known::POSITION_101, 101)] {
            let hits: Vec<&str> = held
                .iter()
                .filter_map(|p| p.email.as_deref())
                .filter(|stored| stored.contains(email))
                .collect();
            assert_eq!(
                hits.iter().position(|hit| *hit == email),
                Some(position - 1)
            );
        }
    }

    #[test]
    fn ids_and_usernames_are_unique() {
        let people = people(900, 1);
        let mut seen = BTreeSet::new();
        for id in people.iter().filter_map(|p| p.external_id.as_ref()) {
            assert!(id.chars().count() <= 36, "{id}");
            assert!(seen.insert(id.to_lowercase()), "{id}");
        }
        let mut seen = BTreeSet::new();
        for username in people.iter().filter_map(|p| p.username.as_ref()) {
            assert!(seen.insert(username.to_lowercase()), "{username}");
        }
        let mut at_usertour = people.iter().filter(|p| p.is_at(Provider::Usertour));
        assert!(at_usertour.all(|p| p.external_id.is_some()));
    }
}
