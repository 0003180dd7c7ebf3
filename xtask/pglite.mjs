// Packs PGlite for the site: `node xtask/pglite.mjs <folder>`.
//
// - The modules that index.js needs, as they are.
// - The WebAssembly and its files, packed: so that few bytes travel from any host, and their number is known before.
// - A data directory that initdb has filled, so that a start in the page takes about a second.
// - files.json: what there is, and how many bytes.

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const from = path.join(root, "node_modules/@electric-sql/pglite/dist");
const folder = process.argv[2];

/** A module and all that it imports by name. Imports in the middle of a run are for Node and other file systems. */
function modules(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const text = readFileSync(path.join(from, name), "utf8");
  for (const [, other] of text.matchAll(/(?:from|import)"\.\/([\w.-]+\.js)"/g)) modules(other, found);
  return found;
}

/** An empty server's files. Databases that others are copied from go: nobody makes a second one. */
async function template() {
  const { PGlite } = await import(path.join(from, "index.js"));
  const server = await PGlite.create();
  await server.exec("UPDATE pg_database SET datistemplate = false, datallowconn = true");
  for (const statement of ["DROP DATABASE template0", "DROP DATABASE template1", "VACUUM FREEZE", "CHECKPOINT"]) {
    await server.exec(statement);
  }
  const archive = await server.dumpDataDir("none");
  await server.close();
  return Buffer.from(await archive.arrayBuffer());
}

const packed = {
  "pglite.wasm.gz": readFileSync(path.join(from, "pglite.wasm")),
  "pglite.data.gz": readFileSync(path.join(from, "pglite.data")),
  "template.tar.gz": await template(),
};
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const write = (name, content) => {
  writeFileSync(path.join(folder, name), content);
  return { name, bytes: content.length };
};
const list = Object.entries(packed).map(([name, content]) => write(name, gzipSync(content, { level: 9 })));
for (const name of modules("index.js")) {
  const text = readFileSync(path.join(from, name), "utf8");
  write(name, Buffer.from(text.replace(/\n\/\/# sourceMappingURL=.*/, "")));
}
write("worker.js", readFileSync(path.join(root, "src/pglite/worker.js")));
const { version, license } = JSON.parse(readFileSync(path.join(from, "../package.json"), "utf8"));
const bytes = readdirSync(folder).reduce((sum, name) => sum + readFileSync(path.join(folder, name)).length, 0);
write("files.json", Buffer.from(JSON.stringify({ version, license, bytes, packed: list })));
console.log(`PGlite ${version}: ${(bytes / 1e6).toFixed(1)} MB`);
process.exit(0);
