// Subscriptions, queries and mutations through the clients of three protocols: WebSocket, the older
// WebSocket, and server-sent events.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { createClient as createEventsClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import { SubscriptionClient } from "subscriptions-transport-ws";
import WebSocket from "ws";

import { ask, delay, startRoster } from "./roster.mjs";

const ALL = ["ada", "digitalchalk", "intercom", "scim", "usertour"];
const SEARCH = `subscription ($email: String!, $accounts: [String!]) {
  usersByEmail(email: $email, accounts: $accounts) { source { account status } users { id email } }
}`;
const ACCOUNTS = "{ accounts { name } }";
const INVALID = "{ nobody }";

let roster, email;
let cleanups = [];

before(async () => {
  roster = await startRoster();
  [email] = roster.emails;
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) {
    await cleanup();
  }
});

after(() => roster?.stop());

/** A client of `graphql-transport-ws`. */
function socketClient(options) {
  const client = createSocketClient({ url: roster.socket, webSocketImpl: WebSocket, retryAttempts: 0, ...options });
  cleanups.push(() => client.dispose());
  return client;
}

/** A client of server-sent events, with a connection for each operation. */
function eventsClient() {
  const client = createEventsClient({ url: roster.graphql, retryAttempts: 0 });
  cleanups.push(() => client.dispose());
  return client;
}

/** A client of the older `graphql-ws`. */
function olderClient() {
  const client = new SubscriptionClient(roster.socket, { reconnect: false }, WebSocket);
  cleanups.push(() => client.close());
  return { subscribe: (request, sink) => client.request(request).subscribe(sink) };
}

/** All results of an operation. */
function results(client, request) {
  return new Promise((resolve, reject) => {
    const all = [];
    client.subscribe(request, { next: (result) => all.push(result), error: reject, complete: () => resolve(all) });
  });
}

/** Asserts that events say together what the query says at once, an event for each account. */
async function assertWholeAnswer(events) {
  const query = `query ($email: String!) {
    usersByEmail(email: $email) { sources { account status } nodes { id email } }
  }`;
  const { usersByEmail: whole } = await ask(roster.graphql, query, { email });
  assert.deepEqual(
    events.map(({ errors }) => errors),
    ALL.map(() => undefined),
  );
  const answers = events.map(({ data }) => data.usersByEmail);
  const sources = answers.map(({ source }) => source).sort((a, b) => a.account.localeCompare(b.account));
  const users = answers.flatMap(({ users }) => users).sort((a, b) => a.id.localeCompare(b.id));
  assert.deepEqual(sources, whole.sources);
  assert.deepEqual(
    users,
    whole.nodes.sort((a, b) => a.id.localeCompare(b.id)),
  );
  assert.equal(users.length, ALL.length);
}

const clients = { "graphql-ws": socketClient, "graphql-sse": eventsClient, "subscriptions-transport-ws": olderClient };

for (const [name, connect] of Object.entries(clients)) {
  test(`${name}: a subscription has an event for each account, and ends`, async () => {
    await assertWholeAnswer(await results(connect(), { query: SEARCH, variables: { email } }));
  });

  test(`${name}: a query has one result`, async () => {
    const [{ data, errors }, ...rest] = await results(connect(), { query: ACCOUNTS });

    assert.equal(errors, undefined);
    assert.deepEqual(data, { accounts: ALL.map((name) => ({ name })) });
    assert.deepEqual(rest, []);
  });

  test(`${name}: a mutation has one result`, async () => {
    const address = `${name}@clients.test`;
    const query = `mutation ($email: String!) {
      upsertUser(input: { provider: INTERCOM, email: $email, name: "Client" }) { outcome user { email } }
    }`;

    const [{ data, errors }, ...rest] = await results(connect(), { query, variables: { email: address } });

    assert.equal(errors, undefined);
    assert.deepEqual(data, { upsertUser: { outcome: "CREATED", user: { email: address } } });
    assert.deepEqual(rest, []);
  });

  test(`${name}: a field that fails comes with its error`, async () => {
    const query = '{ users(provider: INTERCOM, account: "nobody") { nodes { id } } accounts { name } }';

    const [{ data, errors }, ...rest] = await results(connect(), { query });

    assert.equal(data.users, null);
    assert.equal(data.accounts.length, ALL.length);
    assert.deepEqual(
      errors.map(({ path, extensions }) => [path, extensions.code]),
      [[["users"], "BAD_USER_INPUT"]],
    );
    assert.deepEqual(rest, []);
  });
}

test("graphql-ws: a document that does not validate is an error of the operation, and the socket stays", async () => {
  const closed = [];
  const client = socketClient({ lazy: false, on: { closed: (event) => closed.push(event) } });

  const refusal = await results(client, { query: INVALID }).catch((errors) => errors);

  assert.deepEqual(
    refusal.map(({ extensions }) => extensions.code),
    ["GRAPHQL_VALIDATION_FAILED"],
  );
  assert.match(refusal[0].message, /nobody/);
  assert.equal((await results(client, { query: ACCOUNTS })).length, 1);
  assert.deepEqual(closed, []);
});

test("subscriptions-transport-ws: a document that does not validate is an error of the operation", async () => {
  const refusal = await results(olderClient(), { query: INVALID }).catch((error) => error);

  assert.equal(refusal.extensions?.code, "GRAPHQL_VALIDATION_FAILED");
  assert.match(refusal.message, /nobody/);
});

test("graphql-sse: a document that does not validate is a result with errors", async () => {
  const [{ data, errors }, ...rest] = await results(eventsClient(), { query: INVALID });

  assert.equal(data, undefined);
  assert.deepEqual(
    errors.map(({ extensions }) => extensions.code),
    ["GRAPHQL_VALIDATION_FAILED"],
  );
  assert.deepEqual(rest, []);
});

test("graphql-ws: nothing comes after a client has unsubscribed", async () => {
  const messages = [];
  const client = socketClient({ lazy: false, on: { message: (message) => messages.push(message) } });
  await delay(roster, "intercom", 500);
  cleanups.push(() => delay(roster, "intercom"));
  const subscription = client.iterate({ query: SEARCH, variables: { email: "mixed.case@usertour.test" } });
  const { value } = await subscription.next();
  assert.notEqual(value.data.usersByEmail.source.account, "intercom");

  await subscription.return();
  // What is asked later of the same slow provider ends later than what was asked before would have.
  const later = await results(client, { query: SEARCH, variables: { email: "later@x.test", accounts: ["intercom"] } });

  assert.equal(later.length, 1);
  const [{ id }] = messages.filter(({ type }) => type === "next");
  const ofFirst = messages.filter((message) => message.id === id);
  const ofIntercom = ofFirst.filter(({ payload }) => payload?.data.usersByEmail.source.account === "intercom");
  assert.deepEqual(ofIntercom, []);
  assert.deepEqual(
    ofFirst.filter(({ type }) => type === "complete"),
    [],
  );
});

test("graphql-ws: a program that stops says so, and the client goes to the next one", async () => {
  const first = await startRoster();
  cleanups.push(first.stop);
  let current = first;
  const closed = [];
  const connected = [];
  const client = socketClient({
    url: () => current.socket,
    lazy: false,
    retryAttempts: 5,
    retryWait: async () => {},
    on: { closed: ({ code }) => closed.push(code), connected: ({ url }) => connected.push(url) },
  });
  await assertWholeAnswer(await results(client, { query: SEARCH, variables: { email } }));

  current = roster;
  assert.equal(await first.terminate(), 0);

  await assertWholeAnswer(await results(client, { query: SEARCH, variables: { email } }));
  assert.deepEqual(closed, [1001]);
  assert.equal(connected.length, 2);
  assert.equal(connected[1], roster.socket);
});
