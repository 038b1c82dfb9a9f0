// Clients of frontends: Apollo Client and urql, without a framework.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, test } from "node:test";

import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client/core";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient as createEventsClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import WebSocket from "ws";

import { startRoster } from "./roster.mjs";

const ALL = ["ada", "digitalchalk", "intercom", "scim", "usertour"];
const BY_EMAIL = `query ByEmail($email: String!) {
  usersByEmail(email: $email) { nodes { id email } sources { account status } }
}`;
const PARTIAL = `query Partial {
  accounts { name }
  users(provider: INTERCOM, account: "nobody") { nodes { id } }
}`;
const PAGE = `query Page($after: String) {
  users(provider: ADA, first: 3, after: $after) {
    edges { cursor node { id } }
    pageInfo { hasNextPage endCursor }
  }
}`;
const SEARCH = `subscription Search($email: String!) {
  usersByEmail(email: $email) { source { account } users { id email } }
}`;
const INVALID = "query Invalid { nobody }";

// Apollo's link asks whether an error is of this class; Node has it since 22.
globalThis.WebSocket ??= WebSocket;

let roster, email;
let cleanups = [];
/** The statuses and media types of what was answered over HTTP. */
let answered = [];

before(async () => {
  roster = await startRoster();
  [email] = roster.emails;
});

afterEach(async () => {
  answered = [];
  for (const cleanup of cleanups.splice(0)) {
    await cleanup();
  }
});

after(() => roster?.stop());

async function recordingFetch(...request) {
  const response = await fetch(...request);
  answered.push([response.status, response.headers.get("content-type").split(";")[0]]);
  return response;
}

const GRAPHQL_RESPONSE = "application/graphql-response+json";

function assertPartial(data, errors) {
  assert.deepEqual(
    data.accounts.map(({ name }) => name),
    ALL,
  );
  assert.equal(data.users, null);
  assert.deepEqual(
    errors.map(({ path, extensions }) => [path, extensions.code]),
    [[["users"], "BAD_USER_INPUT"]],
  );
  assert.deepEqual(answered, [[294, GRAPHQL_RESPONSE]]);
}

/** Asserts that there is an event of each account, each with the user. */
function assertSearch(events) {
  const answers = events.map(({ data }) => data.usersByEmail);
  assert.deepEqual(answers.map(({ source }) => source.account).sort(), ALL);
  for (const { users } of answers) {
    assert.deepEqual(
      users.map((user) => user.email),
      [email],
    );
  }
}

function apolloOver(link) {
  const cache = new InMemoryCache({
    typePolicies: { Query: { fields: { users: relayStylePagination(["provider", "account", "filter"]) } } },
  });
  const client = new ApolloClient({ link, cache });
  cleanups.push(() => client.stop());
  return client;
}

function apollo(options) {
  return apolloOver(new HttpLink({ uri: roster.graphql, fetch: recordingFetch, ...options }));
}

/** The values of an observable, until it completes. */
function valuesOf(observable) {
  return new Promise((resolve, reject) => {
    const values = [];
    observable.subscribe({ next: (value) => values.push(value), error: reject, complete: () => resolve(values) });
  });
}

test("Apollo Client: a query", async () => {
  const { data, error } = await apollo().query({ query: gql(BY_EMAIL), variables: { email } });

  assert.equal(error, undefined);
  assert.deepEqual(
    data.usersByEmail.sources.map(({ account }) => account),
    ALL,
  );
  assert.equal(data.usersByEmail.nodes.length, ALL.length);
  assert.deepEqual(answered, [[200, GRAPHQL_RESPONSE]]);
});

test("Apollo Client: data and errors arrive together", async () => {
  const { data, error } = await apollo().query({ query: gql(PARTIAL), errorPolicy: "all" });

  assert.ok(CombinedGraphQLErrors.is(error), String(error));
  assertPartial(data, error.errors);
});

test("Apollo Client: a document that does not validate is refused with GraphQL errors", async () => {
  const refusal = await apollo()
    .query({ query: gql(INVALID) })
    .catch((error) => error);

  assert.ok(CombinedGraphQLErrors.is(refusal), String(refusal));
  assert.deepEqual(
    refusal.errors.map(({ extensions }) => extensions.code),
    ["GRAPHQL_VALIDATION_FAILED"],
  );
  assert.deepEqual(answered, [[422, GRAPHQL_RESPONSE]]);
});

test("Apollo Client: two pages are one list", async () => {
  const client = apollo();
  const whole = `{ users(provider: ADA, first: 6) { nodes { id } } }`;
  const expected = await client.query({ query: gql(whole), fetchPolicy: "no-cache" });
  const first = await client.query({ query: gql(PAGE) });
  const list = client.watchQuery({ query: gql(PAGE) });
  const subscription = list.subscribe(() => {});
  cleanups.push(() => subscription.unsubscribe());

  const { endCursor, hasNextPage } = first.data.users.pageInfo;
  assert.equal(hasNextPage, true);
  await list.fetchMore({ variables: { after: endCursor } });

  const { edges, pageInfo } = client.readQuery({ query: gql(PAGE) }).users;
  assert.deepEqual(
    edges.map(({ node }) => node.id),
    expected.data.users.nodes.map(({ id }) => id),
  );
  assert.equal(pageInfo.endCursor, edges.at(-1).cursor);
});

test("Apollo Client: a subscription over WebSocket", async () => {
  const socket = createSocketClient({ url: roster.socket, webSocketImpl: WebSocket, retryAttempts: 0 });
  cleanups.push(() => socket.dispose());
  const client = apolloOver(new GraphQLWsLink(socket));

  const events = await valuesOf(client.subscribe({ query: gql(SEARCH), variables: { email } }));

  assertSearch(events);
});

test("Apollo Client: a subscription to a field that is not there is an error of it", async () => {
  const socket = createSocketClient({ url: roster.socket, webSocketImpl: WebSocket, retryAttempts: 0 });
  cleanups.push(() => socket.dispose());
  const client = apolloOver(new GraphQLWsLink(socket));

  const [{ error }] = await valuesOf(client.subscribe({ query: gql("subscription { nobody }") }));

  assert.ok(CombinedGraphQLErrors.is(error), String(error));
  assert.equal(error.errors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
});

test("Apollo Client: data and errors arrive together as application/json, too", async () => {
  const { data, error } = await apollo({ headers: { accept: "application/json" } }).query({
    query: gql(PARTIAL),
    errorPolicy: "all",
  });

  assert.ok(CombinedGraphQLErrors.is(error), String(error));
  assert.equal(data.accounts.length, ALL.length);
  assert.deepEqual(answered, [[294, "application/json"]]);
});

test("Apollo Client: hashes of persisted queries give way to the documents", async () => {
  const persisted = new PersistedQueryLink({ sha256: (text) => createHash("sha256").update(text).digest("hex") });
  const http = new HttpLink({ uri: roster.graphql, fetch: recordingFetch });
  const client = apolloOver(persisted.concat(http));

  for (const query of ["{ accounts { name } }", "{ accounts { provider } }"]) {
    const { data, error } = await client.query({ query: gql(query) });

    assert.equal(error, undefined);
    assert.equal(data.accounts.length, ALL.length);
  }

  // The client learns from the first refusal.
  assert.deepEqual(
    answered.map(([status]) => status),
    [400, 200, 200],
  );
});

function urql(options) {
  return new Client({
    url: roster.graphql,
    exchanges: [cacheExchange, fetchExchange],
    preferGetMethod: false,
    fetch: recordingFetch,
    ...options,
  });
}

test("urql: a query", async () => {
  const { data, error } = await urql().query(BY_EMAIL, { email });

  assert.equal(error, undefined);
  assert.equal(data.usersByEmail.nodes.length, ALL.length);
  assert.deepEqual(answered, [[200, GRAPHQL_RESPONSE]]);
});

test("urql: a query over GET", async () => {
  const { data, error } = await urql({ preferGetMethod: "force" }).query(BY_EMAIL, { email });

  assert.equal(error, undefined);
  assert.equal(data.usersByEmail.nodes.length, ALL.length);
  assert.deepEqual(answered, [[200, GRAPHQL_RESPONSE]]);
});

test("urql: data and errors arrive together", async () => {
  const { data, error } = await urql().query(PARTIAL, {});

  assert.equal(error.networkError, undefined);
  assertPartial(data, error.graphQLErrors);
});

test("urql: a document that does not validate is refused with GraphQL errors", async () => {
  const { data, error } = await urql().query(INVALID, {});

  assert.equal(data, undefined);
  assert.equal(error.networkError, undefined);
  assert.deepEqual(
    error.graphQLErrors.map(({ extensions }) => extensions.code),
    ["GRAPHQL_VALIDATION_FAILED"],
  );
  assert.deepEqual(answered, [[422, GRAPHQL_RESPONSE]]);
});

/** What a subscription of urql brings until it ends. The client says the last result again at the end. */
function eventsOf(client) {
  return new Promise((resolve) => {
    const events = [];
    const source = client.subscription(SEARCH, { email });
    source.subscribe((result) => (result.hasNext ? events.push(result) : resolve(events)));
  });
}

test("urql: a subscription through its own fetch, as server-sent events", async () => {
  const events = await eventsOf(urql({ fetchSubscriptions: true }));

  assertSearch(events);
  assert.deepEqual(answered, [[200, "text/event-stream"]]);
});

test("urql: a subscription through graphql-sse", async () => {
  const stream = createEventsClient({ url: roster.graphql, retryAttempts: 0 });
  cleanups.push(() => stream.dispose());
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: stream.subscribe({ query, variables }, sink) }),
  });

  const client = urql({ exchanges: [cacheExchange, subscriptionExchange({ forwardSubscription })] });

  assertSearch(await eventsOf(client));
});
