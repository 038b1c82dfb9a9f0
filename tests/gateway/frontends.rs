//! What browsers' pages and their tools need of the gateway.

mod calls;
mod cors;
mod messages;
mod persisted;
mod subresources;
