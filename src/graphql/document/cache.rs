//! The documents that were checked lately, so that an equal text is neither parsed nor validated again.
//!
//! The key is the text itself, so two documents are never taken for each other. Only valid documents are
//! kept. Everybody's requests find a kept document; its bytes count for the client that sent it first.
//! When the cache is full, a document of the client with the most bytes goes, so a client that sends many
//! different texts displaces its own. (A cache that goes by frequency alone, such as moka's, was tried:
//! 20,000 texts, each sent twice, displaced all that others used.) A client is an address: behind one
//! proxy all are one client.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::CheckedDocument;

/// How many bytes the kept documents may take together.
const CAPACITY: usize = 16 * 1024 * 1024;

/// The largest part of the cache that one document may take.
const MAX_SHARE: usize = 16;

/// The client that sent a document: the address of its connection, if it is known.
pub type ClientAddress = Option<IpAddr>;

/// The checked documents. Clones share them.
#[derive(Clone)]
pub struct DocumentCache {
    capacity: usize,
    kept: Arc<Mutex<KeptDocuments>>,
}

#[derive(Default)]
struct KeptDocuments {
    documents: HashMap<Arc<str>, KeptDocument>,
    clients: HashMap<ClientAddress, ClientDocuments>,
    bytes: usize,
}

struct KeptDocument {
    document: Arc<CheckedDocument>,
    /// Whether it was asked for since it was last spared.
    was_used: bool,
}

/// The texts that one client sent first, the oldest first.
#[derive(Default)]
struct ClientDocuments {
    texts: VecDeque<Arc<str>>,
    bytes: usize,
}

impl Default for DocumentCache {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl DocumentCache {
    /// A cache that takes at most this many bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            kept: Arc::default(),
        }
    }

    /// The checked document of a text; `check` makes it where it is not kept.
    ///
    /// # Errors
    /// As `check`; a failure is not kept.
    pub fn get_or_check<E>(
        &self,
        client: ClientAddress,
        text: &str,
        check: impl FnOnce() -> Result<CheckedDocument, E>,
    ) -> Result<Arc<CheckedDocument>, E> {
        if let Some(kept) = self.kept().documents.get_mut(text) {
            kept.was_used = true;
            return Ok(Arc::clone(&kept.document));
        }
        let document = Arc::new(check()?);
        if document.bytes() <= self.capacity / MAX_SHARE {
            self.kept()
                .insert(client, text.into(), Arc::clone(&document), self.capacity);
        }
        Ok(document)
    }

    fn kept(&self) -> MutexGuard<'_, KeptDocuments> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptDocuments {
    fn insert(
        &mut self,
        client: ClientAddress,
        text: Arc<str>,
        document: Arc<CheckedDocument>,
        capacity: usize,
    ) {
        let bytes = document.bytes();
        let kept = KeptDocument {
            document,
            was_used: false,
        };
        // Two requests may have checked the same text at the same time.
        if self.documents.contains_key(&text) {
            return;
        }
        while self.bytes + bytes > capacity && self.evict_one() {}
        self.documents.insert(Arc::clone(&text), kept);
        let documents = self.clients.entry(client).or_default();
        documents.texts.push_back(text);
        documents.bytes += bytes;
        self.bytes += bytes;
    }

    /// Removes the oldest document of the client with the most bytes; one that was asked for meanwhile is
    /// spared once. False when there is none.
    fn evict_one(&mut self) -> bool {
        let largest = self.clients.iter().max_by_key(|(_, of)| of.bytes);
        let Some(client) = largest.map(|(client, _)| *client) else {
            return false;
        };
        let Some(of) = self.clients.get_mut(&client) else {
            return false;
        };
        while let Some(text) = of.texts.pop_front() {
            let kept = self.documents.get_mut(&text);
            if kept.is_some_and(|kept| std::mem::take(&mut kept.was_used)) {
                of.texts.push_back(text);
                continue;
            }
            let bytes = self.documents.remove(&text);
            let bytes = bytes.map_or(0, |kept| kept.document.bytes());
            of.bytes = of.bytes.saturating_sub(bytes);
            self.bytes = self.bytes.saturating_sub(bytes);
            break;
        }
        if of.texts.is_empty() {
            self.clients.remove(&client);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, net::IpAddr};

    use super::{super::CheckedDocument, ClientAddress, DocumentCache};

    const CAPACITY: usize = 1024 * 1024;

    fn client(last: u8) -> ClientAddress {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    /// Asks for a document of 1 KiB. True when it was kept.
    fn is_kept(cache: &DocumentCache, client: ClientAddress, text: &str) -> bool {
        let was_checked = Cell::new(false);
        let found = cache.get_or_check(client, text, || {
            was_checked.set(true);
            Ok::<_, ()>(CheckedDocument::stub(1024))
        });
        assert!(found.is_ok());
        !was_checked.get()
    }

    fn texts(count: usize, name: &str) -> Vec<String> {
        let text = |n| format!("query {name}{n} {{ a }}");
        (0..count).map(text).collect()
    }

    #[test]
    fn an_equal_text_is_checked_once_and_another_is_not_taken_for_it() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        assert!(!is_kept(&cache, None, "{ a }"));
        assert!(is_kept(&cache, client(1), "{ a }"));
        assert!(!is_kept(&cache, None, "{ a } "));
    }

    #[test]
    fn a_document_that_is_refused_is_not_kept() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        assert!(cache.get_or_check(None, "{", || Err(())).is_err());
        assert!(!is_kept(&cache, None, "{"));
    }

    #[test]
    fn a_document_with_more_than_its_share_is_not_kept() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        let large = || Ok::<_, ()>(CheckedDocument::stub(CAPACITY / 15));
        assert!(cache.get_or_check(None, "{ a }", large).is_ok());
        assert!(!is_kept(&cache, None, "{ a }"));
    }

    #[test]
    fn a_client_that_sends_many_documents_displaces_its_own_alone() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        let used = texts(100, "U");
        for text in &used {
            is_kept(&cache, client(1), text);
        }

        // Many times what the cache holds, each of them twice.
        for text in texts(20_000, "A") {
            is_kept(&cache, client(2), &text);
            is_kept(&cache, client(2), &text);
        }

        let kept = used.iter().filter(|text| is_kept(&cache, client(1), text));
        assert_eq!(kept.count(), used.len());
        assert!(cache.kept().bytes <= CAPACITY);
    }

    #[test]
    fn a_client_alone_has_the_whole_cache_and_keeps_what_it_uses() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        for text in texts(1_000, "A") {
            is_kept(&cache, client(1), &text);
            assert!(is_kept(&cache, client(1), "query A0 { a }"), "{text}");
        }
        for text in texts(5_000, "B") {
            is_kept(&cache, client(1), &text);
            assert!(is_kept(&cache, client(1), "query A0 { a }"), "{text}");
        }
        let kept = cache.kept();
        assert!(kept.bytes > CAPACITY * 9 / 10 && kept.bytes <= CAPACITY);
        let counted: usize = kept.documents.values().map(|of| of.document.bytes()).sum();
        assert_eq!(counted, kept.bytes);
    }
}
