// What every journey needs: the built site on a free loopback port, a browser without a past, and
// pages that fail their test when they complain or reach for anything outside of the site.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const site = path.join(root, "dist");
const types = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".toml": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

/** As slow as a busy machine may be; journeys wait for what they need, never for a time. */
export const PATIENCE = 120_000;

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

const folder = "/some/folder/";

/** As dumb as a host can be: files, and index.html for a folder. */
async function answer(request, response) {
  const wanted = decodeURIComponent(new URL(request.url, "http://site").pathname);
  const file = path.join(site, wanted.slice(folder.length - 1), wanted.endsWith("/") ? "index.html" : "");
  try {
    if (!wanted.startsWith(folder) || !file.startsWith(site)) throw new Error("outside");
    const content = await readFile(file);
    response.setHeader("content-type", types[path.extname(file)] ?? "application/octet-stream");
    response.end(content);
  } catch {
    response.statusCode = 404;
    response.end();
  }
}

/** The site, below a folder as on many hosts, and a browser, until `close`. */
export async function start() {
  const server = http.createServer(answer);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${server.address().port}${folder}`;
  const browser = await chromium.launch({ executablePath: process.env.CHROME ?? "/usr/bin/chromium", args: flags });
  return {
    address,
    /** Where one's own scenario is run. */
    workload: `${address}lab/`,
    /** A visitor with a storage of their own. */
    async visitor(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      context.setDefaultTimeout(PATIENCE);
      return context;
    },
    async close() {
      await browser.close();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Journeys through one started site: each is that of a visitor of their own, who leaves however it ends. */
export function journeys(title, tell) {
  describe(title, () => {
    const lab = {};
    before(async () => Object.assign(lab, await start()));
    after(async () => lab.close?.());
    const journey = (name, work, options = {}) =>
      test(name, { timeout: 4 * PATIENCE }, async () => {
        const context = await lab.visitor(options);
        try {
          await work(context);
        } finally {
          await context.close();
        }
      });
    tell(lab, journey);
  });
}

/** A page whose `complaints` collect what no journey expects. */
export async function watched(context, address) {
  const page = await context.newPage();
  page.complaints = [];
  const origin = new URL(address).origin;
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") page.complaints.push(message.text());
  });
  page.on("request", (request) => {
    const from = new URL(request.url());
    if (from.origin !== origin && from.protocol.startsWith("http")) page.complaints.push(`reached for ${request.url()}`);
  });
  return page;
}

/** Opens the page where one's own scenario is run, and waits until it can run. */
export async function open(context, address) {
  const page = await watched(context, address);
  await page.goto(address);
  await page.getByRole("button", { name: "Run", exact: true }).waitFor();
  return page;
}

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe finds (WCAG 2.2 AA, as far as it can tell), as one line each. */
export async function violations(page) {
  // The page's policy forbids foreign scripts, so axe is evaluated by the driver instead.
  await page.evaluate(await readFile(axe, "utf8"));
  const result = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), rules);
  return result.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${node.target.join(" ")}: ${node.failureSummary}`),
  );
}

export function quiet(page) {
  assert.deepEqual(page.complaints, []);
}

export const runButton = (page) => page.getByRole("button", { name: "Run", exact: true });

/** The control below a title of the form. */
export function field(page, title) {
  const label = page.locator("label.field").filter({ has: page.locator("span", { hasText: new RegExp(`^${title}$`) }) });
  return label.locator("select, input");
}

/** Runs what the form says and waits for the board. */
export async function run(page, { requests } = {}) {
  if (requests) await field(page, "Requests").fill(String(requests));
  await runButton(page).click();
  await page.locator(".board").waitFor();
}

/** Design → fingerprint of its trace, as the page shows it. */
export async function fingerprints(page) {
  await page.locator(".board .fingerprint").first().waitFor();
  const cells = page.locator(".board .fingerprint");
  const pairs = await cells.evaluateAll((list) => list.map((cell) => [cell.dataset.design, cell.textContent.trim()]));
  return Object.fromEntries(pairs);
}

/** The same from the command line, natively. */
export function nativeFingerprints(...choice) {
  const program = process.env.ADR_LAB ?? path.join(root, "target/debug/adr-lab");
  const text = execFileSync(program, ["run", "sign-up", "--json", ...choice], { encoding: "utf8", maxBuffer: 1 << 28 });
  // 64-bit numbers: read before JSON.parse would round them.
  const exact = text.replace(/("fingerprint":\s*)\[\s*(\d+),\s*(\d+)\s*\]/g, '$1["$2","$3"]');
  const hex = (number) => BigInt(number).toString(16).padStart(16, "0");
  const designs = JSON.parse(exact).designs;
  return Object.fromEntries(designs.map((design) => [design.architecture, design.trace.fingerprint.map(hex).join("")]));
}
