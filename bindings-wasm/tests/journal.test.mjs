// What a journal may do: fail, be in doubt, never answer, call back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { InDoubt, Meter } from "../js/index.js";
import { MemoryJournal, NOW, deferred, saltKey, shop, tokens, turns } from "./shop.mjs";

/** A shop whose next append does this instead. */
async function shopWith(append, options) {
  const made = await shop(options);
  const works = made.journal.append;
  made.journal.append = function (entry) {
    made.journal.append = works;
    return append.call(this, entry, made);
  };
  return made;
}

test("a journal that throws abandons the step, and the next call works", async () => {
  const full = new Error("the disk is full");
  for (const append of [() => Promise.reject(full), () => { throw full; }]) {
    const { meter, journal, subscription, ask } = await shopWith(append);
    const before = meter.snapshot();
    await assert.rejects(ask("call"), (error) => {
      assert.equal(error.code, "step_abandoned");
      assert.equal(error.cause, full);
      return true;
    });
    assert.deepEqual(meter.snapshot(), before);
    assert.equal(meter.subscription(subscription).holds, 0n);
    assert.equal((await ask("call")).kind, "authorized");
    assert.equal(journal.entries.length, 4);
  }
});

test("what was decided on top of a failed write is abandoned with it", async () => {
  const write = deferred();
  const { meter, journal, ask } = await shopWith(() => write.promise);
  const calls = [ask("a"), ask("b"), ask("c", 2000)];
  const results = Promise.allSettled(calls);
  await turns();
  write.reject(new Error("no"));
  assert.deepEqual((await results).map(({ reason }) => reason.code), Array(3).fill("step_abandoned"));
  assert.equal(journal.entries.length, 3);
  assert.equal(meter.entries, 3n);
  assert.equal((await ask("b")).kind, "authorized");
});

test("entries are appended one at a time, in the order of the calls", async () => {
  const { meter, journal, ask } = await shop();
  let writing = 0;
  journal.append = async function (entry) {
    assert.equal((writing += 1), 1);
    await turns();
    this.entries.push(entry);
    writing -= 1;
  };
  const order = [];
  const calls = Array.from({ length: 20 }, async (_, n) => {
    const hold = await ask(`call ${n}`);
    order.push(n);
    return hold.settle(tokens(1));
  });
  await Promise.all(calls);
  assert.deepEqual(order, [...Array(20).keys()]);
  const again = await Meter.open({ saltKey, journal, entries: journal.entries });
  assert.deepEqual(again.snapshot(), meter.snapshot());
});

for (const written of [true, false]) {
  test(`a write in doubt stalls the meter until recover: ${written ? "" : "not "}written`, async () => {
    const { meter, journal, ask } = await shopWith(function (entry) {
      if (written) this.entries.push(entry);
      throw new InDoubt("the connection broke");
    });
    const calls = await Promise.allSettled([ask("call"), ask("queued")]);
    assert.deepEqual(calls.map(({ reason }) => reason.code), ["meter_stalled", "meter_stalled"]);
    assert(calls[0].reason.cause instanceof InDoubt);
    await assert.rejects(ask("later"), { code: "meter_stalled" });
    const found = meter.recover(journal.entries.length);
    assert.deepEqual(found.map(({ kind }) => kind), written ? ["authorized"] : []);
    assert.equal((await ask("call")).kind, written ? "replayed" : "authorized");
    assert.equal((await ask("queued")).kind, "authorized");
    assert.equal(journal.entries.length, 5);
  });
}

test("a count that cannot be leaves the meter stalled", async () => {
  const { meter, ask } = await shopWith(() => { throw new InDoubt(); });
  await assert.rejects(ask("call"), { code: "meter_stalled" });
  for (const entries of [0, 2, 5, 2n ** 63n])
    assert.throws(() => meter.recover(entries), { code: "entry_misplaced" });
  await assert.rejects(ask("later"), { code: "meter_stalled" });
  meter.recover(3);
  assert.equal((await ask("later")).kind, "authorized");
});

test("a journal that never answers hangs nobody for ever", async () => {
  const { meter, journal, subscription, ask } = await shopWith(() => new Promise(() => {}), { patience: 20 });
  const hung = Promise.allSettled([ask("hung"), ask("behind it")]);
  // Meanwhile the meter answers, and decides on what is proposed.
  assert.equal(meter.subscription(subscription).holds, 0n);
  assert.throws(() => meter.lane("0x00"), { code: "hex_invalid" });
  assert.deepEqual((await hung).map(({ reason }) => reason.code), ["meter_stalled", "meter_stalled"]);
  meter.recover(journal.entries.length);
  assert.equal((await ask("behind it")).kind, "authorized");
});

test("a host may stall by itself, and an answer that comes too late changes nothing", async () => {
  const write = deferred();
  const { meter, journal, ask } = await shopWith(() => write.promise);
  const hung = assert.rejects(ask("hung"), { code: "meter_stalled" });
  meter.stall();
  await hung;
  meter.recover(journal.entries.length);
  const other = ask("other");
  write.resolve();
  assert.equal((await other).kind, "authorized");
  assert.equal(meter.entries, 4n);
  assert.equal(journal.entries.length, 4);
});

test("a journal may call back into the meter", async () => {
  const nested = [];
  const { meter, journal, subscription, ask } = await shopWith(function (entry, { meter, ask }) {
    assert.equal(meter.subscription(meter.subscriptions()[0].id).holds, 0n);
    nested.push(ask("nested"));
    this.entries.push(entry);
  });
  const [outer, inner] = [await ask("outer"), await nested[0]];
  assert.deepEqual([outer.kind, inner.kind], ["authorized", "authorized"]);
  assert.equal(meter.subscription(subscription).holds, 2n);
  assert.equal(journal.entries.length, 5);
});

test("a journal that waits for its own meter neither hangs nor loses an entry", async () => {
  const { meter, journal, ask } = await shopWith(
    async function (entry, { ask }) {
      this.entries.push(entry);
      await ask("nested");
    },
    { patience: 20 },
  );
  await assert.rejects(ask("outer"), { code: "meter_stalled" });
  assert.deepEqual(meter.recover(journal.entries.length).map(({ kind }) => kind), ["authorized"]);
  assert.equal((await ask("outer")).state, "held");
  assert.equal((await ask("nested")).kind, "authorized");
});

test("leaving the scope of a hold without settling marks it unknown, still reserved", async () => {
  const { meter, journal, subscription, ask } = await shop();
  const left = await ask("left");
  await left[Symbol.asyncDispose]();
  await left[Symbol.asyncDispose]();
  (await ask("left at once"))[Symbol.dispose]();
  await turns();
  assert.equal(journal.entries.length, 7);
  assert.equal(meter.subscription(subscription).holds, 2n);
  // It can still be settled.
  assert.equal((await left.settle(tokens(2))).receipt.charge, 2n);

  const settled = await ask("settled");
  await settled.settle(tokens(1));
  const released = await ask("released");
  await released.release();
  const entries = journal.entries.length;
  await settled[Symbol.asyncDispose]();
  await released[Symbol.asyncDispose]();
  assert.equal(journal.entries.length, entries);
});

test("a hold whose settle failed is marked unknown when it is left", async () => {
  const { meter, journal, subscription, ask } = await shop();
  const hold = await ask("call");
  const works = journal.append;
  journal.append = () => { throw new Error("no"); };
  await assert.rejects(hold.settle(tokens(1)), { code: "step_abandoned" });
  await hold[Symbol.asyncDispose](); // not recorded either: reserved until the deadline
  journal.append = works;
  assert.equal(meter.subscription(subscription).holds, 1n);
  await hold[Symbol.asyncDispose]();
  assert.equal(journal.entries.length, 5);
});
