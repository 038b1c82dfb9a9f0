// Roster's committed schema and the other team's, composed.

import { readFileSync } from "node:fs";

import { composeServices } from "@apollo/composition";
import { parse } from "graphql";

import { typeDefs as orders } from "./orders.mjs";

/** The result of the composition: `errors`, or `supergraphSdl`. */
export function compose({ rosterAddress, ordersAddress }) {
  const roster = parse(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"));
  return composeServices([
    { name: "roster", url: rosterAddress, typeDefs: roster },
    { name: "orders", url: ordersAddress, typeDefs: orders },
  ]);
}
