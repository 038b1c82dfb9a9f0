//! How to reach a provider, and what its connector is made from.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{Connector, QuotaWindow};
use crate::{
    client::{Client, HttpSpec},
    error::{Error, Result},
    recent_writes::RecentWrites,
};

/// The parts from which a connector is made.
pub struct ConnectContext {
    /// The provider's API behind its layers.
    pub http: Client,
    /// The connector's own options: the table `[accounts.NAME.options]`.
    pub options: toml::Table,
    /// Whether the account's token begins with a text. The token itself stays where it is.
    pub token_starts_with: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// The users that were written lately, for a connector whose provider's search lags.
    pub recent: RecentWrites,
}

impl ConnectContext {
    /// The connector's options, as its own type.
    ///
    /// # Errors
    /// `Invalid` with the option at fault.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T> {
        let table = toml::Value::Table(self.options.clone());
        table
            .try_into()
            .map_err(|error: toml::de::Error| Error::invalid(error.message().to_owned()))
    }
}

/// Refuses a number in a connector's options that is out of range.
///
/// # Errors
/// `Invalid` when it is zero or more than `most`.
pub fn check_range(name: &str, value: u64, most: u64) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{name}` is {value}: expected 1 to {most}"
    )))
}

/// The names of the fields of a provider's records that tell records and persons apart. An object
/// that has such a field twice, with different values, is unclear.
#[derive(Clone, Copy, Debug)]
pub struct RecordKeys {
    /// The provider's own id: a record with two ids cannot be read.
    pub id: &'static str,
    /// The fields that decide which person a record belongs to, and the objects that hold such a
    /// field. Two different values count as no value.
    pub deciding: &'static [&'static str],
}

/// How to reach a provider: what we need before the connector exists, and how to make it.
#[derive(Clone, Copy)]
pub struct ConnectorSpec {
    /// The provider's production address; `None` where every customer has another.
    pub base_url: Option<&'static str>,
    /// The addresses of the provider's regions, by their names; none where it has no regions.
    pub regions: &'static [(&'static str, &'static str)],
    /// How the provider speaks HTTP.
    pub http: HttpSpec,
    /// The names of the fields that tell records apart.
    pub record_keys: RecordKeys,
    /// How many calls the provider gets at the same time, unless configured.
    pub concurrency: usize,
    /// How long one attempt may take, unless configured.
    pub timeout: Duration,
    /// How many calls the provider grants, by window, unless configured.
    pub budget: &'static [QuotaWindow],
    /// Makes the connector; `Invalid` when its options are wrong.
    pub connect: fn(ConnectContext) -> Result<Box<dyn Connector>>,
}
