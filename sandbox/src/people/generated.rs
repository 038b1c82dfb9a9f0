//! The generated people: each follows from the seed and a number alone.

use serde_json::{Map, json};

use super::{Company, EPOCH, Person, draw};

const FIRST: [&str; 24] = [
    "Amara", "Bela", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana", "Ines", "Jonas", "Kofi",
    "Lucía", "Mateo", "Nia", "Oskar", "Priya", "Quinn", "Rosa", "Søren", "Tariq", "Uma", "Viktor",
    "Wanda", "Yuki",
];
const LAST: [&str; 20] = [
    "Abara", "Bergmann", "Castillo", "Dube", "Eriksen", "Fontaine", "Garcia", "Horvat", "Ito",
    "Jansen", "Kowalski", "Larsen", "Moreau", "Novák", "Okafor", "Petrov", "Quist", "Rossi",
    "Silva", "Tanaka",
];
const DOMAINS: [&str; 4] = [
    "harbour.example",
    "trainco.example",
    "mail.test",
    "shop.test",
];
const COMPANIES: [&str; 6] = [
    "Harbour Goods",
    "Trainco",
    "Northlight",
    "Blue Kiln",
    "Parcel & Sons",
    "Mosaic Labs",
];
const LOCALES: [(&str, &str); 6] = [
    ("en-US", "America/New_York"),
    ("pt-BR", "America/Sao_Paulo"),
    ("de-DE", "Europe/Berlin"),
    ("hu-HU", "Europe/Budapest"),
    ("ja-JP", "Asia/Tokyo"),
    ("es-ES", "Europe/Madrid"),
];
const TAGS: [&str; 6] = ["north", "south", "cert24", "trial", "vip", "partner"];
const SEGMENTS: [&str; 4] = ["Active", "New", "Slipping away", "Power users"];
const DAY: i64 = 86_400;

/// The person with this number; not yet at any provider, not yet created.
pub(super) fn person(seed: u64, number: usize) -> Person {
    let rng = fastrand::Rng::with_seed(draw::hash(seed, number, "person"));
    Generator { rng }.person(number)
}

/// The random choices of one person.
struct Generator {
    rng: fastrand::Rng,
}

impl Generator {
    fn person(&mut self, number: usize) -> Person {
        let first = self.one_of(&FIRST);
        let last = self.one_of(&LAST);
        let (locale, timezone) = self.one_of(&LOCALES);
        let username = format!("{}{}{number}", plain(first), plain(last));
        let email = format!(
            "{}.{}{number}@{}",
            plain(first),
            plain(last),
            self.one_of(&DOMAINS)
        );
        let since = self.rng.i64(0..400 * DAY);
        Person {
            first_name: Some(first.to_owned()),
            last_name: Some(last.to_owned()),
            username: Some(username),
            email: Some(email),
            phone: self.sometimes(0.5, |rng| format!("+1 555 01{:02}", rng.u32(0..100))),
            avatar: self.sometimes(0.4, |_| format!("https://pictures.example/{number}.png")),
            locale: Some(locale.to_owned()),
            timezone: Some(timezone.to_owned()),
            updated_at: EPOCH + since,
            last_seen_at: self.sometimes(0.8, |_| EPOCH + since + DAY),
            tags: self.some_of(&TAGS, 0.25),
            companies: self.companies(),
            segments: self.some_of(&SEGMENTS, 0.3),
            attributes: self.attributes(),
            external_id: Some(format!("crm-{number:06}")),
            ..Person::default()
        }
    }

    fn companies(&mut self) -> Vec<Company> {
        let chosen = self.some_of(&COMPANIES, 0.15);
        let place = |name: &str| COMPANIES.iter().position(|known| *known == name);
        chosen
            .into_iter()
            .map(|name| Company {
                id: format!("c-{}", place(&name).unwrap_or_default() + 1),
                name,
            })
            .collect()
    }

    fn attributes(&mut self) -> Map<String, serde_json::Value> {
        let mut attributes = Map::new();
        attributes.insert(
            "plan".to_owned(),
            json!(self.one_of(&["free", "silver", "gold"])),
        );
        if self.rng.bool() {
            attributes.insert("seats".to_owned(), json!(self.rng.u32(1..250)));
        }
        if self.rng.bool() {
            attributes.insert("beta".to_owned(), json!(self.rng.bool()));
        }
        attributes
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())]
    }

    fn some_of(&mut self, choices: &[&str], share: f64) -> Vec<String> {
        let chosen = choices.iter().filter(|_| self.rng.f64() < share);
        chosen.map(|&choice| choice.to_owned()).collect()
    }

    fn sometimes<T>(
        &mut self,
        share: f64,
        make: impl FnOnce(&mut fastrand::Rng) -> T,
    ) -> Option<T> {
        (self.rng.f64() < share).then(|| make(&mut self.rng))
    }
}

/// The name in the letters of an address.
fn plain(name: &str) -> String {
    let letter = |letter| match letter {
        'í' => 'i',
        'ø' => 'o',
        'á' => 'a',
        other => other,
    };
    name.to_lowercase().chars().map(letter).collect()
}
