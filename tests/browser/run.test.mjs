// The run page: one operation drawn, one time cursor for picture and text, broken where the cursor stands.

import assert from "node:assert/strict";
import { journeys, quiet, violations, watched } from "./lab.mjs";

const LINK = "run/?v=1&scenario=sign-up&on=database-per-service&operation=create_user";

/** Opens the run page and waits for the drawing. */
async function open(context, address) {
  const page = await watched(context, address);
  await page.goto(address);
  await page.locator("svg.sequence rect.work").first().waitFor();
  return page;
}

/** The event that is marked in the text, and the one in the picture: their numbers. */
async function marked(page) {
  return page.evaluate(() => {
    const items = [...document.querySelectorAll(".sentences button")];
    const ring = document.querySelector("svg.sequence circle.event");
    return {
      text: items.findIndex((item) => item.getAttribute("aria-current") === "step"),
      picture: Number(ring?.dataset.sentence ?? -1),
      cursor: Number(document.querySelector(".cursor line").getAttribute("x1")),
      events: items.length,
    };
  });
}

journeys("a run, message by message", (lab, journey) => {
  journey("keys move one cursor in picture and text", async (context) => {
    const page = await open(context, lab.address + LINK);
    await page.locator(".stage").focus();
    let last = await marked(page);
    assert.deepEqual([last.text, last.picture], [0, 0]);
    for (let step = 1; step <= 8; step++) {
      await page.keyboard.press("ArrowRight");
      const now = await marked(page);
      assert.deepEqual([now.text, now.picture], [step, step]);
      assert.ok(now.cursor >= last.cursor, "time goes on");
      last = now;
    }
    assert.match(await page.locator("[aria-live=polite].visually-hidden").innerText(), /s: /, "a step is read out");
    await page.keyboard.press("ArrowLeft");
    assert.equal((await marked(page)).picture, 7);
    await page.keyboard.press("End");
    assert.equal((await marked(page)).text, last.events - 1);
    await page.keyboard.press("Home");
    assert.equal((await marked(page)).text, 0);
    quiet(page);
  });

  journey("a sentence, a place in the picture and the slider lead to the same cursor", async (context) => {
    const page = await open(context, lab.address + LINK);
    await page.locator(".sentences button").nth(5).click();
    const clicked = await marked(page);
    assert.deepEqual([clicked.text, clicked.picture], [5, 5]);
    const box = await page.locator("svg.sequence").boundingBox();
    await page.mouse.click(box.x + clicked.cursor, box.y + 20);
    assert.ok(Math.abs((await marked(page)).cursor - clicked.cursor) < 2);
    const slider = page.getByRole("slider", { name: "Time cursor" });
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    const slid = await marked(page);
    assert.ok(slid.picture >= 5 && slid.text === slid.picture);
    quiet(page);
  });

  journey("playing moves the cursor to the end and stops there", async (context) => {
    const page = await open(context, lab.address + LINK);
    await page.getByLabel("Speed").selectOption("1");
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => {
      const items = [...document.querySelectorAll(".sentences button")];
      return items.at(-1).getAttribute("aria-current") === "step";
    });
    await page.getByRole("button", { name: "Play" }).waitFor();
    quiet(page);
  });

  journey("a node is killed where the cursor stands; the run is rewound and mended", async (context) => {
    const page = await open(context, lab.address + LINK);
    assert.equal(await page.locator("svg.sequence path.fault").count(), 0);
    const commit = page.locator(".sentences li", { hasText: /-db commits/ }).nth(1);
    await commit.getByRole("button").click();
    const at = await commit.locator("time").innerText();
    await page.getByRole("button", { name: "Kill a node" }).click();
    const kill = page.locator(".break-choices li", { has: page.getByRole("button", { name: "Kill orchestrator", exact: true }) });
    const sentence = await kill.locator("code").innerText();
    assert.match(sentence, /^crash \w+ (during|after) step \d+ of create_user restart after 500 ms$/);
    await kill.getByRole("button").click();
    await page.locator("svg.sequence path.fault").first().waitFor({ state: "attached" });
    await page.locator(".broken-by code", { hasText: sentence }).waitFor();
    await page.locator(".sentences li.bad", { hasText: "crashes" }).waitFor();
    await page.locator(".clock b", { hasText: at }).waitFor();
    assert.match(decodeURIComponent(page.url()), new RegExp(sentence.replaceAll(" ", "\\+")), "the link says it");

    await page.getByRole("button", { name: "Rewind" }).click();
    assert.deepEqual(await marked(page).then(({ text, picture }) => [text, picture]), [0, 0]);

    // Somebody else sees the same.
    const other = await lab.visitor();
    const theirs = await open(other, page.url());
    const story = (of) => of.locator(".sentences").innerText();
    assert.equal(await story(theirs), await story(page));
    await other.close();

    await page.getByRole("button", { name: "Mend it" }).click();
    await page.waitForFunction(() => !document.querySelector("svg.sequence path.fault"));
    quiet(page);
  });

  journey("two designs share the cursor", async (context) => {
    const page = await open(context, `${lab.address}run/?v=1&scenario=sign-up&on=schemas-in-one-database,database-per-service&operation=create_user`);
    assert.equal(await page.locator("svg.sequence").count(), 2);
    await page.locator(".stage").first().focus();
    await page.keyboard.press("End");
    const places = await page.locator(".cursor line").evaluateAll((lines) => lines.map((line) => line.getAttribute("x1")));
    assert.equal(new Set(places).size, 1, "on one axis");
    quiet(page);
  });

  journey("less motion: play goes from event to event", async (context) => {
    const page = await open(context, lab.address + LINK);
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => document.querySelector(".clock b").textContent !== "0 ns");
    const { text, picture } = await marked(page);
    assert.equal(text, picture);
    const times = await page.locator(".sentences time").allInnerTexts();
    await page.getByRole("button", { name: "Pause" }).click();
    assert.ok(times.includes(await page.locator(".clock b").innerText()), "it stands at an event");
    quiet(page);
  }, { reducedMotion: "reduce" });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [390, 1280]) {
      journey(`nothing to object to: ${width} pixels, ${colorScheme}`, async (context) => {
        const fault = "&fault=crash+orchestrator+after+step+9+of+create_user+restart+after+500+ms";
        const page = await open(context, lab.address + LINK + fault);
        await page.getByRole("button", { name: "Cut a link" }).click();
        await page.locator(".break-panel").waitFor();
        assert.deepEqual(await violations(page), []);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, "the page itself never scrolls sideways");
        quiet(page);
      }, { viewport: { width, height: 900 }, colorScheme });
    }
  }
});
