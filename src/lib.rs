//! One GraphQL graph over the people in a company's SaaS tools.
