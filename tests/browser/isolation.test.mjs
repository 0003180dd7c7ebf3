// Transaction isolation: from the matrix to a schedule, along its steps, and back by a link.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PATIENCE, start, violations } from "./lab.mjs";

describe("transaction isolation", () => {
  let lab;
  before(async () => (lab = await start()));
  after(async () => lab?.close());

  test("a cell of the matrix leads to its schedule, which is stepped through by keyboard", { timeout: PATIENCE }, async () => {
    const context = await lab.visitor({});
    const page = await context.newPage();
    await page.goto(`${lab.address}isolation/`);
    await page.locator("a[href='lost-update/#repeatable-read']").click();
    const level = page.locator("section.level:visible");
    await level.getByRole("heading", { name: "At repeatable read" }).waitFor();
    assert.equal(await level.count(), 1, "one level at a time");
    const score = level.locator(".score");
    await score.focus();
    const now = () => score.locator(".beat.now .who").innerText();
    for (const step of ["rr1", "rr2", "r1", "r2", "w1"]) {
      await page.keyboard.press("ArrowRight");
      assert.match(await now(), new RegExp(step));
    }
    assert.equal(await score.getByText("s2 waits for s1").isVisible(), false, "it has not happened yet");
    await page.keyboard.press("ArrowRight");
    assert.match(await now(), /w2\s+waits/);
    assert.ok(await score.getByText("s2 waits for s1").isVisible());
    assert.equal(await score.getByText("ERROR 40001").isVisible(), false);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("End");
    assert.ok(await score.getByText("ERROR 40001").isVisible());
    await context.close();
  });

  test("a link shows the level and the step that it was copied at", { timeout: PATIENCE }, async () => {
    const context = await lab.visitor({});
    const page = await context.newPage();
    await page.goto(`${lab.address}isolation/lost-update/#repeatable-read`);
    await page.locator("section.level:visible").getByRole("button", { name: "First" }).click();
    await page.locator("section.level:visible").getByRole("button", { name: "Next" }).click();
    const address = page.url();
    assert.match(address, /#repeatable-read-2$/);
    const again = await context.newPage();
    await again.goto(address);
    await again.locator("section.level:visible .beat.now", { hasText: "rr2" }).waitFor();
    await again.locator(".level-tabs a", { hasText: "serializable" }).click();
    await again.getByRole("heading", { name: "At serializable" }).waitFor();
    assert.equal(await again.locator("section.level:visible").count(), 1);
    await context.close();
  });

  test("a schedule plays to its end", { timeout: PATIENCE }, async () => {
    const context = await lab.visitor({});
    const page = await context.newPage();
    await page.goto(`${lab.address}isolation/aborted-read/#read-committed-7`);
    const level = page.locator("section.level:visible");
    await level.getByRole("button", { name: "Play" }).click();
    await level.locator(".beat.later").first().waitFor({ state: "detached" });
    await level.getByRole("button", { name: "Play" }).waitFor();
    await context.close();
  });
});
