//! The vendors that Roster talks to, emulated on loopback over real HTTP.
//!
//! # How a vendor module plugs in
//!
//! Each of [`ada`], [`digitalchalk`], [`intercom`], [`usertour`] exports one
//! `pub static EMULATION: Emulation` (see [`vendor::Emulation`]):
//!
//! - `name`: its [`vendor::Name`], which is also its base path;
//! - `variants`: the behaviour switches it knows, read per request through
//!   [`Behaviour`] (`behaviour.is("cursor", "exclusive")`, `behaviour.number("rate_limit")`);
//! - `start: fn(&[Person], token: &str, Behaviour) -> Vendor`: builds the store
//!   from the people for whom `person.is_at(Name::…)`, and gives back a
//!   [`vendor::Vendor`]: the `router`, with paths as at the vendor and without
//!   the base path, and `records`, a closure over the store that lists every
//!   record now held, in the vendor's default list order;
//! - `throttled: fn(&Throttle) -> Response`: the vendor's own 429.
//!
//! A vendor module checks its own auth. It builds absolute links from the
//! [`vendor::Origin`] extractor (`http://{Host}/{base path}`). It knows nothing
//! of latency, faults and the call log: those wrap it in [`door`].
//!
//! The crate does not depend on the gateway, so that the two cannot share a
//! mistake about paging.
//!
//! # What it serves
//!
//! One port: the vendors at `/ada`, `/digitalchalk`, `/intercom`, `/usertour`,
//! and the sandbox's own controls at `/_sandbox/{calls,faults,behaviour,records}`.
//! Pages of other sites cannot use the controls; nobody may point a name of his own at them.

pub mod ada;
pub mod behaviour;
pub mod calls;
pub mod control;
pub mod digitalchalk;
pub mod door;
pub mod faults;
mod guard;
pub mod intercom;
pub mod people;
pub mod rate;
pub mod usertour;
pub mod vendor;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::behaviour::Behaviours;
pub use crate::behaviour::{Behaviour, Values, Variant};
use crate::door::{Door, House};
pub use crate::people::{Person, known, people};
pub use crate::vendor::{Emulation, Name, Origin, Record, Throttle, Vendor};

/// The token that every vendor accepts unless [`Options::token`] says otherwise.
/// Usertour's keys carry their prefix: `ak_sandbox-token`.
pub const TOKEN: &str = "sandbox-token";

/// How long a shutdown waits for calls that are being answered.
const GRACE: Duration = Duration::from_secs(1);

/// Every vendor of the sandbox, in the order of their names.
static EMULATIONS: [&Emulation; 4] = [
    &ada::EMULATION,
    &digitalchalk::EMULATION,
    &intercom::EMULATION,
    &usertour::EMULATION,
];

/// What a sandbox holds and how it answers.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records held by each vendor.
    pub users: usize,
    /// Seed of the people and of the faults' dice.
    pub seed: u64,
    /// Time added to each vendor answer.
    pub latency: Duration,
    /// The bearer token that every vendor accepts.
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

/// All vendors and the sandbox's own controls on one router.
pub fn router(options: &Options) -> Router {
    let people = people(options.users, options.seed);
    let behaviours = Behaviours::of(&EMULATIONS);
    let doors = EMULATIONS
        .iter()
        .map(|emulation| {
            let behaviour = behaviours.of_vendor(emulation.name);
            let vendor = (emulation.start)(&people, &options.token, behaviour);
            Door::new(emulation, vendor)
        })
        .collect();
    let house = Arc::new(House::new(options, behaviours, doors));
    control::routes().fallback(door::enter).with_state(house)
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
