//! What waits for the end of a transaction.

use std::fmt;
use std::sync::{Mutex, PoisonError};

type Tell = Box<dyn FnOnce(bool) + Send>;

/// What waits for the end of a transaction, by the savepoint in which it began to.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Vec<One>>);

/// It is told in any case: when it is dropped, that nothing was kept as far as is known.
struct One {
    level: u32,
    tell: Option<Tell>,
}

impl Waiting {
    pub(super) fn add(&self, level: u32, tell: impl FnOnce(bool) + Send + 'static) {
        self.change(|all| {
            all.push(One { level, tell: Some(Box::new(tell)) });
            Vec::new()
        });
    }

    /// What was done at this level and within is kept: by the outer transaction, or, of the outermost, for good.
    pub(super) fn kept(&self, level: u32) {
        let ended = self.change(|all| {
            if level <= 1 {
                return std::mem::take(all);
            }
            for one in all.iter_mut().filter(|one| one.level >= level) {
                one.level = level - 1;
            }
            Vec::new()
        });
        for mut one in ended {
            one.tell(true);
        }
    }

    /// What was done at this level and within is undone.
    pub(super) fn undone(&self, level: u32) {
        drop(self.change(|all| all.extract_if(.., |one| one.level >= level).collect()));
    }

    /// What is taken out is told after the lock was given back.
    fn change(&self, change: impl FnOnce(&mut Vec<One>) -> Vec<One>) -> Vec<One> {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl One {
    fn tell(&mut self, is_kept: bool) {
        if let Some(tell) = self.tell.take() {
            tell(is_kept);
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.tell(false);
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn told(waiting: &Waiting, level: u32, said: &Arc<Mutex<Vec<(u32, bool)>>>) {
        let said = Arc::clone(said);
        waiting.add(level, move |is_kept| said.lock().unwrap().push((level, is_kept)));
    }

    #[test]
    fn each_is_told_what_became_of_its_savepoint() {
        let (waiting, said) = (Waiting::default(), Arc::default());
        for level in [1, 2, 3] {
            told(&waiting, level, &said);
        }
        waiting.kept(3);
        waiting.undone(3);
        assert!(said.lock().unwrap().is_empty(), "the outer savepoint decides");
        waiting.undone(2);
        assert_eq!(*said.lock().unwrap(), [(2, false), (3, false)]);
        told(&waiting, 2, &said);
        waiting.kept(2);
        waiting.kept(1);
        assert_eq!(said.lock().unwrap()[2..], [(1, true), (2, true)]);
        told(&waiting, 1, &said);
        drop(waiting);
        assert_eq!(said.lock().unwrap().last(), Some(&(1, false)));
    }
}
