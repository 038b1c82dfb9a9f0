//! What was written here a short while ago. Intercom's search lags by minutes behind its records, so
//! who was just written is read by id instead, and what search says of them is not believed.

use std::{cmp::Ordering, sync::Arc, time::Duration};

use jiff::Timestamp;
use moka::sync::Cache;
use serde_json::value::RawValue;

use crate::user::{User, email::fold};

/// How many contacts are remembered; those least asked for are forgotten first.
const MOST: u64 = 10_000;

/// A contact as it was answered to a write.
#[derive(Clone)]
struct Written {
    changed: Option<Timestamp>,
    record: Arc<RawValue>,
}

/// The contacts that were written here a short while ago, by what they are searched by.
pub(super) struct Recent {
    written: Cache<String, Written>,
    by_email: Cache<String, Arc<[String]>>,
    by_external_id: Cache<String, String>,
}

impl Recent {
    /// Remembers for as long as search may lag.
    pub(super) fn lasting(lag: Duration) -> Self {
        fn cache<V: Clone + Send + Sync + 'static>(lag: Duration) -> Cache<String, V> {
            Cache::builder()
                .max_capacity(MOST)
                .time_to_live(lag)
                .build()
        }
        Self {
            written: cache(lag),
            by_email: cache(lag),
            by_external_id: cache(lag),
        }
    }

    /// Remembers a contact as it was answered to a write.
    pub(super) fn remember(&self, user: &User) {
        let id = &user.vendor_id;
        let written = Written {
            changed: user.updated_at,
            record: Arc::clone(&user.raw),
        };
        self.written.insert(id.clone(), written);
        if let Some(external_id) = &user.external_id {
            self.by_external_id.insert(external_id.clone(), id.clone());
        }
        if let Some(email) = user.email.as_deref() {
            self.by_email.entry(fold(email)).and_upsert_with(|known| {
                let known = known.map(moka::Entry::into_value);
                let known = known.iter().flat_map(|ids| ids.iter());
                let others = known.filter(|known| *known != id).cloned();
                others.chain([id.clone()]).collect()
            });
        }
    }

    /// Whether search says less of a contact than is known of it here.
    pub(super) fn is_ahead_of(&self, found: &User) -> bool {
        let Some(written) = self.written.get(&found.vendor_id) else {
            return false;
        };
        // Moments are whole seconds: two writes may share one, and then the record itself tells.
        match found.updated_at.cmp(&written.changed) {
            _ if written.changed.is_none() => true,
            Ordering::Less => true,
            Ordering::Equal => found.raw.get() != written.record.get(),
            Ordering::Greater => false,
        }
    }

    /// The ids of who was written with an address, in the form that is compared.
    pub(super) fn with_email(&self, folded: &str) -> Arc<[String]> {
        self.by_email.get(folded).unwrap_or_default()
    }

    /// The id of who was written with an external id.
    pub(super) fn with_external_id(&self, external_id: &str) -> Option<String> {
        self.by_external_id.get(external_id)
    }
}
