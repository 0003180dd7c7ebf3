// One PGlite in a worker of its own: PostgreSQL's WebAssembly keeps its thread busy, and its memory is given back
// only when the worker ends. The page asks, one question at a time; what it says and hears is in line.rs.
//
//   Load          → Progress …, then Loaded    files fetched (or cached) and compiled
//   Start         → Started                    a new, empty server in the place of the one before
//   { Sql: text } → Answered                   whole statements; the last one's answer, as program::SqlAnswer
//
// Built by xtask/pglite.mjs, which packs the files beside this one and lists them in files.json.

import { PGlite, protocol } from "./index.js";

const CACHE = "adr-lab-pglite";
const here = new URL("./", import.meta.url).href;

let parts; // { wasm, data, template }
let server;

/** A file of the site, from the cache if it is there; `told` hears how many bytes have come. */
async function file(cache, name, told) {
  const address = here + name;
  const kept = await cache?.match(address);
  if (kept) {
    const bytes = await kept.arrayBuffer();
    told(bytes.byteLength);
    return bytes;
  }
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the site answered ${response.status} for ${name}`);
  const chunks = [];
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    told(value.byteLength);
  }
  const packed = new Blob(chunks);
  // A full disk or a private window: it is fetched again the next time.
  await cache?.put(address, new Response(packed)).catch(() => {});
  return packed.arrayBuffer();
}

const unpacked = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));

/** Files of other builds go. */
async function cleared(cache) {
  for (const request of (await cache?.keys()) ?? []) {
    if (!request.url.startsWith(here)) await cache.delete(request);
  }
}

async function load(tell) {
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  await cleared(cache);
  const list = await (await fetch(`${here}files.json`)).json();
  let done = list.bytes - list.packed.reduce((sum, entry) => sum + entry.bytes, 0);
  const told = (bytes) => tell((done += bytes), list.bytes);
  const [wasm, data, template] = await Promise.all(
    ["pglite.wasm.gz", "pglite.data.gz", "template.tar.gz"].map((name) => file(cache, name, told)),
  );
  parts = {
    wasm: await WebAssembly.compile(await unpacked(wasm).arrayBuffer()),
    data: await unpacked(data).blob(),
    template: await unpacked(template).blob(),
  };
}

// The template was made by initdb when the site was built: initdb's own program is never called.
const NO_PROGRAM = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));

async function start() {
  await server?.close();
  server = await PGlite.create({
    pgliteWasmModule: parts.wasm,
    initdbWasmModule: NO_PROGRAM,
    fsBundle: parts.data,
    loadDataDir: parts.template,
  });
  const { Rows } = await sql("SELECT version()");
  return Rows.rows[0][0];
}

/** By the simple query protocol: values are the texts that the server sends. */
async function sql(text) {
  const { messages } = await server.execProtocol(protocol.serialize.query(text), { throwOnError: false });
  let columns;
  let rows = [];
  let answer = { Done: { rows: 0 } };
  for (const message of messages) {
    if (message.name === "rowDescription") columns = message.fields.map((field) => field.name);
    if (message.name === "dataRow") rows.push(message.fields);
    if (message.name === "error") answer = { Refused: { sqlstate: message.code, message: message.message } };
    if (message.name === "commandComplete") {
      answer = columns ? { Rows: { columns, rows } } : { Done: { rows: changed(message.text) } };
      columns = undefined;
      rows = [];
    }
  }
  return answer;
}

/** `INSERT 0 5` → 5; `BEGIN` → 0 */
const changed = (tag) => Number(/ (\d+)$/.exec(tag)?.[1] ?? 0);

const say = (message) => postMessage(JSON.stringify(message));

async function answer({ id, question }) {
  try {
    if (question === "Load") {
      await load((done, of) => say({ Progress: { id, done, of } }));
      say({ Loaded: { id } });
    } else if (question === "Start") {
      say({ Started: { id, version: await start() } });
    } else {
      say({ Answered: { id, answer: await sql(question.Sql) } });
    }
  } catch (error) {
    say({ Failed: { id, message: String(error?.message ?? error) } });
  }
}

let before = Promise.resolve();
onmessage = ({ data }) => {
  before = before.then(() => answer(JSON.parse(data)));
};
