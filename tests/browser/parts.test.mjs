// The app's program comes in parts: what a page says it loads, what is fetched when somebody asks, and what happens
// when a part cannot be had.

import assert from "node:assert/strict";
import { journeys, quiet, run, runButton, watched } from "./lab.mjs";

const file = (url) => new URL(url).pathname.split("/").at(-1);

journeys("the program's parts", (lab, journey) => {
  /** A page whose `fetched` are the program's files, in the order of their coming. */
  async function counted(context) {
    const page = await watched(context, lab.address);
    page.fetched = [];
    page.on("request", (request) => {
      if (/\/app-[0-9a-f]+\//.test(request.url())) page.fetched.push(file(request.url()));
    });
    return page;
  }

  const said = (page) =>
    page
      .locator('link[rel="preload"], link[rel="modulepreload"]')
      .evaluateAll((links) => links.map((link) => new URL(link.href).pathname.split("/").at(-1)));

  journey("a page loads what it says, the next one what is missing, and nothing comes twice", async (context) => {
    const page = await counted(context);
    let workers = 0;
    page.on("worker", () => (workers += 1));
    await page.goto(`${lab.address}compare/`);
    await page.locator("[data-cell]").first().waitFor();
    await page.locator(".below figure").first().waitFor();
    assert.deepEqual([...new Set(page.fetched)].sort(), (await said(page)).sort());
    const before = new Set(page.fetched);
    assert.ok(!before.has("split_lab.wasm") && !before.has("split_run.wasm"));
    page.fetched.length = 0;
    await page.getByRole("link", { name: "Your workload" }).click();
    await runButton(page).waitFor();
    assert.ok(page.fetched.includes("split_lab.wasm"));
    assert.deepEqual(page.fetched.filter((name) => before.has(name)), []);
    page.fetched.length = 0;
    await page.goBack();
    await page.locator("[data-cell]").first().waitFor();
    assert.deepEqual(page.fetched, []);
    assert.equal(workers, 1);
    quiet(page);
  });

  journey("what draws a run comes with the first run", async (context) => {
    const page = await counted(context);
    await page.goto(lab.workload);
    await runButton(page).waitFor();
    assert.ok(!page.fetched.includes("split_run.wasm"));
    await run(page, { requests: 50 });
    await page.locator(".player").waitFor();
    assert.ok(page.fetched.includes("split_run.wasm") && !page.fetched.includes("split_postgres.wasm"));
    quiet(page);
  });

  journey("a part that cannot be had can be asked for again", async (context) => {
    const page = await counted(context);
    let broken = true;
    await page.route("**/split_postgres.wasm", (route) => (broken ? route.abort() : route.continue()));
    await page.goto(lab.workload);
    await page.getByRole("button", { name: "Ask real PostgreSQL" }).click();
    await page.getByText("could not be fetched").waitFor();
    broken = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".answers").waitFor();
    assert.ok(page.complaints.every((text) => /Failed to (load|fetch)/.test(text)), page.complaints.join("\n"));
  });
});
