//! The sandbox, called from outside: [`server`] over a socket, [`in_process`] on the router itself.

mod ada;
mod control;
mod digitalchalk;
mod faults;
mod guard;
mod in_process;
mod intercom;
mod scim;
mod server;
mod usertour;
mod usertour_v2;
