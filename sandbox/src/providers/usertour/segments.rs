//! Segments, and the fault of version 1: without `segmentId` the server looks one up all the same, and
//! gets the first row of its table, whoever's that is. Usually it is a segment of everybody.

use std::collections::BTreeSet;

use super::store::Row;

/// Who is in a segment.
#[derive(Debug, Clone)]
pub(super) enum Members {
    /// Everybody.
    All,
    /// Users who were put there, by their places.
    ByHand(BTreeSet<u64>),
    /// Those with this value of an attribute.
    ByRule(&'static str, &'static str),
}

/// A row of the table of segments, in which all projects have theirs.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// The internal identifier.
    pub(super) key: &'static str,
    /// Who is in it.
    pub(super) members: Members,
    /// Whether it belongs to the project that the tokens have.
    pub(super) is_own: bool,
}

impl Segment {
    fn holds(&self, place: u64, row: &Row) -> bool {
        match &self.members {
            Members::All => true,
            Members::ByHand(places) => places.contains(&place),
            Members::ByRule(name, value) => {
                row.attributes.get(*name).and_then(|found| found.as_str()) == Some(value)
            }
        }
    }
}

/// The condition that a list gets.
pub(super) enum Condition<'a> {
    /// None.
    Everybody,
    /// Users of this segment.
    In(&'a Segment),
    /// Users of any segment that is kept by hand.
    InAny(Vec<&'a Segment>),
}

impl<'a> Condition<'a> {
    /// What `segmentId` narrows a list to. An unknown one narrows nothing; without one, `first` is
    /// what the server takes for it.
    pub(super) fn of(
        segments: &'a [Segment],
        asked: Option<&str>,
        first: Option<&'a Segment>,
    ) -> Self {
        if let Some(asked) = asked {
            let found = segments.iter().find(|segment| segment.key == asked);
            return found.map_or(Self::Everybody, Self::In);
        }
        match first {
            Some(first) if matches!(first.members, Members::ByHand(_)) => {
                let by_hand = |segment: &&Segment| matches!(segment.members, Members::ByHand(_));
                Self::InAny(segments.iter().filter(by_hand).collect())
            }
            Some(first) => Self::In(first),
            None => Self::Everybody,
        }
    }

    /// Whether a user fits it.
    pub(super) fn holds(&self, place: u64, row: &Row) -> bool {
        match self {
            Self::Everybody => true,
            Self::In(segment) => segment.holds(place, row),
            Self::InAny(segments) => segments.iter().any(|segment| segment.holds(place, row)),
        }
    }
}
