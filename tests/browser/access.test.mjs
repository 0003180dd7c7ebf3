// Accessibility (WCAG 2.2 AA, as far as axe-core can tell), themes and small screens.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { PATIENCE, open, quiet, run, start } from "./lab.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe finds, as one line each. */
async function violations(page) {
  // The page's policy forbids foreign scripts, so axe is evaluated by the driver instead.
  const source = await readFile(axe, "utf8");
  await page.evaluate(source);
  const result = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), rules);
  return result.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${node.target.join(" ")}: ${node.failureSummary}`),
  );
}

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
