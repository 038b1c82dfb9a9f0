//! What one client may use of what all clients share.

mod answers;
mod bytes;
mod calls;
mod words;
