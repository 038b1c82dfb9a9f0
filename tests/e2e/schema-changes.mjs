/**
 * Finds the breaking changes of a schema and compares them with the ones that a changelog names.
 * GraphQL Inspector finds the changes. What it rates as less than breaking but breaks a client of ours
 * or a supergraph is added here: a default that is another, a key that is gone, a type that is not shared any more.
 */
import { diff } from "@graphql-inspector/core";
import { buildSchema, isObjectType, valueFromASTUntyped } from "graphql";

const SECTION = "Breaking changes of the schema";

/** The breaking changes from one schema to another, each as the sentence that names it in the changelog. */
export async function breakingChanges(before, after) {
  const changes = await diff(build(before), build(after), [withRemovedKeys]);
  const found = changes.filter(isBreaking).map(({ path = "", message }) => ({ path, text: sentence(message) }));
  found.sort((a, b) => compare(a.path, b.path) || compare(a.text, b.text));
  return found.map(({ text }) => text);
}

/** The items of a changelog's list of breaking changes that are not released yet, each on one line. */
export function namedChanges(changelog) {
  const unreleased = parts(changelog, "## ", "[Unreleased]").join("\n");
  const section = parts(unreleased, "### ", SECTION).join("\n");
  return Array.from(section.matchAll(/^- (.+(?:\n +\S.*)*)/gm), ([, item]) => item.replace(/\s+/g, " "));
}

/** Says which lines the changelog lacks and which it has too many of; the empty text when there are none. */
export function complaint(changes, items) {
  const missing = changes.filter((change) => !items.some((item) => names(item, change)));
  const right = changes.map((change) => items.findIndex((item) => names(item, change)));
  const extra = items.filter((_, index) => !right.includes(index));
  const lists = [
    list(missing, `Breaking changes that CHANGELOG.md does not name. Add under [Unreleased], "### ${SECTION}":`),
    list(extra, "Lines there that are no breaking change since the last release, or are there twice. Remove:"),
  ];
  return lists.filter(Boolean).join("\n\n");
}

/** The last release that a changelog knows. */
export function lastRelease(changelog) {
  return changelog.match(/^## \[(\d[^\]]*)\]/m)?.[1] ?? "none";
}

/** The release whose schema a baseline is. */
export function releaseOf(baseline) {
  return baseline.match(/^# Last release: (\S+)$/m)?.[1];
}

/** `schema.graphql` uses federation's directives and leaves their definitions to the router. */
function build(sdl) {
  return buildSchema(sdl, { assumeValidSDL: true });
}

/** A rule for GraphQL Inspector: it compares repeated directives by their order, and does not say which key is gone. */
function withRemovedKeys({ changes, oldSchema, newSchema }) {
  const removed = Object.values(oldSchema.getTypeMap()).flatMap((type) => {
    const now = newSchema.getType(type.name);
    const kept = keys(now);
    const gone = keys(now && type).filter((key) => !kept.includes(key));
    return gone.map((key) => keyRemoved(type.name, key));
  });
  return [...changes, ...removed];
}

function keyRemoved(type, key) {
  const message = `Key '${key}' was removed from object type '${type}'`;
  return { path: `${type}.@key`, message, type: "KEY_REMOVED", meta: {}, criticality: { level: "BREAKING" } };
}

/** The keys by which other subgraphs may ask for an object. */
function keys(type) {
  if (!isObjectType(type) || !type.astNode) return [];
  return type.astNode.directives
    .filter((directive) => directive.name.value === "key")
    .map((directive) => directive.arguments.map(({ name, value }) => [name.value, valueFromASTUntyped(value)]))
    .map(Object.fromEntries)
    .filter(({ resolvable }) => resolvable !== false)
    .map(({ fields }) => fields);
}

function isBreaking({ type, meta, criticality }) {
  if (criticality.level === "BREAKING") return true;
  if (["FIELD_ARGUMENT_DEFAULT_CHANGED", "INPUT_FIELD_DEFAULT_VALUE_CHANGED"].includes(type)) {
    return meta.oldDefaultValue !== undefined;
  }
  return meta.removedDirectiveName === "shareable";
}

function sentence(message) {
  return `${message.replace(/\.$/, "").replace(/'+/g, "`")}.`;
}

/** Whether an item is of that change; what follows the sentence is the author's. */
function names(item, change) {
  return item === change || item.startsWith(`${change} `);
}

function parts(text, mark, title) {
  return text.split(new RegExp(`^${mark}`, "m")).filter((part) => part.split("\n", 1)[0].trim() === title);
}

function list(items, title) {
  return items.length > 0 && [title, "", ...items.map((item) => `- ${item}`)].join("\n");
}

function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}
