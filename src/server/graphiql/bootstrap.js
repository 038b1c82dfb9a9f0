// Puts GraphiQL on the page, or, where its files cannot be had, the plain query box.

import { withEvents } from "./events.js";
import { examples, started } from "./examples.js";
import { offerGraphiql, showPlain } from "./plain.js";

// How long a slow network may keep someone waiting for GraphiQL.
const PATIENCE_MS = 10_000;

const page = JSON.parse(document.getElementById("manifest").textContent);
const endpoint = new URL("graphql", document.baseURI).href;
const given = fromAddress();

const arrival = Promise.all(page.files.map(load));
const tooLate = new Promise((_, reject) => {
  setTimeout(() => reject(new Error("it takes too long")), PATIENCE_MS);
});

try {
  await Promise.race([arrival, tooLate]);
  render();
} catch (problem) {
  showPlain(reason(problem), endpoint, given);
  arrival.then(() => offerGraphiql(render), () => {});
}

function reason(problem) {
  const what = `GraphiQL could not be loaded (${problem.message}).`;
  const why = page.isEmbedded
    ? "Reload the page to try again."
    : "This program does not contain its files, so the page loads them from the internet (cdn.jsdelivr.net). For a GraphiQL without internet, run scripts/graphiql and build the program again.";
  return `${what} ${why} Until then, this box runs your queries.`;
}

/** Loads one file; the scripts run in the order in which this is called. */
function load({ address, integrity }) {
  const isStyle = address.endsWith(".css");
  const element = document.createElement(isStyle ? "link" : "script");
  element.integrity = integrity;
  element.crossOrigin = "anonymous";
  if (isStyle) {
    element.rel = "stylesheet";
    element.href = address;
  } else {
    element.async = false;
    element.src = address;
  }
  return new Promise((resolve, reject) => {
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => reject(new Error(`no ${address.split("/").pop()}`)));
    document.head.append(element);
  });
}

/** A query can be given in the address, so that it can be linked to: ?query=…&variables=… */
function fromAddress() {
  const parameters = new URLSearchParams(location.search);
  const query = parameters.get("query");
  return query ? { query, variables: parameters.get("variables") ?? undefined } : undefined;
}

/** Right after another tab was opened GraphiQL still sends the operation's name of the one before. */
function ofThisTab(fetcher) {
  return ({ operationName, ...rest }, options) => {
    const isHere = new RegExp(`\\b(query|mutation|subscription)\\s+${operationName}\\b`).test(rest.query);
    return fetcher(isHere ? { operationName, ...rest } : rest, options);
  };
}

function render() {
  const { React, ReactDOM, GraphiQL } = window;
  const h = React.createElement;
  const link = (href, text) => h("a", { href, target: "_blank", rel: "noreferrer" }, text);

  const logo = h(GraphiQL.Logo, null, h("span", { className: "roster-name" }, "Roster"));
  const credits = h(
    GraphiQL.Footer,
    null,
    h(
      "div",
      { className: "roster-credits" },
      h("span", null, "Made with ", link("https://github.com/graphql/graphiql", "GraphiQL"), " and React, MIT License"),
      link("graphiql/credits", "Credits"),
    ),
  );
  const settings = {
    fetcher: ofThisTab(withEvents(endpoint, GraphiQL.createFetcher({ url: endpoint }))),
    storage: GraphiQL.createLocalStorage({ namespace: "roster" }),
    defaultTabs: [given, ...examples].filter(Boolean).map(({ query, variables }) => ({ query, variables })),
    schemaDescription: true,
    defaultQuery: started,
    defaultEditorToolsVisibility: true,
    ...given,
  };
  ReactDOM.createRoot(document.getElementById("graphiql")).render(h(GraphiQL, settings, logo, credits));
}
