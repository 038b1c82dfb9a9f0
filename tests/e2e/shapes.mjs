// Whether JSON is what a TypeScript declaration says. `null` counts as absent, as it does for the
// generated clients, which know no `null`.

import { createRequire } from "node:module";

import ts from "typescript";

/** What a misfit says of a name that the declaration does not have. */
export const UNKNOWN = "is not known";

/** A value that was sent as text, in an address: `"3"` where the declaration has a number. */
export class Text {
  constructor(text) {
    this.text = text;
  }
}

/** Reads the declarations of a package; `typeOf` finds what it exports, by its dotted name. */
export function declarations(name) {
  const entry = createRequire(import.meta.url).resolve(name).replace(/\.js$/, ".d.ts");
  const program = ts.createProgram([entry], { strict: true, noEmit: true, types: [], lib: ["lib.es2022.d.ts"] });
  const checker = program.getTypeChecker();
  const exported = (symbol, wanted) => {
    const found = checker.getExportsOfModule(symbol).find((one) => one.name === wanted);
    return found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
  };
  const whole = checker.getSymbolAtLocation(program.getSourceFile(entry));
  const typeOf = (wanted) => checker.getDeclaredTypeOfSymbol(wanted.split(".").reduce(exported, whole));
  return { checker, typeOf };
}

/** What in `value` is not as `type` says: `{ where, what }`, where "Type.property" is. */
export function misfits(checker, type, value, where = nameOf(checker, type)) {
  if (absent(value)) {
    return allowsAbsence(type) ? [] : [{ where, what: "is required" }];
  }
  const options = type.isUnion() ? type.types.filter((option) => !isNothing(option)) : [type];
  const known = new Set(options.flatMap((option) => keys(checker, option)));
  const attempts = options.map((option) => misfitsOfOne(checker, option, { value, where, known }));
  const isChoice = options.length > 1 && !isRecord(value) && !Array.isArray(value);
  const best = attempts.reduce((best, attempt) => (attempt.length < best.length ? attempt : best));
  return best.length > 0 && isChoice ? [{ where, what: refusal(checker, type, value) }] : best;
}

function misfitsOfOne(checker, type, { value, where, known }) {
  if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) {
    return [];
  }
  if (checker.isArrayType(type)) {
    const [item] = checker.getTypeArguments(type);
    return Array.isArray(value)
      ? value.flatMap((one) => misfits(checker, item, one, item.symbol ? undefined : where))
      : [{ where, what: refusal(checker, type, value) }];
  }
  if (type.flags & ts.TypeFlags.Object) {
    return isRecord(value)
      ? misfitsOfRecord(checker, type, { value, where, known })
      : [{ where, what: refusal(checker, type, value) }];
  }
  return fits(type, value) ? [] : [{ where, what: refusal(checker, type, value) }];
}

function misfitsOfRecord(checker, type, { value, where, known }) {
  const anything = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  const strangers = Object.keys(value).filter((key) => !anything && !known.has(key));
  const declared = checker.getPropertiesOfType(type).flatMap((property) => {
    const owner = declarerOf(property) ?? where;
    return misfits(checker, checker.getTypeOfSymbol(property), value[property.name], `${owner}.${property.name}`);
  });
  const owner = nameOf(checker, rootOf(checker, type)) ?? where;
  return [...declared, ...strangers.map((key) => ({ where: `${owner}.${key}`, what: UNKNOWN }))];
}

/** A value that says everything that `type` can say. */
export function sample(checker, type, name = "") {
  const [option] = type.isUnion() ? type.types.filter((one) => !isNothing(one)) : [type];
  if (checker.isArrayType(option)) {
    return [sample(checker, checker.getTypeArguments(option)[0], name)];
  }
  if (option.isLiteral()) {
    return option.value;
  }
  if (option.flags & ts.TypeFlags.BooleanLike) {
    return true;
  }
  if (option.flags & ts.TypeFlags.NumberLike) {
    return 1_700_000_000;
  }
  if (option.flags & ts.TypeFlags.Object) {
    const properties = checker.getPropertiesOfType(option);
    const entries = properties.map((one) => [one.name, sample(checker, checker.getTypeOfSymbol(one), one.name)]);
    return entries.length > 0 ? Object.fromEntries(entries) : { any: "thing" };
  }
  return `some ${name}`;
}

function fits(type, value) {
  const text = value instanceof Text;
  if (type.isStringLiteral()) {
    return (text ? value.text : value) === type.value;
  }
  if (type.isNumberLiteral()) {
    return (text ? Number(value.text) : value) === type.value;
  }
  if (type.flags & ts.TypeFlags.StringLike) {
    return text || typeof value === "string";
  }
  if (type.flags & ts.TypeFlags.NumberLike) {
    return text ? /^-?\d+(\.\d+)?$/.test(value.text) : typeof value === "number";
  }
  if (type.flags & ts.TypeFlags.BooleanLike) {
    const said = text ? { true: true, false: false }[value.text] : value;
    return typeof said === "boolean" && String(said) === type.intrinsicName;
  }
  throw new Error(`no idea how to compare with ${type.flags}`);
}

const absent = (value) => value === undefined || value === null;
const isNothing = (type) => Boolean(type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Null));
const isAnything = (type) => Boolean(type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown));
const allowsAbsence = (type) => isAnything(type) || (type.isUnion() ? type.types.some(isNothing) : isNothing(type));
const isRecord = (value) => typeof value === "object" && !Array.isArray(value) && !(value instanceof Text);
const keys = (checker, type) => checker.getPropertiesOfType(type).map(({ name }) => name);

function refusal(checker, type, value) {
  const said = value instanceof Text ? "other text" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
  return `is ${said}, not ${checker.typeToString(type).replace(/ \| undefined$/, "")}`;
}

/** The interface that all others of a family extend: what they all lack, it lacks. */
function rootOf(checker, type) {
  const [base] = type.isClassOrInterface() ? checker.getBaseTypes(type) : [];
  return base ? rootOf(checker, base) : type;
}

function declarerOf(property) {
  const parent = property.declarations?.[0]?.parent;
  return parent && ts.isInterfaceDeclaration(parent) ? parent.name.text : undefined;
}

/** A name, where the declarations give one. */
function nameOf(checker, type) {
  const name = (type.aliasSymbol ?? type.symbol)?.name;
  return name?.startsWith("__") ? undefined : name;
}
