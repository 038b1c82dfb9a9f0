// The files of the project that `docs/clients.md` shows: read from the page, written out, built and
// served as a frontend team would.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { PROGRAM } from "./roster.mjs";

/** The page. */
export const PAGE = new URL("../../docs/clients.md", import.meta.url);
const PACKAGES = fileURLToPath(new URL("node_modules", import.meta.url));
/** The one thing that is replaced: where the page says that the gateway is. */
const GATEWAY = "127.0.0.1:8080";
const BLOCK = /^```(\w*)(?: file=(\S+))?\n([\s\S]*?)^```$/gm;

/** The page's code blocks in their order: `{ language, file, text }`. */
export async function blocks() {
  const page = await readFile(PAGE, "utf8");
  return [...page.matchAll(BLOCK)].map(([, language, file, text]) => ({ language, file, text }));
}

/** The schema for clients, as the page says to get it. */
export async function clientSchema() {
  return (await run(PROGRAM, ["schema", "--api"])).stdout;
}

/** The page's project for a gateway, with its schema, and its documents compiled by Relay's compiler. */
export async function compiled(gateway, changed) {
  const project = await writeProject(gateway, changed);
  await project.write("schema.graphql", await clientSchema());
  await project.tool("relay-compiler", "relay.config.json");
  return project;
}

/** Writes the page's files into a folder of its own, for a gateway; `changed` are texts in place of the page's. */
async function writeProject({ graphql }, changed = {}) {
  const folder = await mkdtemp(join(tmpdir(), "roster-e2e-"));
  await symlink(PACKAGES, join(folder, "node_modules"));
  const { host } = new URL(graphql);
  const write = async (name, text) => {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text.replaceAll(GATEWAY, host));
  };
  await write("package.json", JSON.stringify({ type: "module" }));
  for (const { file, text } of (await blocks()).filter(({ file }) => file)) {
    await write(file, changed[file] ?? text);
  }
  return {
    write,
    read: (name) => readFile(join(folder, name), "utf8"),
    load: (name) => import(pathToFileURL(join(folder, name)).href),
    tool: (name, ...options) => run(join(PACKAGES, ".bin", name), options, folder),
    bundle: (name) => bundle(folder, name),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Runs a command of the page. */
export const shell = (command) => run("sh", ["-c", command]);

/** Runs a program in a folder; what it says is the failure when it fails. */
async function run(program, options, cwd) {
  try {
    return await promisify(execFile)(program, options, { cwd });
  } catch ({ stdout, stderr }) {
    throw new Error(`${program} ${options.join(" ")} fails:\n${stdout}${stderr}`);
  }
}

/** The script that the page's own build makes for a client. */
async function bundle(folder, name) {
  await run(process.execPath, ["build.mjs", name], folder);
  return readFile(join(folder, "www/main.js"), "utf8");
}

/** Serves the page with each script, at `/NAME/`, from an origin that is not the gateway's. */
export async function servePages(page, scripts) {
  const server = createServer(({ url }, response) => {
    const [, name, isScript] = url.match(/^\/(\w+)\/(main\.js)?$/) ?? [];
    const type = isScript ? "text/javascript" : "text/html";
    response.writeHead(scripts[name] ? 200 : 404, { "content-type": `${type}; charset=utf-8` });
    response.end(isScript ? scripts[name] : page);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    server.close();
    server.closeAllConnections();
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, stop };
}
