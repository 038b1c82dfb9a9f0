//! The seeded people that the vendors hold: the hard cases of [`known`] first,
//! then invented ones, most of them at several vendors.
//!
//! Every vendor holds exactly the number of records asked for. The people come
//! in the order of their creation; a vendor that is full takes no more of them,
//! so a small number of users leaves the later hard cases out.

mod crowd;
mod hard_cases;
pub mod known;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::providers::Provider;

/// Unix seconds at which the first person was created.
pub(crate) const EPOCH: i64 = 1_700_000_000;

/// One person, as the vendors that hold them know them.
///
/// `attributes` are the custom fields; one named like a standard field (such
/// as `name`) stands for the value that a customer stored under that name.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// The place in the list of all people, from 0; ids are made from it.
    pub index: usize,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Login name, unique; DigitalChalk has it.
    pub username: Option<String>,
    /// E-mail, unless a vendor stores another spelling ([`Person::email_at`]).
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
    /// The customer's own id, unique, at most 36 characters; whoever is at
    /// Usertour has one.
    pub external_id: Option<String>,
    presence: [bool; Provider::ALL.len()],
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
    /// Whether the vendor holds a record of the person.
    pub fn is_at(&self, vendor: Provider) -> bool {
        self.presence[vendor as usize]
    }

    /// The e-mail as this vendor stores it.
    pub fn email_at(&self, vendor: Provider) -> Option<&str> {
        let spelling = self.spellings.get(&vendor);
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

/// People such that every vendor holds exactly `users` of them; the same for
/// the same seed.
pub fn people(users: usize, seed: u64) -> Vec<Person> {
    let mut census = Census::new(users);
    for person in hard_cases::first() {
        census.admit(person);
    }
    let mut crowd = crowd::Crowd::new(seed);
    // Ada and Usertour list in the order of creation; there the edge persons
    // are the last of the first hundred and the first of the second.
    let before_the_edge = users.min(known::EDGE - 1);
    for vendor in [Provider::Ada, Provider::Usertour] {
        while census.held(vendor) < before_the_edge {
            let room = |name| !PACED.contains(&name) || census.held(name) < before_the_edge;
            let wishes = crowd.wishes().map(|(name, wish)| wish && room(name));
            let mut person = crowd.person(census.people.len());
            person.presence = wishes;
            person.presence[vendor as usize] = true;
            census.admit(person);
        }
    }
    for person in hard_cases::at_the_edge() {
        census.admit(person);
    }
    while let Some(vendor) = census.roomiest() {
        let mut person = crowd.person(census.people.len());
        person.presence = crowd.wishes().map(|(_, wish)| wish);
        person.presence[vendor as usize] = true;
        census.admit(person);
    }
    census.people
}

/// The vendors at which the edge persons have their places.
const PACED: [Provider; 2] = [Provider::Ada, Provider::Usertour];

/// Who has been admitted where.
struct Census {
    users: usize,
    held: [usize; Provider::ALL.len()],
    people: Vec<Person>,
}

impl Census {
    fn new(users: usize) -> Self {
        Self {
            users,
            held: [0; Provider::ALL.len()],
            people: Vec::new(),
        }
    }

    fn held(&self, vendor: Provider) -> usize {
        self.held[vendor as usize]
    }

    /// A vendor with the most room left, if any has room.
    fn roomiest(&self) -> Option<Provider> {
        let emptiest = Provider::ALL
            .into_iter()
            .min_by_key(|name| self.held(*name))?;
        (self.held(emptiest) < self.users).then_some(emptiest)
    }

    /// Takes the person in at the vendors that have room.
    fn admit(&mut self, mut person: Person) {
        for name in Provider::ALL {
            let at = name as usize;
            person.presence[at] &= self.held[at] < self.users;
        }
        if !person.presence.contains(&true) {
            return;
        }
        for (held, present) in self.held.iter_mut().zip(person.presence) {
            *held += usize::from(present);
        }
        person.index = self.people.len();
        if person.created_at == 0 {
            person.created_at = self.next_creation();
        }
        person.updated_at = person.updated_at.max(person.created_at);
        self.people.push(person);
    }

    /// A minute and a bit after the last person.
    fn next_creation(&self) -> i64 {
        let last = self.people.last();
        last.map_or(EPOCH, |last| last.created_at + 61 + last.created_at % 7)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Person, known, people};
    use crate::providers::Provider;

    fn at(people: &[Person], vendor: Provider) -> Vec<&Person> {
        people.iter().filter(|p| p.is_at(vendor)).collect()
    }

    #[test]
    fn every_vendor_holds_exactly_the_users_asked_for() {
        for users in [0, 1, 2, 15, 16, 99, 100, 101, 150, 500, 1203] {
            let people = people(users, 7);
            for vendor in Provider::ALL {
                assert_eq!(at(&people, vendor).len(), users, "{vendor}");
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_people() {
        let once = format!("{:?}", people(200, 3));
        assert_eq!(once, format!("{:?}", people(200, 3)));
        assert_ne!(once, format!("{:?}", people(200, 4)));
    }

    #[test]
    fn the_edge_persons_divide_the_first_hundred_from_the_second() {
        let people = people(500, 1);
        for vendor in [Provider::Ada, Provider::Usertour] {
            let held = at(&people, vendor);
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
