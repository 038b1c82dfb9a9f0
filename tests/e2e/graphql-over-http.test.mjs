// GraphQL over HTTP: the audits of `graphql-http`, and the released text where the audits say otherwise.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { serverAudits } from "graphql-http";

import { overruled } from "./graphql-over-http.mjs";
import { startRoster } from "./roster.mjs";

const GRAPHQL_RESPONSE = "application/graphql-response+json";
const JSON_RESPONSE = "application/json";
const PARTIAL = '{ accounts { name } users(provider: INTERCOM, account: "nobody") { nodes { id } } }';
const ALL_FAILS = '{ users(provider: INTERCOM, account: "nobody") { nodes { id } } }';
const TWO_OPERATIONS = "query One { __typename } query Two { __typename }";

let roster;
/** The last response that an audit got. */
let response;

before(async () => {
  roster = await startRoster();
});

after(() => roster?.stop());

async function recordingFetch(...request) {
  const answer = await fetch(...request);
  response = answer.clone();
  return answer;
}

const audits = serverAudits({ url: () => roster.graphql, fetchFn: recordingFetch });

test("the suite is the whole one, and what is overruled is in it", () => {
  assert.equal(audits.length, 61);
  const inSuite = audits.filter(({ id }) => overruled.has(id)).map(({ id, name }) => [id, name]);
  assert.deepEqual(new Map(inSuite), new Map([...overruled].map(([id, { name }]) => [id, name])));
});

for (const { id, name, fn } of audits.filter(({ id }) => !overruled.has(id))) {
  test(`${name} (audit ${id})`, async () => {
    const { status, reason } = await fn();
    assert.equal(status, "ok", reason);
  });
}

for (const { id, name, fn } of audits.filter(({ id }) => overruled.has(id))) {
  const { says, status, code } = overruled.get(id);
  test(`${says}: ${status} (overrules audit ${id}, ${name})`, async () => {
    const audit = await fn();

    assert.notEqual(audit.status, "ok", "the audit agrees with the text: take it out of the table");
    await assertRefusal(response, status, code);
  });
}

/** Asserts that a response has errors and no data, in the media type of all refusals. */
async function assertRefusal(response, status, code) {
  assert.equal(response.status, status);
  assert.equal(mediaOf(response), GRAPHQL_RESPONSE);
  const body = await response.json();
  assert.ok(!("data" in body), JSON.stringify(body));
  assert.deepEqual([...new Set(body.errors.map(({ extensions }) => extensions.code))], [code]);
}

function mediaOf(response) {
  return response.headers.get("content-type").split(";")[0];
}

function post(query, accept, variables) {
  const headers = { "content-type": "application/json", accept };
  return fetch(roster.graphql, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
}

for (const accept of [GRAPHQL_RESPONSE, JSON_RESPONSE]) {
  test(`data without errors: 200 when accepting ${accept}`, async () => {
    const response = await post("{ accounts { name } }", accept);

    assert.equal(response.status, 200);
    assert.equal(mediaOf(response), accept);
    assert.ok(!("errors" in (await response.json())));
  });

  test(`data and errors: 294 when accepting ${accept}`, async () => {
    for (const query of [PARTIAL, ALL_FAILS]) {
      const response = await post(query, accept);

      assert.equal(response.status, 294);
      assert.equal(mediaOf(response), accept);
      const { data, errors } = await response.json();
      assert.equal(data.users, null);
      assert.equal(errors.length, 1);
    }
  });

  test(`a document that does not validate: 422 when accepting ${accept}`, async () => {
    await assertRefusal(await post("{ nobody }", accept), 422, "GRAPHQL_VALIDATION_FAILED");
  });

  test(`variables that cannot be coerced: 422 when accepting ${accept}`, async () => {
    const query = "query ($email: String!) { person(email: $email) { name } }";
    for (const variables of [{ email: null }, { email: { of: "ann" } }, {}, undefined]) {
      await assertRefusal(await post(query, accept, variables), 422, "BAD_USER_INPUT");
    }
  });

  test(`an operation that cannot be determined: 422 when accepting ${accept}`, async () => {
    await assertRefusal(await post(TWO_OPERATIONS, accept), 422, "BAD_USER_INPUT");
  });
}
