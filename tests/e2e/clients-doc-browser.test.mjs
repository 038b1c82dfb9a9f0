// The pages that `docs/clients.md` shows how to build, with each client, in Chromium.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { startBrowser } from "./browser.mjs";
import { blocks, compiled, servePages } from "./document.mjs";
import { ask, delay, fault, startRoster } from "./roster.mjs";

const CLIENTS = ["apollo", "urql", "relay"];
const PAGE_SIZE = 20;

let roster, browser, site, eventsSite;
let cleanups = [];

before(async () => {
  roster = await startRoster();
  browser = await startBrowser();
  site = await served(await compiled(roster));
  eventsSite = await served(await compiled(roster, { "live.js": await eventsClient() }));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup();
  }
});

after(async () => {
  await browser?.close();
  await site?.stop();
  await eventsSite?.stop();
  await roster?.stop();
});

/** What the page has for `live.js` where subscriptions come as server-sent events. */
async function eventsClient() {
  return (await blocks()).find(({ file }) => file === "live-events.js").text;
}

/** The page with each of some clients, built as the page says and served; the project is removed. */
async function served(project, names = CLIENTS) {
  const scripts = {};
  for (const name of names) {
    scripts[name] = await project.bundle(name);
  }
  const page = await project.read("www/index.html");
  await project.remove();
  return servePages(page, scripts);
}

/** The page with one client, for a gateway that a test may make ill. */
async function apart(name) {
  const gateway = await startRoster();
  cleanups.push(gateway.stop);
  const site = await served(await compiled(gateway), [name]);
  cleanups.push(site.stop);
  return { gateway, site };
}

async function open(site, name) {
  // So low that one page of a list fills it: the next one is asked for by scrolling alone.
  const context = await browser.newContext({ viewport: { width: 800, height: 300 } });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  await page.goto(`${site.origin}/${name}/`);
  const part = (label) => page.getByRole("region", { name: label });
  cleanups.push(() => context.close());
  return { page, complaints, part, rows: (label) => part(label).getByRole("listitem") };
}

const shown = ({ name, email }) => `${name ?? ""} ${email ?? ""}`;

/** What the list at Usertour shows from its start. */
async function expectedList(gateway, count) {
  const query = `{ users(provider: USERTOUR, first: ${count}) { nodes { name email } } }`;
  return (await ask(gateway.graphql, query)).users.nodes.map(shown);
}

async function search(gateway, text, match) {
  const query = `{ usersByEmail(email: "${text}", match: ${match}) { nodes { name email } } }`;
  return (await ask(gateway.graphql, query)).usersByEmail.nodes.map(shown);
}

for (const name of CLIENTS) {
  test(`${name}: a list grows as it is scrolled, in the provider's order`, async () => {
    const { page, complaints, part, rows } = await open(site, name);
    const list = rows("All users");
    await list.nth(PAGE_SIZE - 1).waitFor();

    for (let last = PAGE_SIZE; last < 5 * PAGE_SIZE; last += PAGE_SIZE) {
      await page.mouse.wheel(0, 100_000);
      await list.nth(last + PAGE_SIZE - 1).waitFor();
    }

    const texts = await list.allTextContents();
    assert.deepEqual(texts, await expectedList(roster, texts.length));
    assert.equal(await part("All users").getByRole("alert").count(), 0);
    assert.deepEqual(complaints, []);
  });

  test(`${name}: a search as you type finds parts, and says who was not asked`, async () => {
    const { complaints, part, rows } = await open(site, name);

    await part("Search").getByRole("searchbox").fill("ann@");

    await part("Search").getByText("ada: this provider finds whole addresses only").waitFor();
    assert.deepEqual(await rows("Search").allTextContents(), await search(roster, "ann@", "SUBSTRING"));
    assert.deepEqual(complaints, []);
  });

  test(`${name}: a subscription shows everybody over WebSocket`, async () => {
    const { rows } = await open(site, name);

    await rows("Live").nth(3).waitFor();

    const expected = await search(roster, "ann@x.test", "EXACT");
    assert.deepEqual((await rows("Live").allTextContents()).sort(), expected.sort());
  });

  test(`${name}: a subscription shows everybody over server-sent events`, async () => {
    const { page, rows } = await open(eventsSite, name);
    const sockets = [];
    page.on("websocket", (socket) => sockets.push(socket.url()));

    await rows("Live").nth(3).waitFor();

    const expected = await search(roster, "ann@x.test", "EXACT");
    assert.deepEqual((await rows("Live").allTextContents()).sort(), expected.sort());
    assert.deepEqual(sockets, []);
  });

  test(`${name}: a page that fails leaves the list, and is tried again`, async () => {
    const { gateway, site } = await apart(name);
    await fault(gateway, { provider: "usertour", kind: "status", status: 503 });
    const { page, part, rows } = await open(site, name);
    const again = page.getByRole("button", { name: "Try again" });

    await again.waitFor();
    await fault(gateway);
    await again.click();
    await rows("All users")
      .nth(PAGE_SIZE - 1)
      .waitFor();
    await part("All users").getByText("Loading…").waitFor();
    await fault(gateway, { provider: "usertour", kind: "status", status: 503 });
    await page.mouse.wheel(0, 100_000);
    await again.waitFor();
    const before = await rows("All users").count();
    assert.ok(before >= PAGE_SIZE);

    await fault(gateway);
    await again.click();

    await rows("All users")
      .nth(before + PAGE_SIZE - 1)
      .waitFor();
    const texts = await rows("All users").allTextContents();
    assert.deepEqual(texts, await expectedList(gateway, texts.length));
  });
}

for (const name of ["apollo", "urql"]) {
  test(`${name}: a search that is no longer wanted is aborted`, async () => {
    const { gateway, site } = await apart(name);
    await delay(gateway, "digitalchalk", 5_000);
    const { page, part, rows } = await open(site, name);
    const box = part("Search").getByRole("searchbox");
    const isSearch = (request) => request.method() === "POST" && request.postData().includes('"ann"');

    const sent = page.waitForRequest(isSearch);
    await box.pressSequentially("ann");
    await sent;
    const aborted = page.waitForEvent("requestfailed", { predicate: isSearch });
    await box.pressSequentially("@");

    assert.match((await aborted).failure().errorText, /ABORTED/);
    await delay(gateway);
    await rows("Search").first().waitFor();
    assert.deepEqual(await rows("Search").allTextContents(), await search(gateway, "ann@", "SUBSTRING"));
  });
}

const RECORDS = `
  import { fetchQuery, graphql } from "react-relay";
  import { environment } from "./environment.js";
  const query = graphql\`
    query mainQuery { user(provider: USERTOUR, by: { externalId: "crm-ann" }) { id details { ... on UsertourUser { id } } } }
  \`;
  await fetchQuery(environment, query, {}).toPromise();
  document.body.textContent = JSON.stringify(environment.getStore().getSource().getRecordIDs());
`;

test("relay: the store keeps details inside their user", async () => {
  const own = await served(await compiled(roster, { "relay/main.jsx": RECORDS }), ["relay"]);
  cleanups.push(own.stop);
  const { user } = await ask(roster.graphql, '{ user(provider: USERTOUR, by: { externalId: "crm-ann" }) { id } }');

  const { page } = await open(own, "relay");
  await page.getByText(user.id).waitFor();

  const ids = JSON.parse(await page.locator("body").textContent());
  assert.ok(ids.includes(user.id), ids.join());
  assert.ok(!ids.includes("crm-ann"), ids.join());
});
