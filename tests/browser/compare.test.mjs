// Home and the board: what is there before anything has run, evidence by keyboard, another baseline, another run, a
// link to one cell.

import assert from "node:assert/strict";
import { field, journeys, quiet, violations, watched } from "./lab.mjs";

const DESIGNS = ["schemas-in-one-database", "shared-tables-with-row-level-security"];
const cells = (page) => page.locator("[data-cell]");
const cell = (page, row, design) => page.locator(`[data-cell="${row}.${design}"]`);
const chip = (page, name) => page.getByRole("button", { name: new RegExp(`^${name} `) });
const again = (page) => page.getByRole("button", { name: /^Run( again)?$/ });

journeys("home and the board", (lab, journey) => {
  async function visit(context, path) {
    const page = await watched(context, lab.address);
    await page.goto(lab.address + path);
    return page;
  }

  journey("from Home to the board: recorded rows are there at once, and pages change without loading", async (context) => {
    const page = await visit(context, "");
    await page.getByRole("slider", { name: "The crash strikes" }).focus();
    const before = await page.locator("tbody[data-stop]:not(.away)").getAttribute("data-place");
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await page.locator("tbody[data-stop]:not(.away)").getAttribute("data-place"), before);
    await page.getByRole("link", { name: "See why" }).click();
    await page.waitForURL("**/compare/");
    await cells(page).first().waitFor();
    await page.getByText("Recorded; a test compares it").waitFor();
    await page.locator(".charts").getByText("Show as table").last().click();
    await page.locator(".charts td", { hasText: "1.0000" }).first().waitFor();
    let loads = 0;
    page.on("load", () => (loads += 1));
    await page.getByRole("link", { name: "Your workload" }).click();
    await page.getByRole("button", { name: "Run", exact: true }).waitFor();
    assert.match(page.url(), /\/lab\/$/);
    assert.equal(await page.title(), "Your workload · ADR Lab");
    await page.goBack();
    await cells(page).first().waitFor();
    assert.equal(loads, 0, "the worker and all state survive the way");
    quiet(page);
  });

  journey("evidence opens and closes by keyboard, and a link leads to it", async (context) => {
    const page = await visit(context, "compare/");
    const leak = cell(page, "forgotten-filter", DESIGNS[0]);
    await leak.focus();
    await page.keyboard.press("Enter");
    const drawer = page.getByRole("region", { name: "Evidence" });
    await drawer.locator(".foreign").first().waitFor();
    await drawer.locator("pre", { hasText: /SELECT/ }).first().waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "evidence");
    assert.equal(await leak.getAttribute("aria-expanded"), "true");
    const link = page.url();
    assert.match(link, /#forgotten-filter\.schemas-in-one-database$/);
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.dataset.cell), `forgotten-filter.${DESIGNS[0]}`);
    const theirs = await visit(context, link.slice(lab.address.length));
    await theirs.getByRole("region", { name: "Evidence" }).waitFor();
    quiet(page);
    quiet(theirs);
  });

  journey("another baseline changes the differences, and the link says it", async (context) => {
    const page = await visit(context, "compare/");
    await page.getByRole("button", { name: /^make baseline.*Shared tables/ }).click();
    await page.locator("th.baseline", { hasText: "Shared tables" }).waitFor();
    await page.waitForFunction(() => location.search.includes("on=shared-tables"));
    assert.match(await cell(page, "forgotten-filter", DESIGNS[0]).innerText(), /\+4,434/);
    await page.waitForFunction(() => document.activeElement?.matches("th.baseline"));
    const theirs = await visit(context, page.url().slice(lab.address.length));
    await theirs.locator("th.baseline", { hasText: "Shared tables" }).waitFor();
    await theirs.getByText("Recorded; a test compares it").waitFor();
    quiet(theirs);
  });

  journey("a change can be undone; another run grows row by row, is cancelled, keeps its rows, and has a link", async (context) => {
    const page = await visit(context, `compare/?v=1&scenario=sign-up&on=${DESIGNS.join(",")}`);
    await cells(page).first().waitFor();
    await chip(page, "Seed").click();
    await page.getByRole("textbox", { name: "Seed" }).fill("11");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.activeElement?.textContent.startsWith("Seed"));
    await page.getByText("Run again to see what your changes make of it.").waitFor();
    await page.getByRole("button", { name: "Undo the last change" }).click();
    await page.getByRole("button", { name: "Seed 7", exact: true }).waitFor();
    await chip(page, "Requests").click();
    await page.getByRole("textbox", { name: "Requests" }).fill("300");
    await page.getByRole("button", { name: "Done" }).click();
    await again(page).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled.").waitFor();
    assert.ok((await cells(page).count()) > 0, "what was there stays");
    await again(page).click();
    await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
    await page.waitForFunction(() => location.search.includes("requests=300"));
    assert.equal(await page.locator("[data-cell^=monthly-bill]").count(), DESIGNS.length);
    quiet(page);
  });

  journey("a price of one's own is billed, counts as assumed, and is in the link", async (context) => {
    const page = await visit(context, `compare/?v=1&scenario=sign-up&on=${DESIGNS.join(",")}`);
    await cells(page).first().waitFor();
    await chip(page, "Prices").click();
    const storage = page.getByLabel("PostgreSQL storage, per GB month");
    await storage.fill("cheap");
    await page.getByText("“cheap” is no amount of dollars: write it like 0.072.").waitFor();
    await storage.fill("0.2");
    await page.getByRole("button", { name: "Done" }).click();
    await chip(page, "Requests").click();
    await page.getByRole("textbox", { name: "Requests" }).fill("300");
    await page.getByRole("button", { name: "Done" }).click();
    await again(page).click();
    await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
    await page.waitForFunction(() => location.search.includes("prices=sql_storage_usd_per_gb_month=0.2"));
    await cell(page, "monthly-bill", DESIGNS[0]).click();
    const evidence = page.getByRole("region", { name: "Evidence" });
    await evidence.getByText("1 of its prices replaced by yours").waitFor();
    assert.match(await evidence.innerText(), /\$0\.2 a GB-month[^]*assumed/);
    const theirs = await visit(context, page.url().slice(lab.address.length).replace(/#.*/, ""));
    await chip(theirs, "Prices 1 is").waitFor();
    quiet(page);
  });

  journey("what was found on a scenario of one's own can be seen again: here at once, elsewhere when it has been looked at", async (context) => {
    const page = await watched(context, lab.address);
    await page.goto(lab.workload);
    await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("title ="));
    await field(page, "Scenario").selectOption("My own scenario");
    const text = page.locator("textarea");
    await text.fill((await text.inputValue()).replace("title = \"", "title = \"My "));
    await page.getByRole("link", { name: "Compare" }).click();
    await page.getByRole("button", { name: "Scenario my own" }).waitFor();
    await chip(page, "Requests").click();
    await page.getByRole("textbox", { name: "Requests" }).fill("200");
    await page.getByRole("button", { name: "Done" }).click();
    await again(page).click();
    await page.getByRole("button", { name: "Cancel" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
    await cell(page, "longest-window", "database-per-service").click();
    const see = page.getByRole("link", { name: "See it again" });
    const address = await see.getAttribute("href");
    assert.match(address, /^\.\.\/run\/\?.*&text=/);
    await see.click();
    await page.getByRole("heading", { name: /^create_user on / }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Draw it" }).count(), 0);
    quiet(page);
    const theirs = await visit(await lab.visitor(), address.replace("../", ""));
    await theirs.getByRole("button", { name: "Draw it" }).click();
    await theirs.getByRole("heading", { name: /^create_user on / }).waitFor();
    quiet(theirs);
    await theirs.context().close();
  });

  journey("a fault is part of the question", async (context) => {
    const page = await visit(context, `compare/?v=1&scenario=sign-up&on=${DESIGNS.join(",")}`);
    await chip(page, "Fault").click();
    await page.getByLabel("Kind").selectOption("lose-reply");
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "Fault lose reply of step 3 of create_user" }).waitFor();
    await again(page).and(page.locator(":enabled")).waitFor();
    quiet(page);
  });

  journey("a fault that is chosen before the worker has come gets its operation from it", async (context) => {
    let come;
    const chosen = new Promise((done) => (come = done));
    await context.route("**/worker*/*.wasm", async (route) => {
      await chosen;
      await route.continue();
    });
    const page = await visit(context, `compare/?v=1&scenario=sign-up&on=${DESIGNS.join(",")}`);
    await chip(page, "Fault").click();
    await page.getByLabel("Kind").selectOption("lose-reply");
    await page.getByRole("button", { name: "Done" }).click();
    come();
    await page.getByRole("button", { name: "Fault lose reply of step 3 of create_user" }).waitFor();
    quiet(page);
  });

  journey("how long drawing the recorded board holds the page up", async (context) => {
    const page = await watched(context, lab.address);
    await page.addInitScript(() => {
      globalThis.held = [];
      new PerformanceObserver((list) => held.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
    });
    await page.goto(`${lab.address}compare/`);
    await page.locator("[data-cell^=credentials]").first().waitFor();
    await page.locator(".charts").waitFor();
    // Told, not asserted: a busy machine holds every page up.
    console.log(`long tasks of /compare/, ms: ${JSON.stringify(await page.evaluate(() => held))}`);
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [390, 820, 1280]) {
      journey(`nothing to object to: ${width}, ${colorScheme}`, async (context) => {
        const page = await visit(context, "compare/");
        await cells(page).first().waitFor();
        await page.locator(".charts").waitFor();
        assert.deepEqual(await violations(page), []);
        await chip(page, "Designs").click();
        assert.deepEqual(await violations(page), [], "with a chip open");
        await page.keyboard.press("Escape");
        await cells(page).first().click();
        await page.getByRole("region", { name: "Evidence" }).waitFor();
        assert.deepEqual(await violations(page), [], "with evidence");
        if (width < 640) await page.getByRole("button", { name: "Next" }).click();
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, "the page itself never scrolls sideways");
        quiet(page);
      }, { viewport: { width, height: 900 }, colorScheme });
    }
  }
});
