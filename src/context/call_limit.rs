//! The limit on the calls of one request to each account.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::account::Account;

/// The share of an account's budget that one request may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CallShare {
    /// The number of calls that the request may make.
    pub(crate) calls: u32,
    /// The number of whole seconds until the account's window is full again.
    pub(crate) refills_in: Option<u64>,
}

/// Why a request may not make another call to an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CallRefused {
    /// It has made as many calls as any request may.
    Limit(u32),
    /// It has used its share of the account's budget.
    Share(CallShare),
}

/// The calls of one request, by account.
#[derive(Debug)]
pub struct CallLimiter {
    calls: u32,
    accounts: Mutex<HashMap<Account, AccountCalls>>,
}

#[derive(Debug)]
struct AccountCalls {
    made: u32,
    /// The share when the request made its first call here.
    share: Option<CallShare>,
}

impl Default for CallLimiter {
    /// No limit, for work that belongs to no request.
    fn default() -> Self {
        Self::with_max(u32::MAX)
    }
}

impl CallLimiter {
    /// At most `calls` calls to each account.
    #[must_use]
    pub fn with_max(calls: u32) -> Self {
        Self {
            calls,
            accounts: Mutex::default(),
        }
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Account, AccountCalls>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call to an account. `share` returns the account's share for the request; it is
    /// called at the first call.
    pub(crate) fn take(
        &self,
        account: Account,
        share: impl FnOnce() -> Option<CallShare>,
    ) -> Result<(), CallRefused> {
        if self.calls == u32::MAX {
            return Ok(());
        }
        let mut accounts = self.accounts();
        let account = accounts.entry(account).or_insert_with(|| AccountCalls {
            made: 0,
            share: share(),
        });
        if account.made >= self.calls {
            return Err(CallRefused::Limit(self.calls));
        }
        match account.share {
            Some(share) if account.made >= share.calls => Err(CallRefused::Share(share)),
            _ => {
                account.made += 1;
                Ok(())
            }
        }
    }

    /// Takes back a call that was not sent.
    pub(crate) fn give_back(&self, account: Account) {
        if let Some(account) = self.accounts().get_mut(&account) {
            account.made = account.made.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CallLimiter, CallRefused, CallShare};
    use crate::account::{Account, Provider};

    fn account(name: &str) -> Account {
        Account::new(Provider::Ada, name)
    }

    #[test]
    fn a_request_makes_as_many_calls_at_each_account_as_it_may() {
        let limit = CallLimiter::with_max(2);

        for account in ["a", "b"].map(account) {
            assert_eq!(limit.take(account, || None), Ok(()));
            assert_eq!(limit.take(account, || None), Ok(()));
            assert_eq!(limit.take(account, || None), Err(CallRefused::Limit(2)));
        }
        limit.give_back(account("a"));
        assert_eq!(limit.take(account("a"), || None), Ok(()));
        assert_eq!(
            limit.take(account("b"), || None),
            Err(CallRefused::Limit(2))
        );
    }

    #[test]
    fn the_share_at_the_first_call_applies_to_the_whole_request() {
        let share = |calls| CallShare {
            calls,
            refills_in: Some(7),
        };
        let limit = CallLimiter::with_max(100);

        assert_eq!(limit.take(account("a"), || Some(share(1))), Ok(()));
        let refused = limit.take(account("a"), || Some(share(50)));
        assert_eq!(refused, Err(CallRefused::Share(share(1))));
        assert_eq!(limit.take(account("b"), || None), Ok(()));
    }

    #[test]
    fn work_that_belongs_to_no_request_has_no_limit() {
        let limit = CallLimiter::default();

        for _ in 0..1_000 {
            assert_eq!(
                limit.take(account("a"), || panic!("the share is not needed")),
                Ok(())
            );
        }
    }
}
