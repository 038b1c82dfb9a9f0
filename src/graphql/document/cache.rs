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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{super::CheckedDocument, DocumentCache};

    const CAPACITY: u64 = 1024 * 1024;

    /// Asks for a document of 1 KiB. True when it was kept.
    fn is_kept(cache: &DocumentCache, text: &str) -> bool {
        let was_checked = Cell::new(false);
        let found = cache.get_or_check(text, || {
            was_checked.set(true);
            Ok::<_, ()>(CheckedDocument::stub(1024))
        });
        assert!(found.is_ok());
        !was_checked.get()
    }

    #[test]
    fn an_equal_text_is_checked_once_and_another_is_not_taken_for_it() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        assert!(!is_kept(&cache, "{ a }"));
        assert!(is_kept(&cache, "{ a }"));
        assert!(!is_kept(&cache, "{ a } "));
    }

    #[test]
    fn a_document_that_is_refused_is_not_kept() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        assert!(cache.get_or_check("{", || Err(())).is_err());
        assert!(!is_kept(&cache, "{"));
    }

    #[test]
    fn a_document_with_more_than_its_share_is_not_kept() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        let large = || Ok::<_, ()>(CheckedDocument::stub(CAPACITY as usize / 15));
        assert!(cache.get_or_check("{ a }", large).is_ok());
        assert!(!is_kept(&cache, "{ a }"));
    }

    #[test]
    fn a_client_that_sends_many_documents_displaces_none_that_are_in_use() {
        let cache = DocumentCache::with_capacity(CAPACITY);
        let used: Vec<_> = (0..50).map(|n| format!("query U{n} {{ a }}")).collect();
        for _ in 0..10 {
            for text in &used {
                is_kept(&cache, text);
            }
        }

        // Many times what the cache holds, each of them twice.
        for n in 0..20_000 {
            let text = format!("query A{n} {{ a }}");
            is_kept(&cache, &text);
            is_kept(&cache, &text);
        }

        let kept = used.iter().filter(|text| is_kept(&cache, text)).count();
        assert!(kept >= 48, "{kept} of 50 are kept");
    }
}
