//! The gateway through its front door, over the sandboxes: what a client sees, and which calls the
//! providers got for it.

#![expect(clippy::disallowed_methods, reason = "a test is a client")]

mod accounts;
mod answers;
mod bad_input;
mod breaker;
mod budgets;
mod connections;
mod contacts;
mod deadlines;
mod fairness;
mod faults;
mod frontends;
mod matrix;
mod operator;
mod program;
mod random;
mod rows;
mod scim;
mod scim_server;
mod server;
mod stand_in;
mod streams;
mod subject;
mod traps;
mod upsert;
mod world;

mod architecture;

mod conformance;
mod docs;
mod listing;
mod lookup;
mod schema;
