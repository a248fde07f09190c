//! The cache from text to template.

use std::sync::Arc;

use super::analysis::{Analysis, Reason, analyse};

/// The longest text that is kept, in bytes. A longer one is not read either: that costs more than a switch.
const LONGEST: usize = 16 * 1024;

/// A bounded cache of analyses, for use by many threads.
///
/// What is asked for often stays: a flood of texts that come once does not push it out.
#[derive(Debug)]
pub(in super::super) struct Templates {
    cache: moka::sync::Cache<Box<str>, Arc<Analysis>, foldhash::fast::RandomState>,
}

impl Default for Templates {
    /// Keeps 1,024 texts.
    fn default() -> Self {
        Self::new(1024)
    }
}

impl Templates {
    /// Keeps about `texts` texts. One of more than 16 KiB is answered with [`Reason::TooLong`] and not kept.
    #[must_use]
    fn new(texts: u64) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(texts)
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self { cache }
    }

    /// The analysis of a text, from the cache if it is there.
    ///
    /// No lock is held while a text is read: two threads that ask for a new text at once both read it.
    #[must_use]
    pub(in super::super) fn get(&self, text: &str) -> Arc<Analysis> {
        if text.len() > LONGEST {
            return Arc::new(Analysis::Switched(Reason::TooLong));
        }
        if let Some(known) = self.cache.get(text) {
            return known;
        }
        let analysis = Arc::new(analyse(text));
        self.cache.insert(text.into(), Arc::clone(&analysis));
        analysis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_once() {
        let templates = Templates::default();
        let first = templates.get("SELECT 1 FROM cake");
        assert!(Arc::ptr_eq(&first, &templates.get("SELECT 1 FROM cake")));
    }

    #[test]
    fn many_texts_do_not_grow_it() {
        let templates = Templates::new(64);
        for i in 0..10_000 {
            let _ = templates.get(&format!("SELECT {i} FROM cake"));
        }
        templates.cache.run_pending_tasks();
        assert!(templates.cache.entry_count() <= 64);
        let long = format!("SELECT 1 FROM cake -- {}", "x".repeat(LONGEST));
        assert_eq!(*templates.get(&long), Analysis::Switched(Reason::TooLong));
    }
}
