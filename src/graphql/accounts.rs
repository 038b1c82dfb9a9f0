//! Which accounts a field asks.

use std::sync::Arc;

use crate::{
    account::{Account, Provider, shown_name},
    directory::Directory,
    error::{Error, Result},
};

/// The users of all accounts.
pub struct Accounts {
    /// The configured accounts, in the order in which answers are joined.
    configured: Vec<Arc<Directory>>,
    /// A disabled account for each provider without a configured one.
    absent: Vec<Arc<Directory>>,
}

impl Accounts {
    /// The accounts of a configuration. `absent` makes the disabled account of a provider without one.
    #[must_use]
    pub fn new(configured: Vec<Arc<Directory>>, absent: impl Fn(Provider) -> Directory) -> Self {
        let has_none = |provider: &Provider| {
            let mut accounts = configured.iter().map(|directory| directory.account());
            !accounts.any(|account| account.provider() == *provider)
        };
        let without = Provider::ALL.into_iter().filter(has_none);
        let absent = without.map(|provider| Arc::new(absent(provider))).collect();
        Self { configured, absent }
    }

    /// The configured accounts.
    #[must_use]
    pub fn configured(&self) -> &[Arc<Directory>] {
        &self.configured
    }

    /// The configured accounts, then the disabled ones of providers without any.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Directory>> {
        self.configured.iter().chain(&self.absent)
    }

    /// The account of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Account> {
        let mut accounts = self.all().map(|directory| directory.account());
        accounts.find(|account| account.name() == name)
    }

    fn has_account_of(&self, provider: Provider) -> bool {
        let mut accounts = self.configured.iter().map(|directory| directory.account());
        accounts.any(|account| account.provider() == provider)
    }

    /// The users of an account.
    ///
    /// # Errors
    /// `Internal` when the account is of another graph.
    pub fn directory(&self, account: Account) -> Result<&Arc<Directory>> {
        let mut all = self.all();
        let found = all.find(|directory| directory.account() == account);
        found.ok_or_else(|| Error::internal("there is no directory for this account"))
    }

    /// The account that a field about one account means: the named one, or the only one.
    ///
    /// # Errors
    /// `Invalid` where several could be meant, and for the name of no account, or of another provider's.
    pub fn resolve_one(&self, provider: Provider, name: Option<&str>) -> Result<Account> {
        let of_provider = self.all().map(|directory| directory.account());
        let of_provider: Vec<Account> = of_provider
            .filter(|account| account.provider() == provider)
            .collect();
        let names = || {
            let names: Vec<_> = of_provider.iter().map(|account| account.name()).collect();
            names.join(", ")
        };
        let title = provider.title();
        match (name, of_provider.as_slice()) {
            (None, [account]) => Ok(*account),
            (None, _) => Err(Error::invalid(format!(
                "{title} has several accounts: name one with `account`: {}",
                names()
            ))),
            (Some(_), _) if !self.has_account_of(provider) => Err(Error::invalid(format!(
                "`account`: this gateway has no account of {title}"
            ))),
            (Some(name), accounts) => {
                let found = accounts.iter().find(|account| account.name() == name);
                found.copied().ok_or_else(|| {
                    Error::invalid(format!(
                        "`account`: {} is no account of {title}; there is: {}",
                        shown_name(name),
                        names()
                    ))
                })
            }
        }
    }

    /// The accounts that a field about several means, in the order in which answers are joined: those
    /// that both `providers` and `names` include. `None` includes all.
    ///
    /// # Errors
    /// `Invalid` for an empty list, an unknown name, and where no account is left.
    pub fn resolve_many(
        &self,
        providers: Option<&[Provider]>,
        names: Option<&[String]>,
    ) -> Result<Vec<Account>> {
        let is_empty = |name: &str| {
            Error::invalid(format!(
                "`{name}` is empty: name at least one, or leave it out to ask all"
            ))
        };
        if providers.is_some_and(<[Provider]>::is_empty) {
            return Err(is_empty("providers"));
        }
        if names.is_some_and(<[String]>::is_empty) {
            return Err(is_empty("accounts"));
        }
        let mut unknown = names.into_iter().flatten();
        let known = self.configured.iter();
        let known: Vec<_> = known.map(|directory| directory.account().name()).collect();
        if let Some(name) = unknown.find(|name| !known.contains(&name.as_str())) {
            return Err(Error::invalid(format!(
                "`accounts`: {} is no account of this gateway; there is: {}",
                shown_name(name),
                known.join(", ")
            )));
        }
        let is_meant = |account: &Account| {
            providers.is_none_or(|providers| providers.contains(&account.provider()))
                && names.is_none_or(|names| names.iter().any(|name| name == account.name()))
        };
        let is_everybody = providers.is_none() && names.is_none();
        let absent = self.absent.iter().filter(|_| !is_everybody);
        let accounts = self.configured.iter().chain(absent);
        let accounts = accounts.map(|directory| directory.account());
        let mut accounts: Vec<Account> = accounts.filter(is_meant).collect();
        if accounts.is_empty() && !is_everybody {
            return Err(Error::invalid(
                "none of `accounts` is an account of one of `providers`: drop one of the two",
            ));
        }
        accounts.sort();
        Ok(accounts)
    }
}
