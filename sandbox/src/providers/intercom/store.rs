//! The data of a workspace: users, leads and companies.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use crate::rate;

/// A user or a lead.
#[derive(Debug, Clone, Default)]
pub(super) struct Contact {
    /// 24 hexadecimal digits.
    pub(super) id: String,
    /// Whether it is a lead; the provider's word is `anonymous`.
    pub(super) lead: bool,
    /// The customer's identifier; a lead's is generated.
    pub(super) user_id: Option<String>,
    /// Not unique.
    pub(super) email: Option<String>,
    /// Phone number.
    pub(super) phone: Option<String>,
    /// Full name.
    pub(super) name: Option<String>,
    /// A lead's nickname.
    pub(super) pseudonym: Option<String>,
    /// Address of a picture.
    pub(super) avatar: Option<String>,
    /// IANA time zone, from which the location is derived.
    pub(super) timezone: Option<String>,
    /// Seconds since the epoch.
    pub(super) created_at: i64,
    /// Seconds since the epoch.
    pub(super) updated_at: i64,
    /// Seconds since the epoch.
    pub(super) last_request_at: Option<i64>,
    /// Seconds since the epoch; `remote_created_at` is another name of it.
    pub(super) signed_up_at: Option<i64>,
    /// Address of the last visit.
    pub(super) last_seen_ip: Option<String>,
    /// Browser of the last visit.
    pub(super) user_agent: Option<String>,
    /// The teammate who owns the contact.
    pub(super) owner: Option<u64>,
    /// How many visits there were.
    pub(super) session_count: u64,
    /// Whether mail is unwanted.
    pub(super) unsubscribed: bool,
    /// The language that the customer set, of 2.x.
    pub(super) language: Option<String>,
    /// Names of tags.
    pub(super) tags: Vec<String>,
    /// Names of segments.
    pub(super) segments: Vec<String>,
    /// The customer's identifiers of companies.
    pub(super) companies: Vec<String>,
    /// `referrer` and `utm_*`.
    pub(super) campaign: Map<String, Value>,
    /// Flat custom attributes.
    pub(super) custom: Map<String, Value>,
}

/// A company.
#[derive(Debug, Clone)]
pub(super) struct StoredCompany {
    /// 24 hexadecimal digits.
    pub(super) id: String,
    /// The external identifier.
    pub(super) company_id: String,
    /// Its name.
    pub(super) name: Option<String>,
    /// Seconds since the epoch.
    pub(super) created_at: i64,
    /// Seconds since the epoch.
    pub(super) updated_at: i64,
}

/// Contacts of one kind by serial number, newest last, with the indexes for lookups.
#[derive(Debug, Default)]
pub(super) struct ContactTable {
    rows: BTreeMap<u64, Contact>,
    by_id: HashMap<String, u64>,
    by_user_id: HashMap<String, u64>,
    by_email: HashMap<String, BTreeSet<u64>>,
    history: VecDeque<FormerState>,
}

/// How a contact was before a write.
#[derive(Debug)]
struct FormerState {
    at: i64,
    id: String,
    before: Option<Contact>,
}

/// The number of writes that a search index can lag behind.
const HISTORY_CAPACITY: usize = 10_000;

impl ContactTable {
    /// All, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (u64, &Contact)> {
        self.rows
            .iter()
            .rev()
            .map(|(serial, contact)| (*serial, contact))
    }

    /// The contact with this serial number.
    pub(super) fn get(&self, serial: u64) -> Option<&Contact> {
        self.rows.get(&serial)
    }

    /// The serial number of the contact with this identifier.
    pub(super) fn serial_of(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    /// The serial number of the contact with this identifier of the customer.
    pub(super) fn serial_of_user_id(&self, user_id: &str) -> Option<u64> {
        self.by_user_id.get(user_id).copied()
    }

    /// The contacts with the address, newest first; by default in any letter case.
    pub(super) fn with_email(&self, email: &str, case_sensitive: bool) -> Vec<(u64, &Contact)> {
        let serials = self.by_email.get(&email.to_lowercase());
        serials
            .into_iter()
            .flatten()
            .rev()
            .filter_map(|serial| Some((*serial, self.rows.get(serial)?)))
            .filter(|(_, contact)| !case_sensitive || contact.email.as_deref() == Some(email))
            .collect()
    }

    /// All contacts as they were at a moment, unordered, with the writes of the same second.
    pub(super) fn as_of(&self, moment: i64) -> Vec<&Contact> {
        let later = self
            .history
            .iter()
            .rev()
            .take_while(|history| history.at > moment);
        let old: HashMap<&str, Option<&Contact>> = later
            .map(|history| (history.id.as_str(), history.before.as_ref()))
            .collect();
        let unchanged = self
            .rows
            .values()
            .filter(|contact| !old.contains_key(contact.id.as_str()));
        unchanged.chain(old.values().copied().flatten()).collect()
    }

    fn record_history(&mut self, id: String, before: Option<Contact>) {
        if self.history.len() == HISTORY_CAPACITY {
            self.history.pop_front();
        }
        let at = rate::now();
        self.history.push_back(FormerState { at, id, before });
    }

    /// Replaces the contact with this serial number.
    pub(super) fn put(&mut self, serial: u64, contact: Contact) {
        let before = self.remove(serial);
        self.record_history(contact.id.clone(), before);
        self.insert_without_history(serial, contact);
    }

    /// Adds a contact, without a trace in the history.
    pub(super) fn insert_without_history(&mut self, serial: u64, contact: Contact) {
        self.by_id.insert(contact.id.clone(), serial);
        if let Some(user_id) = &contact.user_id {
            self.by_user_id.insert(user_id.clone(), serial);
        }
        if let Some(email) = &contact.email {
            let serials = self.by_email.entry(email.to_lowercase()).or_default();
            serials.insert(serial);
        }
        self.rows.insert(serial, contact);
    }

    /// Removes a contact.
    pub(super) fn take(&mut self, serial: u64) -> Option<Contact> {
        let contact = self.remove(serial)?;
        self.record_history(contact.id.clone(), Some(contact.clone()));
        Some(contact)
    }

    /// Removes a contact, with its history.
    pub(super) fn remove(&mut self, serial: u64) -> Option<Contact> {
        let contact = self.rows.remove(&serial)?;
        self.by_id.remove(&contact.id);
        if let Some(user_id) = &contact.user_id {
            self.by_user_id.remove(user_id);
        }
        if let Some(email) = &contact.email
            && let Some(serials) = self.by_email.get_mut(&email.to_lowercase())
        {
            serials.remove(&serial);
        }
        Some(contact)
    }
}

/// One workspace.
#[derive(Debug, Default)]
pub(super) struct IntercomStore {
    /// The users.
    pub(super) users: ContactTable,
    /// The leads.
    pub(super) leads: ContactTable,
    /// The companies by the customer's identifier.
    pub(super) companies: BTreeMap<String, StoredCompany>,
    /// Archived contacts, by identifier.
    pub(super) archived: HashMap<String, Contact>,
    /// The contact that each merged one became part of, by identifier.
    pub(super) merged: HashMap<String, String>,
    /// The custom attributes, each with its first value.
    pub(super) attributes: BTreeMap<String, Value>,
    /// Tags that were created by name, with or without contacts.
    pub(super) tags: BTreeSet<String>,
    contacts_created: u64,
}

impl IntercomStore {
    /// The next serial number, and an identifier for a contact created at a moment.
    pub(super) fn next(&mut self, at: i64) -> (u64, String) {
        let serial = self.contacts_created;
        self.contacts_created += 1;
        (serial, object_id(at, serial))
    }

    /// The table of users or of leads.
    pub(super) fn table(&self, lead: bool) -> &ContactTable {
        if lead { &self.leads } else { &self.users }
    }

    /// The table of users or of leads, to be changed.
    pub(super) fn table_mut(&mut self, lead: bool) -> &mut ContactTable {
        if lead {
            &mut self.leads
        } else {
            &mut self.users
        }
    }

    /// Users and leads together, the newest first.
    pub(super) fn everybody(&self) -> Vec<&Contact> {
        merged(self.users.newest_first(), self.leads.newest_first())
    }

    /// Whether the contact is a lead, and its serial number.
    pub(super) fn find(&self, id: &str) -> Option<(bool, u64)> {
        let user = self.users.serial_of(id).map(|serial| (false, serial));
        user.or_else(|| self.leads.serial_of(id).map(|serial| (true, serial)))
    }

    /// The user or lead with the identifier.
    pub(super) fn contact(&self, id: &str) -> Option<&Contact> {
        let (lead, serial) = self.find(id)?;
        self.table(lead).get(serial)
    }

    /// Changes a contact and its `updated_at`.
    pub(super) fn update(&mut self, id: &str, change: impl FnOnce(&mut Contact)) {
        let Some((lead, serial)) = self.find(id) else {
            return;
        };
        if let Some(mut contact) = self.table(lead).get(serial).cloned() {
            change(&mut contact);
            contact.updated_at = rate::now();
            self.table_mut(lead).put(serial, contact);
        }
    }

    /// Registers custom attributes.
    pub(super) fn register_attributes(&mut self, attributes: &Map<String, Value>) {
        for (name, value) in attributes {
            let known = self.attributes.entry(name.clone()).or_default();
            if known.is_null() {
                *known = value.clone();
            }
        }
    }

    /// The names of all tags, in order.
    pub(super) fn tag_names(&self) -> Vec<&str> {
        let worn = self.everybody().into_iter().flat_map(|one| &one.tags);
        sorted(worn.chain(&self.tags))
    }

    /// The names of all segments, in order.
    pub(super) fn segment_names(&self) -> Vec<&str> {
        sorted(self.everybody().into_iter().flat_map(|one| &one.segments))
    }

    /// Finds or creates a company. A given name replaces the old one.
    pub(super) fn found(&mut self, company_id: &str, name: Option<&str>, at: i64) {
        if let Some(company) = self.companies.get_mut(company_id) {
            if let Some(name) = name {
                company.name = Some(name.to_owned());
                company.updated_at = at;
            }
            return;
        }
        let (_, id) = self.next(at);
        let company = StoredCompany {
            id,
            company_id: company_id.to_owned(),
            name: name.map(str::to_owned),
            created_at: at,
            updated_at: at,
        };
        self.companies.insert(company_id.to_owned(), company);
    }

    /// The company with Intercom's identifier.
    pub(super) fn company(&self, id: &str) -> Option<&StoredCompany> {
        self.companies.values().find(|company| company.id == id)
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let names: BTreeSet<&str> = names.map(String::as_str).collect();
    names.into_iter().collect()
}

/// Two lists as one, the newest first.
pub(super) fn merged<'a>(
    users: impl IntoIterator<Item = (u64, &'a Contact)>,
    leads: impl IntoIterator<Item = (u64, &'a Contact)>,
) -> Vec<&'a Contact> {
    let mut all: Vec<_> = users.into_iter().chain(leads).collect();
    all.sort_by_key(|(serial, _)| std::cmp::Reverse(*serial));
    all.into_iter().map(|(_, contact)| contact).collect()
}

/// An identifier of a tag or segment, made from its name.
pub(super) fn label_id(name: &str) -> String {
    let mixed = name
        .bytes()
        .fold(7, |mixed, byte| scramble(mixed ^ u64::from(byte)));
    (mixed % 9_000_000 + 1_000_000).to_string()
}

/// Seconds and a serial number as 24 hexadecimal digits.
fn object_id(at: i64, serial: u64) -> String {
    let seconds = u32::try_from(at).unwrap_or_default();
    format!("{seconds:08x}{:016x}", scramble(serial))
}

/// Spreads the bits of a number (the finaliser of `SplitMix64`).
pub(super) fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
