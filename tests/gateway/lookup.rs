//! Finding people over all providers at once: by address, as persons, as entities of other subgraphs.

mod batches;
mod domains;
mod emails;
mod entities;
mod expansion;
mod joined;
mod missing;
mod odd_addresses;
mod persons;
mod refused;
mod side_by_side;
mod spellings;
mod substrings;
mod usertour_v2;
