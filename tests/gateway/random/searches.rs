//! A client that searches for addresses and looks users up, and what must be true of what it gets.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    asked::Key,
    client::{Lane, number_of},
    dice::Dice,
    habits::Paging,
    list::{User, email},
    outcome::Found,
    rows::{Form, external_id, id},
};

const SEARCH: &str = "query ($of: [Provider!], $email: String!, $match: EmailMatch!) {
    usersByEmail(email: $email, providers: $of, match: $match, first: 500) {
        nodes { remoteId email } sources { status notices { code message } } } }";

/// Said of every search at Usertour: there are no such spellings here.
const USUAL: &str = "Usertour compares letter case: records that spell the address in other letter case may be missing";

impl Lane<'_> {
    /// Searches for an address, or a part of one.
    pub(super) async fn search(&mut self, dice: &mut Dice, at_first: usize) {
        self.outcome.searches += 1;
        let is_part = self.paging == Paging::Offsets && dice.chance(50);
        let address = match is_part {
            true => dice
                .one_of(&["@shared", "-x1", "u12", "x7@shared.test"])
                .to_owned(),
            false => email(dice.below(at_first.max(1))),
        };
        let compared = if is_part { "SUBSTRING" } else { "EXACT" };
        let variables = json!({ "of": [self.paging.word()], "email": address, "match": compared });
        let answer = self.request(SEARCH, variables).await;
        let searched = &answer["data"]["usersByEmail"];
        let Some(nodes) = searched["nodes"].as_array() else {
            let message = answer["errors"][0]["message"].to_string();
            *self.outcome.failed.entry(message).or_default() += 1;
            return;
        };
        let users: Vec<usize> = nodes.iter().map(number_of).collect();
        let is_wanted = |found: &str| match is_part {
            true => found.contains(&address),
            false => found == address,
        };
        let distinct: HashSet<_> = users.iter().collect();
        let mut addresses = nodes.iter().map(|node| node["email"].as_str());
        let is_foreign = addresses.any(|email| !email.is_some_and(is_wanted));
        if distinct.len() != users.len() || is_foreign {
            let fault = format!("{address}: doubled or foreign: {nodes:?}");
            self.outcome.faults.push(fault);
        }
        let source = &searched["sources"][0];
        let usual = json!([{ "code": "SEARCH_INCOMPLETE", "message": USUAL }]);
        let is_complete = source["status"] == "COMPLETE" || source["notices"] == usual;
        let log = vec![format!("searched for {address}: {users:?} {source}")];
        let found = Found {
            users,
            is_complete,
            log,
        };
        let outcome = &mut self.outcome;
        self.lists.with(self.paging, |list| {
            let list = list.as_ref().expect("a list");
            if is_complete {
                outcome.judge(list, at_first, &found, |user| is_wanted(&user.email));
            } else if list.is_calm() || (list.habits.is_steady() && source["status"] == "FAILED") {
                let fault = format!("a healthy search is not COMPLETE: {:?}", found.log);
                outcome.faults.push(fault);
            }
        });
    }

    /// Looks up to four users at once; some of them never existed.
    pub(super) async fn look_up(&mut self, dice: &mut Dice, at_first: usize) {
        self.outcome.lookups += 1;
        let is_external = self.paging != Paging::Offsets && dice.chance(40);
        let keys: Vec<Key> = (0..=dice.below(4))
            .map(|_| self.key(dice.below(at_first + 2), is_external))
            .collect();
        let fields = keys.iter().enumerate().map(|(place, key)| {
            let by = match key {
                Key::Id(id) => format!("remoteId: \"{id}\""),
                Key::External(id) => format!("externalId: \"{id}\""),
            };
            let of = self.paging.word();
            format!("u{place}: user(provider: {of}, by: {{ {by} }}) {{ remoteId email }}")
        });
        let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));
        let answer = self.request(&query, Value::Null).await;
        for (place, key) in keys.iter().enumerate() {
            self.look_at_one(key, &format!("u{place}"), at_first, &answer);
        }
    }

    /// The key of a user, or of one there never was.
    fn key(&self, number: usize, is_external: bool) -> Key {
        let form = self.lists.with(self.paging, |list| {
            let mut users = list.as_ref().expect("a list").ever().iter();
            let user = users.find(|user| user.number == number);
            user.map_or(Form::Plain, |user| user.form)
        });
        // At Usertour the one is the other.
        match (is_external, self.paging) {
            (false, _) => Key::Id(id(number, form)),
            (true, Paging::Tokens) => Key::External(id(number, form)),
            (true, _) => Key::External(external_id(number)),
        }
    }

    /// Asserts that the answer is the requested user where it exists, or an error.
    fn look_at_one(&mut self, key: &Key, name: &str, at_first: usize, answer: &Value) {
        let errors = answer["errors"].as_array().into_iter().flatten();
        let mut paths = errors.map(|error| &error["path"][0]);
        let is_error = paths.any(|path| *path == name);
        let (given, paging) = (&answer["data"][name], self.paging);
        let is_meant = |user: &User| match key {
            Key::External(id) if paging == Paging::Tokens => user.id() == *id,
            key => key.is_of(user),
        };
        let outcome = &mut self.outcome;
        self.lists.with(paging, |list| {
            let list = list.as_ref().expect("a list");
            let meant = list.ever().iter().find(|user| is_meant(user));
            let there = list.there(is_meant);
            let is_there = there.iter().any(|user| user.number < at_first);
            let is_right = match given.as_object() {
                Some(_) => meant.is_some_and(|user| {
                    given["remoteId"] == user.id() && given["email"] == user.email
                }),
                None => is_error || !is_there,
            };
            if !is_right {
                let fault = format!("{key:?}: looked up {given}, {is_error}: {answer}");
                outcome.faults.push(fault);
            }
        });
    }
}
