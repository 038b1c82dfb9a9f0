//! The versions of the API, compared as numbers: 2.10 comes after 2.9.

/// All versions except previews.
pub(super) const KNOWN: [&str; 23] = [
    "1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7",
    "2.8", "2.9", "2.10", "2.11", "2.12", "2.13", "2.14", "2.15", "2.16", "2.17",
];

/// A version that is emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u8,
    minor: u8,
}

impl Version {
    /// An email finds one user, without an envelope.
    pub(super) const V1_0: Self = Self::new(1, 0);
    /// An email finds a list, with leads.
    pub(super) const V1_1: Self = Self::new(1, 1);
    /// An email finds users alone.
    pub(super) const V1_2: Self = Self::new(1, 2);
    /// Users and leads become contacts.
    pub(super) const V2_0: Self = Self::new(2, 0);
    /// Phone numbers are also shown formatted.
    pub(super) const V2_11: Self = Self::new(2, 11);
    /// A contact is found by the customer's identifier.
    pub(super) const V2_13: Self = Self::new(2, 13);
    /// Owners are strings.
    pub(super) const V2_16: Self = Self::new(2, 16);
    /// Dates are searched to the second.
    pub(super) const V2_17: Self = Self::new(2, 17);

    const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// The version of this name, if it is known.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let known = KNOWN.iter().find(|known| **known == text)?;
        let (major, minor) = known.split_once('.')?;
        Some(Self::new(major.parse().ok()?, minor.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Version};

    #[test]
    fn the_known_versions_ascend_by_number() {
        let versions: Vec<_> = KNOWN.map(Version::parse).into_iter().flatten().collect();

        assert_eq!(versions.len(), KNOWN.len());
        assert!(versions.is_sorted());
        assert!(Version::parse("2.10") > Version::parse("2.9"));
        for text in ["2", "2.18", "2.00", "1.5", "3.0", "", "Unstable"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
