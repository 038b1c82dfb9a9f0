//! Reads filters. `not` binds closer than `and`, and `and` closer than `or`.

use std::iter::Peekable;
use std::vec::IntoIter;

use jiff::Timestamp;
use serde_json::Value;

use super::{Comparison, Filter, Operator};
use crate::providers::scim::path::AttributePath;
use crate::providers::scim::schema::Kind;

/// How deep parentheses may be nested.
const DEEPEST: usize = 32;

/// What a service provider makes of filters.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct FilterRules {
    /// Whether letter case counts in `emails.value`.
    pub(in super::super) are_emails_exact: bool,
    /// The most parts of an `or` chain.
    pub(in super::super) or_limit: Option<u64>,
}

/// Why a text is no filter.
#[derive(Debug, Eq, PartialEq)]
pub(in super::super) enum FilterError {
    Invalid(String),
    /// An `or` chain has more parts than the service provider takes.
    TooMany,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    Open,
    Close,
    OpenItems,
    CloseItems,
    Text(String),
    Word(String),
}

impl Filter {
    /// The filter in a text.
    pub(in super::super) fn parse(text: &str, rules: FilterRules) -> Result<Self, FilterError> {
        Self::parse_within(text, rules, None)
    }

    /// The filter in the brackets behind a path.
    pub(in super::super) fn parse_within(
        text: &str,
        rules: FilterRules,
        list: Option<&AttributePath>,
    ) -> Result<Self, FilterError> {
        let mut parser = Parser {
            tokens: tokens(text)?.into_iter().peekable(),
            rules,
            depth: 0,
            list: list.cloned(),
        };
        let filter = parser.any()?;
        match parser.tokens.next() {
            None => Ok(filter),
            Some(token) => Err(invalid(format!("unexpected {token:?}"))),
        }
    }
}

fn invalid(why: impl Into<String>) -> FilterError {
    FilterError::Invalid(why.into())
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenItems, 1),
            ']' => (Token::CloseItems, 1),
            '"' => quoted(rest)?,
            _ => {
                let is_end = |c: char| c.is_whitespace() || "()[]\"".contains(c);
                let length = rest.find(is_end).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// The JSON text at the beginning.
fn quoted(text: &str) -> Result<(Token, usize), FilterError> {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    let (end, _) = end.ok_or_else(|| invalid("a text does not end"))?;
    let decoded = serde_json::from_str(&text[..=end]);
    let decoded = decoded.map_err(|_| invalid("a text is not JSON"))?;
    Ok((Token::Text(decoded), end + 1))
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    rules: FilterRules,
    depth: usize,
    /// The list whose items are compared.
    list: Option<AttributePath>,
}

impl Parser {
    /// Parts joined by `or`.
    fn any(&mut self) -> Result<Filter, FilterError> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        let limit = self.rules.or_limit.unwrap_or(u64::MAX);
        if parts.len() as u64 > limit {
            return Err(FilterError::TooMany);
        }
        Ok(joined(parts, Filter::Or))
    }

    /// Parts joined by `and`.
    fn all(&mut self) -> Result<Filter, FilterError> {
        let first = self.one()?;
        let mut parts = vec![first];
        while self.takes_word("and") {
            parts.push(self.one()?);
        }
        Ok(joined(parts, Filter::And))
    }

    fn one(&mut self) -> Result<Filter, FilterError> {
        if self.takes(&Token::Open) {
            return self.in_parentheses();
        }
        let word = self.word("an attribute")?;
        if word.eq_ignore_ascii_case("not") && self.takes(&Token::Open) {
            return Ok(Filter::Not(Box::new(self.in_parentheses()?)));
        }
        let path = AttributePath::parse(&word).filter(|path| !path.name.is_empty());
        let path = path.ok_or_else(|| invalid(format!("{word} is no attribute")))?;
        if self.takes(&Token::OpenItems) {
            return self.within(path);
        }
        let operator = self.word("an operator")?.to_ascii_lowercase();
        if operator == "pr" {
            return Ok(Filter::Present(path));
        }
        self.comparison(path, &operator).map(Filter::Compare)
    }

    fn in_parentheses(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(invalid("parentheses are nested too deep"));
        }
        let filter = self.any()?;
        self.depth -= 1;
        match self.takes(&Token::Close) {
            true => Ok(filter),
            false => Err(invalid("a parenthesis is not closed")),
        }
    }

    fn within(&mut self, path: AttributePath) -> Result<Filter, FilterError> {
        if self.list.is_some() || path.part.is_some() {
            return Err(invalid("brackets stand behind a list"));
        }
        self.list = Some(path.clone());
        let filter = self.any()?;
        self.list = None;
        match self.takes(&Token::CloseItems) {
            true => Ok(Filter::Within(path, Box::new(filter))),
            false => Err(invalid("a bracket is not closed")),
        }
    }

    fn comparison(
        &mut self,
        path: AttributePath,
        operator: &str,
    ) -> Result<Comparison, FilterError> {
        let leaf = match &self.list {
            Some(list) => list.attribute().and_then(|list| list.part(&path.name)),
            None => path.leaf(),
        };
        let operator = operator_named(operator)?;
        let value = self.value()?;
        let is_moment = leaf.is_some_and(|leaf| matches!(leaf.kind, Kind::Moment));
        let is_ordered = operator.is_ordering();
        if is_ordered && !(value.is_string() || value.is_number()) {
            return Err(invalid("only texts, moments and numbers have an order"));
        }
        let text = value.as_str().unwrap_or_default();
        if is_moment && is_ordered && text.parse::<Timestamp>().is_err() {
            return Err(invalid("a moment is like 2011-05-13T04:42:34Z"));
        }
        let is_exact = leaf.is_some_and(|leaf| leaf.is_exact);
        Ok(Comparison {
            is_exact: is_exact || self.rules.are_emails_exact && self.is_email(&path),
            is_moment,
            path,
            operator,
            value,
        })
    }

    /// Whether a path leads to the addresses of `emails`.
    fn is_email(&self, path: &AttributePath) -> bool {
        let (list, part) = match &self.list {
            Some(list) => (list, Some(&path.name)),
            None => (path, path.part.as_ref()),
        };
        list.extension.is_none()
            && list.name.eq_ignore_ascii_case("emails")
            && part.is_none_or(|part| part.eq_ignore_ascii_case("value"))
    }

    fn value(&mut self) -> Result<Value, FilterError> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(Value::String(text)),
            Some(Token::Word(word)) => {
                let value = serde_json::from_str(&word);
                value.map_err(|_| invalid(format!("{word} is no value")))
            }
            _ => Err(invalid("a value is missing")),
        }
    }

    fn word(&mut self, expected: &str) -> Result<String, FilterError> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(invalid(format!("{expected} is missing"))),
        }
    }

    fn takes(&mut self, token: &Token) -> bool {
        self.tokens.next_if_eq(token).is_some()
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        let is_wanted =
            |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted));
        self.tokens.next_if(is_wanted).is_some()
    }
}

impl Operator {
    fn is_ordering(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual
        )
    }
}

fn operator_named(name: &str) -> Result<Operator, FilterError> {
    Ok(match name {
        "eq" => Operator::Equal,
        "ne" => Operator::NotEqual,
        "co" => Operator::Contains,
        "sw" => Operator::StartsWith,
        "ew" => Operator::EndsWith,
        "gt" => Operator::Greater,
        "ge" => Operator::GreaterOrEqual,
        "lt" => Operator::Less,
        "le" => Operator::LessOrEqual,
        _ => return Err(invalid(format!("{name} is no operator"))),
    })
}

fn joined(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}
