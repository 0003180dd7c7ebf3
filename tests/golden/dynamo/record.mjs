// Plays the requests of *.requests.jsonl to real servers and writes what they answer, one line a request:
// {"dynalite": reply, "moto": reply}.
//
//   node tests/golden/dynamo/record.mjs [script …]

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { VERSIONS, ask, servers, serving } from "./servers.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

async function play(port, requests) {
  const replies = [];
  for (const [operation, body] of requests) {
    const reply = await ask(port, operation, body);
    // Of a new table only that it was made is of interest: the rest are names and dates of the server's own.
    replies.push(reply.TableDescription ? {} : reply);
  }
  return replies;
}

const scripts = process.argv.slice(2);
const all = readdirSync(here).filter((file) => file.endsWith(".requests.jsonl"));
const chosen = all.filter((file) => scripts.length === 0 || scripts.includes(file.replace(".requests.jsonl", "")));
const recorded = new Map(chosen.map((file) => [file, []]));

for (const name of Object.keys(servers)) {
  await serving(name, async (port) => {
    for (const file of chosen) {
      const lines = readFileSync(path.join(here, file), "utf8").trim().split("\n");
      const requests = lines.map((line) => JSON.parse(line));
      const replies = await play(port, requests);
      replies.forEach((reply, index) => (recorded.get(file)[index] = { ...recorded.get(file)[index], [name]: reply }));
      console.log(`${name} ${VERSIONS[name]}: ${file}, ${replies.length} replies`);
    }
  });
}

for (const [file, replies] of recorded) {
  const text = replies.map((reply) => JSON.stringify(reply) + "\n").join("");
  writeFileSync(path.join(here, file.replace(".requests.", ".replies.")), text);
}
