//! What goes wrong at Usertour, and how it says so: the API's own shape and the two of the
//! framework below it.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::reply;

const UNEXPECTED: &str = "An unexpected error occurred";

/// A refusal, in one of the vendor's three shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// 401 E1010.
    MissingKey,
    /// 403 E1000.
    InvalidKey,
    /// 404 E1001.
    NoUser,
    /// 404 E1002.
    NoCompany,
    /// 404 E1003.
    NoMembership,
    /// 404 E1025, which version 1 does not say.
    NoSegment,
    /// 400 E1007.
    Cursor,
    /// 429 E1013, which only the cloud's edge may send.
    Throttled,
    /// 400 E1017 with the first message.
    Invalid(String),
    /// 500 E0000.
    Unexpected,
    /// 404 without an API code: no such route.
    NoRoute(String),
    /// 400 without an API code: the request cannot be read.
    Unreadable(String),
    /// 413 and 415 of the body parser.
    Body(StatusCode, String),
}

impl Failure {
    /// A validation failure.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The answer; Chinese where that language alone was asked for.
    pub(super) fn into_response(self, chinese: bool) -> Response {
        match self {
            Self::NoRoute(message) => framework(StatusCode::NOT_FOUND, "Not Found", &message),
            Self::Unreadable(message) => {
                framework(StatusCode::BAD_REQUEST, "Bad Request", &message)
            }
            Self::Body(status, message) => {
                let body = json!({"statusCode": status.as_u16(), "message": message});
                reply::json(status, &body)
            }
            coded => coded.api(chinese),
        }
    }

    fn api(self, chinese: bool) -> Response {
        let invalid;
        let (status, code, english, translated) = match self {
            Self::MissingKey => (401, "E1010", "Missing API key", "缺少 API 密钥"),
            Self::InvalidKey => (
                403,
                "E1000",
                "Invalid API key provided",
                "提供的 API 密钥无效",
            ),
            Self::NoUser => (404, "E1001", "User not found", "用户未找到"),
            Self::NoCompany => (404, "E1002", "Company not found", "公司未找到"),
            Self::NoMembership => (
                404,
                "E1003",
                "Company membership not found",
                "公司成员关系未找到",
            ),
            Self::NoSegment => (404, "E1025", "Segment not found", "分段未找到"),
            Self::Cursor => (400, "E1007", "Invalid cursor parameter", "无效的游标参数"),
            Self::Throttled => (429, "E1013", "Too many requests", "请求过于频繁"),
            Self::Invalid(message) => {
                invalid = message;
                (400, "E1017", invalid.as_str(), invalid.as_str())
            }
            _ => (500, "E0000", UNEXPECTED, UNEXPECTED),
        };
        let body = json!({"error": {
            "code": code,
            "message": if chinese { translated } else { english },
            "doc_url": "https://docs.usertour.io",
        }});
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        reply::json(status, &body)
    }
}

fn framework(status: StatusCode, error: &str, message: &str) -> Response {
    let body = json!({"message": message, "error": error, "statusCode": status.as_u16()});
    reply::json(status, &body)
}
