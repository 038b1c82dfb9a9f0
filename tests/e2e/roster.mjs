// Roster as a child process, on ports that are free.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The program under test. */
export const PROGRAM = process.env.ROSTER ?? fileURLToPath(new URL("../../target/debug/roster", import.meta.url));
const FREE = "127.0.0.1:0";
const PATIENCE_MS = 30_000;
const GRAPHIQL = /http:\/\/127\.0\.0\.1:\d+\/graphiql/;
const SANDBOX = /Sandboxes\s+(http:\/\/127\.0\.0\.1:\d+)/;
const ORIGIN = /http:\/\/127\.0\.0\.1:\d+/;

/** Starts the demo with more options; `emails` are the ones that it prints as worth trying. */
export async function startRoster(...more) {
  const listen = more.includes("--listen") ? [] : ["--listen", FREE];
  const options = ["demo", ...listen, "--sandbox-listen", FREE, ...more];
  const { text, stop, terminate } = await start(options, (text) => mailsIn(text).length >= 3);
  const graphiql = text.match(GRAPHIQL)[0];
  const graphql = graphqlOf(graphiql);
  const sandbox = text.match(SANDBOX)[1];
  return { graphiql, graphql, socket: socketOf(graphql), sandbox, emails: mailsIn(text), stop, terminate };
}

/** Makes every call to a provider's sandbox take longer; lifts that again without `milliseconds`. */
export function delay(roster, provider, milliseconds) {
  return fault(roster, milliseconds === undefined ? undefined : { provider, kind: "latency", milliseconds });
}

/** Makes a provider's sandbox ill (`{ provider, kind, ... }`); heals all of them without a fault. */
export async function fault({ sandbox }, fault) {
  const address = `${sandbox}/_sandbox/faults`;
  const headers = { "content-type": "application/json" };
  const { ok, status } = await (fault === undefined
    ? fetch(address, { method: "DELETE" })
    : fetch(address, { method: "POST", headers, body: JSON.stringify(fault) }));
  if (!ok) {
    throw new Error(`the sandbox answers ${status}`);
  }
}

/** Starts the sandboxes of the providers alone. */
export async function startSandboxes() {
  const { text, stop } = await start(["sandbox", "--listen", FREE], (text) => ORIGIN.test(text));
  return { address: text.match(ORIGIN)[0], stop };
}

/** Starts the gateway over the providers of a configuration, with secrets in the environment. */
export async function startOver(configuration, secrets) {
  const folder = await mkdtemp(join(tmpdir(), "roster-e2e-"));
  const file = join(folder, "roster.toml");
  await writeFile(file, configuration);
  const options = ["serve", "--config", file, "--listen", FREE];
  const environment = { RUST_LOG: "warn", ...secrets };
  const { text, stop } = await start(options, (text) => GRAPHIQL.test(text), environment).finally(() =>
    rm(folder, { recursive: true }),
  );
  return { graphql: graphqlOf(text.match(GRAPHIQL)[0]), stop };
}

/** Starts the program and waits until what it has said `suffices`. */
async function start(options, suffices, environment = {}) {
  const env = { ...process.env, ...environment };
  const child = spawn(PROGRAM, options, { stdio: ["ignore", "pipe", "inherit"], env });
  const end = (signal) => async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, "exit");
    }
    return child.exitCode;
  };
  const stop = end("SIGKILL");
  try {
    return { text: await said(child, options[0], suffices), stop, terminate: end("SIGTERM") };
  } catch (problem) {
    await stop();
    throw problem;
  }
}

function said(child, command, suffices) {
  return new Promise((resolve, reject) => {
    let text = "";
    const fail = (why) => {
      clearTimeout(timer);
      reject(new Error(`${PROGRAM} ${command} ${why}; it said:\n${text}`));
    };
    const timer = setTimeout(() => fail("is not ready in time"), PATIENCE_MS);
    child.on("error", ({ message }) => fail(`does not start: ${message}`));
    child.on("exit", (code) => fail(`ended with ${code}`));
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
      if (suffices(text)) {
        clearTimeout(timer);
        resolve(text);
      }
    });
  });
}

function mailsIn(text) {
  return text.match(/[\w.+-]+@[\w.-]+\.test/g) ?? [];
}

function graphqlOf(graphiql) {
  return graphiql.replace(/graphiql$/, "graphql");
}

function socketOf(graphql) {
  return graphql.replace(/^http/, "ws");
}

/** Asks a GraphQL server and returns `data`; errors are failures. */
export async function ask(address, query, variables) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) {
    throw new Error(JSON.stringify(errors, null, 2));
  }
  return data;
}

/** Asks for events and returns the `data` of each; errors are failures. */
export async function askForEvents(address, query, variables) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ query, variables }),
  });
  const events = (await response.text()).split("\n\n").filter((event) => event.startsWith("event: next"));
  const results = events.map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)));
  if (results.length === 0 || results.some(({ errors }) => errors)) {
    throw new Error(JSON.stringify(results, null, 2));
  }
  return results.map(({ data }) => data);
}
