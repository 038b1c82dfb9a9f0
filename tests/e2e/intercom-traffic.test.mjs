import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { buildSchema, getNamedType, isLeafType } from "graphql";

import { CALLS, fullAnswer, misfitsOfAnswer, misfitsOfRequest, recognized } from "./intercom-description.mjs";
import { OF_ANSWERS, OF_REQUESTS } from "./intercom-deviations.mjs";
import { startRecorder, startStub } from "./recorder.mjs";
import { ask, startOver, startSandboxes } from "./roster.mjs";

const VERSION = "2.17";
const OF_ONE_CONTACT = ["", "/companies", "/segments", "/tags"].map((list) => `GET /contacts/{contact_id}${list}`);
const IN_MANY_COMPANIES = "only.intercom@x.test";
const LARGE_COMPANY = "c-1";

let sandboxes, recorder, roster, exchanges;

before(async () => {
  sandboxes = await startSandboxes();
  recorder = await startRecorder(`${sandboxes.address}/intercom`);
  roster = await rosterOver(recorder.address);
  await askForEverything();
  exchanges = recorder.exchanges.map((exchange) => ({ ...exchange, ...recognized(exchange) }));
});

after(async () => {
  await roster?.stop();
  await recorder?.stop();
  await sandboxes?.stop();
});

test("every call of the table was made, and no other", () => {
  const made = new Set(exchanges.map(({ call, method, path }) => call ?? `${method} ${path}`));
  assert.deepEqual([...made].sort(), Object.keys(CALLS).sort());
});

test("every call says the version, which is the one without configuration", () => {
  assert.deepEqual([...new Set(exchanges.map(({ version }) => version))], [VERSION]);
});

test("every list was read past its first page, in the way that is its own", () => {
  const asked = (call) => {
    const names = exchanges.filter((exchange) => exchange.call === call).map(({ query, body }) => {
      return Object.keys({ ...query, ...body?.pagination });
    });
    return [...new Set(names.flat())].sort();
  };

  for (const call of ["GET /contacts", "POST /contacts/search", "GET /companies/{company_id}/contacts"]) {
    assert.deepEqual(asked(call), ["per_page", "starting_after"], call);
  }
  assert.deepEqual(asked("GET /contacts/{contact_id}/companies"), ["page", "per_page"]);
  assert.deepEqual(asked("GET /contacts/{contact_id}/segments"), []);
  assert.deepEqual(asked("GET /contacts/{contact_id}/tags"), []);
});

test("every request is as the description says, but for known deviations", async () => {
  const found = await Promise.all(exchanges.map(misfitsOfRequest));
  compare(found.flat(), OF_REQUESTS);
});

test("every answer of the sandbox is as the description says, but for known deviations", () => {
  compare(exchanges.flatMap(misfitsOfAnswer), OF_ANSWERS);
});

test("all that a contact can say arrives, and what only users of 1.x can say does not", async () => {
  const sdl = await readFile(new URL("../../schema.graphql", import.meta.url), "utf8");
  const type = buildSchema(sdl, { assumeValidSDL: true }).getType("IntercomUser");
  const stub = await startStub((request) => saidInFull(recognized(request).call));
  const over = await rosterOver(stub.address);
  try {
    const query = `{ user(provider: INTERCOM, by: { remoteId: "some id" }) {
      details { ... on IntercomUser { ${selection(type)} } }
    } }`;

    const { user } = await ask(over.graphql, query);

    assert.deepEqual(empty(user.details).sort(), ofUsersAlone(type).sort());
    const calls = new Set(stub.exchanges.map((exchange) => recognized(exchange).call));
    assert.deepEqual([...calls].sort(), OF_ONE_CONTACT);
  } finally {
    await over.stop();
    await stub.stop();
  }
});

for (const [form, ofCompany, ofAvatar] of [
  ["a company and an address", (company) => company, (address) => address],
  ["a list and an object", (company) => ({ type: "list", data: [company] }), (address) => ({ image_url: address })],
]) {
  test(`a company that is looked up and an avatar may be ${form}`, async () => {
    const stub = await startStub((request) => {
      const { call } = recognized(request);
      const answer = saidInFull(call);
      if (call === "GET /companies") {
        return ofCompany(answer);
      }
      // The description makes the end of the list optional; Roster wants it said.
      const pages = { type: "pages", next: null, page: 1, per_page: 50, total_pages: 1 };
      return { ...answer, pages, data: answer.data.map((contact) => ({ ...contact, avatar: ofAvatar(contact.avatar) })) };
    });
    const over = await rosterOver(stub.address);
    try {
      const query = `{ users(provider: INTERCOM, first: 1, filter: { companyId: "some company_id" }) {
        nodes { remoteId avatarUrl }
      } }`;

      const { users } = await ask(over.graphql, query);

      assert.deepEqual(users.nodes, [{ remoteId: "some id", avatarUrl: "some avatar" }]);
      const paths = stub.exchanges.map(({ path }) => decodeURIComponent(path));
      assert.deepEqual(paths, ["/companies", "/companies/some id/contacts"]);
    } finally {
      await over.stop();
      await stub.stop();
    }
  });
}

/** Goes through all that Roster does with contacts. */
async function askForEverything() {
  const list = `query ($first: Int!, $after: String, $filter: UserFilter) {
    users(provider: INTERCOM, first: $first, after: $after, filter: $filter) {
      nodes { id remoteId externalId email companies { externalId } tags details { ... on IntercomUser {
        companies { id companyId name } tags { id name } segments { id }
      } } }
      pageInfo { endCursor }
    }
  }`;
  const page = async (variables) => (await ask(roster.graphql, list, { first: 5, ...variables })).users;
  const pages = async (filter) => {
    const { endCursor } = (await page({ first: 1, filter })).pageInfo;
    await page({ first: 1, filter, after: endCursor });
  };
  const one = (by) => ask(roster.graphql, "query ($by: UserKey!) { user(provider: INTERCOM, by: $by) { id } }", { by });
  const upsert = async (input) => {
    const answer = await ask(roster.graphql, UPSERT, { input: { provider: "INTERCOM", ...input } });
    assert.deepEqual(answer.upsertUser.userErrors, []);
  };

  const { nodes, pageInfo } = await page({});
  await page({ after: pageInfo.endCursor });
  const { remoteId, email } = nodes[0];
  const known = nodes.find((node) => node.externalId);

  await page({ filter: { email } });
  await page({ filter: { tagId: "1" } });
  await page({ filter: { segmentId: "1" } });
  await pages({ createdSince: "2020-01-01T00:00:00Z" });
  await page({ filter: { emailDomain: "x.test", kind: "LEAD", updatedBefore: "2030-01-01T00:00:00Z" } });
  await page({ filter: { sort: { field: "UPDATED_AT", direction: "DESCENDING" } } });
  // A page of a company's contacts has sixty, however few are asked for; this company has more.
  await ask(roster.graphql, OF_COMPANY, { filter: { companyId: LARGE_COMPANY } });
  await ask(roster.graphql, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", { ids: nodes.map(({ id }) => id) });
  await one({ remoteId });
  await one({ remoteId: "000000000000000000000000" });
  await one({ externalId: known.externalId });
  await one({ externalId: "nobody" });
  await ask(roster.graphql, BY_EMAIL, { email });
  await page({ filter: { email: IN_MANY_COMPANIES } });

  const said = {
    email: "contract@x.test",
    name: "Ada Byron",
    phone: "+4712345678",
    avatarUrl: "https://pictures.test/ada.png",
    signedUpAt: "2024-02-29T12:00:00Z",
    unsubscribedFromEmails: true,
    attributes: { plan: "gold" },
  };
  const externalId = "contract-1";
  await upsert({ externalId: "contract-u-1", ...said, companies: [{ externalId, name: "Contract" }] });
  await upsert(said);
  await upsert({ email: said.email, companies: [{ externalId, leave: true }] });
}

const OF_COMPANY = `query ($filter: UserFilter) {
  users(provider: INTERCOM, first: 70, filter: $filter) { nodes { id } }
}`;

const BY_EMAIL = `query ($email: String!) {
  usersByEmail(email: $email, providers: [INTERCOM]) { nodes { id } }
}`;

const UPSERT = `mutation ($input: UpsertUserInput!) {
  upsertUser(input: $input) { outcome userErrors { message } }
}`;

function rosterOver(address) {
  return startOver(`[accounts.intercom]\nbase_url = "${address}"\n`, { ROSTER_INTERCOM_TOKEN: "sandbox-token" });
}

/**
 * A full answer as the provider gives it: with what is known not to be declared, too. A contact's companies
 * are under `data`, and no list goes on.
 */
function saidInFull(call) {
  const { pages, ...answer } = fullAnswer(call);
  if (call === "GET /contacts/{contact_id}") {
    return { ...undeclared("Contact"), ...answer, location: { ...undeclared("ContactLocation"), ...answer.location } };
  }
  const { companies, ...others } = answer;
  return { ...others, data: companies ?? answer.data };
}

function undeclared(type) {
  const parts = Object.keys(OF_ANSWERS).map((where) => where.split("."));
  return Object.fromEntries(parts.filter(([owner]) => owner === type).map(([, name]) => [name, `some ${name}`]));
}

/** The ways to what has no value, or no item. */
function empty(value, way = []) {
  if (value === null || value.length === 0) {
    return [way.join(".")];
  }
  if (Array.isArray(value)) {
    return value.flatMap((item) => empty(item, way));
  }
  const parts = typeof value === "object" ? Object.entries(value) : [];
  return parts.flatMap(([name, part]) => empty(part, [...way, name]));
}

/** The ways to fields that are documented as of 1.x and not of 2.x. */
function ofUsersAlone(type, way = []) {
  return Object.values(type.getFields()).flatMap(({ name, description, type }) => {
    const there = [...way, name];
    if (description.startsWith("1.x:") && !description.includes("2.x:")) {
      return [there.join(".")];
    }
    const inner = getNamedType(type);
    return isLeafType(inner) ? [] : ofUsersAlone(inner, there);
  });
}

/** Every field, and every field of those that are objects. */
function selection(type) {
  const fields = Object.values(type.getFields()).map((field) => {
    const inner = getNamedType(field.type);
    return isLeafType(inner) ? field.name : `${field.name} { ${selection(inner)} }`;
  });
  return fields.join(" ");
}

/** Fails on a misfit that is not known, and on a known one that no longer is. */
function compare(misfits, known) {
  const strange = misfits.filter(({ where }) => !(where in known)).map(({ where, what }) => `${where} ${what}`);
  const found = new Set(misfits.map(({ where }) => where));
  const needless = Object.keys(known).filter((where) => !found.has(where));
  assert.deepEqual({ strange: [...new Set(strange)], needless }, { strange: [], needless: [] });
}
