import assert from "node:assert/strict";
import { test } from "node:test";

import { parse, valueFromASTUntyped } from "graphql";

import { compose } from "./supergraph.mjs";

const { errors, supergraphSdl } = compose({
  rosterAddress: "http://roster.test/graphql",
  ordersAddress: "http://orders.test/graphql",
});

test("the schema composes with another team's", () => {
  assert.equal(errors, undefined);
});

test("both teams hold the person, by email, and roster by id too", () => {
  assert.deepEqual(joins("Person"), ["ORDERS by email", "ROSTER by email", "ROSTER by id"]);
});

test("a user is found by each of its keys, and carries the other team's fields by id", () => {
  assert.deepEqual(joins("User"), [
    "ORDERS by id",
    "ROSTER by account externalId",
    "ROSTER by account remoteId",
    "ROSTER by id",
  ]);
});

test("every field comes from the team that has it", () => {
  assert.deepEqual(owners("Person", ["name", "users", "orders"]), ["ROSTER", "ROSTER", "ORDERS"]);
  assert.deepEqual(owners("User", ["email", "details", "tickets"]), ["ROSTER", "ROSTER", "ORDERS"]);
  assert.deepEqual(owners("Query", ["usersByEmail", "orders"]), ["ROSTER", "ORDERS"]);
});

test("the descriptions arrive in the supergraph", () => {
  const undescribed = type("User").fields.filter((field) => !field.description && field.name.value !== "tickets");
  assert.deepEqual(undescribed.map((field) => field.name.value), []);
});

function type(name) {
  const found = parse(supergraphSdl).definitions.find((definition) => definition.name?.value === name);
  assert.ok(found, `the supergraph has no ${name}`);
  return found;
}

/** Which subgraphs hold a type, and by which key. */
function joins(name) {
  return directives(type(name), "join__type")
    .map(({ graph, key }) => `${graph} by ${key}`)
    .sort();
}

/** Which subgraphs resolve the fields of a type. */
function owners(name, fields) {
  const all = type(name).fields;
  return fields.map((field) => {
    const found = all.find((candidate) => candidate.name.value === field);
    return directives(found, "join__field")
      .map(({ graph }) => graph)
      .join(" and ");
  });
}

function directives(node, name) {
  return node.directives
    .filter((directive) => directive.name.value === name)
    .map((directive) => Object.fromEntries(directive.arguments.map((a) => [a.name.value, valueFromASTUntyped(a.value)])));
}
