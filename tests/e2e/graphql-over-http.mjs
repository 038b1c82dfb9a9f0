// The audits of `graphql-http` that the released GraphQL over HTTP specification (September 2026) overrules.
// They check its drafts: a request that cannot run got 400 there, or 200 when accepting `application/json`.
// The released text has one list of statuses for all media types (section 6.4, Status Codes): 400 for what cannot
// be parsed, 422 for what is parsed and cannot be processed.

const UNPARSED = { says: "a document that cannot be parsed", status: 400, code: "GRAPHQL_PARSE_FAILED" };
const NOT_A_REQUEST = {
  says: "JSON that is not a well-formed GraphQL-over-HTTP request",
  status: 422,
  code: "BAD_USER_INPUT",
};
const INVALID = { says: "a document that does not validate", status: 422, code: "GRAPHQL_VALIDATION_FAILED" };

const WITH_JSON = "when accepting application/json";

/** By the id of an audit: its name, what the released text says it is about, and the status that it asks for. */
export const overruled = new Map([
  ["423L", { name: "MAY use 400 status code on missing {query} parameter", ...NOT_A_REQUEST }],
  ["LKJ0", { name: "MAY use 400 status code on object {query} parameter", ...NOT_A_REQUEST }],
  ["LKJ1", { name: "MAY use 400 status code on number {query} parameter", ...NOT_A_REQUEST }],
  ["LKJ2", { name: "MAY use 400 status code on boolean {query} parameter", ...NOT_A_REQUEST }],
  ["LKJ3", { name: "MAY use 400 status code on array {query} parameter", ...NOT_A_REQUEST }],
  ["6C00", { name: "MAY use 400 status code on object {operationName} parameter", ...NOT_A_REQUEST }],
  ["6C01", { name: "MAY use 400 status code on number {operationName} parameter", ...NOT_A_REQUEST }],
  ["6C02", { name: "MAY use 400 status code on boolean {operationName} parameter", ...NOT_A_REQUEST }],
  ["6C03", { name: "MAY use 400 status code on array {operationName} parameter", ...NOT_A_REQUEST }],
  ["4760", { name: "MAY use 400 status code on string {variables} parameter", ...NOT_A_REQUEST }],
  ["4761", { name: "MAY use 400 status code on number {variables} parameter", ...NOT_A_REQUEST }],
  ["4762", { name: "MAY use 400 status code on boolean {variables} parameter", ...NOT_A_REQUEST }],
  ["4763", { name: "MAY use 400 status code on array {variables} parameter", ...NOT_A_REQUEST }],
  ["58B0", { name: "MAY use 400 status code on string {extensions} parameter", ...NOT_A_REQUEST }],
  ["58B1", { name: "MAY use 400 status code on number {extensions} parameter", ...NOT_A_REQUEST }],
  ["58B2", { name: "MAY use 400 status code on boolean {extensions} parameter", ...NOT_A_REQUEST }],
  ["58B3", { name: "MAY use 400 status code on array {extensions} parameter", ...NOT_A_REQUEST }],
  ["3E3A", { name: "MAY use 400 status code if parameters are invalid", ...NOT_A_REQUEST }],
  ["572B", { name: `SHOULD use 200 status code on document parsing failure ${WITH_JSON}`, ...UNPARSED }],
  // Its field starts with a digit, so that it cannot be parsed.
  ["FDE2", { name: `SHOULD use 200 status code on document validation failure ${WITH_JSON}`, ...UNPARSED }],
  // The documents of these two do not use their variable, so that they do not validate.
  ["7B9B", { name: `SHOULD use a status code of 200 on variable coercion failure ${WITH_JSON}`, ...INVALID }],
  [
    "86EE",
    {
      name: "SHOULD use a status code of 400 on variable coercion failure when accepting application/graphql-response+json",
      ...INVALID,
    },
  ],
]);
