//! The gateway serves browsers' pages and their tools.

mod calls;
mod cors;
mod messages;
mod persisted;
mod subresources;
