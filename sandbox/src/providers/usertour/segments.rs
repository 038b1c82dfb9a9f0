//! Segments, and a fault of the server: without `segmentId` it looks one up all the same and gets
//! the first row of its table, of whichever project. Usually that is a segment of all users.

use std::collections::BTreeSet;

use super::store::Row;

/// The members of a segment.
#[derive(Debug, Clone)]
pub(super) enum Members {
    /// All users.
    All,
    /// A manual segment: users by their serial numbers.
    ByHand(BTreeSet<u64>),
    /// A condition: users with this value of an attribute.
    ByRule(&'static str, &'static str),
}

/// A row of the table of segments, which all projects share.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// The internal identifier.
    pub(super) key: &'static str,
    /// Its members.
    pub(super) members: Members,
    /// Whether it belongs to the project that the tokens have.
    pub(super) is_own: bool,
}

impl Segment {
    fn holds(&self, serial: u64, row: &Row) -> bool {
        match &self.members {
            Members::All => true,
            Members::ByHand(serials) => serials.contains(&serial),
            Members::ByRule(name, value) => {
                row.attributes.get(*name).and_then(|found| found.as_str()) == Some(value)
            }
        }
    }
}

/// The condition that a segment adds to a list.
pub(super) enum Condition<'a> {
    /// None.
    Everybody,
    /// Users of this segment.
    In(&'a Segment),
    /// Users of any manual segment.
    InAny(Vec<&'a Segment>),
}

impl<'a> Condition<'a> {
    /// The condition for a `segmentId`. An unknown one is no filter; without one, `first` applies.
    pub(super) fn of(
        segments: &'a [Segment],
        request: Option<&str>,
        first: Option<&'a Segment>,
    ) -> Self {
        if let Some(request) = request {
            let found = segments.iter().find(|segment| segment.key == request);
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
    pub(super) fn holds(&self, serial: u64, row: &Row) -> bool {
        match self {
            Self::Everybody => true,
            Self::In(segment) => segment.holds(serial, row),
            Self::InAny(segments) => segments.iter().any(|segment| segment.holds(serial, row)),
        }
    }
}
