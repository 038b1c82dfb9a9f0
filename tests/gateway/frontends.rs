//! What browsers' pages and their tools need of the gateway.

mod cors;
mod persisted;
