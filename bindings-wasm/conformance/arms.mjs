// One arm per operation of spec/surface.json: input in, [out, object] back.

import { createHash } from "node:crypto";
import {
  Batch, Checkpoint, Contract, CounterfoilError, Duplicates, Hold, LocalKey, Plan, Receipt, UsageStream, VerifiedEvidence,
  VerifiedReceipt, billExact, claimCalldata, evidenceDigest, evidenceTypedData, mapUsage,
  proveConsistency, proveInclusion, readUsage, treeHead, verifyConsistency,
  verifyInclusion, verifyPayout,
} from "../js/index.js";
import { instant, nested, text } from "./given.mjs";
import { Host } from "./host.mjs";

const hex = (bytes) => `0x${Buffer.from(bytes).toString("hex")}`;
const texts = (object) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, String(value)]));
const mapped = (object, read) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, read(value)]));
const orNull = (value) => (value === undefined ? null : String(value));

/** What a meter decided, as vectors write it. */
const write = {
  done: () => ({}),
  nothing: () => ({ nothing: {} }),
  opened: ({ subscription, lane, sign }) => ({ subscription, lane, sign: signText(sign) }),
  authorized: ({ subject, lane, deadline, reserved }) => ({
    authorized: { subject, lane, deadline: String(deadline), reserved },
  }),
  denied: (d) => ({
    denied: {
      code: d.code, rule: d.rule, value: orNull(d.value), start: orNull(d.start), end: orNull(d.end),
      meter: orNull(d.meter), most: orNull(d.most), spent: orNull(d.spent), needed: orNull(d.needed),
      available: orNull(d.available), retryAt: orNull(d.retryAt),
    },
  }),
  replayed: ({ state, receipt }) => ({ replayed: { state, receipt: orNull(receipt) } }),
  released: ({ subject }) => ({ subject }),
  extended: ({ subject, deadline }) => ({ extended: { subject, deadline: String(deadline) } }),
  receipt: ({ receipt: r, position, sign, crossed }) => ({
    receipt: {
      ...texts({
        digest: r.digest, position, lane: r.lane, sequence: r.sequence, kind: r.kind,
        subject: r.subject, authorizedAt: r.authorizedAt, issuedAt: r.issuedAt, charge: r.charge,
        cumulative: r.cumulative, credited: r.credited, exact: r.exact, remainder: r.remainder,
        uncollected: r.uncollected ?? "0", body: r.bodyRoot,
      }),
      late: r.late,
      sign: signText(sign),
      crossed: crossed.map(({ limit, value, fraction, start, end }) => ({
        limit, value: orNull(value), fraction, start: String(start), end: String(end),
      })),
    },
  }),
  leased: ({ lease, bytes, sign }) => ({ leased: { lease, bytes: hex(bytes), sign: signText(sign) } }),
  stated: ({ statement, sign }) => ({ statement: hex(statement), sign: signText(sign) }),
  reclaimed: ({ lease }) => ({ reclaimed: { lease } }),
  checkpoint: ({ checkpoint: c, sign }) => ({
    checkpoint: {
      ...texts({ origin: c.origin, size: c.size, root: c.root, lanes: c.lanes, time: c.time }),
      sign: signText(sign),
    },
  }),
};

function used(given) {
  return {
    subscription: given.text("subscription"), id: given.text("id"), usage: given.usage("usage"),
    content: given.maybe("content"), now: given.instant("now"),
  };
}

function signText(sign) {
  if (!sign) return null;
  const { slot, digest, signer, checkpoint } = sign;
  return { slot: String(slot), digest, signer, checkpoint };
}

function decided(outcome) {
  return [write[outcome.kind](outcome), outcome.receipt ?? outcome.checkpoint];
}

const key = (given) => given.handle("key", LocalKey);
const meter = (given) => given.handle("meter", Host).with(given);

function signed(given) {
  const receipt = given.handle("receipt", Receipt);
  const signer = given.maybe("key") && key(given);
  return signer ? receipt.withSignature(signer.sign(receipt.digest)) : receipt;
}

/** A copy of the entries, damaged in the one way that the vector says. */
function changed(entries, change) {
  const damaged = [...entries];
  if (change === undefined) return damaged;
  nested(change, (given) => {
    const [kind] = ["drop", "repeat", "swap", "entry"].filter((name) => given.maybe(name) !== undefined);
    const at = given.instant(kind);
    if (damaged[at] === undefined) throw new Error("the journal has fewer entries");
    if (kind === "drop") damaged.splice(at, 1);
    if (kind === "repeat") damaged.splice(at, 0, damaged[at]);
    if (kind === "swap") damaged.splice(at, 2, damaged[at + 1], damaged[at]);
    if (kind === "entry")
      given.object("flip", (flip) => {
        damaged[at] = Uint8Array.from(damaged[at]);
        damaged[at][flip.instant("byte")] ^= flip.instant("mask");
      });
  });
  return damaged;
}

function channel(value) {
  return nested(value, (given) => ({
    payer: given.text("payer"), payerAuthorizer: given.text("payerAuthorizer"),
    receiver: given.text("receiver"), receiverAuthorizer: given.text("receiverAuthorizer"),
    token: given.text("token"), withdrawDelay: given.integer("withdrawDelay"),
    salt: given.text("salt"),
  }));
}

const voucher = (given) => ({
  channel: channel(given.maybe("channel")), maxClaimable: given.integer("maxClaimable"),
  signature: given.text("signature"),
});

export const arms = {
  "money.round"(given) {
    const billed = billExact(given.text("rounding"), given.text("exact"), given.integer("carried"));
    return [texts(billed)];
  },
  "usage.read"(given) {
    const { meters, attributes } = readUsage(given.text("surface"), given.text("body"));
    return [{ meters: texts(meters), attributes }];
  },
  "usage.map"(given) {
    const { meters, attributes } = mapUsage(given.text("mapping"), given.text("event"));
    return [{ meters: texts(meters), attributes }];
  },
  "usage.stream"(given) {
    const stream = new UsageStream(given.text("surface"));
    for (const event of given.list("events")) stream.feed(event);
    const { basis, meters, attributes } = stream.usage();
    return [{ complete: stream.complete, basis, meters: texts(meters), attributes }];
  },
  "plan.load"(given) {
    const plan = Plan.fromJson(given.text("text"));
    const { id, name, authority, currency, decimals } = plan;
    return [texts({ id, name, authority, currency, decimals }), plan];
  },
  "plan.quote"(given) {
    const plan = given.handle("plan", Plan);
    const { first, ceiling, lines } = plan.quote(given.usage("usage"), given.instant("at"));
    const line = ({ charge, meter, units, amount }) => texts({ charge, meter, units, amount });
    return [{ first, ceiling, lines: lines.map(line) }];
  },
  "key.load"(given) {
    const loaded = LocalKey.fromBytes(given.bytes("secret"));
    return [{ address: loaded.address }, loaded];
  },
  "key.sign"(given) {
    return [{ signature: key(given).sign(given.text("digest")) }];
  },
  "meter.new"(given) {
    return [{}, new Host(given.bytes("saltKey"))];
  },
  async "meter.begin"(given) {
    const begin = { origin: given.text("origin"), signer: given.text("signer"), now: given.instant("now") };
    await meter(given).begin(begin);
    return [{}];
  },
  async "meter.addPlan"(given) {
    await meter(given).addPlan(given.handle("plan", Plan), { now: given.instant("now") });
    return [{}];
  },
  async "meter.subscribe"(given) {
    const subscribe = {
      plan: given.text("plan"), payer: given.maybe("payer"), account: given.maybe("account"),
      startedAt: given.instant("startedAt"), rail: given.maybe("rail"), now: given.instant("now"),
    };
    return decided(await meter(given).subscribe(subscribe));
  },
  async "meter.authorize"(given) {
    const request = {
      subscription: given.text("subscription"), id: given.text("id"),
      createdAt: given.maybe("createdAt", instant), content: given.maybe("content"),
      retry: given.maybe("retry"), most: given.usage("most"),
      now: given.instant("now"),
    };
    const outcome = await meter(given).authorize(request);
    return [write[outcome.kind](outcome), outcome instanceof Hold ? outcome : undefined];
  },
  async "meter.settle"(given) {
    const outcome = await meter(given).settle(used(given));
    return outcome.kind === "receipt" ? decided(outcome) : [write[outcome.kind](outcome)];
  },
  async "meter.settlePart"(given) {
    const outcome = await meter(given).settlePart(used(given));
    return outcome.kind === "receipt" ? decided(outcome) : [write[outcome.kind](outcome)];
  },
  async "meter.settleUnfinished"(given) {
    const outcome = await meter(given).settleUnfinished({
      subscription: given.text("subscription"), id: given.text("id"), now: given.instant("now"),
    });
    return outcome.kind === "receipt" ? decided(outcome) : [write[outcome.kind](outcome)];
  },
  async "meter.extend"(given) {
    const outcome = await meter(given).extend({
      subscription: given.text("subscription"), id: given.text("id"),
      most: given.maybe("most") && given.usage("most"), now: given.instant("now"),
    });
    return [write[outcome.kind](outcome)];
  },
  "meter.holds"(given) {
    const holds = given.handle("meter", Host).meter.holds(given.text("subscription"));
    return [{ holds: holds.map(texts) }];
  },
  "meter.leases"(given) {
    const leases = given.handle("meter", Host).meter.leases(given.text("subscription"));
    if (!leases) throw new CounterfoilError("subscription_unknown", "no such subscription");
    const all = leases.map(({ charges, limits, stated, ...of }) => ({
      ...texts(of), charges: charges.map(texts), limits: limits.map(texts),
      stated: stated ? texts(stated) : null,
    }));
    return [{ leases: all }];
  },
  async "meter.release"(given) {
    const release = {
      subscription: given.text("subscription"), id: given.text("id"), reason: given.text("reason"),
      now: given.instant("now"),
    };
    return decided(await meter(given).release(release));
  },
  async "meter.import"(given) {
    const record = {
      subscription: given.text("subscription"), at: given.instant("at"), usage: given.usage("usage"),
      content: given.maybe("content"), input: given.text("input"), ordinal: given.integer("ordinal"),
      offset: given.integer("offset"), digest: given.text("digest"),
    };
    return decided(await meter(given).import(record));
  },
  async "meter.due"(given) {
    const outcome = await meter(given).due({ now: given.instant("now") });
    const [out, object] = decided(outcome);
    return [["released", "opened"].includes(outcome.kind) ? { [outcome.kind]: out } : out, object];
  },
  async "meter.checkpoint"(given) {
    return decided(await meter(given).checkpoint());
  },
  async "meter.collect"(given) {
    await meter(given).collect({
      lane: given.text("lane"), amount: given.integer("amount"), fee: given.integer("fee"),
      reference: given.text("reference"), at: given.instant("at"),
    });
    return [{}];
  },
  async "meter.grant"(given) {
    await meter(given).grant({
      subscription: given.text("subscription"), terms: given.text("terms"),
      now: given.instant("now"),
    });
    return [{}];
  },
  async "meter.void"(given) {
    const { refund } = await meter(given).void({
      subscription: given.text("subscription"), grant: given.text("grant"),
      now: given.instant("now"),
    });
    return [texts({ refund })];
  },
  async "meter.cancel"(given) {
    const { endsAt } = await meter(given).cancel({
      subscription: given.text("subscription"), now: given.instant("now"),
    });
    return [{ endsAt: orNull(endsAt) }];
  },
  async "meter.switch"(given) {
    return decided(await meter(given).switch({
      subscription: given.text("subscription"), plan: given.text("plan"), now: given.instant("now"),
    }));
  },
  async "meter.present"(given) {
    await meter(given).present({
      subscription: given.text("subscription"), evidence: given.text("evidence"),
      now: given.instant("now"),
    });
    return [{}];
  },
  "evidence.sign"(given) {
    const attestor = key(given);
    const evidence = {
      payer: given.text("payer"), seller: given.text("seller"), statement: given.text("statement"),
      issuedAt: given.instant("issuedAt"), expiresAt: given.instant("expiresAt"),
    };
    const digest = evidenceDigest(evidence);
    const signer = given.maybe("attestor") ?? attestor.address;
    const signed = VerifiedEvidence.verify(evidence, signer, attestor.sign(digest));
    return [{ digest, typedData: evidenceTypedData(evidence), json: signed.toJson() }];
  },
  "evidence.read"(given) {
    const { digest, attestor, evidence } = VerifiedEvidence.fromJson(given.text("text"));
    return [{ digest, attestor, ...texts(evidence) }];
  },
  async "meter.credit"(given) {
    const outcome = await meter(given).credit({
      subscription: given.text("subscription"), id: given.text("id"),
      receipt: Receipt.fromJson(given.text("json")), amount: given.maybe("amount"),
      reason: given.text("reason"), now: given.instant("now"),
    });
    return outcome.kind === "receipt" ? decided(outcome) : [write[outcome.kind](outcome)];
  },
  async "meter.lease"(given) {
    const map = (name, read) => given.maybe(name, (value) => mapped(value, read));
    return decided(await meter(given).lease({
      subscription: given.text("subscription"), holder: given.text("holder"),
      until: given.instant("until"), units: map("units", BigInt), limits: map("limits", BigInt),
      attributes: map("attributes", text), now: given.instant("now"),
    }));
  },
  async "meter.accept"(given) {
    return decided(await meter(given).accept({
      lease: given.bytes("lease"), signature: given.text("signature"), rail: given.maybe("rail"),
      now: given.instant("now"),
    }));
  },
  async "meter.statement"(given) {
    return decided(await meter(given).statement({
      lease: given.text("lease"), closing: given.flag("closing"), now: given.instant("now"),
    }));
  },
  async "meter.absorb"(given) {
    await meter(given).absorb({
      statement: given.bytes("statement"), signature: given.text("signature"),
      now: given.instant("now"),
    });
    return [{}];
  },
  "meter.recover"(given) {
    const host = given.handle("meter", Host);
    host.recover(given.flag("written"));
    return [{ entries: String(host.meter.entries) }];
  },
  "meter.entries"(given) {
    const { entries } = given.handle("meter", Host).journal;
    const hash = createHash("sha256");
    for (const entry of entries) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(entry.length);
      hash.update(length).update(entry);
    }
    return [{ count: String(entries.length), sha256: hex(hash.digest()) }];
  },
  async "meter.replay"(given) {
    const { entries } = given.handle("meter", Host).journal;
    const host = await Host.open(given.bytes("saltKey"), entries);
    return [{ entries: String(host.meter.entries) }, host];
  },
  async "meter.restore"(given) {
    const { entries } = given.handle("meter", Host).journal;
    const count = given.instant("entries");
    if (count > entries.length) throw new Error("the journal has fewer entries");
    const host = await Host.open(given.bytes("saltKey"), entries.slice(0, count));
    return [{ entries: String(host.meter.entries) }, host];
  },
  "meter.lane"(given) {
    const lane = given.handle("meter", Host).meter.lane(given.text("lane"));
    const { number, sequence, head, cumulative, credited, collected, fee } = lane;
    return [texts({ number, sequence, head, cumulative, credited, collected, fee })];
  },
  "meter.subscription"(given) {
    const found = given.handle("meter", Host).meter.subscription(given.text("subscription"));
    const { lane, denied, holds, endsAt, reserved, counters } = found;
    const grants = found.grants.map(({ meter: counted, expiresAt, ...rest }) => ({
      ...texts(rest), meter: counted ?? null, expiresAt: orNull(expiresAt),
    }));
    const view = { ...texts({ lane, denied, holds, reserved }), endsAt: orNull(endsAt) };
    return [{ ...view, counters: counters.map(texts), grants }];
  },
  "receipt.header"(given) {
    return [{ header: signed(given).toHeader() }];
  },
  "receipt.json"(given) {
    return [{ json: signed(given).toJson() }];
  },
  "receipt.verify"(given) {
    const [header, json] = [given.maybe("header", text), given.maybe("json", text)];
    if ((header === undefined) === (json === undefined)) throw new Error("either `header` or `json`");
    const change = given.maybe("change", (value) =>
      nested(value, (part) => [part.text("find"), part.text("with")]),
    );
    const [find, put] = change ?? ["", ""];
    const sent = (header ?? json).replace(find, () => put);
    const receipt = header === undefined ? Receipt.fromJson(sent) : Receipt.fromHeader(sent);
    const verified = receipt.verify(given.text("signer"));
    const { digest, sequence, charge, cumulative, hasBody } = verified;
    return [{ ...texts({ digest, sequence, charge, cumulative }), hasBody }, verified];
  },
  "receipt.follows"(given) {
    given.handle("receipt", VerifiedReceipt).follows(given.handle("previous", VerifiedReceipt));
    return [{}];
  },
  "checkpoint.verify"(given) {
    const checkpoint = given.handle("checkpoint", Checkpoint);
    const verified = checkpoint.verify(key(given).sign(checkpoint.digest), given.text("signer"));
    return [{ digest: verified.digest, note: verified.toNote() }];
  },
  "log.root"(given) {
    return [{ root: treeHead(given.list("heads")).root }];
  },
  "log.inclusion"(given) {
    const [heads, index] = [given.list("heads"), given.integer("index")];
    const proof = proveInclusion(heads, index);
    verifyInclusion(heads[Number(index)], proof, treeHead(heads));
    return [{ path: proof.path }];
  },
  "log.verifyInclusion"(given) {
    const size = given.integer("size");
    const proof = { index: given.integer("index"), size, path: given.list("path") };
    verifyInclusion(given.text("head"), proof, { size, root: given.text("root") });
    return [{}];
  },
  "log.consistency"(given) {
    const [heads, oldSize] = [given.list("heads"), given.integer("oldSize")];
    const proof = proveConsistency(heads, oldSize);
    verifyConsistency(proof, treeHead(heads.slice(0, Number(oldSize))), treeHead(heads));
    return [{ path: proof.path }];
  },
  "log.verifyConsistency"(given) {
    const [oldSize, newSize] = [given.integer("oldSize"), given.integer("newSize")];
    const proof = { oldSize, newSize, path: given.list("path") };
    const [old, now] = [
      { size: oldSize, root: given.text("oldRoot") }, { size: newSize, root: given.text("newRoot") },
    ];
    verifyConsistency(proof, old, now);
    return [{}];
  },
  "ledger.audit"(given) {
    const host = given.handle("meter", Host);
    const entries = changed(host.journal.entries, given.maybe("change"));
    const auditor = host.audit(key(given), entries);
    return [texts({ ...auditor.counts, unproven: auditor.unproven })];
  },
  "ledger.settle"(given) {
    const { meter, journal } = given.handle("meter", Host);
    const [lane] = meter.lanes();
    if (!lane) throw new CounterfoilError("currency_mismatch", "no lane, hence no currency");
    const batch = new Batch(meter.plan(lane.plan));
    batch.addLanes(meter.raw, given.text("extent"));
    for (const entry of journal.entries) batch.addEntry(entry);
    const settlement = batch.settle(given.flag("closing"));
    const { currency, totals, payees, payoutRoot, commitment } = settlement;
    return [{
      currency, ...texts(totals), payees: payees.map(texts), root: orNull(payoutRoot), commitment,
    }];
  },
  "ledger.duplicates"(given) {
    const all = new Duplicates();
    for (const { journal } of given.handles("meters", Host))
      for (const entry of journal.entries) all.addEntry(entry);
    const charge = ({ receipts, ...of }) => ({ ...texts(of), receipts: receipts.map(texts) });
    return [{
      duplicates: all.list().map(({ kept, extra, ...found }) =>
        ({ ...found, kept: charge(kept), extra: charge(extra) })),
    }];
  },
  "payout.verify"(given) {
    verifyPayout(given.text("root"), {
      payee: given.text("payee"), token: given.text("token"),
      cumulative: given.integer("cumulative"), proof: given.list("proof"),
    });
    return [{}];
  },
  "x402.channel"(given) {
    const contract = Contract.deployed(given.integer("chainId"));
    return [{ id: contract.channelId(channel(given.maybe("channel"))) }];
  },
  "x402.voucher"(given) {
    const contract = Contract.deployed(given.integer("chainId"));
    const found = contract.verifyVoucher(voucher(given));
    return [{ digest: (found.voucher ?? found.check).digest, check: found.kind }];
  },
  "x402.claim"(given) {
    const contract = Contract.deployed(given.integer("chainId"));
    const rows = given.list("rows", (value) =>
      nested(value, (row) => ({ ...voucher(row), totalClaimed: row.integer("totalClaimed") })),
    );
    return [{ digest: contract.claimDigest(rows), calldata: hex(claimCalldata(rows)) }];
  },
};
