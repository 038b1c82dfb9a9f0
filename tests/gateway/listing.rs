//! Scans of a provider's list return every user once, in the provider's order, in windows of any size, from
//! any edge, and in the fewest calls that the provider's pages allow.

mod ada;
mod backwards;
mod contradictions;
mod crowds;
mod edges;
mod links;
mod page;
mod reach;
mod rest;
mod scans;
mod segments;
mod strangers;
mod strays;
mod ties;
mod timeless;
mod usertour;
mod usertour_v2;
