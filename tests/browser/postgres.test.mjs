// A real PostgreSQL in the page: asked what a probe asked, it gives the same rows.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { PATIENCE, field, open, quiet, root, start, violations } from "./lab.mjs";

/** What the probe's evidence says natively: rows in all, and tenants. */
function evidence(design, probe) {
  const program = process.env.ADR_LAB ?? path.join(root, "target/debug/adr-lab");
  const words = ["probe", "sign-up", "--architecture", design, "--json"];
  const report = JSON.parse(execFileSync(program, words, { encoding: "utf8", maxBuffer: 1 << 28 }));
  const [found] = report.probes.find((known) => known.slug === probe).designs;
  const { counts } = found.cell.evidence.find((one) => one.ByTenant).ByTenant;
  return { rows: counts.reduce((sum, [, rows]) => sum + rows, 0), tenants: counts.length };
}

const number = (text) => Number(text.replace(/\D/g, ""));

/** Chooses, asks and waits; gives the last line of the table by tenant, and what was asked. */
async function ask(page, design, probe) {
  await field(page, "Design").selectOption(design);
  await field(page, "Probe").selectOption(probe);
  await page.getByRole("button", { name: "Ask real PostgreSQL" }).click();
  await page.locator(".answers").waitFor();
  assert.match(await page.locator(".answers > p").first().innerText(), /^The same answers to .*PostgreSQL 18/);
  const rows = page.getByRole("region", { name: /^Rows by tenant/ }).locator("tbody tr");
  const cells = (row) => row.locator("th, td").allInnerTexts();
  const [, ours, theirs] = await cells(rows.last());
  return {
    ours: number(ours),
    theirs: number(theirs),
    listed: await rows.count(),
    statements: await page.locator(".answers .asked code").allInnerTexts(),
  };
}

describe("a real PostgreSQL", () => {
  let lab;
  before(async () => (lab = await start()));
  after(async () => lab?.close());

  test("gives the rows of two designs, and what it is shown with is accessible", { timeout: 4 * PATIENCE }, async () => {
    const context = await lab.visitor();
    const page = await open(context, lab.workload);
    const fetched = [];
    page.on("response", (response) => fetched.push(response.url()));
    const packed = () => fetched.filter((url) => url.endsWith(".gz"));

    const shared = "shared-tables-with-row-level-security";
    await field(page, "Design").selectOption(shared);
    await page.locator(".ask .hint", { hasText: /8\.4 MB.*one connection/ }).waitFor();
    assert.deepEqual(packed(), [], "nothing is fetched before somebody asks");
    const known = evidence(shared, "forgotten-filter");
    const stopped = await ask(page, shared, "forgotten-filter");
    assert.deepEqual([stopped.ours, stopped.theirs], [known.rows, known.rows]);
    assert.equal(known.tenants, 1, "row security leaves one tenant's rows");
    assert.ok(stopped.statements.some((sql) => sql.includes("app.tenant_id")));
    assert.equal(packed().length, 3);

    const schemas = "schemas-in-one-database";
    const leaked = await ask(page, schemas, "forgotten-filter");
    const all = evidence(schemas, "forgotten-filter");
    assert.deepEqual([leaked.ours, leaked.theirs], [all.rows, all.rows]);
    assert.ok(all.tenants > 1 && leaked.listed > 2, "without it everybody's come back");
    assert.equal(packed().length, 3, "the second time the files are there");

    const owner = await ask(page, shared, "runs-as-owner");
    assert.equal(owner.theirs, evidence(shared, "runs-as-owner").rows);
    await page.getByText("differences are known").click();
    assert.deepEqual(await violations(page), []);
    quiet(page);
    await context.close();
  });

  test("can be cancelled, and asked again", { timeout: 4 * PATIENCE }, async () => {
    const context = await lab.visitor();
    const page = await open(context, lab.workload);
    await page.getByRole("button", { name: "Ask real PostgreSQL" }).click();
    await page.locator(".ask").getByRole("button", { name: "Cancel" }).click();
    await page.locator(".ask progress").waitFor({ state: "detached" });
    assert.equal(await page.locator(".answers").count(), 0);
    await ask(page, "database-per-tenant", "forgotten-filter");
    quiet(page);
    await context.close();
  });
});
