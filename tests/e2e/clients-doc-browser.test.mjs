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
  eventsSite = await served(await compiled(roster, { "live.js": await textOf("live-events.js") }));
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

/** What the page has for a file. */
async function textOf(name) {
  return (await blocks()).find(({ file }) => file === name).text;
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
async function apart(name, changed) {
  const gateway = await startRoster();
  cleanups.push(gateway.stop);
  const site = await served(await compiled(gateway, changed), [name]);
  cleanups.push(site.stop);
  return { gateway, site };
}

async function open(site, name, prepare = async () => {}) {
  // So low that one page of a list fills it: the next one is asked for by scrolling alone.
  const context = await browser.newContext({ viewport: { width: 800, height: 300 } });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  await prepare(page);
  await page.goto(`${site.origin}/${name}/`);
  const part = (label) => page.getByRole("region", { name: label });
  cleanups.push(() => context.close());
  return { page, complaints, part, rows: (label) => part(label).getByRole("listitem") };
}

/** Scrolls to the end of the list, as soon as it has one: a turn of the wheel before that would be lost. */
const scrollToEnd = (part) => part("All users").getByText("Loading…").scrollIntoViewIfNeeded();

const shown = ({ name, email, account }) => `${name ?? ""} ${email ?? ""} ${account}`;

/** What the list at Usertour, or another one, shows from its start. */
async function expectedList(gateway, count, list = "provider: USERTOUR") {
  const query = `{ users(${list}, first: ${count}) { nodes { name email account } } }`;
  return (await ask(gateway.graphql, query)).users.nodes.map(shown);
}

async function search(gateway, text, match) {
  const query = `{ usersByEmail(email: "${text}", match: ${match}) { nodes { name email account } } }`;
  return (await ask(gateway.graphql, query)).usersByEmail.nodes.map(shown);
}

for (const name of CLIENTS) {
  test(`${name}: a list grows as it is scrolled, in the provider's order`, async () => {
    const { page, complaints, part, rows } = await open(site, name);
    const list = rows("All users");
    await list.nth(PAGE_SIZE - 1).waitFor();

    for (let last = PAGE_SIZE; last < 5 * PAGE_SIZE; last += PAGE_SIZE) {
      await scrollToEnd(part);
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

    await part("Search").getByText("ada: was not asked").waitFor();
    assert.deepEqual(await rows("Search").allTextContents(), await search(roster, "ann@", "SUBSTRING"));
    assert.deepEqual(complaints, []);
  });

  test(`${name}: a subscription shows everybody over WebSocket`, async () => {
    const { rows } = await open(site, name);

    await rows("Live").nth(4).waitFor();

    const expected = await search(roster, "ann@x.test", "EXACT");
    assert.deepEqual((await rows("Live").allTextContents()).sort(), expected.sort());
  });

  test(`${name}: a subscription shows everybody over server-sent events`, async () => {
    const { page, rows } = await open(eventsSite, name);
    const sockets = [];
    page.on("websocket", (socket) => sockets.push(socket.url()));

    await rows("Live").nth(4).waitFor();

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
    await scrollToEnd(part);
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

const GAP = "some details are missing";

/** Makes the second page of a list lack something: the page after the first cursor that is sent. */
async function spoilSecondPage(page, { graphql }) {
  let second;
  await page.route(graphql, async (route) => {
    if (!isLaterPage(route.request())) {
      return route.fallback();
    }
    const cursor = Object.values(route.request().postDataJSON().variables).find(isCursor);
    second ??= cursor;
    if (cursor !== second) {
      return route.fallback();
    }
    const response = await route.fetch();
    const answer = await response.json();
    const notices = [{ __typename: "Notice", code: "SUBRESOURCE_FAILED", message: GAP }];
    answer.data.users.sources.forEach((source) => Object.assign(source, { status: "PARTIAL", notices }));
    await route.fulfill({ response, json: answer });
  });
}

const isLaterPage = (request) =>
  request.method() === "POST" && Object.values(request.postDataJSON().variables).some(isCursor);
const isCursor = (value) => typeof value === "string" && value.startsWith("Wz");

/** Makes a browser tell that the end of a list is in view as early as it may. */
function seeAtOnce() {
  globalThis.IntersectionObserver = class {
    constructor(onSeen) {
      this.observe = () => onSeen([{ isIntersecting: true }]);
      this.disconnect = () => {};
    }
  };
}

for (const name of CLIENTS) {
  test(`${name}: a search that lacks an account is asked again, by a button and when it is typed again`, async () => {
    const { gateway, site } = await apart(name);
    const { page, part, rows } = await open(site, name);
    const box = part("Search").getByRole("searchbox");
    const gap = part("Search").getByText("digitalchalk: not reachable now");
    await fault(gateway, { provider: "digitalchalk", kind: "status", status: 503 });

    await box.fill("joann@");
    await gap.waitFor();
    const answer = page.waitForResponse((response) => response.request().postData()?.includes('"mixed."'));
    await box.fill("mixed.");
    await answer;
    await fault(gateway);
    await box.fill("joann@");
    await rows("Search").getByText(/^Joann Known/).waitFor();
    assert.equal(await gap.count(), 0);

    await fault(gateway, { provider: "digitalchalk", kind: "status", status: 503 });
    await box.fill("ann@");
    await gap.waitFor();
    await fault(gateway);
    await part("Search").getByRole("button", { name: "Ask again" }).click();
    await rows("Search").getByText(/^Ann Archer/).waitFor();
    assert.deepEqual(await rows("Search").allTextContents(), await search(gateway, "ann@", "SUBSTRING"));
    assert.equal(await gap.count(), 0);
  });

  test(`${name}: a search that fails shows nobody else's users, and is asked again`, async () => {
    const { page, part, rows } = await open(site, name);
    const box = part("Search").getByRole("searchbox");
    const alert = part("Search").getByRole("alert");
    await box.fill("joann");
    await rows("Search").first().waitFor();

    const refuse = (route) => route.abort();
    await page.route(roster.graphql, refuse);
    await box.fill("ann@");
    await alert.getByText("not reachable now").waitFor();
    assert.equal(await rows("Search").count(), 0);

    await page.unroute(roster.graphql, refuse);
    await box.fill("mixed.");
    await rows("Search").first().waitFor();
    await box.fill("ann@");
    await rows("Search").getByText(/^Ann Archer/).waitFor();
    assert.equal(await alert.count(), 0);

    await page.route(roster.graphql, refuse);
    await box.fill("help@");
    await alert.waitFor();
    await page.unroute(roster.graphql, refuse);
    await alert.getByRole("button", { name: "Try again" }).click();
    await rows("Search").first().waitFor();
    assert.deepEqual(await rows("Search").allTextContents(), await search(roster, "help@", "SUBSTRING"));
  });

  test(`${name}: a whole address is found at every provider, within three seconds or not at all`, async () => {
    const { page, part, rows } = await open(site, name);
    const asked = page.waitForRequest((request) => request.headers().prefer === "wait=3");

    await part("Search").getByRole("searchbox").fill("ann@x.test");

    await rows("Search").nth(4).waitFor();
    assert.deepEqual(await rows("Search").allTextContents(), await search(roster, "ann@x.test", "EXACT"));
    await asked;
  });

  test(`${name}: a search that finds nobody says how far that can be trusted`, async () => {
    const { part } = await open(site, name);
    const box = part("Search").getByRole("searchbox");

    await box.fill("nobody@x.test");
    await part("Search").getByText("Nobody, as far as these accounts can search.").waitFor();
    await part("Search").getByText("usertour: may have users that its search does not find").waitFor();
    assert.equal(await part("Search").getByRole("button").count(), 0);
  });

  test(`${name}: another list is filtered, and a list keeps what its pages lack when it is left`, async () => {
    const { page, part, rows } = await open(site, name);
    const list = rows("All users");
    const choose = (option) => page.getByRole("combobox", { name: "List" }).selectOption(option);
    const secondPage = async () => {
      await scrollToEnd(part);
      await list.nth(2 * PAGE_SIZE - 1).waitFor();
      await part("All users").getByText(`usertour: ${GAP}`).first().waitFor();
    };
    await spoilSecondPage(page, roster);
    await list.nth(PAGE_SIZE - 1).waitFor();
    await secondPage();
    await scrollToEnd(part);
    await list.nth(3 * PAGE_SIZE - 1).waitFor();

    await choose("Leads at Intercom");
    await list.getByText("intercom").first().waitFor();
    const expected = await expectedList(roster, 20, "provider: INTERCOM, filter: { kind: LEAD }");
    assert.deepEqual((await list.allTextContents()).slice(0, expected.length), expected);
    await choose("Everybody at Usertour");
    await list.nth(PAGE_SIZE - 1).waitFor();

    const hasLaterPages = (await list.count()) > PAGE_SIZE;
    assert.equal((await part("All users").getByText(GAP).count()) > 0, hasLaterPages);
    await secondPage();
  });

  test(`${name}: a list that lacks something is asked again`, async () => {
    const { page, part, rows } = await open(site, name);
    await spoilSecondPage(page, roster);
    await rows("All users").nth(PAGE_SIZE - 1).waitFor();
    await scrollToEnd(part);
    const gap = part("All users").getByText(GAP);
    await gap.waitFor();
    await page.unrouteAll();

    await part("All users").getByRole("button", { name: "Ask again" }).click();

    await gap.waitFor({ state: "detached" });
    await rows("All users").nth(PAGE_SIZE - 1).waitFor();
    assert.equal(await gap.count(), 0);
  });

  test(`${name}: a page that fails is asked for once`, async () => {
    let asked = 0;
    const { page, part } = await open(site, name, async (page) => {
      await page.addInitScript(seeAtOnce);
      await page.route(roster.graphql, (route) => {
        asked += isLaterPage(route.request());
        return isLaterPage(route.request()) ? route.abort() : route.fallback();
      });
    });

    for (let expected = 1; expected <= 3; expected += 1) {
      await part("All users").getByRole("alert").waitFor();
      await page.waitForLoadState("networkidle");
      assert.equal(asked, expected);
      const again = page.waitForRequest(isLaterPage);
      await part("All users").getByRole("button", { name: "Try again" }).click();
      await again;
    }
  });

  for (const [transport, file] of Object.entries({ WebSocket: "live.js", "server-sent events": "live-events.js" })) {
    test(`${name}: a live search over ${transport} says that the gateway is down, and comes back with it`, async () => {
      const { gateway, site } = await apart(name, { "live.js": await textOf(file) });
      await gateway.stop();
      const { part, rows } = await open(site, name);

      await part("Live").getByRole("alert").getByText("not reachable now").waitFor();
      const again = await startRoster("--listen", new URL(gateway.graphql).host);
      cleanups.push(again.stop);
      await part("Live").getByRole("button", { name: "Try again" }).click();

      await rows("Live").nth(4).waitFor();
      const expected = await search(again, "ann@x.test", "EXACT");
      assert.deepEqual((await rows("Live").allTextContents()).sort(), expected.sort());
      await part("Live").getByRole("alert").waitFor({ state: "detached" });
    });
  }
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
    // A text of its own: the one before may still wait for the delayed answer, or be without it.
    await box.pressSequentially("x.");
    await rows("Search").first().waitFor();
    assert.deepEqual(await rows("Search").allTextContents(), await search(gateway, "ann@x.", "SUBSTRING"));
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
