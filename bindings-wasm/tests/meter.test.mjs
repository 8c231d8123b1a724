import assert from "node:assert/strict";
import { test } from "node:test";
import { Auditor, Batch, Meter, Receipt, VerifiedReceipt } from "../js/index.js";
import { MemoryJournal, NOW, key, plan, saltKey, shop, tokens } from "./shop.mjs";

test("from plan to verified receipt", async () => {
  const { meter, lane, ask } = await shop();
  const hold = await ask("call 1");
  assert.equal(hold.kind, "authorized");
  assert.equal(hold.lane, lane);
  assert.equal(hold.reserved, "10");
  const settled = await hold.settle(tokens(7n));
  assert.equal(settled.receipt.charge, 7n);
  assert.equal(settled.receipt.exact, "7");
  assert.equal(settled.receipt.issuedAt, NOW);
  assert.equal(settled.sign.digest, settled.receipt.digest);

  const signature = settled.sign.accept(key.sign(settled.sign.digest));
  const sent = settled.receipt.withSignature(signature);
  assert.equal(Receipt.fromHeader(sent.toHeader()).verify(key.address).hasBody, false);
  const verified = Receipt.fromJson(sent.toJson()).verify(key.address);
  assert(verified instanceof VerifiedReceipt);
  assert.equal(verified.charge, 7n);
  assert.deepEqual(JSON.parse(verified.itemsJson()).map(({ item }) => item).sort(), [
    "line", "price", "quantity", "source",
  ]);

  const next = await (await ask("call 2")).settle(tokens(3));
  const after = next.receipt.withSignature(key.sign(next.receipt.digest)).verify(key.address);
  after.follows(verified);
  assert.throws(() => verified.follows(after), { code: "audit_chain" });
  assert.throws(() => sent.verify(`0x${"11".repeat(20)}`), { code: "signature_wrong_key" });
  assert.equal(meter.lane(lane).cumulative, "10");
});

test("a denial is an answer, and so is a replay", async () => {
  const { ask } = await shop();
  const denied = await ask("too much", 1001);
  assert.equal(denied.kind, "denied");
  assert.equal(denied.code, "limit_reached");
  assert.equal(denied.httpStatus, 402);
  assert.equal(denied.available, "1000");
  assert.equal(typeof denied.retryAt, "number");
  const hold = await ask("call");
  assert.equal((await ask("call")).state, "held");
  const { receipt } = await hold.settle(tokens(1));
  assert.deepEqual(await ask("call"), { kind: "replayed", state: "settled", receipt: receipt.digest });
  await assert.rejects(ask("call", 11), { code: "request_conflict" });
});

test("what is opened from the journal goes on as before", async () => {
  const { meter, journal, subscription, ask } = await shop();
  await (await ask("call")).settle(tokens(7));
  const wanted = [];
  const again = await Meter.open({
    saltKey, journal: new MemoryJournal(), entries: journal.entries, wanted: (r) => wanted.push(r),
  });
  assert.equal(wanted.length, 2); // the lane's opening and the receipt
  assert.deepEqual(again.subscription(subscription), meter.subscription(subscription));
  const snapshot = meter.snapshot();
  const third = await Meter.open({ saltKey, journal: new MemoryJournal(), entries: [], snapshot });
  assert.equal(third.entries, 5n);
  assert.deepEqual(third.snapshot(), again.snapshot());
});

test("a ledger is audited and settled", async () => {
  const { meter, journal, lane, ask } = await shop();
  for (let n = 0; n < 5; n++) await (await ask(`call ${n}`)).settle(tokens(n));
  await meter.collect({ lane, amount: 8n, fee: 1n, reference: "invoice 1" });
  const auditor = new Auditor();
  for (const entry of journal.entries) {
    const expected = auditor.next(entry);
    if (expected?.required) assert.throws(() => expected.check(), { code: "signature_missing" });
  }
  assert.equal(auditor.counts.receipts, 5n);
  const batch = new Batch(plan());
  const view = auditor.intoMeter();
  batch.addLanes(view, "collected");
  for (const entry of journal.entries) batch.addEntry(entry);
  const { totals, payees } = batch.settle();
  assert.equal(totals.gross, 10n);
  assert.equal(totals.claimable, 2n);
  assert.deepEqual(payees, [{ payee: "seller", payable: 7n, owed: 0n }]);
});

test("due does one thing after the other, until nothing is due", async () => {
  const { meter, ask } = await shop();
  await ask("call");
  const later = NOW + 86_400_000;
  const kinds = [];
  for (let done; done !== "nothing"; kinds.push(done)) done = (await meter.due({ now: later })).kind;
  assert.deepEqual(kinds, ["released", "nothing"]);
  const { checkpoint, sign } = await meter.checkpoint();
  const verified = checkpoint.verify(key.sign(sign.digest), key.address);
  assert.equal(verified.size, meter.logSize);
  assert.match(verified.toNote(), /^test\.example\/log\n1\n/);
});
