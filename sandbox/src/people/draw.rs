//! Which people a provider has. A hash of the seed, the person and the provider's name decides, so
//! that the answer is the same whichever other providers there are.

use std::collections::BTreeSet;

use super::known;
use super::sequence::Sequence;
use crate::providers::Provider;

/// Seven of ten generated people are at a provider.
const SHARE: u64 = 7;

/// The numbers of the provider's people, in their order: at most `users`.
pub(super) fn held(provider: Provider, users: usize, sequence: &mut Sequence) -> Vec<usize> {
    let mut held = before_the_edge(provider, sequence);
    let mut number = sequence.edge().start;
    while held.len() < users {
        let is_named = sequence.person(number).is_at(provider);
        let is_drawn =
            sequence.is_generated(number) && is_drawn(sequence.seed(), number, provider.name());
        if is_named || is_drawn {
            held.push(number);
        }
        number += 1;
    }
    held.truncate(users);
    held
}

/// A provider that has the people of the edge has just as many before them as make them the last
/// of its first hundred and the first of its second.
fn before_the_edge(provider: Provider, sequence: &mut Sequence) -> Vec<usize> {
    let edge = sequence.edge();
    let seed = sequence.seed();
    let (generated, known): (Vec<usize>, Vec<usize>) =
        (0..edge.start).partition(|number| sequence.is_generated(*number));
    let known = known
        .into_iter()
        .filter(|number| sequence.person(*number).is_at(provider));
    let known: Vec<usize> = known.collect();
    let drawn: Vec<usize> = if sequence.person(edge.start).is_at(provider) {
        let mut by_hash = generated;
        by_hash.sort_by_key(|number| hash(seed, *number, provider.name()));
        by_hash.truncate((known::EDGE - 1).saturating_sub(known.len()));
        by_hash
    } else {
        let mut drawn = generated;
        drawn.retain(|number| is_drawn(seed, *number, provider.name()));
        drawn
    };
    let held: BTreeSet<usize> = known.into_iter().chain(drawn).collect();
    held.into_iter().collect()
}

/// Whether the generated person with this number is at the provider with this name.
fn is_drawn(seed: u64, number: usize, provider: &str) -> bool {
    hash(seed, number, provider) % 10 < SHARE
}

/// A hash that is the same on every machine and in every release: FNV-1a, its bits spread as by
/// `SplitMix64`.
pub(super) fn hash(seed: u64, number: usize, word: &str) -> u64 {
    let bytes = seed.to_le_bytes().into_iter();
    let bytes = bytes
        .chain((number as u64).to_le_bytes())
        .chain(word.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::{hash, is_drawn};

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(1, 200, "ada"), 0x9b41_8ebc_0980_9b60);
        assert_eq!(hash(1, 200, "usertour"), 0xbb6e_93c0_fc3e_3d52);
    }

    #[test]
    fn providers_are_drawn_independently() {
        let drawn = |name: &str| (0..10_000).filter(|n| is_drawn(1, *n, name)).count();
        let both = |one: &str, other: &str| {
            let is_in_both = |n: &usize| is_drawn(1, *n, one) && is_drawn(1, *n, other);
            (0..10_000).filter(is_in_both).count()
        };
        assert!((6_800..7_200).contains(&drawn("ada")));
        assert!((6_800..7_200).contains(&drawn("scim")));
        assert!((4_700..5_100).contains(&both("ada", "scim")));
    }
}
