//! The limit on open files, and the number of client connections that fits into it.

use std::io;

use rlimit::Resource;

/// Open files of the rest of the process: logs, listeners, the event loop, DNS lookups, the shared
/// store.
const RESERVE: usize = 48;

/// With fewer client connections the gateway is useless.
const LEAST: usize = 8;

/// The usual limit on open files, used when it cannot be read.
const USUAL: u64 = 1024;

/// Raises the process's limit on open files as far as the system allows. Returns the number of
/// client connections that fit into it beside `others`; at most `wanted`.
///
/// If that is less than `wanted`, a warning says what to do.
#[must_use]
pub fn raise_fd_limit(wanted: usize, others: usize) -> usize {
    let raised = rlimit::increase_nofile_limit(u64::MAX);
    let limit = open_files(raised, || {
        rlimit::getrlimit(Resource::NOFILE).map(|(soft, _)| soft)
    });
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

/// The limit on open files: the raised one, or else the present one.
fn open_files(raised: io::Result<u64>, present: impl FnOnce() -> io::Result<u64>) -> usize {
    let limit = raised.unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit on open files could not be raised");
        present().unwrap_or(USUAL)
    });
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Each connection is an open file.
fn connections(limit: usize, wanted: usize, others: usize) -> usize {
    let free = limit.saturating_sub(RESERVE).saturating_sub(others);
    wanted.min(free.max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::{connections, io, open_files};

    #[test]
    fn clients_get_what_providers_and_the_process_leave() {
        assert_eq!(connections(20_000, 4096, 32), 4096);
        assert_eq!(connections(1024, 4096, 32), 1024 - 32 - 48);
        assert_eq!(connections(64, 4096, 32), 8);
        assert_eq!(connections(usize::MAX, 4096, 32), 4096);
    }

    #[test]
    fn a_limit_that_cannot_be_raised_is_kept_within() {
        let refused = || Err(io::Error::from(io::ErrorKind::PermissionDenied));

        assert_eq!(open_files(Ok(20_000), || Ok(256)), 20_000);
        assert_eq!(open_files(refused(), || Ok(256)), 256);
        assert_eq!(open_files(refused(), refused), 1024);
    }
}
