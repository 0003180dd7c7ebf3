// PGlite as a server that psql can talk to: `node tests/golden/pglite.mjs <folder with PGlite> <socket's folder>`.
//
// It prints `ready` and serves one session after the other on the Unix socket, each on a new, empty server.
// PGlite does not know who has logged in (PostgreSQL runs in single-user mode), so that RESET SESSION AUTHORIZATION
// leaves everything as it is; whoever types it gets what it means.

import { readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { PGlite, protocol } from "@electric-sql/pglite";

const [folder, sockets] = process.argv.slice(2);
const unpacked = (name) => gunzipSync(readFileSync(path.join(folder, name)));
const wasm = await WebAssembly.compile(unpacked("pglite.wasm.gz"));
const files = { data: new Blob([unpacked("pglite.data.gz")]), template: new Blob([unpacked("template.tar.gz")]) };
const noProgram = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));

const start = () =>
  PGlite.create({
    pgliteWasmModule: wasm,
    initdbWasmModule: noProgram,
    fsBundle: files.data,
    loadDataDir: files.template,
  });

const LENGTH = 4;
const SSL_REQUEST = 80877103;

/** A message of the protocol: its letter, its length, its content. */
function message(letter, ...content) {
  const body = Buffer.concat(content.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(1 + LENGTH);
  head.write(letter);
  head.writeInt32BE(body.length + LENGTH, 1);
  return Buffer.concat([head, body]);
}

const parameters = {
  server_version: "18.0",
  server_encoding: "UTF8",
  client_encoding: "UTF8",
  standard_conforming_strings: "on",
  is_superuser: "on",
  session_authorization: "postgres",
  integer_datetimes: "on",
};

const welcome = Buffer.concat([
  message("R", [0, 0, 0, 0]),
  ...Object.entries(parameters).map(([name, value]) => message("S", `${name}\0${value}\0`)),
  message("K", Buffer.alloc(8)),
  message("Z", "I"),
]);

/** What was typed, with what PGlite cannot know written out. */
function typed(bytes) {
  if (bytes[0] !== "Q".charCodeAt(0)) return bytes;
  const text = bytes.subarray(1 + LENGTH, bytes.length - 1).toString();
  const meant = text.replace(/RESET SESSION AUTHORIZATION/gi, "SET SESSION AUTHORIZATION postgres");
  return meant === text ? bytes : protocol.serialize.query(meant);
}

async function serve(socket) {
  const server = await start();
  let waiting = Buffer.alloc(0);
  let greeted = false;
  try {
    for await (const chunk of socket) {
      waiting = Buffer.concat([waiting, chunk]);
      for (;;) {
        const head = greeted ? 1 : 0;
        if (waiting.length < head + LENGTH) break;
        const length = head + waiting.readInt32BE(head);
        if (waiting.length < length) break;
        const one = waiting.subarray(0, length);
        waiting = waiting.subarray(length);
        if (greeted) {
          if (one[0] === "X".charCodeAt(0)) return;
          socket.write(await server.execProtocolRaw(typed(one)));
        } else if (one.readInt32BE(LENGTH) === SSL_REQUEST) {
          socket.write("N");
        } else {
          greeted = true;
          socket.write(welcome);
        }
      }
    }
  } finally {
    socket.end();
    await server.close();
  }
}

const listener = net.createServer((socket) => serve(socket).catch((error) => console.error(error)));
listener.listen(path.join(sockets, ".s.PGSQL.5432"), () => console.log("ready"));
