import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startBrowser } from "./browser.mjs";
import { ask, askForEvents, startRoster } from "./roster.mjs";

const PICTURE = fileURLToPath(new URL("../../target/e2e/graphiql.png", import.meta.url));
const EXAMPLES = new URL("../../src/server/graphiql/examples.js", import.meta.url);

let roster, browser, context, page, requests, complaints;

before(async () => {
  roster = await startRoster();
  browser = await startBrowser();
});

beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1400, height: 860 }, colorScheme: "light" });
  page = await context.newPage();
  requests = [];
  complaints = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
});

afterEach(() => context?.close());

after(async () => {
  await browser?.close();
  await roster?.stop();
});

test("the first example finds its person, and nothing is asked of another server", async () => {
  await page.goto(roster.graphiql);
  assert.equal(await page.title(), "Roster");

  await run();

  await answer().getByText(roster.emails[0]).first().waitFor();
  await mkdir(new URL("../../target/e2e/", import.meta.url), { recursive: true });
  await page.screenshot({ path: PICTURE });
  const { origin } = new URL(roster.graphiql);
  assert.deepEqual(requests.filter((address) => !address.startsWith(`${origin}/`) && !address.startsWith("data:")), []);
  assert.deepEqual(complaints, []);
});

test("the documentation shows the schema", async () => {
  await page.goto(roster.graphiql);

  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await documentation().getByRole("link", { name: "Query", exact: true }).click();

  await documentation().getByRole("link", { name: "usersByEmail" }).waitFor();
  assert.deepEqual(complaints, []);
});

test("the history keeps what was run", async () => {
  await page.goto(roster.graphiql);
  await run();
  await answer().getByText(roster.emails[0]).first().waitFor();

  await page.getByRole("button", { name: "Show History" }).click();

  await page.getByRole("region", { name: "History" }).getByText("FindByEmail").waitFor();
  assert.deepEqual(complaints, []);
});

test("a query in the address is there to be run", async () => {
  const query = "query Linked($of: String!) { person(email: $of) { email } }";
  const variables = JSON.stringify({ of: roster.emails[0] });
  await page.goto(`${roster.graphiql}?${new URLSearchParams({ query, variables })}`);

  await run();

  await answer().getByText(roster.emails[0]).waitFor();
});

test("a query that is typed is completed from the schema", async () => {
  await page.goto(`${roster.graphiql}?${new URLSearchParams({ query: "{ }" })}`);
  // The schema has arrived when the documentation has it.
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await documentation().getByRole("link", { name: "Query", exact: true }).waitFor();

  await page.getByRole("region", { name: "Query Editor" }).locator(".CodeMirror").click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("{ users");
  await page.keyboard.press("Control+Space");

  await page.locator(".CodeMirror-hints").getByText("usersByEmail").waitFor();
});

test("dialogs open under the page's policy", async () => {
  await page.goto(roster.graphiql);

  await page.getByRole("button", { name: "Open settings dialog" }).click();

  await page.getByRole("dialog").getByText("Theme").waitFor();
  assert.deepEqual(complaints, []);
});

test("without GraphiQL a plain box says so and runs queries", async () => {
  await page.route(/\/(react|graphiql)[^/]*\.js$/, (route) => route.abort());
  await page.goto(roster.graphiql);

  await page.getByText("GraphiQL could not be loaded").waitFor();
  await page.getByLabel("Query").fill("query ($of: String!) { person(email: $of) { email } }");
  await page.getByLabel("Variables (JSON)").fill(JSON.stringify({ of: roster.emails[1] }));
  await page.keyboard.press("Control+Enter");

  const result = page.getByRole("region", { name: "Result" }).locator("pre");
  await result.getByText(roster.emails[1]).waitFor();
  const { data, errors, extensions } = JSON.parse(await result.textContent());
  assert.deepEqual({ data, errors }, { data: { person: { email: roster.emails[1] } }, errors: undefined });
  assert.ok(Array.isArray(extensions.roster.calls), "the demo tells its calls");
});

test("a GraphiQL that comes late is offered in the plain box", async () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.clock.install();
  await page.route(/\/graphiql[^/]*\.js$/, async (route) => {
    await held;
    await route.continue();
  });
  const asked = page.waitForRequest(/\/graphiql[^/]*\.js$/);
  await page.goto(roster.graphiql, { waitUntil: "commit" });
  await asked;
  await page.clock.fastForward(10_000);
  await page.getByText("it takes too long").waitFor();

  release();
  await page.getByRole("button", { name: "Open GraphiQL" }).click();

  await page.getByRole("button", { name: "Execute query" }).waitFor();
  assert.equal(await page.locator("#plain").isVisible(), false);
});

test("the plain box says what is wrong with what was typed", async () => {
  await page.route(/\/graphiql[^/]*\.js$/, (route) => route.abort());
  await page.goto(roster.graphiql);

  await page.getByLabel("Variables (JSON)").fill("{ email }");
  await page.getByRole("button", { name: "Run" }).click();

  await page.getByText("The variables are not JSON").waitFor();
  assert.deepEqual(requests.filter((address) => address === roster.graphql), []);
});

test("every tab runs its own example, also right after it was opened", async () => {
  await page.goto(roster.graphiql);

  for (const [name, found] of [
    ["OnePerson", '"firstSeenAt"'],
    ["Filtered", '"totalCount"'],
    ["Raw", '"raw"'],
    ["ExportPerson", '"kind"'],
    ["Write", '"outcome"'],
    ["Accounts", '"capabilities"'],
  ]) {
    await open(name);
    await run();
    await answer().getByText(found).first().waitFor();
    assert.equal(await answer().getByText('"errors"').count(), 0, name);
  }
});

test("a subscription shows every event, those of fast accounts first", async () => {
  await page.goto(roster.graphiql);

  await open("AsTheyAnswer");
  await run();

  // The editor draws the lines in view only, so its text is read and not the page's.
  const shown = () => answer().locator(".CodeMirror").evaluate(({ CodeMirror }) => CodeMirror.getValue());
  const accounts = async () => {
    const { events = [] } = JSON.parse((await shown()) || "{}");
    return events.map(({ data }) => data.usersByEmail.source.account).sort();
  };
  const ends = Date.now() + 20_000;
  while ((await accounts()).length < 5 && Date.now() < ends) {
    await page.waitForTimeout(50);
  }
  assert.deepEqual(await accounts(), ["ada", "digitalchalk", "intercom", "scim", "usertour"]);
  assert.deepEqual(complaints, []);
});

test("a new tab starts with a query of ours that runs", async () => {
  await page.goto(roster.graphiql);

  await page.getByRole("button", { name: "New tab" }).click();
  await page.getByRole("tab", { name: "Search" }).waitFor();
  await run();

  await answer().getByText('"usersByEmail"').waitFor();
});

test("the documentation starts with what the schema is", async () => {
  await page.goto(roster.graphiql);

  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();

  await documentation().getByText("The people in a company's SaaS tools").waitFor();
});

test("on a phone the answer is below the query, and both have the whole width", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(roster.graphiql);
  await run();
  await answer().getByText('"data"').waitFor();

  const editor = await page.getByRole("region", { name: "Query Editor" }).boundingBox();
  const result = await answer().boundingBox();

  assert.ok(result.y >= editor.y + editor.height, `${JSON.stringify(editor)} ${JSON.stringify(result)}`);
  assert.ok(editor.width > 340 && result.width > 340, `${editor.width} ${result.width}`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
});

test("a page whose files are not in the program says what to do without internet", async () => {
  await page.route("**/graphiql", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace('"isEmbedded":true', '"isEmbedded":false');
    await route.fulfill({ response, body });
  });
  await page.route(/\/graphiql[^/]*\.js$/, (route) => route.abort());
  await page.goto(roster.graphiql);

  await page.getByText("run scripts/graphiql and build the program again").waitFor();
});

test("every example is answered without an error", async (t) => {
  // As a module whatever this Node takes a .js file for.
  const source = await readFile(EXAMPLES, "utf8");
  const { examples } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

  for (const { title, query, variables } of examples) {
    const answers = /^subscription /m.test(query) ? askForEvents : ask;
    await t.test(title, () => answers(roster.graphql, query, variables && JSON.parse(variables)));
  }
});

// A tab shows its query a moment after the click, and until then the query of the tab before runs.
async function open(name) {
  await page.getByRole("tab", { name }).click();
  await page.getByRole("region", { name: "Query Editor" }).getByText(name).first().waitFor();
}

function run() {
  return page.getByRole("button", { name: "Execute query" }).click();
}

function answer() {
  return page.getByRole("region", { name: "Result Window" });
}

function documentation() {
  return page.getByRole("region", { name: "Documentation Explorer" });
}
