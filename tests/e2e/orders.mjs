// The other team's subgraph, served on loopback.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { buildSubgraphSchema } from "@apollo/subgraph";
import { parse } from "graphql";
import { createHandler } from "graphql-http/lib/use/http";

/** The subgraph's schema, as its team would publish it. */
export const typeDefs = parse(readFileSync(new URL("orders.graphql", import.meta.url), "utf8"));

/** Serves one order for each buyer, numbered from 1, and one ticket for every user. */
export async function startOrders(buyers) {
  const orders = buyers.map((email, at) => ({
    number: String(at + 1),
    item: `Item ${at + 1}`,
    buyer: { email },
  }));
  const schema = buildSubgraphSchema({
    typeDefs,
    resolvers: {
      Query: {
        order: (_, { number }) => orders.find((order) => order.number === number),
        orders: () => orders,
      },
      Person: {
        __resolveReference: ({ email }) => ({
          email,
          orders: orders.filter((order) => order.buyer.email === email),
        }),
      },
      User: {
        __resolveReference: ({ id }) => ({ id, tickets: [{ title: `About ${id}`, user: { id } }] }),
      },
    },
  });
  const server = createServer(createHandler({ schema })).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    stop: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}
