import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { serverAudits } from "graphql-http";

import { startRoster } from "./roster.mjs";

let roster;

before(async () => {
  roster = await startRoster();
});

after(() => roster?.stop());

const audits = serverAudits({ url: () => roster.graphql });

test("the suite is the whole one", () => {
  assert.equal(audits.length, 61);
});

for (const { id, name, fn } of audits) {
  test(`${name} (audit ${id})`, async () => {
    const { status, reason } = await fn();
    assert.equal(status, "ok", reason);
  });
}
