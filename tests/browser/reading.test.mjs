// Pages that are read, not run: decisions, designs and transaction isolation. They work without scripts, in both themes, on a phone, and
// every link on them leads somewhere.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PATIENCE, start, violations } from "./lab.mjs";

const PAGES = ["", "adr/", "adr/one-database-many-schemas/", "adr/programs-are-data/", "designs/", "designs/database-per-service/", "isolation/", "isolation/lost-update/"];

describe("pages to read", () => {
  let lab;
  before(async () => (lab = await start()));
  after(async () => lab?.close());

  for (const colorScheme of ["light", "dark"]) {
    for (const [name, width] of [["phone", 375], ["desktop", 1280]]) {
      test(`nothing to object to: ${name}, ${colorScheme}`, { timeout: PATIENCE }, async () => {
        const context = await lab.visitor({ viewport: { width, height: 800 }, colorScheme });
        for (const path of PAGES) {
          const page = await context.newPage();
          const complaints = [];
          page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
          await page.goto(lab.address + path);
          assert.deepEqual(await violations(page), [], path);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(overflow <= 0, `${path} never scrolls sideways`);
          assert.deepEqual(complaints, [], path);
          await page.close();
        }
        await context.close();
      });
    }
  }

  test("they can be read without scripts, and no link on them is dead", { timeout: PATIENCE }, async () => {
    const context = await lab.visitor({ javaScriptEnabled: false });
    const page = await context.newPage();
    const read = ["adr/", "designs/", "isolation/"].map((path) => lab.address + path);
    const open = [lab.address, ...read];
    const seen = new Map();
    const inside = (link) => read.some((path) => link.startsWith(path));
    while (open.length > 0) {
      const address = open.pop();
      if (seen.has(address)) continue;
      const response = await page.goto(address);
      assert.equal(response.status(), 200, address);
      assert.equal(await page.locator("h1").count(), 1, address);
      const ids = await page.locator("[id]").evaluateAll((all) => all.map((one) => one.id));
      assert.equal(new Set(ids).size, ids.length, `${address}: every id is there once`);
      seen.set(address, new Set(ids));
      const links = await page.locator("a[href]").evaluateAll((all) => all.map((one) => one.href));
      for (const link of links) {
        const [target, fragment] = link.split("#");
        if (target === address && fragment) assert.ok(seen.get(address).has(fragment), link);
        if (inside(target)) open.push(target);
      }
    }
    assert.ok(seen.size > 12, `${seen.size} pages`);
    await context.close();
  });

  test("a claim can be linked to, with its verdict and a way to run it", { timeout: PATIENCE }, async () => {
    const context = await lab.visitor();
    const page = await context.newPage();
    await page.goto(`${lab.address}adr/one-database-many-schemas/#claim-one-transaction`);
    const claim = page.locator("#claim-one-transaction");
    assert.match(await claim.locator(".verdict").textContent(), /Holds in this model/);
    const link = await claim.getByRole("link", { name: "Run it" }).getAttribute("href");
    assert.match(link, /lab\/\?v=1&scenario=sign-up&on=schemas-in-one-database$/);
    await context.close();
  });
});
