//! The operations for which the provider refused our credentials.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::client::Operation;

/// A set of operations.
#[derive(Debug, Default)]
pub(super) struct DeniedOperations(AtomicU16);

impl DeniedOperations {
    fn bit(operation: Operation) -> u16 {
        1 << operation as u16
    }

    /// Whether the last response to this operation refused our credentials.
    pub(super) fn contains(&self, operation: Operation) -> bool {
        self.0.load(Ordering::SeqCst) & Self::bit(operation) != 0
    }

    /// Notes that the provider accepted our credentials for an operation.
    pub(super) fn accepted(&self, operation: Operation) {
        self.0.fetch_and(!Self::bit(operation), Ordering::SeqCst);
    }

    /// Notes that the provider refused them for an operation.
    pub(super) fn refused(&self, operation: Operation) {
        self.0.fetch_or(Self::bit(operation), Ordering::SeqCst);
    }

    /// Notes that the provider refused them for whatever is asked.
    pub(super) fn refused_all(&self) {
        self.0.store(u16::MAX, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::DeniedOperations;
    use crate::client::Operation;

    #[test]
    fn a_refusal_holds_for_its_operation_until_that_is_accepted() {
        let denied = DeniedOperations::default();

        denied.refused(Operation::Attributes);
        assert!(denied.contains(Operation::Attributes) && !denied.contains(Operation::List));
        denied.accepted(Operation::List);
        assert!(denied.contains(Operation::Attributes));
        denied.accepted(Operation::Attributes);
        assert!(!denied.contains(Operation::Attributes));

        denied.refused_all();
        assert!(
            Operation::ALL
                .iter()
                .all(|operation| denied.contains(*operation))
        );
    }
}
