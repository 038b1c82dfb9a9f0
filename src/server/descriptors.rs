//! How many files the process may have open, and how many connections of clients fit into that.

/// What the rest of the process opens: logs, listeners, the event loop, name lookups, the shared store.
const RESERVE: usize = 48;

/// Fewer connections of clients than that serve nobody.
const LEAST: usize = 8;

/// Raises the limit of this process on open files as far as the system lets it, and gives the number of
/// connections of clients that fit into it beside so many others; at most `wanted`.
///
/// When that is less than `wanted`, a warning says what to do.
#[must_use]
pub fn fit(wanted: usize, others: usize) -> usize {
    let limit = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        Err(error) => {
            tracing::warn!(%error, "the limit on open files could not be raised");
            return wanted;
        }
    };
    let fitting = connections(limit, wanted, others);
    if fitting < wanted {
        tracing::warn!(
            open_files = limit,
            connections = fitting,
            wanted,
            "fewer clients may be connected than usual: this process may open too few files. Raise the hard \
             limit: `ulimit -Hn`, LimitNOFILE= in systemd, --ulimit nofile= in Docker"
        );
    }
    fitting
}

/// Each connection is an open file.
fn connections(limit: usize, wanted: usize, others: usize) -> usize {
    let free = limit.saturating_sub(RESERVE).saturating_sub(others);
    wanted.min(free.max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn clients_get_what_providers_and_the_process_leave() {
        assert_eq!(connections(20_000, 4096, 32), 4096);
        assert_eq!(connections(1024, 4096, 32), 1024 - 32 - 48);
        assert_eq!(connections(64, 4096, 32), 8);
        assert_eq!(connections(usize::MAX, 4096, 32), 4096);
    }
}
