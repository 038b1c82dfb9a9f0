//! Roster: one GraphQL graph over the people in a company's SaaS tools.

pub mod account;
pub mod app;
pub mod audit;
pub mod client;
pub mod config;
pub mod connectors;
pub mod context;
pub mod demo;
pub mod directory;
pub mod error;
pub mod graphql;
pub mod loaders;
pub mod metrics;
pub mod notice;
pub mod pagination;
pub mod recent_writes;
pub mod server;
pub mod shared;
pub mod user;
