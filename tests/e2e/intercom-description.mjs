// What Intercom publishes about its API, as its official client has it. Intercom generates that client
// from its OpenAPI description of version 2.14: addresses and declarations are the description's. Nothing
// of it is kept here.

import { IntercomClient } from "intercom-client";

import { declarations, misfits, sample, Text, UNKNOWN } from "./shapes.mjs";

const { checker, typeOf } = declarations("intercom-client");
const client = typeOf("IntercomClient");

/** The calls that Roster makes, and the client's method for each. */
export const CALLS = {
  "GET /contacts": "contacts.list",
  "POST /contacts": "contacts.create",
  "POST /contacts/search": "contacts.search",
  "GET /contacts/find_by_external_id/{external_id}": "contacts.showContactByExternalId",
  "GET /contacts/{contact_id}": "contacts.find",
  "PUT /contacts/{contact_id}": "contacts.update",
  "GET /contacts/{contact_id}/companies": "contacts.listAttachedCompanies",
  "POST /contacts/{contact_id}/companies": "companies.attachContact",
  "DELETE /contacts/{contact_id}/companies/{company_id}": "companies.detachContact",
  "GET /contacts/{contact_id}/segments": "contacts.listAttachedSegments",
  "GET /contacts/{contact_id}/tags": "contacts.listAttachedTags",
  "GET /segments": "segments.list",
  "GET /tags": "tags.list",
  "GET /companies": "companies.retrieve",
  "POST /companies": "companies.createOrUpdate",
  "GET /companies/{company_id}/contacts": "companies.listAttachedContacts",
};

const ERROR = typeOf("Intercom.Error_");

/** Which of the calls a request is, with the parts of its path; null when it is none of them. */
export function recognized({ method, path }) {
  for (const call of Object.keys(CALLS)) {
    const [verb, template] = call.split(" ");
    const pattern = template.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)");
    const parts = verb === method && path.match(new RegExp(`^${pattern}$`));
    if (parts) {
      const decoded = Object.entries(parts.groups ?? {}).map(([name, part]) => [name, decodeURIComponent(part)]);
      return { call, parts: Object.fromEntries(decoded) };
    }
  }
  return null;
}

/** What in a request the description does not allow. */
export async function misfitsOfRequest({ call, parts, query, body }) {
  const request = checker.getTypeOfSymbol(signature(call).getParameters()[0]);
  const queried = Object.entries(query).map(([name, value]) => [name, new Text(value)]);
  const found = misfits(checker, request, { ...parts, ...Object.fromEntries(queried), ...body });

  const unknown = found.filter(({ what }) => what === UNKNOWN).map(({ where }) => where.split(".").pop());
  const official = await officially({ call, parts, query, body });
  const misplaced = Object.keys(query).filter((name) => !unknown.includes(name) && !(name in official.query));
  return [...found, ...misplaced.map((name) => ({ where: `${call} ${name}`, what: "belongs into the body" }))];
}

/** What in an answer the description does not allow. */
export function misfitsOfAnswer({ call, status, answer }) {
  return misfits(checker, status < 300 ? answerOf(call) : ERROR, answer);
}

/** An answer that says everything which the description lets it say. */
export function fullAnswer(call) {
  return sample(checker, answerOf(call));
}

/** What the official client sends when it is given what Roster sent. */
export async function officially({ call, parts, query, body }) {
  let sent;
  const fetcher = async ({ url, method, queryParameters = {}, body }) => {
    sent = { method, path: new URL(url).pathname, query: queryParameters, body };
    return { ok: true, body: {}, rawResponse: {} };
  };
  const official = new IntercomClient({ token: "none", baseUrl: "http://intercom.test", fetcher });
  const [resource, method] = CALLS[call].split(".");
  await official[resource][method]({ ...parts, ...query, ...body });
  return sent;
}

function signature(call) {
  const [resource, method] = CALLS[call].split(".");
  const type = member(member(client, resource), method);
  return type.getCallSignatures()[0];
}

/** What the promise of a method is of; a page's second argument is the answer that it was read from. */
function answerOf(call) {
  const [promised] = checker.getTypeArguments(signature(call).getReturnType());
  return promised.symbol?.name === "Page" ? checker.getTypeArguments(promised)[1] : promised;
}

function member(type, name) {
  return checker.getTypeOfSymbol(checker.getPropertyOfType(type, name));
}
