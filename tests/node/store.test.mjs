import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient } from "@clickhouse/client";

const url = process.env.STORE_URL;
const writer = createClient({ url, username: "writer", password: process.env.STORE_PASSWORD });
const reader = createClient({ url });

before(async () => {
  await writer.command({ query: "DROP TABLE IF EXISTS js_pairs" });
  await writer.command({ query: "CREATE TABLE js_pairs (n UInt64, s String) ENGINE = MergeTree ORDER BY n" });
});

after(async () => {
  await writer.close();
  await reader.close();
});

test("ping", async () => {
  assert.equal((await reader.ping()).success, true);
});

test("inserts and queries with parameters", async () => {
  const result = await writer.insert({
    table: "js_pairs",
    values: [{ n: 1, s: "one" }, { n: 2, s: "two" }],
    format: "JSONEachRow",
  });
  assert.equal(result.summary?.written_rows, "2");
  const rows = await reader.query({
    query: "SELECT s FROM js_pairs WHERE n = {n:UInt64}",
    query_params: { n: 2 },
    format: "JSONEachRow",
  });
  assert.deepEqual(await rows.json(), [{ s: "two" }]);
  assert.ok(rows.query_id);
});

test("compression both ways", async () => {
  const packed = createClient({
    url,
    username: "writer",
    password: process.env.STORE_PASSWORD,
    compression: { request: true, response: true },
  });
  const values = Array.from({ length: 10_000 }, (_, n) => ({ n: n + 10, s: "x" }));
  await packed.insert({ table: "js_pairs", values, format: "JSONEachRow" });
  const count = await packed.query({ query: "SELECT count() AS c FROM js_pairs WHERE n >= 10", format: "JSON" });
  assert.equal(Number((await count.json()).data[0].c), 10_000);
  await packed.close();
});

test("streams rows", async () => {
  const stream = await reader.query({ query: "SELECT number FROM numbers(100000)", format: "JSONCompactEachRow" });
  let count = 0;
  for await (const rows of stream.stream()) count += rows.length;
  assert.equal(count, 100_000);
});

test("errors carry code and type", async () => {
  await assert.rejects(reader.query({ query: "SELECT * FROM nowhere" }), { code: "60", type: "UNKNOWN_TABLE" });
  await assert.rejects(reader.command({ query: "DROP TABLE js_pairs" }), { code: "164", type: "READONLY" });
});

test("a query is cancelled", async () => {
  const controller = new AbortController();
  const query = reader.query({
    query: "SELECT max(sipHash64(number)) FROM numbers(1000000000000)",
    abort_signal: controller.signal,
  });
  setTimeout(() => controller.abort(), 300);
  await assert.rejects(query, /aborted/i);
});
