//! Roster: one GraphQL graph over the people in a company's SaaS tools.

pub mod audit;
pub mod config;
pub mod demo;
pub mod directory;
pub mod error;
pub mod gateway;
pub mod graphql;
pub mod http;
pub mod loader;
pub mod metrics;
pub mod page;
pub mod recent_writes;
pub mod server;
pub mod shared;
pub mod user;
pub mod vendor;
