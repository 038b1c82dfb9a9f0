//! The providers that Roster talks to, emulated on loopback over real HTTP.
//!
//! # How a provider plugs in
//!
//! [`providers`] has the table of all providers. The module of one exports a static
//! [`Emulation`](emulation::Emulation):
//!
//! - `switches`: the behaviour switches it knows, read on each request through [`Behaviour`]
//!   (`behaviour.is("cursor", "exclusive")`, `behaviour.number("rate_limit")`);
//! - `start: fn(&[Person], token: &str, Behaviour) -> RunningProvider`: builds the store from the
//!   people with `person.is_at(Provider::...)`, and returns the `router`, with the provider's
//!   own paths and without the base path, and `records`, a closure over the store that lists every
//!   record now held, in the provider's default order;
//! - `throttled: fn(&Throttle) -> Response`: the provider's own 429.
//!
//! A module checks its own authentication. It builds absolute links from the
//! [`Origin`](emulation::Origin) extractor (`http://{Host}/{base path}`). It knows nothing of
//! latency, faults and the call log: `dispatch.rs` puts those around it.
//!
//! The crate does not depend on the gateway, so that the two cannot share a mistake about paging.
//!
//! # The paths
//!
//! One port serves every provider below its name, such as `/ada`, and the sandbox's own controls
//! at `/_sandbox/{calls,faults,behaviour,records}`. Pages of other sites cannot use the controls,
//! and a host name that is not of this machine cannot be pointed at them.

pub mod behaviour;
pub mod calls;
pub mod control;
mod dispatch;
pub mod emulation;
pub mod faults;
mod guard;
pub mod people;
pub mod providers;
pub mod rate;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use crate::behaviour::{Behaviour, Switch, SwitchValues};
use crate::dispatch::SandboxState;
pub use crate::people::{Person, known, people};
pub use crate::providers::Provider;

/// The token that every provider accepts unless [`Options::token`] is another. Some want a prefix
/// before it: [`Provider::token`].
pub const TOKEN: &str = "sandbox-token";

/// How long a shutdown waits for calls that are being answered.
const GRACE: Duration = Duration::from_secs(1);

/// The settings of a sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number of records that each provider holds.
    pub users: usize,
    /// The seed of the people, and of faults that apply to a share of the calls.
    pub seed: u64,
    /// The time added to each answer of a provider.
    pub latency: Duration,
    /// The bearer token that every provider accepts.
    pub token: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: 500,
            seed: 1,
            latency: Duration::ZERO,
            token: TOKEN.to_owned(),
        }
    }
}

/// All providers and the sandbox's own controls on one router.
pub fn router(options: &Options) -> Router {
    let people = people(options.users, options.seed);
    let sandbox = Arc::new(SandboxState::new(options, &people));
    control::routes()
        .fallback(dispatch::dispatch)
        .with_state(sandbox)
}

/// Serves the sandbox until `shutdown` resolves.
///
/// Calls that are being answered get a second to end; one that hangs because
/// of a fault does not hold the shutdown up.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    options: &Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (closing, closed) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        // The receiver is gone only when the server has ended by itself.
        let _ = closing.send(());
    };
    let grace = async {
        match closed.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    let listen = listener.local_addr()?.ip();
    let router = router(options).layer(from_fn_with_state(listen, guard::known_host));
    tokio::select! {
        ended = axum::serve(listener, router).with_graceful_shutdown(shutdown) => ended,
        () = grace => Ok(()),
    }
}
