import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CALLS,
  fullAnswer,
  misfitsOfAnswer,
  misfitsOfRequest,
  officially,
  recognized,
} from "./intercom-description.mjs";

const CONTACT = fullAnswer("GET /contacts/{contact_id}");

test("the official client makes every call of ours, with the same method at the same address", async () => {
  for (const call of Object.keys(CALLS)) {
    const [method, template] = call.split(" ");
    const path = template.replace(/\{\w+\}/g, "a%2Fb");

    const sent = await officially({ ...recognized({ method, path }), query: {} });

    assert.deepEqual([sent.method, sent.path], [method, path]);
    assert.equal(recognized(sent).call, call);
  }
});

test("a full answer fits, and one without what may be absent", () => {
  for (const call of Object.keys(CALLS)) {
    assert.deepEqual(misfitsOfAnswer({ call, status: 200, answer: fullAnswer(call) }), [], call);
  }
  assert.deepEqual(ofContact({ name: null, email: undefined, tags: null }), []);
});

test("an answer with another type, another name or too little is seen through", () => {
  assert.deepEqual(ofContact({ owner_id: "12" }), ["Contact.owner_id is a string, not number"]);
  assert.deepEqual(ofContact({ has_hard_bounced: 1 }), ["Contact.has_hard_bounced is a number, not boolean"]);
  assert.deepEqual(ofContact({ id: null }), ["Contact.id is required"]);
  assert.deepEqual(ofContact({ type: "user" }), ['Contact.type is a string, not "contact"']);
  assert.deepEqual(ofContact({ user_id: "u-1" }), ["Contact.user_id is not known"]);
  assert.deepEqual(ofContact({ location: "Oslo" }), ["Contact.location is a string, not ContactLocation"]);
  assert.deepEqual(ofContact({ tags: { data: [{ id: 7 }, { name: "vip" }] } }), [
    "AddressableList.id is a number, not string",
    "AddressableList.name is not known",
  ]);
});

test("a refusal is a list of errors with codes", () => {
  const refusal = { type: "error.list", request_id: "r-1", errors: [{ code: "not_found", message: "none" }] };

  assert.deepEqual(ofAnswer(404, refusal), []);
  assert.deepEqual(ofAnswer(404, { ...refusal, errors: [{ message: "none" }] }), ["Item.code is required"]);
  assert.ok(ofAnswer(404, CONTACT).includes("Error_.errors is required"));
});

test("a request with another operator, another name or too little is seen through", async () => {
  const one = { field: "email", operator: "=", value: "ada@x.test" };
  const among = { ...one, operator: "IN", value: ["ada@x.test"] };
  const search = (body) => ofRequest("POST", "/contacts/search", { body });
  const create = (body) => ofRequest("POST", "/contacts", { body });

  assert.deepEqual(await search({ query: one, pagination: { per_page: 9 } }), []);
  assert.deepEqual(await search({ query: { operator: "AND", value: [one, among] } }), []);
  assert.deepEqual(await search({ query: one, limit: 9 }), ["SearchRequest.limit is not known"]);
  assert.deepEqual(await search({}), ["SearchRequest.query is required"]);
  const [operator, ...others] = await search({ query: { ...one, operator: "LIKE" } });
  assert.match(operator, /^SingleFilterSearchRequest.operator is a string, not /);
  assert.deepEqual(others, []);

  assert.deepEqual(await create({ email: "ada@x.test", external_id: "u-1", name: "Ada" }), []);
  assert.deepEqual(await create({ name: "Ada" }), ["CreateContactRequest.email is required"]);
});

test("a query has its names and its numbers", async () => {
  const list = (query) => ofRequest("GET", "/contacts", { query });

  assert.deepEqual(await list({ per_page: "150", starting_after: "WzFd" }), []);
  assert.deepEqual(await list({ per_page: "all" }), ["ListContactsRequest.per_page is other text, not number"]);
  assert.deepEqual(await list({ order: "asc" }), ["ListContactsRequest.order is not known"]);

  const misplaced = await ofRequest("POST", "/companies", { query: { name: "Acme" } });
  assert.deepEqual(misplaced, ["POST /companies name belongs into the body"]);
});

function ofContact(change) {
  return ofAnswer(200, { ...CONTACT, ...change });
}

function ofAnswer(status, answer) {
  return said(misfitsOfAnswer({ call: "GET /contacts/{contact_id}", status, answer }));
}

async function ofRequest(method, path, { query = {}, body }) {
  return said(await misfitsOfRequest({ ...recognized({ method, path }), query, body }));
}

function said(misfits) {
  return misfits.map(({ where, what }) => `${where} ${what}`);
}
