// Plays the requests of *.requests.jsonl to real servers and writes what they answer, one line a request:
// {"dynalite": reply, "moto": reply}. The servers are installed into a temporary folder, run on a free port of the
// loopback interface and stopped at the end.
//
//   node tests/golden/dynamo/record.mjs [script …]

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const VERSIONS = { dynalite: "4.0.0", moto: "5.2.5" };
const here = path.dirname(fileURLToPath(import.meta.url));
const tools = path.join(os.tmpdir(), "adr-lab-dynamo-golden");

function run(command, ...args) {
  const done = spawnSync(command, args, { stdio: "inherit" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")} has failed`);
}

/** Installs a server and says how to start it on a port. */
const servers = {
  dynalite() {
    const folder = path.join(tools, "dynalite");
    mkdirSync(folder, { recursive: true });
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, `dynalite@${VERSIONS.dynalite}`);
    const program = path.join(folder, "node_modules", "dynalite", "cli.js");
    return (port) => [process.execPath, [program, "--port", `${port}`, "--host", "127.0.0.1", "--createTableMs", "0"]];
  },
  moto() {
    const folder = path.join(tools, "moto");
    run("python3", "-m", "venv", folder);
    run(path.join(folder, "bin", "pip"), "install", "--quiet", `moto[dynamodb,server]==${VERSIONS.moto}`);
    return (port) => [path.join(folder, "bin", "moto_server"), ["-H", "127.0.0.1", "-p", `${port}`]];
  },
};

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function send(port, operation, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: "127.0.0.1",
      port,
      method: "POST",
      headers: {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": `DynamoDB_20120810.${operation}`,
        "X-Amz-Date": "20261121T000000Z",
        Authorization:
          "AWS4-HMAC-SHA256 Credential=golden/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none",
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => {
        try {
          resolve(JSON.parse(text));
        } catch {
          resolve({ status: response.statusCode });
        }
      });
    });
    request.end(JSON.stringify(body));
  });
}

async function answers(port) {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      return await send(port, "ListTables", {});
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("the server does not answer");
}

async function play(port, requests) {
  const replies = [];
  for (const [operation, body] of requests) {
    const reply = await send(port, operation, body);
    // Of a new table only that it was made is of interest: the rest are names and dates of the server's own.
    replies.push(reply.TableDescription ? {} : reply);
    while (operation === "CreateTable" && reply.TableDescription) {
      const { Table } = await send(port, "DescribeTable", { TableName: body.TableName });
      if (Table.TableStatus === "ACTIVE") break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return replies;
}

const scripts = process.argv.slice(2);
const all = readdirSync(here).filter((file) => file.endsWith(".requests.jsonl"));
const chosen = all.filter((file) => scripts.length === 0 || scripts.includes(file.replace(".requests.jsonl", "")));
const recorded = new Map(chosen.map((file) => [file, []]));

for (const [name, install] of Object.entries(servers)) {
  const start = install();
  const port = await freePort();
  const [command, args] = start(port);
  const server = spawn(command, args, { stdio: "ignore" });
  try {
    await answers(port);
    for (const file of chosen) {
      const lines = readFileSync(path.join(here, file), "utf8").trim().split("\n");
      const requests = lines.map((line) => JSON.parse(line));
      const replies = await play(port, requests);
      replies.forEach((reply, index) => (recorded.get(file)[index] = { ...recorded.get(file)[index], [name]: reply }));
      console.log(`${name} ${VERSIONS[name]}: ${file}, ${replies.length} replies`);
    }
  } finally {
    server.kill();
  }
}

for (const [file, replies] of recorded) {
  const text = replies.map((reply) => JSON.stringify(reply) + "\n").join("");
  writeFileSync(path.join(here, file.replace(".requests.", ".replies.")), text);
}
