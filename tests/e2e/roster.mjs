// Roster as a child process: the demo, on ports that are free.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = process.env.ROSTER ?? fileURLToPath(new URL("../../target/debug/roster", import.meta.url));
const FREE = "127.0.0.1:0";
const PATIENCE_MS = 30_000;

/** Starts the demo; `emails` are the ones that it prints as worth trying. */
export async function startRoster() {
  const child = spawn(PROGRAM, ["demo", "--listen", FREE, "--sandbox-listen", FREE], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  };
  try {
    const { graphiql, emails } = await said(child);
    return { graphiql, graphql: graphiql.replace(/graphiql$/, "graphql"), emails, stop };
  } catch (problem) {
    await stop();
    throw problem;
  }
}

/** Reads what the demo says until the page's address and three emails are known. */
function said(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    const fail = (why) => reject(new Error(`${PROGRAM} demo ${why}; it said:\n${text}`));
    const timer = setTimeout(() => fail("is not ready in time"), PATIENCE_MS);
    child.on("error", reject);
    child.on("exit", (code) => fail(`ended with ${code}`));
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
      const graphiql = text.match(/http:\/\/127\.0\.0\.1:\d+\/graphiql/)?.[0];
      const emails = text.match(/[\w.+-]+@[\w.-]+\.test/g) ?? [];
      if (graphiql && emails.length >= 3) {
        clearTimeout(timer);
        resolve({ graphiql, emails });
      }
    });
  });
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
