import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { breakingChanges, complaint, lastRelease, namedChanges, releaseOf } from "./schema-changes.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const BEFORE = `
  type Query { user(by: Key, match: Match! = EXACT): User }
  input Key { id: ID, size: Int! = 3 }
  enum Match { EXACT PREFIX }
  union Details = Ada | Hub
  type Ada @shareable { name: String }
  type Hub { name: String }
  type User @key(fields: "id") @key(fields: "account name") { id: ID! account: String! name: String details: Details }
`;

const NAME_REMOVED = "Field `name` was removed from object type `Ada`.";

test("what clients do not notice is no breaking change", async () => {
  assert.deepEqual(await changes("name: String details", "name: String email: String details"), []);
  assert.deepEqual(await changes("EXACT PREFIX", "EXACT PREFIX SUBSTRING"), []);
  assert.deepEqual(await changes("by: Key,", "by: Key, account: String,"), []);
  assert.deepEqual(await changes("account: String!", '"Its name." account: String!'), []);
  assert.deepEqual(await changes("name: String details", "name: String! details"), []);
});

test("what is gone, or of another type, or asked for now is a breaking change", async () => {
  assert.deepEqual(await changes("shareable { name: String }", "shareable { label: String }"), [NAME_REMOVED]);
  assert.deepEqual(await changes("id: ID, size", "size"), [
    "Input field `id` was removed from input object type `Key`.",
  ]);
  assert.deepEqual(await changes("EXACT PREFIX", "EXACT"), ["Enum value `PREFIX` was removed from enum `Match`."]);
  assert.deepEqual(await changes("by: Key,", "by: Key!,"), [
    "Type for argument `by` on field `Query.user` changed from `Key` to `Key!`.",
  ]);
  assert.deepEqual(await changes("account: String!", "account: String"), [
    "Field `User.account` changed type from `String!` to `String`.",
  ]);
  assert.deepEqual(await changes("input Key {", "input Key @oneOf {"), [
    "Directive `oneOf` was added to input object `Key`.",
  ]);
});

test("members of one union are told apart", async () => {
  assert.deepEqual(await changes("= Ada | Hub", "= User"), [
    "Member `Ada` was removed from Union type `Details`.",
    "Member `Hub` was removed from Union type `Details`.",
  ]);
});

test("a default that is another or gone is a breaking change", async () => {
  assert.deepEqual(await changes("= EXACT", "= PREFIX"), [
    'Default value for argument `match` on field `Query.user` changed from `"EXACT"` to `"PREFIX"`.',
  ]);
  assert.deepEqual(await changes(" = 3", ""), [
    "Input field `Key.size` default value changed from `3` to `undefined`.",
  ]);
});

test("a key that other subgraphs may use is not removed unnoticed, in whatever order the keys are", async () => {
  const both = '@key(fields: "id") @key(fields: "account name")';

  assert.deepEqual(await changes(both, '@key(fields: "account name") @key(fields: "name") @key(fields: "id")'), []);
  assert.deepEqual(await changes(both, '@key(fields: "account name")'), [
    "Key `id` was removed from object type `User`.",
  ]);
  assert.deepEqual(await changes(both, '@key(fields: "id", resolvable: false) @key(fields: "account id")'), [
    "Key `account name` was removed from object type `User`.",
    "Key `id` was removed from object type `User`.",
  ]);
});

test("a type that other subgraphs cannot share any more is a breaking change", async () => {
  assert.deepEqual(await changes("@shareable ", ""), ["Directive `shareable` was removed from object `Ada`."]);
});

test("a breaking change that is not named fails, with the line to add", () => {
  assert.match(complaint([NAME_REMOVED], []), /does not name\. Add under .*:\n\n- Field `name` was removed .*`Ada`\.$/);
});

test("a breaking change that is named passes, with a remark and on two lines, too", () => {
  assert.equal(complaint([NAME_REMOVED], namedChanges(changelog(`- ${NAME_REMOVED}`))), "");
  const wrapped = "- Field `name` was removed\n  from object type `Ada`. Say\n  `label`.";
  assert.equal(complaint([NAME_REMOVED], namedChanges(changelog(wrapped))), "");
});

test("what is named and is no breaking change fails, with the line to remove", () => {
  const other = "Field `name` was removed from object type `Adam`.";

  assert.match(complaint([], [NAME_REMOVED]), /^Lines there that are no breaking change .*:\n\n- Field .*`Ada`\.$/);
  assert.match(complaint([NAME_REMOVED], [other]), /does not name[^]*`Ada`\.\n\nLines there[^]*`Adam`\.$/);
});

test("what is named twice fails", () => {
  assert.match(complaint([NAME_REMOVED], [NAME_REMOVED, NAME_REMOVED]), /twice\. Remove:\n\n- Field .*`Ada`\.$/);
  assert.match(complaint([NAME_REMOVED], [NAME_REMOVED, `${NAME_REMOVED} Say so.`]), /Remove:\n\n- .* Say so\.$/);
});

test("only the list of breaking changes that are not released counts", () => {
  const text = "Say `label`.\n\n- One.\n\n- Two,\n  it is.\n\nNo item.\n\n### Fixed\n\n- Three.";

  assert.deepEqual(namedChanges(changelog(text)), ["One.", "Two, it is."]);
  assert.deepEqual(namedChanges("# Changelog\n"), []);
});

test("a release keeps its schema, once", async () => {
  const root = await mkdtemp(join(tmpdir(), "schema-baseline-"));
  try {
    await Promise.all(["scripts", "tests/e2e"].map((folder) => mkdir(join(root, folder), { recursive: true })));
    await cp(join(ROOT, "scripts/schema-baseline"), join(root, "scripts/schema-baseline"));
    const keep = async (log, schema) => {
      await writeFile(join(root, "CHANGELOG.md"), log);
      await writeFile(join(root, "schema.graphql"), schema);
      await promisify(execFile)(join(root, "scripts/schema-baseline"));
      return readFile(join(root, "tests/e2e/schema-baseline.graphql"), "utf8");
    };
    const first = await keep("# Changelog\n\n## [Unreleased]\n", BEFORE);
    const second = await keep(changelog(""), "scalar Email\n");

    assert.deepEqual([releaseOf(first), lastRelease("## [Unreleased]\n")], ["none", "none"]);
    assert.equal(second, `# Last release: ${lastRelease(changelog(""))}\nscalar Email\n`);
    await assert.rejects(keep(changelog(""), BEFORE), /is of that release already: 0\.2\.0/);
  } finally {
    await rm(root, { recursive: true });
  }
});

test("the baseline is the schema of the last release", async () => {
  const [baseline, log] = await Promise.all([read("tests/e2e/schema-baseline.graphql"), read("CHANGELOG.md")]);

  assert.equal(releaseOf(baseline), lastRelease(log), "run scripts/schema-baseline, which is part of a release");
});

test("the changelog names the breaking changes since the last release, and no others", async () => {
  const files = ["tests/e2e/schema-baseline.graphql", "schema.graphql", "CHANGELOG.md"];
  const [baseline, schema, log] = await Promise.all(files.map(read));

  const problem = complaint(await breakingChanges(baseline, schema), namedChanges(log));

  if (problem) process.stdout.write(`\n${problem}\n\n`);
  assert.ok(!problem, "schema.graphql and CHANGELOG.md do not agree: see above, and CONTRIBUTING.md");
});

/** The breaking changes when a part of the schema above is another. */
function changes(part, other) {
  assert.equal(BEFORE.split(part).length, 2, `${part} is there once`);
  return breakingChanges(BEFORE, BEFORE.replace(part, other));
}

function changelog(section) {
  const title = "### Breaking changes of the schema\n\n";
  const released = `## [0.2.0] - 2026-11-01\n\n${title}- Released.\n\n## [0.1.0]\n`;
  return `# Changelog\n\n## [Unreleased]\n\n### Changed\n\n- No.\n\n${title}${section}\n\n${released}`;
}

function read(file) {
  return readFile(join(ROOT, file), "utf8");
}
