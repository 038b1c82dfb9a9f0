// What `docs/clients.md` says and shows, run as it stands there. What it shows for a browser runs in one: see
// `clients-doc-browser.test.mjs`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";

import { buildSchema, getNamedType, isAbstractType, isObjectType } from "graphql";
import WebSocket from "ws";

import { PAGE, blocks, clientSchema, compiled, shell } from "./document.mjs";
import { ask, delay, fault, startRoster } from "./roster.mjs";

const ALL = ["ada", "digitalchalk", "intercom", "scim", "usertour"];
const PAGE_SIZE = 20;

// Node has it since 22; browsers always had.
globalThis.WebSocket ??= WebSocket;

let roster, schema, project;
let cleanups = [];

before(async () => {
  roster = await startRoster();
  schema = await clientSchema();
  project = await compiled(roster);
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup();
  }
});

after(async () => {
  await project?.remove();
  await roster?.stop();
});

/** A gateway that a test may make ill, with the page's project for it. */
async function apart() {
  const gateway = await startRoster();
  cleanups.push(gateway.stop);
  const project = await compiled(gateway);
  cleanups.push(project.remove);
  return { gateway, project };
}

/** The client of the page's project in a process without a browser. */
async function apollo(project) {
  const { client } = await project.load("apollo/client.js");
  cleanups.push(() => client.stop());
  return { client, ...(await project.load("documents.js")) };
}

test("every block is short, and a file that is run or a command", async () => {
  for (const { language, file, text } of await blocks()) {
    assert.ok(file || language === "sh", `what is this block for?\n${text}`);
    assert.ok(text.trimEnd().split("\n").length <= 30, `${file} has more than 30 lines`);
    const longest = Math.max(...text.split("\n").map((line) => line.length));
    assert.ok(longest <= 130, `${file} has a line of ${longest} characters`);
  }
});

test("every package that the page installs is one that the tests install, of the same version", async () => {
  const { devDependencies } = JSON.parse(await readFile(new URL("package.json", import.meta.url), "utf8"));
  const page = await readFile(PAGE, "utf8");
  const packages = [...page.matchAll(/npm install (?:--save-dev )?([^`\n]*)/g)].flatMap(([, names]) =>
    names.split(" "),
  );
  assert.ok(packages.length > 15);
  const isTested = (name, version) => devDependencies[name]?.startsWith(`${version}.`);
  assert.deepEqual(
    packages.filter((text) => !isTested(...text.split(/(?<=.)@/))),
    [],
  );
});

test("types.js names every union, and every type without a global id", async () => {
  const { possibleTypes, embedded } = await project.load("types.js");
  const described = buildSchema(schema);
  const types = Object.values(described.getTypeMap()).filter(({ name }) => !name.startsWith("__"));
  const names = (list) => list.map(({ name }) => name).sort();

  const abstract = types.filter(isAbstractType).map((type) => [type.name, names(described.getPossibleTypes(type))]);
  assert.deepEqual(possibleTypes, Object.fromEntries(abstract));

  const keyed = ["Person", "User"];
  const ofLists = ["UserConnection", "UserEdge", "PageInfo"];
  const roots = ["Query", "Mutation", "Subscription"];
  const others = types.filter((type) => isObjectType(type) && ![...keyed, ...ofLists, ...roots].includes(type.name));
  assert.deepEqual([...embedded].sort(), names(others));
});

test("the table of scalars and the table of codes are the schema's", async () => {
  const page = await readFile(PAGE, "utf8");
  const described = buildSchema(schema);
  const scalars = Object.values(described.getTypeMap()).filter(
    ({ astNode }) => astNode?.kind === "ScalarTypeDefinition",
  );
  const codes = described.getType("RosterErrorCode").getValues();
  for (const { name } of [...scalars, ...codes]) {
    assert.match(page, new RegExp(`^\\| .*\`${name}\`.* \\|$`, "m"), name);
  }
  assert.equal(getNamedType(described.getType("User").getFields().createdAt.type).name, "DateTime");
});

/** The codes in the page's rows whose first column has a word. */
async function codesOf(word) {
  const page = await readFile(PAGE, "utf8");
  const rows = [...page.matchAll(/^\| ([^|]*) \| ([^|]*) \|$/gm)].filter(([, kind]) => kind.includes(word));
  return rows.flatMap(([, , codes]) => [...codes.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code)).sort();
}

test("the table of notices has each code once, and those that pass are the ones to ask again for", async () => {
  const { PASSING_NOTICES } = await project.load("answers.js");
  const codes = buildSchema(schema)
    .getType("NoticeCode")
    .getValues()
    .map(({ name }) => name);
  const kinds = await Promise.all(["stays:", "passes:", "needs a narrower", "needs the operator"].map(codesOf));
  assert.deepEqual(kinds.flat().sort(), codes.sort());
  assert.deepEqual([...PASSING_NOTICES].sort(), kinds[1]);
});

test("users read a text for every code, of a failure and of a notice", async () => {
  const { textOf } = await project.load("texts.js");
  const described = buildSchema(schema);
  const codes = ["RosterErrorCode", "NoticeCode"].flatMap((name) => described.getType(name).getValues());
  const unknown = textOf("SOMETHING_NEW");
  assert.ok(unknown);
  assert.deepEqual(
    codes.map(({ name }) => name).filter((name) => textOf(name) === unknown),
    [],
  );
});

const report = (status, more = {}) => ({ account: "ada", status, notices: [], error: null, stale: false, ...more });
const notices = (...codes) => ({ notices: codes.map((code) => ({ code, message: `for operators: ${code}` })) });

test("gaps tell of old data in an answer that lacks nobody, and never what is meant for operators", async () => {
  const { gaps, mayPass } = await project.load("answers.js");
  const old = report("COMPLETE", { stale: true, asOf: "2026-02-03T04:05:06Z" });
  const spelling = report("PARTIAL", notices("SEARCH_INCOMPLETE"));
  const failing = report("PARTIAL", { ...notices("STALE"), error: { code: "PROVIDER_UNAVAILABLE", message: "503" } });

  assert.match(gaps([old]).join(), /^ada: as of .*2026/);
  assert.deepEqual(gaps([report("COMPLETE"), report("DISABLED")]), []);
  const limited = report("FAILED", { error: { code: "PROVIDER_RATE_LIMITED", retryAfter: 7 } });
  assert.equal(gaps([limited]).at(-1), "ada: ask again in 7 seconds");
  assert.doesNotMatch(gaps([old, spelling, failing]).join(), /operators|503/);
  assert.deepEqual([spelling, failing, report("PARTIAL", notices("DEADLINE_EXCEEDED"))].map((one) => mayPass([one])), [
    false,
    true,
    true,
  ]);
});

test("an empty list means nobody only where every account was searched", async () => {
  const { nobody } = await project.load("answers.js");
  const spelling = report("PARTIAL", notices("SEARCH_INCOMPLETE"));
  const skipped = report("SKIPPED", notices("UNSUPPORTED"));
  const failed = report("FAILED", { error: { code: "PROVIDER_AUTH" } });
  assert.equal(nobody([report("COMPLETE"), report("DISABLED")]), "Nobody.");
  assert.match(nobody([report("COMPLETE"), spelling]), /as far as these accounts can search/);
  assert.match(nobody([report("COMPLETE"), skipped]), /as far as these accounts can search/);
  assert.match(nobody([spelling, failed]), /not known/);
});

test("an error of every client has a code, also where the gateway gave no answer", async () => {
  const { problemsOf } = await project.load("problems.js");
  const errors = [{ extensions: { code: "OVERLOADED", retryAfter: 1 } }];
  for (const error of [{ errors }, { graphQLErrors: errors }, errors]) {
    assert.deepEqual(problemsOf(error), [{ code: "OVERLOADED", retryAfter: 1 }]);
  }
  for (const error of [new TypeError("Failed to fetch"), { graphQLErrors: [] }, { code: 1006 }]) {
    assert.deepEqual(problemsOf(error), [{ code: "NETWORK" }]);
  }
});

test("every Relay document asks for the seconds to wait", async () => {
  const documents = (await blocks()).filter(({ file, text }) => /^relay/.test(file) && /graphql`/.test(text));
  const sources = documents.flatMap(({ text }) => text.match(/error \{[^}]*\}/g) ?? []);
  assert.ok(sources.length >= 3);
  assert.deepEqual(
    sources.filter((text) => !text.includes("retryAfter")),
    [],
  );
});

test("the page says for how long an answer may take by default", async () => {
  const settings = await readFile(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  const [, seconds] = settings.match(/^\| `deadline_seconds` \| `(\d+)\.0` \|/m);
  assert.match(await readFile(PAGE, "utf8"), new RegExp(`\\b${seconds} seconds\\b[^.]*\`deadline_seconds\``));
});

test("the schema of the repository is not one for clients: Relay's compiler stops", async () => {
  const repository = await readFile(new URL("../../schema.graphql", import.meta.url), "utf8");
  const own = await compiled(roster);
  cleanups.push(own.remove);
  await own.write("schema.graphql", repository);
  await assert.rejects(own.tool("relay-compiler", "relay.config.json"), /panicked/);
});

test("a fresh answer of an ill provider has nothing, a plain one still has the users of before", async () => {
  const { gateway } = await apart();
  const users = async (headers) => {
    const body = JSON.stringify({ query: "{ users(provider: USERTOUR, first: 3) { nodes { id } } }" });
    const response = await fetch(gateway.graphql, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    return (await response.json()).data.users;
  };
  await users();
  await fault(gateway, { provider: "usertour", kind: "status", status: 503 });

  assert.equal(await users({ "cache-control": "no-cache" }), null);
  assert.equal((await users()).nodes.length, 3);
  assert.match(await readFile(PAGE, "utf8"), /`users` is then `null`/);
});

test("the faults of the page make the codes that it tells of, and are healed", async () => {
  const { gateway } = await apart();
  const commands = (await blocks()).find(({ text }) => text.includes("_sandbox")).text.split("\n");
  const host = new URL(gateway.sandbox).host;
  const run = (line) => shell(line.replace("127.0.0.1:8081", host));
  const [faults, [heal]] = ["--json", "DELETE"].map((word) => commands.filter((line) => line.includes(word)));
  const search = async () => {
    const body = JSON.stringify({
      query: '{ usersByEmail(email: "ann@x.test") { sources { account error { code retryAfter } } } }',
    });
    const headers = { "content-type": "application/json", prefer: "wait=3" };
    const { data } = await (await fetch(gateway.graphql, { method: "POST", headers, body })).json();
    return Object.fromEntries(data.usersByEmail.sources.map(({ account, error }) => [account, error?.code ?? null]));
  };

  for (const fault of faults) {
    await run(fault);
  }
  const ill = await search();
  await run(heal);

  assert.deepEqual(ill, {
    ada: "PROVIDER_RATE_LIMITED",
    digitalchalk: "PROVIDER_UNAVAILABLE",
    intercom: "DEADLINE_EXCEEDED",
    scim: null,
    usertour: null,
  });
  const { ada, ...others } = await search();
  assert.deepEqual([ada, ...Object.values(others)], ["PROVIDER_RATE_LIMITED", null, null, null, null]);
});

test("the partial answer is the one that the page shows, with the status 294", async () => {
  const response = await fetch(roster.graphql, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: await project.read("partial.graphql") }),
  });
  const { extensions: _, ...answer } = await response.json();

  assert.equal(response.status, 294);
  assert.equal(response.ok, true);
  assert.deepEqual(answer, JSON.parse(await project.read("partial.json")));
});

test("secondsToRetry waits for the longest, and never for what does not pass", async () => {
  const { secondsToRetry } = await project.load("problems.js");
  const limited = { code: "PROVIDER_RATE_LIMITED", retryAfter: 7 };
  assert.equal(secondsToRetry([limited, { code: "OVERLOADED" }]), 7);
  assert.equal(secondsToRetry([limited, { code: "BAD_USER_INPUT" }]), null);
  assert.equal(secondsToRetry([]), null);
});

test("Apollo Client keeps data that comes with errors", async () => {
  const { client } = await apollo(project);
  const { gql } = await import("@apollo/client");

  const { data, error } = await client.query({ query: gql(await project.read("partial.graphql")) });

  assert.equal(data.users, null);
  assert.deepEqual(
    data.accounts.map(({ name }) => name),
    ALL,
  );
  assert.equal(error.errors[0].extensions.code, "BAD_USER_INPUT");
});

test("Apollo Client's cache joins pages with their sources, until the list is read from its start", async () => {
  const { client, USERS } = await apollo(project);
  const variables = { provider: "ADA" };
  const first = await client.query({ query: USERS, variables, fetchPolicy: "network-only" });
  const { endCursor } = first.data.users.pageInfo;

  await client.query({ query: USERS, variables: { ...variables, after: endCursor }, fetchPolicy: "network-only" });

  const { users } = client.readQuery({ query: USERS, variables });
  assert.equal(users.edges.length, 2 * PAGE_SIZE);
  assert.deepEqual(
    users.sources.map(({ status }) => status),
    ["COMPLETE", "COMPLETE"],
  );
  await client.query({ query: USERS, variables, fetchPolicy: "network-only" });
  assert.equal(client.readQuery({ query: USERS, variables }).users.sources.length, 1);
});

// Two lists that differ in one argument, for each argument that makes another list.
const LISTS = [
  "users(provider: ADA, first: 2)",
  "users(provider: USERTOUR, first: 2)",
  'users(provider: USERTOUR, account: "usertour", first: 3)',
  "users(provider: INTERCOM, filter: { kind: USER }, first: 2)",
  "users(provider: INTERCOM, filter: { kind: LEAD }, first: 2)",
  'usersByEmail(email: "ann@x.test")',
  'usersByEmail(email: "joann@x.test")',
  'usersByEmail(email: "joann@x.test", match: SUBSTRING)',
  'usersByEmail(email: "joann@x.test", providers: [ADA])',
  'usersByEmail(email: "joann@x.test", accounts: ["intercom"])',
].map(
  (field) => `query { ${field} { edges { cursor node { id provider email } } pageInfo { endCursor hasNextPage } } }`,
);

const idsOf = ({ data }) => Object.values(data).flatMap((list) => (list.edges ?? []).map(({ node }) => node.id));

test("the caches of Apollo Client and urql keep lists with other arguments apart", async () => {
  const { gql } = await import("@apollo/client");
  const { client } = await apollo(project);
  const { client: other } = await project.load("urql/client.js");
  const expected = [];
  for (const query of LISTS) {
    expected.push(idsOf({ data: await ask(roster.graphql, query) }));
    await client.query({ query: gql(query), fetchPolicy: "network-only" });
    await other.query(query, {}, { requestPolicy: "network-only" });
  }

  const kept = LISTS.map((query) => idsOf({ data: client.readQuery({ query: gql(query) }) }));
  const keptByUrql = await Promise.all(LISTS.map((query) => other.query(query, {}, { requestPolicy: "cache-only" })));

  assert.deepEqual(kept, expected);
  assert.deepEqual(keptByUrql.map(idsOf), expected);
});

test("Apollo Client's cache keeps details inside their user, and joins what two queries read of them", async () => {
  const { client } = await apollo(project);
  const { gql } = await import("@apollo/client");
  const queries = ["id", "createdAt"].map(
    (field) =>
      gql`{ user(provider: USERTOUR, by: { externalId: "crm-ann" }) { id details { ... on UsertourUser { ${field} } } } }`,
  );

  for (const query of queries) {
    await client.query({ query });
  }

  const [{ user: ofId }, { user: ofMoment }] = queries.map((query) => client.readQuery({ query }));
  assert.equal(ofId.details.id, "crm-ann");
  assert.ok(ofMoment.details.createdAt);
  const keys = Object.keys(client.cache.extract());
  assert.ok(keys.includes(`User:${ofId.id}`), keys.join());
  assert.deepEqual(
    keys.filter((key) => key.startsWith("UsertourUser")),
    [],
  );
});

const CALLS = `query Calls { usersByEmail(email: "ann@x.test", accounts: ["intercom"]) { sources { calls } } }`;

test("a fresh answer asks the provider again", async () => {
  const { gql } = await import("@apollo/client");
  const { fresh } = await project.load("apollo/options.js");
  const urql = await project.load("urql/options.js");
  const { client } = await apollo(project);
  const { client: other } = await project.load("urql/client.js");
  const query = gql(CALLS);
  await client.query({ query, ...fresh });

  const kept = await client.query({ query, fetchPolicy: "network-only" });
  const again = await client.query({ query, ...fresh });
  const urqlKept = await other.query(CALLS, {}, { requestPolicy: "network-only" });
  const urqlAgain = await other.query(CALLS, {}, urql.fresh);

  const calls = ({ data }) => data.usersByEmail.sources[0].calls;
  assert.deepEqual([kept, again, urqlKept, urqlAgain].map(calls), [0, 1, 0, 1]);
});

test("a quick answer leaves out the account that is late", async () => {
  const { gateway, project } = await apart();
  const { client, SEARCH } = await apollo(project);
  const { client: other } = await project.load("urql/client.js");
  const { quick } = await project.load("apollo/options.js");
  const urql = await project.load("urql/options.js");
  await delay(gateway, "intercom", 20_000);
  const variables = { text: "ann@x.test", match: "EXACT" };

  const start = performance.now();
  const answers = await Promise.all([
    client.query({ query: SEARCH, variables, ...quick }),
    other.query('{ usersByEmail(email: "joann@x.test") { sources { account error { code } } } }', {}, urql.quick),
  ]);

  // The gateway's own limit is 15 seconds.
  assert.ok(performance.now() - start < 12_000);
  for (const { data, error } of answers) {
    assert.equal(error, undefined);
    const late = data.usersByEmail.sources.filter(({ error }) => error);
    assert.deepEqual(
      late.map(({ account, error }) => [account, error.code]),
      [["intercom", "DEADLINE_EXCEEDED"]],
    );
  }
});

test("a request ends when its signal says so", async () => {
  const { gateway, project } = await apart();
  const { client, SEARCH } = await apollo(project);
  const { until } = await project.load("apollo/options.js");
  await delay(gateway, "intercom", 20_000);
  const abort = new AbortController();

  const answer = client.query({
    query: SEARCH,
    variables: { text: "ann@x.test", match: "EXACT" },
    ...until(abort.signal),
  });
  abort.abort();

  const { error } = await answer.catch((error) => ({ error }));
  assert.equal(error.name, "AbortError");
});

test("a query is tried again after an error that passes, and after no other", async () => {
  const { gateway, project } = await apart();
  const { client, USERS } = await apollo(project);
  const { queryPatiently } = await project.load("apollo/patiently.js");
  const { wait } = await project.load("urql/options.js");
  const { client: other } = await project.load("urql/client.js");
  const variables = { provider: "DIGITAL_CHALK" };
  await fault(gateway, { provider: "digitalchalk", kind: "status", status: 503, count: 3 });

  const { data, error } = await queryPatiently(client, { query: USERS, variables });

  assert.equal(error, undefined);
  assert.equal(data.users.edges.length, PAGE_SIZE);
  await fault(gateway, { provider: "intercom", kind: "rate_limit", retry_after: 60 });
  const limited = await other.query("{ users(provider: INTERCOM) { nodes { id } } }", {});
  assert.ok(wait(limited) > 50 && wait(limited) <= 60, String(wait(limited)));
  const refused = await queryPatiently(client, { query: USERS, variables: { ...variables, after: "nothing" } });
  assert.equal(refused.error.errors[0].extensions.code, "BAD_USER_INPUT");
});

test("a user is renamed, and everybody who shows him is told", async () => {
  const { gateway, project } = await apart();
  const { client } = await apollo(project);
  const { gql } = await import("@apollo/client");
  const { rename } = await project.load("apollo/rename.js");
  const { quick } = await project.load("apollo/options.js");
  const query = gql`
    {
      usersByEmail(email: "ann@x.test", providers: [INTERCOM]) {
        nodes {
          id
          name
          provider
          account
          remoteId
        }
      }
    }
  `;
  const found = await client.query({ query });
  const [user] = found.data.usersByEmail.nodes;

  assert.equal(await rename(client, user, "Ann Again"), "Done: UPDATED");
  assert.equal(client.readQuery({ query }).usersByEmail.nodes[0].name, "Ann Again");
  assert.match(await rename(client, { ...user, account: "nobody" }, "A"), /^input account: not accepted/);
  assert.match(await rename(client, user, "A".repeat(5000)), /^input name: not accepted/);

  const hasty = { mutate: (options) => client.mutate({ ...options, ...quick }) };
  await fault(gateway, { provider: "intercom", kind: "hang", method: "PUT" });
  assert.match(await rename(hasty, user, "Ann Lost"), /^It is not known whether the name was saved/);
});

test("urql keeps data that comes with errors", async () => {
  const { client } = await project.load("urql/client.js");

  const { data, error } = await client.query(await project.read("partial.graphql"), {});

  assert.equal(data.users, null);
  assert.equal(data.accounts.length, ALL.length);
  assert.equal(error.graphQLErrors[0].extensions.code, "BAD_USER_INPUT");
});

test("graphql-codegen makes the possible types, and types that hold", async () => {
  await project.write(
    "tsconfig.json",
    JSON.stringify({
      compilerOptions: {
        ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
        ...{ module: "esnext", moduleResolution: "bundler", target: "es2022" },
      },
      files: ["typed/roles.ts", "typed/wrong.ts"],
    }),
  );
  await project.write(
    "typed/wrong.ts",
    `import type { ApolloClient } from "@apollo/client";
     import { roles } from "./roles.js";
     // @ts-expect-error the address is a text
     export const wrong = (client: ApolloClient) => roles(client, 1);`,
  );

  await project.tool("graphql-codegen", "--config", "codegen.ts");
  await project.tool("tsc", "--project", ".");

  const made = JSON.parse(await project.read("possible-types.json"));
  assert.deepEqual(made.possibleTypes, (await project.load("types.js")).possibleTypes);
  await project.tool("esbuild", "typed/roles.ts", "--bundle", "--format=esm", "--outfile=typed/roles.js");
  const { roles } = await project.load("typed/roles.js");
  const { client } = await apollo(project);
  assert.deepEqual(await roles(client, "ann@x.test"), ["user"]);
});

/** What a browser is told before it sends JSON from a page of an origin. */
async function preflight({ graphql }, origin) {
  const headers = { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
  const answer = await fetch(graphql, { method: "OPTIONS", headers });
  return ["allow-origin", "max-age"].map((name) => answer.headers.get(`access-control-${name}`));
}

test("pages of listed origins may call the demo, and those of this machine", async () => {
  const gateway = await startRoster("--cors-origin", "https://app.example");
  cleanups.push(gateway.stop);

  assert.deepEqual(await preflight(gateway, "https://app.example"), ["https://app.example", "7200"]);
  assert.deepEqual(await preflight(gateway, "http://localhost:5173"), ["http://localhost:5173", "7200"]);
  const [allowed] = await preflight(gateway, "https://other.example");
  assert.equal(allowed, null);
});

test("a mutation takes POST alone", async () => {
  const query = 'mutation { upsertUser(input: { provider: ADA, email: "a@x.test" }) { outcome } }';
  const { status } = await fetch(`${roster.graphql}?query=${encodeURIComponent(query)}`);
  assert.equal(status, 405);
});
