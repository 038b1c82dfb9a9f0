// A query box without any library, for when GraphiQL cannot be had.

import { examples } from "./examples.js";

const byId = (id) => document.getElementById(`plain-${id}`);

/** Shows the box in place of GraphiQL and says why. */
export function showPlain(reason, endpoint, given) {
  byId("reason").textContent = reason;
  document.getElementById("graphiql").hidden = true;
  document.getElementById("plain").hidden = false;

  byId("examples").replaceChildren(...examples.map(({ title }, at) => new Option(title, at)));
  byId("examples").addEventListener("change", (event) => fill(examples[event.target.value]));
  fill(given ?? examples[0]);

  const form = byId("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(endpoint);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

/** Offers the way from the box to GraphiQL, once that has arrived after all. */
export function offerGraphiql(open) {
  const leave = byId("leave");
  leave.hidden = false;
  leave.addEventListener("click", () => {
    document.getElementById("plain").hidden = true;
    document.getElementById("graphiql").hidden = false;
    open();
  });
}

function fill({ query, variables }) {
  byId("query").value = query;
  byId("variables").value = variables ?? "";
}

async function run(endpoint) {
  const status = byId("status");
  const result = byId("result");
  result.textContent = "";
  try {
    const query = byId("query").value;
    const variables = parse("variables");
    const headers = parse("headers");

    status.textContent = "Running…";
    const start = performance.now();
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        accept: "application/graphql-response+json, application/json",
        "content-type": "application/json",
        ...headers,
      },
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text();
    const took = Math.round(performance.now() - start);
    status.textContent = `${response.status} ${response.statusText}, ${took} ms`;
    result.textContent = pretty(text);
  } catch (problem) {
    status.textContent = problem.message;
  }
}

function parse(field) {
  const text = byId(field).value.trim();
  try {
    return text ? JSON.parse(text) : undefined;
  } catch (problem) {
    throw new Error(`The ${field} are not JSON: ${problem.message}`);
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
