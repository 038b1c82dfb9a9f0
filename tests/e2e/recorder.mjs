// A proxy that remembers what was said through it: bodies of both sides included.

import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

/** Stands before `upstream`, whose path is cut off what is remembered in `exchanges`. */
export async function startRecorder(upstream) {
  const { origin, pathname: base } = new URL(upstream);
  const exchanges = [];
  return listen(base, exchanges, async ({ method, url, headers, body }) => {
    const { host, connection, "accept-encoding": _, "content-length": __, ...kept } = headers;
    const asked = { method, headers: kept, body: body || undefined, redirect: "manual" };
    const response = await fetch(`${origin}${url}`, asked);
    const ours = ["content-length", "content-encoding", "transfer-encoding", "connection"];
    const answered = [...response.headers].filter(([name]) => !ours.includes(name));
    return { status: response.status, headers: Object.fromEntries(answered), text: await response.text() };
  });
}

/** Answers itself, with what `answer` makes of a request. */
export async function startStub(answer) {
  const exchanges = [];
  return listen("", exchanges, async ({ method, url }) => ({
    status: 200,
    headers: { "content-type": "application/json" },
    text: JSON.stringify(answer({ method, path: new URL(url, "http://stub.test").pathname })),
  }));
}

async function listen(base, exchanges, respond) {
  const server = createServer(async (request, response) => {
    const body = (await buffer(request)).toString();
    const { method, url, headers } = request;
    const { status, headers: answered, text } = await respond({ method, url, headers, body });
    const { pathname, searchParams } = new URL(url, "http://recorder.test");
    exchanges.push({
      method,
      path: pathname.slice(base.length),
      query: Object.fromEntries(searchParams),
      version: headers["intercom-version"],
      body: body ? JSON.parse(body) : undefined,
      status,
      answer: text ? JSON.parse(text) : undefined,
    });
    response.writeHead(status, answered).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `http://127.0.0.1:${server.address().port}${base}`, exchanges, stop };
}
