// Subscriptions: GraphiQL shows one response at a time, so each is given with those before it.

/** A fetcher that takes subscriptions as server-sent events, and leaves the rest to another. */
export function withEvents(endpoint, fetcher) {
  return (request, options) => (isSubscription(request, options) ? subscribe(endpoint, request, options) : fetcher(request, options));
}

function isSubscription({ operationName }, options) {
  const operations = (options?.documentAST?.definitions ?? []).filter(({ kind }) => kind === "OperationDefinition");
  const named = operations.find(({ name }) => operationName && name?.value === operationName);
  return (named ?? operations[0])?.operation === "subscription";
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
