// How fast it is in a browser: figures that are told, not asserted, since a busy machine is slow at everything.

import { journeys, quiet, run, runButton, watched } from "./lab.mjs";

const DESIGNS = [
  "schemas-in-one-database",
  "database-per-service",
  "database-per-tenant",
  "shared-tables-with-row-level-security",
  "dynamodb-single-table",
];

journeys("speed", (lab, measured) => {
  measured("ten thousand requests on each of five designs, and the page meanwhile", async (context) => {
    const page = await watched(context, lab.address);
    await page.addInitScript(() => {
      globalThis.held = [];
      new PerformanceObserver((list) => held.push(...list.getEntries().map((entry) => Math.round(entry.duration)))).observe({ type: "longtask" });
    });
    await page.goto(`${lab.workload}?v=1&on=${DESIGNS.join(",")}`);
    await runButton(page).waitFor();
    await page.evaluate(() => (held.length = 0));
    const began = Date.now();
    await run(page, { requests: 10_000 });
    const took = Date.now() - began;
    const held = await page.evaluate(() => globalThis.held);
    console.log(`five designs × 10,000 requests, same rows and drawings included: ${took} ms; page tasks over 50 ms: ${JSON.stringify(held)}`);
    quiet(page);
  });

  measured("the worker's engines are ready", async (context) => {
    const page = await watched(context, lab.address);
    await page.addInitScript(() => {
      const Native = Worker;
      globalThis.Worker = class extends Native {
        constructor(...from) {
          super(...from);
          const began = performance.now();
          this.addEventListener("message", () => (globalThis.ready ??= Math.round(performance.now() - began)), { once: true });
        }
      };
    });
    const waits = [];
    for (let visit = 0; visit < 2; visit++) {
      await page.goto(lab.workload);
      waits.push(await (await page.waitForFunction(() => globalThis.ready)).jsonValue());
    }
    console.log(`from the worker's start to its first word, first visit and second: ${waits.join(" and ")} ms`);
    quiet(page);
  });

  measured("Home's largest paint with a processor four times slower", async (context) => {
    const page = await watched(context, lab.address);
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
    await page.addInitScript(() => {
      new PerformanceObserver((list) => (globalThis.largest = Math.round(list.getEntries().at(-1).startTime))).observe({
        type: "largest-contentful-paint",
        buffered: true,
      });
    });
    await page.goto(lab.address, { waitUntil: "networkidle" });
    const largest = await page.waitForFunction(() => globalThis.largest);
    console.log(`largest paint of Home, processor throttled four times: ${await largest.jsonValue()} ms`);
    quiet(page);
  });
});
