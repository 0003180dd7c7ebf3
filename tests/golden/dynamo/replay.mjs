// Sends what the DynamoDB design sends (`adr-lab compile … --requests`) to moto, request by request: it must answer the
// same, and the same items must be there in the end. (dynalite knows no transactions.)
//
//   node tests/golden/dynamo/replay.mjs <script> …
//
// Prints one line of JSON: {"server", "requests", "items", "differing": [sentence, …]}.

import { readFileSync } from "node:fs";
import path from "node:path";

import { VERSIONS, ask, send, serving } from "../servers.mjs";

/** A reply without what is a server's own: order of items, messages, counts of capacity. */
function essence(reply) {
  if (reply.__type) {
    const name = reply.__type.split("#").pop();
    return { failure: name, reasons: (reply.CancellationReasons ?? []).map((reason) => reason.Code ?? "None") };
  }
  const found = reply.Items ?? Object.values(reply.Responses ?? {}).flat();
  return {
    items: [...found, ...[reply.Item, reply.Attributes].filter(Boolean)].map(canonical).sort(),
    left: Object.keys({ ...reply.UnprocessedItems, ...reply.UnprocessedKeys }).length,
    more: Boolean(reply.LastEvaluatedKey),
  };
}

/** JSON with its keys in order; a number is its value, not its digits. */
function canonical(value) {
  const sorted = (_, part) => {
    if (part === null || typeof part !== "object" || Array.isArray(part)) return part;
    if (typeof part.N === "string") return { N: String(Number(part.N)) };
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return JSON.stringify(value, sorted);
}

async function everything(port, table) {
  const items = [];
  let start;
  do {
    const page = await send(port, "Scan", { TableName: table, ConsistentRead: true, ExclusiveStartKey: start });
    items.push(...page.Items);
    start = page.LastEvaluatedKey;
  } while (start);
  return items;
}

const result = { server: `moto ${VERSIONS.moto}`, requests: 0, items: 0, differing: [] };

async function play(port, file) {
  const name = path.basename(file, ".jsonl");
  const differs = (what, ours, theirs) => result.differing.push(`${name}: ${what}\n  ours   ${ours}\n  theirs ${theirs}`);
  for (const text of readFileSync(file, "utf8").trim().split("\n")) {
    const line = JSON.parse(text);
    if (line.operation) {
      const answer = await ask(port, line.operation, line.request);
      const [ours, theirs] = [essence(line.reply ?? {}), essence(answer)].map(canonical);
      result.requests += 1;
      if (ours !== theirs) differs(`${line.operation} ${JSON.stringify(line.request)}`, ours, theirs);
    } else {
      const ours = new Set(line.items.map(canonical));
      const theirs = new Set((await everything(port, line.table)).map(canonical));
      result.items += ours.size;
      for (const item of ours) if (!theirs.has(item)) differs("an item in the end", item, "nothing");
      for (const item of theirs) if (!ours.has(item)) differs("an item in the end", "nothing", item);
      // The next script makes a table of the same name.
      await send(port, "DeleteTable", { TableName: line.table });
    }
  }
}

await serving("moto", async (port) => {
  for (const file of process.argv.slice(2)) await play(port, file);
});
console.log(JSON.stringify(result));
process.exit(0);
