// A schedule of one's own, below the matrix of anomalies: run it, cancel it, mend it, keep it, give it away.

import assert from "node:assert/strict";
import { field, journeys, quiet, violations, watched } from "./lab.mjs";

const editor = (page) => page.locator("#own textarea");
const all = (page) => page.getByRole("button", { name: /^Run all/ });
const outcomes = (page) => page.locator("details.came");

/** Three sessions that do so much that somebody may want to stop it: 756,756 interleavings. */
const LONG = `setup { CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 0), (2, 0), (3, 0); }
${[1, 2, 3]
  .map((n) => `session s${n}\n${[1, 2, 3, 4].map((step) => `step s${n}_${step} { UPDATE t SET n = n + 1 WHERE id = ${n}; }`).join("\n")}\nstep s${n}_5 { SELECT * FROM t; }`)
  .join("\n")}
`;

async function opened(lab, context, query = "") {
  const page = await watched(context, lab.address);
  await page.goto(`${lab.address}isolation/${query}`);
  await editor(page).waitFor();
  await page.waitForFunction(() => document.querySelector("#own textarea").value.includes("session"));
  return page;
}

journeys("a schedule of one's own", (lab, journey) => {
  journey("two doctors: all interleavings, the level, and an outcome played to its end", async (context) => {
    const page = await opened(lab, context);
    await all(page).click();
    await page.getByRole("heading", { name: "20 interleavings" }).waitFor();
    const skewed = outcomes(page).first();
    await skewed.locator("summary", { hasText: "as no serial order" }).waitFor();
    assert.match(await skewed.locator("summary").innerText(), /G2-item/);
    const score = skewed.locator("schedule-score");
    await score.focus();
    for (let step = 0; step < 3; step++) await page.keyboard.press("ArrowRight");
    assert.equal(await score.locator(".beat.now").count(), 1);
    assert.equal(await score.locator(".beat.later").count(), 3);
    await page.keyboard.press("End");
    assert.equal(await score.locator(".beat.later").count(), 0);
    assert.deepEqual(await violations(page), []);

    await field(page, "Where BEGIN names no level").selectOption("serializable");
    await all(page).click();
    await page.locator(".portions-legend .skewed").waitFor({ state: "detached" });
    await page.locator("details.came summary", { hasText: "rolled back: 40001" }).first().waitFor();
    assert.match(page.url(), /level=serializable/);
    quiet(page);
  });

  journey("the permutations that it lists, and no others", async (context) => {
    const page = await opened(lab, context);
    await editor(page).focus();
    await page.getByRole("button", { name: "Run the 2 permutations listed" }).click();
    await page.getByRole("heading", { name: "2 permutations, 2 different outcomes" }).waitFor();
    quiet(page);
  });

  journey("who waits for whom is drawn, and an order that cannot go on is told", async (context) => {
    const page = await opened(lab, context);
    await field(page, "Schedule").selectOption({ label: "Lost update (built in)" });
    await page.waitForFunction(() => document.querySelector("#own textarea").value.includes("P4"));
    await all(page).click();
    const stuck = outcomes(page).filter({ hasText: "cannot go on" });
    await stuck.locator("summary").click();
    await stuck.locator(".wire", { hasText: "waits for" }).waitFor();
    await stuck.getByText("would wait for ever").waitFor();
    quiet(page);
  });

  journey("progress shows, and Cancel is heard", async (context) => {
    const page = await opened(lab, context);
    await editor(page).fill(LONG);
    await all(page).click();
    await page.locator("#own progress[value]").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled.").waitFor();
    assert.equal(await outcomes(page).count(), 0);
    quiet(page);
  });

  journey("a slip is told with its line and column, and what was typed is kept", async (context) => {
    const page = await opened(lab, context);
    const area = editor(page);
    await area.focus();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("permutation nobody_looks\n");
    const place = page.locator("#own .place", { hasText: /line \d+, column 13/ });
    await place.waitFor();
    await page.locator("#own .diagnostics", { hasText: "there is no step `nobody_looks`" }).waitFor();
    await place.click();
    const at = await area.evaluate((area) => area.value.slice(area.selectionStart));
    assert.ok(at.startsWith("nobody_looks"), at);
    await all(page).click();
    await page.locator("#own .diagnostics", { hasText: "there is no step" }).waitFor();
    assert.equal(await outcomes(page).count(), 0);

    await page.reload();
    await page.waitForFunction(() => document.querySelector("#own textarea").value.includes("nobody_looks"));
    await area.focus();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("#");
    await page.keyboard.press("Control+z");
    await page.waitForFunction(() => document.querySelector("#own textarea").value.endsWith("nobody_looks\n"));
    quiet(page);
  });

  journey("a link carries it to somebody else and replaces nothing there", async (context) => {
    const page = await opened(lab, context);
    const text = (await editor(page).inputValue()).replaceAll("alice", "carol");
    await editor(page).fill(text);
    await field(page, "Where BEGIN names no level").selectOption("repeatable-read");
    await all(page).click();
    await outcomes(page).first().waitFor();
    await page.waitForFunction(() => location.search.includes("text="));

    const other = await lab.visitor();
    const theirs = await watched(other, lab.address);
    await theirs.goto(`${lab.address}isolation/`);
    await theirs.evaluate(() => localStorage.setItem("adr-lab.schedule", "# mine\n"));
    await theirs.goto(page.url());
    await theirs.getByText("This link carries a schedule of its own.").waitFor();
    assert.equal(await editor(theirs).inputValue(), text);
    assert.equal(await field(theirs, "Where BEGIN names no level").inputValue(), "repeatable-read");
    assert.equal(await theirs.evaluate(() => localStorage.getItem("adr-lab.schedule")), "# mine\n");
    await all(theirs).click();
    await theirs.getByRole("heading", { name: "20 interleavings" }).waitFor();
    quiet(theirs);
    await other.close();
    quiet(page);
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [390, 820, 1280]) {
      journey(
        `nothing to object to: ${width} wide, ${colorScheme}`,
        async (context) => {
          const page = await opened(lab, context);
          await all(page).click();
          await outcomes(page).first().waitFor();
          assert.deepEqual(await violations(page), []);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(overflow <= 0, "the page itself never scrolls sideways");
        },
        { viewport: { width, height: 900 }, colorScheme },
      );
    }
  }
});
