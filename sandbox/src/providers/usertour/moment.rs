//! Moments as Usertour writes them: UTC with three decimals.

use jiff::Timestamp;

/// Milliseconds since the epoch, now.
pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `2026-02-03T04:05:06.007Z`.
pub(super) fn text(millis: i64) -> String {
    let moment = Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{moment:.3}")
}

/// Whether the text is a moment as the provider accepts them: `YYYY-MM-DDTHH:mm:ss(.SSS)Z`, and a
/// second that exists.
pub(super) fn is_utc(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '0'
            } else {
                character
            }
        })
        .collect();
    let shaped = ["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z"].contains(&shape.as_str());
    shaped && !text.contains(":60") && text.parse::<Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{is_utc, text};

    #[test]
    fn moments_have_three_decimals() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(1_770_091_506_007), "2026-02-03T04:05:06.007Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn only_utc_moments_that_exist_are_moments() {
        for good in ["2026-02-03T04:05:06Z", "2024-02-29T23:59:59.999Z"] {
            assert!(is_utc(good), "{good}");
        }
        for bad in [
            "2026-02-03",
            "2026-02-03T04:05:06+02:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:60Z",
        ] {
            assert!(!is_utc(bad), "{bad}");
        }
    }
}
