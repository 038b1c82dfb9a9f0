//! The media type that a client accepts, and the headers that ask for freshness and waiting.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

/// The media types of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: also of all errors.
    GraphqlResponse,
    /// `application/json`, for older clients.
    Json,
    /// `text/event-stream`: a stream of responses.
    EventStream,
}

impl Media {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::EventStream => "text/event-stream",
        }
    }

    /// The media type of a single response.
    pub(super) fn of_one_response(self) -> Self {
        match self {
            Self::GraphqlResponse | Self::EventStream => Self::GraphqlResponse,
            Self::Json => Self::Json,
        }
    }
}

/// No response is cached for longer than a day, so a larger age has no meaning.
const LONGEST: u64 = 86_400;

/// The accepted age of a response, from the request's `Cache-Control` (RFC 9111): `no-cache` and
/// `max-age=0` read it now; `None` accepts any age.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let ages = directives.filter_map(|directive| {
        let directive = directive.trim().to_ascii_lowercase();
        match directive.split_once('=') {
            None if matches!(directive.as_str(), "no-cache" | "no-store") => Some(0),
            Some(("max-age", seconds)) => seconds.trim_matches('"').parse().ok(),
            _ => None,
        }
    });
    ages.min()
        .map(|age: u64| Duration::from_secs(age.min(LONGEST)))
}

/// The longest time that the client waits, from `Prefer: wait=SECONDS` (RFC 7240, section 4.3);
/// `None` when it does not say. Fractions of a second are accepted too.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter();
    let mut preferences = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='));
    // The first of two equal preferences counts.
    let (_, seconds) = preferences.find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))?;
    let seconds = seconds.trim().trim_matches('"');
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let seconds: f64 = seconds
        .parse()
        .ok()
        .filter(|_| seconds.chars().all(is_number))?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// The value of `Preference-Applied`.
pub(super) fn preference_applied(wait: Duration) -> Option<HeaderValue> {
    // Whole seconds are written without a fraction.
    let milliseconds = wait.as_millis() as f64;
    HeaderValue::from_str(&format!("wait={}", milliseconds / 1_000.0)).ok()
}

/// Whether a page may send this content type to another origin without a preflight.
pub(super) fn is_simple_content_type(headers: &HeaderMap) -> bool {
    let media = headers.get_all(header::CONTENT_TYPE).iter();
    let mut names = media.map(|media| media.to_str().unwrap_or_default().split(';').next());
    names.any(|name| {
        let name = name.unwrap_or_default().trim().to_ascii_lowercase();
        matches!(
            name.as_str(),
            "text/plain" | "application/x-www-form-urlencoded" | "multipart/form-data"
        )
    })
}

/// The media ranges that the client accepts, in lower case, with their weights above zero.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = (String, f32)> {
    let values = headers.get_all(header::ACCEPT).iter();
    let ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    ranges.filter_map(|range| {
        let mut parts = range
            .split(';')
            .map(|part| part.trim().to_ascii_lowercase());
        let name = parts.next()?;
        let weight = parts.find_map(|part| Some(part.strip_prefix("q=")?.to_owned()));
        let weight = weight.map_or(Some(1.0), |weight| weight.parse().ok())?;
        (weight > 0.0).then_some((name, weight))
    })
}

/// The media type that the client prefers; `None` when it accepts none of ours.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<Media> {
    if !headers.contains_key(header::ACCEPT) {
        return Some(Media::Json);
    }
    let liked = accepted(headers).filter_map(|(name, weight)| {
        // Between equal preferences, an exact name comes first, and then the newer media type.
        let (media, rank) = match name.as_str() {
            "application/graphql-response+json" => (Media::GraphqlResponse, 3),
            "application/json" => (Media::Json, 2),
            EVENTS => (Media::EventStream, 1),
            "application/*" | "*/*" => (Media::Json, 0),
            _ => return None,
        };
        Some((weight, rank, media))
    });
    liked
        .max_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)))
        .map(|(_, _, media)| media)
}

/// The media type of events.
const EVENTS: &str = "text/event-stream";

/// Whether the client takes a stream of responses.
pub(super) fn takes_events(headers: &HeaderMap) -> bool {
    accepted(headers).any(|(name, _)| name == EVENTS)
}

/// Whether a browser shows the response to a person, who wants the explorer and not an error.
pub(super) fn is_a_browser(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// Whether a content type is JSON in UTF-8.
pub(super) fn is_json(media: &str) -> bool {
    let mut parts = media
        .split(';')
        .map(|part| part.trim().to_ascii_lowercase());
    let is_json = parts.next().is_some_and(|name| name == "application/json");
    let is_utf8 = parts.filter_map(|part| {
        part.strip_prefix("charset=")
            .map(|set| set.trim_matches('"').to_owned())
    });
    is_json
        && is_utf8
            .into_iter()
            .all(|charset| charset == "utf-8" || charset == "utf8")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Media, is_json, negotiate, takes_events};

    fn accepting(value: &'static str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(value));
        negotiate(&headers)
    }

    #[test]
    fn the_media_type_that_is_liked_best_is_answered() {
        assert_eq!(negotiate(&HeaderMap::new()), Some(Media::Json));
        assert_eq!(accepting("*/*"), Some(Media::Json));
        assert_eq!(
            accepting("application/graphql-response+json, application/json;q=0.9"),
            Some(Media::GraphqlResponse)
        );
        assert_eq!(
            accepting("application/graphql-response+json;q=0.1, application/json"),
            Some(Media::Json)
        );
        assert_eq!(
            accepting("text/event-stream, */*"),
            Some(Media::EventStream)
        );
        assert_eq!(
            accepting("text/event-stream, application/json"),
            Some(Media::Json)
        );
        assert_eq!(
            accepting("application/json;Q=0.2, application/graphql-response+json;q=0.1"),
            Some(Media::Json)
        );
        assert_eq!(accepting("text/html"), None);
        assert_eq!(accepting("application/json;q=0"), None);
    }

    #[test]
    fn a_client_takes_events_if_it_names_them_and_gives_them_a_weight() {
        for (value, is_taken) in [
            ("text/event-stream", true),
            ("application/json, TEXT/event-stream;q=0.1", true),
            ("application/json, text/event-stream;q=0", false),
            ("*/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(value));
            assert_eq!(takes_events(&headers), is_taken, "{value}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_taken() {
        assert!(is_json("application/json; charset=UTF-8"));
        assert!(!is_json("application/json; charset=latin1"));
        assert!(!is_json("text/plain"));
        assert!(!is_json(""));
    }
}
