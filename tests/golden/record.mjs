// Plays the requests of dynamo/*.requests.jsonl and object_store/*.requests.jsonl to real servers and writes what they
// answer, one line a request: {"dynalite": reply, "moto": reply}.
//
//   node tests/golden/record.mjs [script …]

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { asker } from "./object_store/ask.mjs";
import { VERSIONS, ask, serving } from "./servers.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

/** Which servers speak a folder's language, and how they are asked. */
const languages = {
  dynamo: {
    servers: ["dynalite", "moto"],
    asker: () => async (port, operation, body) => {
      const reply = await ask(port, operation, body);
      // Of a new table only that it was made is of interest: the rest are names and dates of the server's own.
      return reply.TableDescription ? {} : reply;
    },
  },
  object_store: { servers: ["moto"], asker },
};

function requestsOf(file) {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

const wanted = process.argv.slice(2);

for (const [folder, language] of Object.entries(languages)) {
  const files = readdirSync(path.join(here, folder)).filter((file) => file.endsWith(".requests.jsonl"));
  const chosen = files.filter((file) => wanted.length === 0 || wanted.includes(file.replace(".requests.jsonl", "")));
  if (chosen.length === 0) continue;
  const recorded = new Map(chosen.map((file) => [file, []]));
  for (const name of language.servers) {
    await serving(name, async (port) => {
      for (const file of chosen) {
        const send = language.asker();
        let line = 0;
        for (const [operation, body] of requestsOf(path.join(here, folder, file))) {
          const reply = await send(port, operation, body);
          recorded.get(file)[line] = { ...recorded.get(file)[line], [name]: reply };
          line += 1;
        }
        console.log(`${name} ${VERSIONS[name]}: ${file}, ${line} replies`);
      }
    });
  }
  for (const [file, replies] of recorded) {
    const text = replies.map((reply) => JSON.stringify(reply) + "\n").join("");
    writeFileSync(path.join(here, folder, file.replace(".requests.", ".replies.")), text);
  }
}
