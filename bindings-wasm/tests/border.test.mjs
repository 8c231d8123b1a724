// What crosses the border: nothing wraps, nothing is coerced, every refusal has a code and a place.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Checkpoint, Command, Contract, CounterfoilError, LocalKey, Plan, RawMeter, Receipt, billExact,
  proveInclusion, readUsage, sha256, treeHead, verifyInclusion, verifyPayout,
} from "../js/index.js";
import { NOW, key, plan, saltKey, shop, tokens } from "./shop.mjs";

const LARGEST = 2n ** 128n - 1n;
const ZERO = `0x${"00".repeat(32)}`;
const other = (value) => `0x${"22".repeat((value.length - 2) / 2)}`;

function refused(code, place) {
  return (error) => {
    assert(error instanceof CounterfoilError && error instanceof Error);
    assert.equal(error.name, "CounterfoilError");
    assert.deepEqual({ code: error.code, place: error.place }, { code, place });
    return true;
  };
}

test("money is a bigint up to 2^128 - 1, and never wraps", async () => {
  assert.equal(billExact("carry", String(LARGEST), 0n).amount, LARGEST);
  assert.throws(() => billExact("carry", String(LARGEST + 1n), 0n), { code: "amount_overflow" });
  const { meter, lane } = await shop();
  await meter.collect({ lane, amount: LARGEST, reference: "all there is" });
  assert.equal(meter.lane(lane).collected, LARGEST);
  const bad = [[LARGEST + 1n, "amount_overflow"], [-1n, "amount_overflow"], [2n ** 200n, "amount_overflow"],
    [5, "json_type"], ["5", "json_type"], [true, "json_type"]];
  for (const [amount, code] of bad)
    await assert.rejects(meter.collect({ lane, amount, reference: "x" }), refused(code, "/amount"));
  await assert.rejects(meter.collect({ lane, reference: "x" }), refused("json_missing_field", "/amount"));
});

test("quantities are exact integers below 2^63", () => {
  const quote = (n) => plan().quote(tokens(n), 0);
  assert.equal(quote(2n ** 63n - 1n).lines[0].units, 2n ** 63n - 1n);
  assert.deepEqual(quote(5), quote(5n));
  for (const n of [2n ** 63n, 2n ** 64n, 2n ** 64n + 5n, -1n, -1, 0.5, NaN, 2 ** 53, Infinity])
    assert.throws(() => quote(n), refused("usage_quantity", "/meters/output_tokens"));
  for (const n of ["5", null, {}, undefined])
    assert.throws(() => quote(n), refused("json_type", "/meters/output_tokens"));
});

test("counts are below 2^64 and do not wrap", () => {
  const heads = [sha256("a"), sha256("b"), sha256("c")];
  const [proof, tree] = [proveInclusion(heads, 1n), treeHead(heads)];
  verifyInclusion(heads[1], proof, tree);
  verifyInclusion(heads[1], { ...proof, index: 1 }, tree);
  const wrapped = { ...proof, index: 2n ** 64n + 1n };
  assert.throws(() => verifyInclusion(heads[1], wrapped, tree), refused("json_number", "/index"));
  assert.throws(() => proveInclusion(heads, 3), { code: "log_range" });
  assert.throws(() => Contract.deployed(-1), { code: "json_number" });
});

test("instants are numbers of milliseconds", () => {
  const meter = new RawMeter(saltKey);
  const begin = { origin: "a", signer: key.address };
  for (const now of [-1, 0.5, NaN, Date.UTC(10_000, 0), 2 ** 53])
    assert.throws(() => meter.propose(Command.begin(begin), now), { code: "time_invalid" });
  for (const now of [BigInt(NOW), new Date(NOW), "0", undefined])
    assert.throws(() => meter.propose(Command.begin(begin), now), { code: "json_type" });
  assert.equal(meter.propose(Command.begin(begin), NOW).ticket, 0n);
});

test("a misspelt member is refused, and so is one that is missing", async () => {
  const { meter, subscription } = await shop();
  const most = tokens(1);
  await assert.rejects(
    meter.authorize({ subscription, id: "a", most, created_at: 1 }), refused("json_unknown_field", "/created_at"));
  await assert.rejects(meter.authorize({ subscription, most }), refused("json_missing_field", "/id"));
  await assert.rejects(
    meter.authorize({ subscription, id: "a", most: { ...most, attribute: {} } }),
    refused("json_unknown_field", "/most/attribute"));
  await assert.rejects(
    meter.authorize({ subscription, id: "a", most: { meters: { Tokens: 1 } } }),
    refused("text_invalid", "/most/meters/Tokens"));
  await assert.rejects(meter.authorize({ subscription: "0x12", id: "a", most }), refused("hex_invalid", "/subscription"));
  await assert.rejects(meter.authorize(undefined), TypeError);
});

test("documents are text or bytes, never objects", () => {
  const document = new TextDecoder().decode(plan().canonical());
  assert.equal(Plan.fromJson(new TextEncoder().encode(document)).id, Plan.fromJson(document).id);
  assert.throws(() => Plan.fromJson(JSON.parse(document)), { code: "json_type" });
  assert.throws(() => Plan.fromJson(document.replace("price", "prise")), refused("json_missing_field", "/charges/0/price"));
  assert.throws(() => Plan.fromJson("{"), { code: "json_syntax" });
  assert.throws(() => Plan.fromJson(Uint8Array.of(0xff)), { code: "json_encoding" });
  assert.throws(() => Receipt.fromHeader("x"), { code: "bytes_invalid" });
});

test("half a surrogate pair is not silently another text", async () => {
  const { meter, subscription, ask } = await shop();
  assert.throws(() => Plan.fromJson('{"format": "\ud800"}'), { code: "json_encoding" });
  await assert.rejects(
    meter.authorize({ subscription, id: "\udfff", most: tokens(1) }), refused("json_encoding", "/id"));
  assert.equal((await ask("\ufffd 😀")).kind, "authorized");
});

test("usage is read in full", () => {
  const body = { model: "m", usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } };
  assert.deepEqual(readUsage("openai.chat", JSON.stringify(body)), {
    surface: "openai.chat", basis: "reported", meters: { input_tokens: 3n, output_tokens: 4n },
    attributes: { model: "m" },
  });
  body.usage.total_tokens = 8;
  assert.throws(() => readUsage("openai.chat", JSON.stringify(body)), refused("usage_total", "/usage/total_tokens"));
  assert.throws(() => readUsage("openai", "{}"), { code: "usage_surface", offending: "openai" });
});

test("secrets are 32 bytes and valid", () => {
  assert.throws(() => new RawMeter(new Uint8Array(31)), { code: "key_invalid" });
  assert.throws(() => LocalKey.fromBytes(new Uint8Array(32)), { code: "key_invalid" });
  assert.throws(() => LocalKey.fromBytes([...saltKey]), { code: "json_type" });
});

test("nobody makes a verified thing from junk", () => {
  const fields = { origin: "a", size: 1, root: ZERO, lanes: ZERO, time: NOW };
  const checkpoint = new Checkpoint(fields);
  const signature = key.sign(checkpoint.digest);
  assert.equal(checkpoint.verify(signature, key.address).size, 1n);
  assert.throws(() => checkpoint.verify(signature, other(key.address)), { code: "signature_wrong_key" });
  assert.throws(() => new Checkpoint({ ...fields, size: 2 }).verify(signature, key.address), {
    code: "signature_wrong_key",
  });
  const proof = { payee: key.address, token: key.address, cumulative: 1n, proof: [] };
  assert.throws(() => verifyPayout(ZERO, proof), { code: "proof_invalid" });
});

test("a host's getter that throws is heard, and one that calls the meter does no harm", async () => {
  const { meter, subscription, ask } = await shop();
  const broken = new Error("mine");
  const request = { subscription, most: tokens(1), get id() { throw broken; } };
  await assert.rejects(meter.authorize(request), broken);
  let nested;
  const meters = { get output_tokens() { nested ??= ask("nested"); return 1; } };
  const outer = await meter.authorize({ subscription, id: "outer", most: { meters } });
  assert.deepEqual([outer.kind, (await nested).kind], ["authorized", "authorized"]);
});
