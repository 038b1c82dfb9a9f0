//! The vendors that Roster talks to, emulated on loopback.
