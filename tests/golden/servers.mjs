// Servers that speak DynamoDB's language and S3's: installed into a folder of their own, run on a free port of the loopback
// interface.
//
// ADR_LAB_SERVERS names the folder; without it, it is a temporary one.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";

export const VERSIONS = { dynalite: "4.0.0", moto: "5.2.5" };
const tools = process.env.ADR_LAB_SERVERS ?? path.join(os.tmpdir(), "adr-lab-dynamo-golden");

function run(command, ...args) {
  // What a server's installation has to say is not for whoever reads our output.
  const done = spawnSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")} has failed`);
}

/** Each installs a server, once per version, and says how to start it on a port. */
export const servers = {
  dynalite() {
    const folder = path.join(tools, `dynalite-${VERSIONS.dynalite}`);
    const program = path.join(folder, "node_modules", "dynalite", "cli.js");
    if (!existsSync(program)) {
      mkdirSync(folder, { recursive: true });
      run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, `dynalite@${VERSIONS.dynalite}`);
    }
    return (port) => [process.execPath, [program, "--port", `${port}`, "--host", "127.0.0.1", "--createTableMs", "0"]];
  },
  moto() {
    const folder = path.join(tools, `moto-${VERSIONS.moto}`);
    const program = path.join(folder, "bin", "moto_server");
    if (!existsSync(program)) {
      run("python3", "-m", "venv", folder);
      run(path.join(folder, "bin", "pip"), "install", "--quiet", `moto[dynamodb,s3,server]==${VERSIONS.moto}`);
    }
    return (port) => [program, ["-H", "127.0.0.1", "-p", `${port}`]];
  },
};

/** Runs a server while `work(port)` runs. */
export async function serving(name, work) {
  const start = servers[name]();
  const port = await freePort();
  const [command, args] = start(port);
  const server = spawn(command, args, { stdio: "ignore" });
  try {
    await answers(port);
    return await work(port);
  } finally {
    server.kill();
  }
}

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

const agent = new http.Agent({ keepAlive: true });

export function send(port, operation, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      agent,
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
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      return await send(port, "ListTables", {});
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("the server does not answer");
}

/** Sends a request; a new table is waited for. */
export async function ask(port, operation, body) {
  const reply = await send(port, operation, body);
  while (operation === "CreateTable" && reply.TableDescription) {
    const { Table } = await send(port, "DescribeTable", { TableName: body.TableName });
    if (Table.TableStatus === "ACTIVE") break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return reply;
}
