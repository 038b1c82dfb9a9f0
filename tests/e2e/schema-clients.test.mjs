import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { buildSchema, validateSchema } from "graphql";

import { PROGRAM } from "./roster.mjs";

test("the schema for clients is a whole schema to graphql-js, which knows nothing of federation", async () => {
  const { stdout } = await promisify(execFile)(PROGRAM, ["schema", "--api"]);

  const schema = buildSchema(stdout);

  assert.deepEqual(validateSchema(schema), []);
  assert.ok(schema.description.startsWith("The people in a company's SaaS tools"));
  const fields = Object.keys(schema.getQueryType().getFields());
  assert.ok(fields.includes("node") && !fields.some((name) => name.startsWith("_")), fields.join());
  assert.match(schema.getType("DateTime").specifiedByURL, /rfc3339$/);
});
