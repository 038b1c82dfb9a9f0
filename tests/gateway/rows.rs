//! Rows of providers' answers: one odd row costs itself, and none that was not asked for is shown.

mod addresses;
mod alike;
mod asked_for;
mod attached;
mod batches;
mod moments;
mod numbers;
mod odd;
mod parts;
mod text;
