//! The share of common resources that one client may use.

mod answers;
mod bytes;
mod calls;
mod words;
