// Subscriptions: GraphiQL shows one response at a time, so each is given with those before it.

/** A fetcher that takes subscriptions as server-sent events, and leaves the rest to another. */
export function withEvents(endpoint, fetcher) {
  return (request, options) => (isSubscription(request) ? subscribe(endpoint, request, options) : fetcher(request, options));
}

// The text decides: GraphiQL's own tree of it is that of the tab before, until a moment after a tab was opened.
function isSubscription({ query, operationName }) {
  let text = query.replace(/"""[^]*?"""|"(\\.|[^"\\])*"|#.*/g, "");
  for (let outside; (outside = text.replace(/\{[^{}]*\}/g, ";")) !== text; ) {
    text = outside;
  }
  const operations = [...text.matchAll(/\b(query|mutation|subscription)\b\s*(\w*)/g)];
  const named = operations.find(([, , name]) => operationName && name === operationName);
  return (named ?? operations[0])?.[1] === "subscription";
}

function subscribe(endpoint, request, options) {
  const controller = new AbortController();
  const responses = collect(endpoint, request, options, controller.signal);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => responses.next(),
    return() {
      controller.abort();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}

async function* collect(endpoint, request, options, signal) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { accept: "text/event-stream", "content-type": "application/json", ...options?.headers },
    body: JSON.stringify(request),
    signal,
  });
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    yield await response.json();
    return;
  }
  const events = [];
  for await (const { event, data } of eventsOf(response.body)) {
    if (event === "complete") {
      return;
    }
    events.push(JSON.parse(data));
    yield { events };
  }
}

/** The events of a stream of bytes. Every one ends with an empty line; comments have no name. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    text += chunk.value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s, 2));
      const { event, data } = Object.fromEntries(fields);
      if (event) {
        yield { event, data };
      }
    }
  }
}
