import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { startGateway } from "./gateway.mjs";
import { startOrders } from "./orders.mjs";
import { ask, startRoster } from "./roster.mjs";
import { compose } from "./supergraph.mjs";

const ALL = ["ADA", "DIGITAL_CHALK", "INTERCOM", "SCIM", "USERTOUR"];
const BUYERS = 100;

let roster, orders, gateway, emails;

before(async () => {
  roster = await startRoster();
  emails = await addresses(BUYERS);
  orders = await startOrders(emails);
  const { supergraphSdl } = compose({ rosterAddress: roster.graphql, ordersAddress: orders.address });
  gateway = await startGateway(supergraphSdl);
});

beforeEach(() => gateway.requests.splice(0));

after(async () => {
  await gateway?.stop();
  await orders?.stop();
  await roster?.stop();
});

test("an order leads to its buyer's records in all providers", async () => {
  const { order } = await ask(
    gateway.address,
    "{ order(number: 1) { item buyer { email name users { provider email } } } }",
  );

  const [email] = emails;
  const { person } = await ask(roster.graphql, "query ($email: String!) { person(email: $email) { name } }", { email });
  assert.deepEqual(order, {
    item: "Item 1",
    buyer: { email, name: person.name, users: ALL.map((provider) => ({ provider, email })) },
  });
  assert.deepEqual(gateway.requests, [
    { subgraph: "orders", representations: [] },
    { subgraph: "roster", representations: [{ __typename: "Person", email }] },
  ]);
});

test("a user leads to what the other team hangs on it", async () => {
  const query = (fields) => `query ($email: String!) { usersByEmail(email: $email) { nodes { ${fields} } } }`;
  const [email] = emails;

  const found = await ask(gateway.address, query("id provider tickets { title user { id email } }"), { email });

  const { usersByEmail } = await ask(roster.graphql, query("id provider"), { email });
  assert.deepEqual(usersByEmail.nodes.map(({ provider }) => provider), ALL);
  assert.deepEqual(
    found.usersByEmail.nodes,
    usersByEmail.nodes.map(({ id, provider }) => ({
      id,
      provider,
      tickets: [{ title: `About ${id}`, user: { id, email } }],
    })),
  );
  assert.deepEqual(
    gateway.requests.map(({ subgraph, representations }) => [subgraph, representations.length]),
    [["roster", 0], ["orders", ALL.length], ["roster", ALL.length]],
  );
});

test("a person leads to orders and back, over both teams", async () => {
  const [email] = emails;

  const { person } = await ask(
    gateway.address,
    `query ($email: String!) {
      person(email: $email) { orders { number buyer { users { provider tickets { title } } } } }
    }`,
    { email },
  );

  assert.deepEqual(person.orders.map(({ number }) => number), ["1"]);
  const [{ buyer }] = person.orders;
  assert.deepEqual(buyer.users.map(({ provider }) => provider), ALL);
  assert.ok(buyer.users.every(({ tickets }) => tickets.length === 1));
});

test("a hundred people are asked for in one request, and each is answered", async () => {
  const found = await ask(gateway.address, "{ orders { buyer { email users { email } } } }");

  assert.deepEqual(found.orders.map(({ buyer }) => buyer.email), emails);
  for (const { buyer } of found.orders) {
    assert.ok(buyer.users.length > 0, `nobody has ${buyer.email}`);
    assert.deepEqual(new Set(buyer.users.map((user) => user.email.toLowerCase())), new Set([buyer.email]));
  }
  assert.deepEqual(
    gateway.requests.map(({ subgraph, representations }) => [subgraph, representations.length]),
    [["orders", 0], ["roster", BUYERS]],
  );
});

test("a buyer whom no provider knows has no records, and the neighbours theirs", async () => {
  const people = ["nobody@x.test", emails[0]];

  const { _entities } = await ask(
    roster.graphql,
    "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Person { email users { provider } } } }",
    { of: people.map((email) => ({ __typename: "Person", email })) },
  );

  assert.deepEqual(_entities, [
    { email: "nobody@x.test", users: [] },
    { email: emails[0], users: ALL.map((provider) => ({ provider })) },
  ]);
});

/** The demo's own example first, then others that Usertour knows. */
async function addresses(count) {
  const query = "{ users(provider: USERTOUR, first: 300) { nodes { email } } }";
  const { users } = await ask(roster.graphql, query);
  const known = users.nodes.flatMap(({ email }) => (email ? [email.toLowerCase()] : []));
  const all = [...new Set([roster.emails[0], ...known])];
  assert.ok(all.length >= count, `the demo has only ${all.length} addresses`);
  return all.slice(0, count);
}
