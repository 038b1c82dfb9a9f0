// Tools that read the schema for clients: relay-compiler, graphql-codegen and the TypeScript compiler.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { PROGRAM, ask, startRoster } from "./roster.mjs";

const PACKAGES = fileURLToPath(new URL("node_modules", import.meta.url));
const run = promisify(execFile);

let roster, schema, project;

before(async () => {
  roster = await startRoster();
  ({ stdout: schema } = await run(PROGRAM, ["schema", "--api"]));
});

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), "roster-e2e-"));
  await symlink(PACKAGES, join(project, "node_modules"));
  await write({ "schema.graphql": schema });
});

afterEach(() => rm(project, { recursive: true }));

after(() => roster?.stop());

/** Writes files of the project; what is no text becomes JSON. */
async function write(files) {
  for (const [name, content] of Object.entries(files)) {
    const path = join(project, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  }
}

/** Runs a tool of a package in the project; what it says is the failure when it fails. */
async function tool(name, ...options) {
  const program = join(PACKAGES, ".bin", name);
  try {
    await run(program, options, { cwd: project });
  } catch ({ stdout, stderr }) {
    assert.fail(`${name} fails:\n${stdout}${stderr}`);
  }
}

const RELAY_COMPONENTS = `
graphql\`
  query PeopleQuery($count: Int!, $cursor: String) { ...People_users }
\`;
graphql\`
  fragment People_users on Query @refetchable(queryName: "PeoplePageQuery") {
    users(provider: USERTOUR, first: $count, after: $cursor) @connection(key: "People_users") {
      edges { node { ...Profile_user } }
    }
  }
\`;
graphql\`
  fragment Profile_user on User @refetchable(queryName: "ProfileQuery") { name email details { __typename } }
\`;
graphql\`
  subscription SearchSubscription($email: String!) {
    usersByEmail(email: $email) { source { account status } users { ...Profile_user } }
  }
\`;
`;

test("relay-compiler compiles pages, refetched records and a subscription, and the gateway runs them", async () => {
  await write({
    "src/components.ts": RELAY_COMPONENTS,
    "relay.config.json": {
      src: "src",
      schema: "schema.graphql",
      language: "typescript",
      persistConfig: { file: "operations.json" },
    },
  });
  await write({ "operations.json": {} });

  await tool("relay-compiler", "relay.config.json");

  const artifacts = await readdir(join(project, "src/__generated__"));
  const operations = ["PeoplePageQuery", "PeopleQuery", "ProfileQuery", "SearchSubscription"];
  const names = [...operations, "People_users", "Profile_user"].map((name) => `${name}.graphql.ts`);
  assert.deepEqual(artifacts.sort(), names.sort());
  const texts = Object.values(JSON.parse(await readFile(join(project, "operations.json"), "utf8")));
  const text = (name) => texts.find((text) => text.includes(` ${name}(`));
  assert.equal(texts.length, operations.length);

  const first = await ask(roster.graphql, text("PeopleQuery"), { count: 2 });
  const { endCursor, hasNextPage } = first.users.pageInfo;
  assert.equal(hasNextPage, true);
  const second = await ask(roster.graphql, text("PeoplePageQuery"), { count: 2, cursor: endCursor });
  const ids = [first, second].flatMap(({ users }) => users.edges.map(({ node }) => node.id));
  assert.equal(new Set(ids).size, 4);
  const { node } = await ask(roster.graphql, text("ProfileQuery"), { id: ids[0] });
  assert.deepEqual(node, { __typename: "User", ...first.users.edges[0].node });
});

const OPERATIONS = `
query People($after: String, $filter: UserFilter) {
  users(provider: INTERCOM, first: 20, after: $after, filter: $filter) {
    nodes { id email createdAt attributes details { __typename ... on IntercomUser { role } } }
    pageInfo { hasNextPage endCursor }
  }
}
subscription Search($email: String!, $providers: [Provider!]) {
  usersByEmail(email: $email, providers: $providers) { source { account status } users { id email } }
}
`;

// Each line after `@ts-expect-error` is one that the types refuse.
const USE = `
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { PeopleDocument, SearchDocument } from "./operations.js";
import type { Query, Subscription } from "./schema.js";

export const variables: VariablesOf<typeof PeopleDocument> = {
  filter: { createdSince: "2026-01-01", sort: { field: "CREATED_AT" } },
};
// @ts-expect-error there is no such field
export const unknownField: VariablesOf<typeof PeopleDocument> = { filter: { nobody: 1 } };
// @ts-expect-error the email is missing
export const missing: VariablesOf<typeof SearchDocument> = {};
// @ts-expect-error there is no such provider
export const unknown: VariablesOf<typeof SearchDocument> = { email: "", providers: ["NOBODY"] };

export function roles({ users }: ResultOf<typeof PeopleDocument>): (string | null)[] {
  // @ts-expect-error a field that fails is null
  users.nodes;
  return (users?.nodes ?? []).map(({ details }) => (details?.__typename === "IntercomUser" ? details.role : null));
}

export function failed({ usersByEmail: { source, users } }: ResultOf<typeof SearchDocument>): string[] {
  // @ts-expect-error there is no such status
  source.status === "BROKEN";
  return source.status === "FAILED" ? [source.account] : users.map(({ id }) => id);
}

export type Roots = [Query["usersByEmail"], Subscription["usersByEmail"]];
`;

test("graphql-codegen makes types of a query and a subscription, and tsc takes what uses them", async () => {
  const scalars = { DateTime: "string", JSON: "unknown" };
  await write({
    "operations.graphql": OPERATIONS,
    "use.ts": USE,
    "codegen.json": {
      schema: "schema.graphql",
      documents: "operations.graphql",
      config: { scalars, strictScalars: true, useTypeImports: true },
      generates: {
        "schema.ts": { plugins: ["typescript"] },
        "operations.ts": { plugins: ["typescript-operations", "typed-document-node"] },
      },
    },
    "package.json": { type: "module" },
    "tsconfig.json": {
      compilerOptions: { strict: true, noEmit: true, module: "nodenext", target: "es2022", types: [] },
      files: ["use.ts"],
    },
  });

  await tool("graphql-codegen", "--config", "codegen.json");

  await tool("tsc", "--project", ".");
});
