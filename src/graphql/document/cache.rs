//! The documents that were checked lately, so that an equal text is neither parsed nor validated again.
//!
//! The key is the text itself, so two documents are never taken for each other. Only valid documents are
//! kept. When the cache is full, a document that is asked for often stays and one that was asked for
//! once goes (moka's TinyLFU), so a client that sends many different texts displaces nobody else's.

use std::sync::Arc;

use moka::sync::Cache;

use super::CheckedDocument;

/// How many bytes the kept documents may take together.
const CAPACITY: u64 = 16 * 1024 * 1024;

/// The largest part of the cache that one document may take.
const MAX_SHARE: u64 = 16;

/// The checked documents. Clones share them.
#[derive(Clone)]
pub struct DocumentCache(Cache<Arc<str>, Arc<CheckedDocument>>);

impl Default for DocumentCache {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl DocumentCache {
    /// A cache that takes at most this many bytes.
    #[must_use]
    pub fn with_capacity(bytes: u64) -> Self {
        let weigh = |text: &Arc<str>, document: &Arc<CheckedDocument>| {
            u32::try_from(text.len() + document.bytes()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(bytes).weigher(weigh);
        Self(cache.build())
    }

    /// The checked document of a text; `check` makes it where it is not kept.
    ///
    /// # Errors
    /// As `check`; a failure is not kept.
    pub fn get_or_check<E>(
        &self,
        text: &str,
        check: impl FnOnce() -> Result<CheckedDocument, E>,
    ) -> Result<Arc<CheckedDocument>, E> {
        if let Some(document) = self.0.get(text) {
            return Ok(document);
        }
        let document = Arc::new(check()?);
        let bytes = (text.len() + document.bytes()) as u64;
        let capacity = self.0.policy().max_capacity().unwrap_or_default();
        if bytes <= capacity / MAX_SHARE {
            self.0.insert(text.into(), Arc::clone(&document));
        }
        Ok(document)
    }
}
