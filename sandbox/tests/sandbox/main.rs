//! The sandbox as a client meets it: [`house`] over a socket, [`calling`] on
//! the router itself.

mod ada;
mod calling;
mod control;
mod digitalchalk;
mod faults;
mod guard;
mod house;
mod intercom;
mod usertour;
mod usertour_v2;
