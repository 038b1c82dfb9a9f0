//! The gateway through its front door, over the sandboxes: what a client sees, and which calls the
//! vendors got for it.

mod world;

mod schema;
