// sql.js (SQLite compiled to WebAssembly) doing what `adr-lab bench` does with our engine: a table of 10,000 rows, a
// prepared read by key, and a prepared update by key that is a transaction of its own. Prints JSON: nanoseconds per
// operation, the median of the rounds.
//
//   npm install --prefix tests/bench
//   node tests/bench/sqljs.mjs [operations]

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const ROWS = 10_000;
const ROUNDS = 3;
const operations = Number(process.argv[2] ?? 200_000);

const SQL = await require("sql.js")();
const db = new SQL.Database();
// INTEGER PRIMARY KEY is SQLite's fastest: the key is the row's own number.
db.run("CREATE TABLE t (id INTEGER PRIMARY KEY, name text NOT NULL, n int NOT NULL)");
db.run("BEGIN");
const insert = db.prepare("INSERT INTO t VALUES (?, ?, 0)");
for (let id = 0; id < ROWS; id++) insert.run([id, `name ${id}`]);
insert.free();
db.run("COMMIT");

// The keys are drawn before the clock starts; any fixed sequence without a pattern will do (xorshift).
let state = 0x9e3779b9;
const keys = Array.from({ length: operations }, () => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % ROWS;
});

const read = db.prepare("SELECT name FROM t WHERE id = ?");
const update = db.prepare("UPDATE t SET n = n + 1 WHERE id = ?");

function pointRead(key) {
  read.bind([key]);
  if (!read.step() || read.get().length !== 1) throw new Error(`row ${key} was not found`);
  read.reset();
}

// Outside of BEGIN every statement commits by itself.
function updateByKey(key) {
  update.run([key]);
}

function nanosecondsPerOperation(operation) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (const key of keys) operation(key);
    rounds.push(Number(process.hrtime.bigint() - start) / operations);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1];
}

const point_read_ns = nanosecondsPerOperation(pointRead);
const update_ns = nanosecondsPerOperation(updateByKey);

const written = db.exec("SELECT sum(n) FROM t")[0].values[0][0];
if (written !== operations * ROUNDS) throw new Error(`${written} updates arrived, not ${operations * ROUNDS}`);

const sqlite = db.exec("SELECT sqlite_version()")[0].values[0][0];
console.log(JSON.stringify({ program: `sql.js, SQLite ${sqlite}`, operations, point_read_ns, update_ns }));
