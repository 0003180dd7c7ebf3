// Accessibility (WCAG 2.2 AA, as far as axe-core can tell), themes and small screens.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PATIENCE, open, quiet, run, start, violations } from "./lab.mjs";

describe("access", () => {
  let lab;
  before(async () => (lab = await start()));
  after(async () => lab?.close());

  for (const colorScheme of ["light", "dark"]) {
    for (const [name, width] of [["phone", 390], ["desktop", 1280]]) {
      test(`nothing to object to: ${name}, ${colorScheme}`, { timeout: 4 * PATIENCE }, async () => {
        const context = await lab.visitor({ viewport: { width, height: 900 }, colorScheme });
        const page = await open(context, lab.workload);
        assert.deepEqual(await violations(page), []);
        await page.getByRole("button", { name: /Try every crash/ }).click();
        await page.locator(".heat").first().waitFor();
        await run(page, { requests: 300 });
        assert.deepEqual(await violations(page), []);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, "the page itself never scrolls sideways");
        quiet(page);
        await context.close();
      });
    }
  }

  test("the theme follows the system until one is chosen, and the choice stays", { timeout: PATIENCE }, async () => {
    const context = await lab.visitor({ colorScheme: "dark" });
    const page = await open(context, lab.workload);
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await paper();
    await page.getByRole("button", { name: "Theme: auto" }).click();
    const light = await paper();
    assert.notEqual(light, dark);
    await page.reload();
    await page.getByRole("button", { name: "Theme: light" }).waitFor();
    assert.equal(await paper(), light);
    quiet(page);
    await context.close();
  });
});
