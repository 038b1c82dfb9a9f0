//! The recent writes of all replicas, by keys that hold no personal data.

use std::{sync::LazyLock, time::Duration};

use redis::{RedisResult, Script, aio::ConnectionManager};

use super::Store;

/// The largest number of ids in a list; the newest stay.
pub const MAX_IDS: usize = 8;

/// Stores a record's version under the first key, and adds the user's id to the lists under the
/// others.
static REMEMBER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
         for at = 2, #KEYS do
           local ids = {}
           for id in string.gmatch(redis.call('GET', KEYS[at]) or '', '[^\\n]+') do
             if id ~= ARGV[3] then table.insert(ids, id) end
           end
           table.insert(ids, ARGV[3])
           while #ids > tonumber(ARGV[4]) do table.remove(ids, 1) end
           redis.call('SET', KEYS[at], table.concat(ids, '\\n'), 'PX', ARGV[1])
         end",
    )
});

/// The recent writes to one account.
pub struct SharedWrites {
    store: Store,
    /// A name of the account that reveals nothing about it.
    account: String,
}

impl SharedWrites {
    /// The writes of an account under a name.
    #[must_use]
    pub fn new(store: Store, account: String) -> Self {
        Self { store, account }
    }

    fn key(&self, name: &str) -> String {
        let account = &self.account;
        self.store.key(&format!("written:{{{account}}}:{name}"))
    }

    /// Stores a record's version under a key, and adds the record's id to lists.
    pub async fn remember<'a>(
        &self,
        key: &str,
        lists: impl Iterator<Item = &'a str>,
        (version, id): (&str, &str),
        lives: Duration,
    ) {
        let mut script = REMEMBER.prepare_invoke();
        script.key(self.key(key));
        for list in lists {
            script.key(self.key(list));
        }
        script.arg(milliseconds(lives)).arg(version);
        script.arg(id).arg(MAX_IDS);
        let work = async |mut manager: ConnectionManager| -> RedisResult<()> {
            script.invoke_async(&mut manager).await
        };
        let _: Option<()> = self.store.run(work).await;
    }

    /// Sets one value under some keys.
    pub async fn set<'a>(&self, keys: impl Iterator<Item = &'a str>, value: &str, lives: Duration) {
        let mut commands = redis::pipe();
        for key in keys {
            let set = commands.cmd("SET").arg(self.key(key)).arg(value);
            set.arg("PX").arg(milliseconds(lives)).ignore();
        }
        let work = |mut manager: ConnectionManager| async move {
            commands.query_async(&mut manager).await
        };
        let _: Option<()> = self.store.run(work).await;
    }

    /// Deletes the values under some keys.
    pub async fn delete<'a>(&self, keys: impl Iterator<Item = &'a str>) {
        let mut command = redis::cmd("DEL");
        for key in keys {
            command.arg(self.key(key));
        }
        let work =
            |mut manager: ConnectionManager| async move { command.query_async(&mut manager).await };
        let _: Option<()> = self.store.run(work).await;
    }

    /// The values under some keys, in their order; none when the store is unavailable.
    pub async fn values<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Vec<Option<String>> {
        let keys: Vec<_> = keys.map(|key| self.key(key)).collect();
        let values = self.store.run(|mut manager| async move {
            let mut command = redis::cmd("MGET");
            command.arg(keys).query_async(&mut manager).await
        });
        values.await.unwrap_or_default()
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
