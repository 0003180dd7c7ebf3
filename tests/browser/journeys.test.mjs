// Journeys through the built page in a real browser: run, cancel, break, share, edit, recover.

import assert from "node:assert/strict";
import { field, fingerprints, journeys, nativeFingerprints, open, quiet, run, runButton, watched } from "./lab.mjs";

journeys("journeys", (lab, journey) => {
  const REQUESTS = 300;

  journey("sign-up runs on every design, and its traces equal those of the command line", async (context) => {
    const page = await open(context, lab.workload);
    await page.getByText("Nothing has run yet.").waitFor();
    await run(page, { requests: REQUESTS });
    const here = await fingerprints(page);
    assert.ok(Object.keys(here).length >= 2, "two designs at least");
    assert.deepEqual(here, nativeFingerprints("--requests", String(REQUESTS)));
    quiet(page);
  });

  journey("a fault runs, is drawn, and gives the command line's trace, too", async (context) => {
    const page = await open(context, lab.workload);
    const fault = "crash orchestrator after step 3 of create_user restart after 500 ms";
    await field(page, "Kind").selectOption("crash");
    await field(page, "Whom").selectOption("orchestrator");
    await field(page, "Step").fill("3");
    await field(page, "Of").selectOption("create_user");
    await page.locator(".sentence", { hasText: fault }).waitFor();
    await run(page, { requests: REQUESTS });
    await page.locator(".chip", { hasText: fault }).waitFor();
    await page.locator("svg.sequence path.fault").first().waitFor({ state: "attached" });
    assert.deepEqual(await fingerprints(page), nativeFingerprints("--requests", String(REQUESTS), "--fault", fault));
    quiet(page);
  });

  journey("progress shows, Cancel is heard, and the form is free again", async (context) => {
    const page = await open(context, lab.workload);
    await field(page, "Requests").fill("1000000");
    await runButton(page).click();
    await page.locator("progress[value]").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled.").waitFor();
    assert.equal(await page.locator(".board").count(), 0);
    await run(page, { requests: REQUESTS });
    quiet(page);
  });

  journey("the link reproduces the run for somebody else", async (context) => {
    const page = await open(context, lab.workload);
    await field(page, "Seed").fill("11");
    await page.getByRole("checkbox").last().uncheck();
    await run(page, { requests: REQUESTS });
    const mine = await fingerprints(page);
    const link = page.url();
    assert.match(link, /seed=11/);
    const other = await lab.visitor();
    const theirs = await open(other, link);
    assert.deepEqual(await fingerprints(theirs), mine, "it runs by itself, with the same result");
    assert.equal(await theirs.getByRole("checkbox").last().isChecked(), false);
    quiet(theirs);
    await other.close();
  });

  journey("a link with a scenario of its own replaces nothing", async (context) => {
    const page = await open(context, lab.workload);
    await field(page, "Scenario").selectOption("My own scenario");
    const editor = page.locator("textarea");
    await page.waitForFunction(() => document.querySelector("textarea").value.includes("title ="));
    await editor.fill((await editor.inputValue()).replace('title = "Sign-up"', 'title = "Ours"'));
    await page.waitForFunction(() => localStorage.getItem("adr-lab.scenario")?.includes('"Ours"'));
    await run(page, { requests: REQUESTS });
    await page.locator(".chip", { hasText: "Ours" }).waitFor();
    const link = page.url();
    assert.match(link, /text=/);

    const other = await lab.visitor();
    const theirs = await open(other, lab.workload);
    await theirs.evaluate(() => localStorage.setItem("adr-lab.scenario", "# mine\n"));
    await theirs.goto(link);
    await theirs.getByText("This link carries a scenario of its own.").waitFor();
    assert.equal(await theirs.evaluate(() => localStorage.getItem("adr-lab.scenario")), "# mine\n");
    await run(theirs);
    assert.deepEqual(await fingerprints(theirs), await fingerprints(page));
    await other.close();
  });

  journey("a slip in the text is pointed out with its place, and nothing typed is lost", async (context) => {
    const page = await open(context, lab.workload);
    await field(page, "Scenario").selectOption("My own scenario");
    const editor = page.locator("textarea");
    await page.waitForFunction(() => document.querySelector("textarea").value.includes("title ="));
    await editor.focus();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type("seed = = 3\n");
    const place = page.getByRole("button", { name: /line 1, column \d+/ });
    await place.first().waitFor();
    assert.equal(await editor.inputValue().then((text) => text.split("\n")[0]), "seed = = 3");
    await place.first().click();
    assert.ok((await editor.evaluate((area) => area.selectionStart)) <= "seed = = 3".length, "the caret is in line 1");

    await page.reload();
    await field(page, "Scenario").selectOption("My own scenario");
    await page.waitForFunction(() => document.querySelector("textarea").value.startsWith("seed = = 3"));

    await editor.focus();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type("# ");
    await page.keyboard.press("Control+z");
    await page.waitForFunction(() => document.querySelector("textarea").value.startsWith("seed = = 3"));
    quiet(page);
  });

  journey("whoever is faster than the network still begins with the built-in text", async (context) => {
    await context.route("**/scenarios/*.toml", async (route) => {
      await new Promise((done) => setTimeout(done, 1_500));
      await route.continue();
    });
    const page = await watched(context, lab.address);
    await page.goto(lab.workload);
    await field(page, "Scenario").selectOption("My own scenario");
    await page.waitForFunction(() => document.querySelector("textarea").value.includes("title ="));
    quiet(page);
  });

  journey("a copy for editing keeps what was there before", async (context) => {
    const page = await open(context, lab.workload);
    await page.evaluate(() => localStorage.setItem("adr-lab.scenario", "# my earlier text\n"));
    await page.reload();
    await page.locator("details.editor summary").click();
    await page.getByRole("button", { name: "Edit a copy" }).click();
    await page.getByRole("button", { name: "Exchange with it" }).click();
    await page.waitForFunction(() => document.querySelector("textarea").value === "# my earlier text\n");
    quiet(page);
  });

  journey("hostile and truncated links end in a sentence, and the page works", async (context) => {
    for (const query of [
      "?v=1&scenario=../../etc/passwd",
      "?v=1&scenario=%3Cscript%3Ealert(1)%3C/script%3E",
      "?v=1.000000&scenario=sign-up&seed=7",
      "?v=1&seed=-1",
      "?v=99&scenario=sign-up",
      "?v=1&onload=alert(1)",
      "?v=1&text=1.000000.AAAA",
      `?v=1&text=${"A".repeat(5_000)}`,
    ]) {
      const page = await open(context, lab.workload + query);
      await page.locator(".notice.bad").waitFor();
      assert.match(await page.locator(".notice.bad").innerText(), /link/);
      await page.locator("button.primary:not([disabled])").first().waitFor();
      assert.equal(await page.locator(".board").count(), 0, query);
      quiet(page);
      await page.close();
    }
  });

  journey("a worker that crashes is shown and replaced", async (context) => {
    const page = await open(context, lab.workload);
    await run(page, { requests: REQUESTS });
    const before = await fingerprints(page);
    await page.workers()[0].evaluate(() => {
      setTimeout(() => {
        throw new Error("a defect for the test");
      });
    });
    await page.getByText(/The worker stopped with a defect of ours: .*a defect for the test/).waitFor();
    assert.deepEqual(await fingerprints(page), before, "the last results are untouched");
    await page.locator("button.primary:not([disabled])").first().waitFor();
    await field(page, "Seed").fill("12");
    await run(page);
    await page.waitForFunction((old) => document.querySelector(".fingerprint")?.textContent !== old, Object.values(before)[0]);
  });

  journey("every crash of an operation is a table that can be asked", async (context) => {
    const page = await open(context, lab.workload);
    await page.getByRole("button", { name: /Try every crash/ }).click();
    await page.locator(".heat").first().waitFor();
    const cell = page.locator(".heat td button").first();
    await cell.focus();
    await page.keyboard.press("Enter");
    await page.locator(".point p").first().waitFor();
    assert.equal(await cell.getAttribute("aria-pressed"), "true");
    quiet(page);
  });

  journey("an execution can be read with the keyboard alone", async (context) => {
    const page = await open(context, lab.workload);
    await run(page, { requests: REQUESTS });
    const slider = page.getByRole("slider", { name: "Time cursor" });
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    const current = page.locator(".sentences [aria-current=step]");
    assert.equal(await page.locator(".sentences button").nth(1).getAttribute("aria-current"), "step");
    assert.equal(await current.count(), 1);
    await page.locator(".steps summary", { hasText: "Steps" }).click();
    const step = page.locator(".steps button.step", { hasText: "INSERT auth.users" }).first();
    await step.focus();
    await page.keyboard.press("Enter");
    await page.locator(".steps pre", { hasText: /INSERT INTO/i }).waitFor();
    quiet(page);
  });
});
