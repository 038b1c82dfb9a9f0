//! Counts the bytes that requests hold: providers' responses and the answer being built.
//!
//! Each request has its own maximum, and all requests together have one. Bytes are charged before
//! they are stored, and released when the last part of the request ends.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::error::{Error, ErrorKind, Result};

/// The bytes that all requests may hold together. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryPool(Arc<BoundedCounter>);

/// A count that never exceeds its maximum.
#[derive(Debug)]
struct BoundedCounter {
    used: AtomicU64,
    max: u64,
}

impl BoundedCounter {
    fn new(max: u64) -> Self {
        let used = AtomicU64::new(0);
        Self { used, max }
    }

    /// Adds to the count, unless that would exceed the maximum.
    fn take(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        let taken = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        taken.is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }
}

impl Default for MemoryPool {
    /// A pool without a maximum.
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

impl MemoryPool {
    /// A pool of this many bytes, all of them free.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        Self(Arc::new(BoundedCounter::new(max_bytes)))
    }

    /// The number of bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used()
    }
}

/// The bytes that one request holds. Dropping the meter releases them to the pool.
#[derive(Debug)]
pub struct MemoryMeter {
    pool: MemoryPool,
    own: BoundedCounter,
    is_exceeded: AtomicBool,
    is_overloaded: AtomicBool,
}

impl Default for MemoryMeter {
    /// A meter without a maximum, for work that belongs to no request.
    fn default() -> Self {
        Self::new(MemoryPool::default(), u64::MAX)
    }
}

impl MemoryMeter {
    /// A meter for a request that may hold `max_bytes` of a pool.
    #[must_use]
    pub fn new(pool: MemoryPool, max_bytes: u64) -> Self {
        Self {
            pool,
            own: BoundedCounter::new(max_bytes),
            is_exceeded: AtomicBool::new(false),
            is_overloaded: AtomicBool::new(false),
        }
    }

    /// Charges bytes before they are stored. After one refusal every charge is refused, because an
    /// incomplete answer is useless.
    ///
    /// # Errors
    /// `TooLarge` when the request would exceed its own maximum, `Overloaded` when all requests
    /// together would exceed theirs. Nothing is charged then.
    pub fn charge(&self, bytes: usize) -> Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.is_overloaded() {
            return Err(Error::overloaded());
        }
        if self.is_exceeded.load(Ordering::Acquire) || !self.own.take(bytes) {
            self.is_exceeded.store(true, Ordering::Release);
            return Err(self.too_large());
        }
        if self.pool.0.take(bytes) {
            return Ok(());
        }
        self.own.give_back(bytes);
        self.is_overloaded.store(true, Ordering::Release);
        Err(Error::overloaded())
    }

    /// Returns a meter on the same pool without its own maximum: for an answer that is complete and
    /// waits to be sent.
    #[must_use]
    pub fn of_same_pool(&self) -> Self {
        Self::new(self.pool.clone(), u64::MAX)
    }

    /// The number of bytes that the request holds.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.own.used()
    }

    /// Whether the pool refused a charge of this request.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.is_overloaded.load(Ordering::Acquire)
    }

    fn too_large(&self) -> Error {
        let message = format!(
            "the request needs more than the {} bytes that one request may use; ask for fewer rows or \
             fields, or raise `request_bytes` in [limits] of the gateway's configuration",
            self.own.max
        );
        Error::new(ErrorKind::TooLarge, message)
    }
}

impl Drop for MemoryMeter {
    fn drop(&mut self) {
        self.pool.0.give_back(self.own.used());
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, MemoryMeter, MemoryPool};

    fn kind(meter: &MemoryMeter, bytes: usize) -> Option<ErrorKind> {
        meter.charge(bytes).err().map(|error| error.kind())
    }

    #[test]
    fn a_charge_over_the_requests_maximum_is_refused_and_earlier_ones_stay() {
        let pool = MemoryPool::new(1_000);
        let meter = MemoryMeter::new(pool.clone(), 100);

        assert_eq!(kind(&meter, 100), None);
        assert_eq!(kind(&meter, 1), Some(ErrorKind::TooLarge));
        assert_eq!((meter.used(), pool.used()), (100, 100));
        assert!(!meter.is_overloaded());
        let refused = meter.charge(usize::MAX).expect_err("it does not fit");
        assert!(refused.message().contains("100 bytes"), "{refused}");
        assert!(refused.message().contains("request_bytes"), "{refused}");
    }

    #[test]
    fn a_full_pool_refuses_until_a_request_ends() {
        let pool = MemoryPool::new(100);
        let (first, second) = (
            MemoryMeter::new(pool.clone(), 90),
            MemoryMeter::new(pool.clone(), 90),
        );

        assert_eq!(kind(&first, 80), None);
        assert_eq!(kind(&second, 30), Some(ErrorKind::Overloaded));
        assert!(second.is_overloaded() && !first.is_overloaded());
        assert_eq!((second.used(), pool.used()), (0, 80));

        drop(first);
        assert_eq!(pool.used(), 0);
        assert_eq!(
            kind(&second, 30),
            Some(ErrorKind::Overloaded),
            "it remembers"
        );
        assert_eq!(kind(&MemoryMeter::new(pool.clone(), 90), 30), None);
    }

    #[test]
    fn work_that_belongs_to_no_request_has_no_maximum() {
        let meter = MemoryMeter::default();

        assert_eq!(kind(&meter, usize::MAX / 2), None);
        assert_eq!(kind(&meter, usize::MAX / 2), None);
    }

    #[test]
    fn requests_at_the_same_time_never_exceed_the_pool_and_give_all_back() {
        let pool = MemoryPool::new(1_000);
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..200 {
                        let meter = MemoryMeter::new(pool.clone(), 300);
                        while meter.charge(7).is_ok() {}
                        assert!(pool.used() <= 1_000);
                    }
                });
            }
        });
        assert_eq!(pool.used(), 0);
    }
}
