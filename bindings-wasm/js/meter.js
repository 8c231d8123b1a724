// The meter with its journal: propose, append, confirm.

import { Command, RawMeter } from "../pkg/counterfoil.js";
import { CounterfoilError, InDoubt } from "./error.js";

const abandoned = (cause) =>
  new CounterfoilError("step_abandoned", "step was abandoned", undefined, undefined, { cause });
const stalled = (cause) =>
  new CounterfoilError("meter_stalled", "a write's outcome is unknown", undefined, undefined, { cause });

export class Meter {
  #raw;
  #journal;
  #clock;
  #patience;
  /** Steps whose entries are not recorded yet, in the order of their tickets. */
  #waiting = [];
  /** Names the loop that hands entries to the journal, while there is one. */
  #turn;
  /** Steps whose fate `recover` decides. */
  #doubtful = [];

  constructor({ saltKey, journal, clock = Date.now, patience = 30_000 }) {
    this.#raw = new RawMeter(saltKey);
    this.#journal = journal;
    this.#clock = clock;
    this.#patience = patience;
  }

  /** A meter that goes on from the entries of its journal, after a snapshot if there is one. */
  static async open({ entries, snapshot, wanted, ...options }) {
    const meter = new Meter(options);
    if (snapshot) meter.#raw = RawMeter.fromSnapshot(snapshot, options.saltKey);
    for await (const entry of entries) {
      const request = meter.#raw.replay(entry);
      if (request) wanted?.(request);
    }
    return meter;
  }

  get raw() {
    return this.#raw;
  }

  async begin({ now, ...begin }) {
    await this.#run(Command.begin(begin), now);
  }

  async addPlan(plan, { now } = {}) {
    await this.#run(Command.addPlan(plan), now);
  }

  async subscribe({ now = this.#clock(), startedAt = now, ...subscribe }) {
    return this.#run(Command.subscribe({ startedAt, ...subscribe }), now);
  }

  async authorize({ now, ...request }) {
    const outcome = await this.#run(Command.authorize(request), now);
    return outcome.kind === "authorized" ? new Hold(this, request, outcome) : outcome;
  }

  async settle({ now, ...settle }) {
    return this.#run(Command.settle(settle), now);
  }

  async settlePart({ now, ...settle }) {
    return this.#run(Command.settlePart(settle), now);
  }

  async settleUnfinished({ now, ...settle }) {
    return this.#run(Command.settleUnfinished(settle), now);
  }

  async extend({ now, ...extend }) {
    return this.#run(Command.extend(extend), now);
  }

  async release({ now, reason = "released", ...release }) {
    return this.#run(Command.release({ reason, ...release }), now);
  }

  async import(record) {
    return this.#run(Command.import(record), record.at);
  }

  async due({ now } = {}) {
    return this.#run(Command.due(), now);
  }

  async checkpoint({ now } = {}) {
    return this.#run(Command.checkpoint(), now);
  }

  async collect({ at = this.#clock(), ...collect }) {
    await this.#run(Command.collect({ at, ...collect }), at);
  }

  async grant({ now, ...grant }) {
    await this.#run(Command.grant(grant), now);
  }

  async void({ now, ...grant }) {
    return this.#run(Command.void(grant), now);
  }

  async cancel({ now, ...cancel }) {
    return this.#run(Command.cancel(cancel), now);
  }

  async switch({ now, ...plan }) {
    return this.#run(Command.switch(plan), now);
  }

  async present({ now, ...shown }) {
    await this.#run(Command.present(shown), now);
  }

  async credit({ receipt, now, ...credit }) {
    return this.#run(Command.credit(receipt, credit), now);
  }

  async lease({ now, ...request }) {
    return this.#run(Command.lease(request), now);
  }

  async accept({ now, ...accept }) {
    return this.#run(Command.accept(accept), now);
  }

  async statement({ now, ...request }) {
    return this.#run(Command.statement(request), now);
  }

  async absorb({ now, ...absorb }) {
    await this.#run(Command.absorb(absorb), now);
  }

  /** Decides at once, and resolves when the journal has the entry. */
  #run(command, now = this.#clock()) {
    return new Promise((resolve, reject) => {
      const step = this.#raw.propose(command, now);
      this.#waiting.push({ step, entry: step.entry, resolve, reject });
      this.#record();
    });
  }

  /** Hands entry after entry to the journal. Nothing of the meter is held while the journal runs. */
  async #record() {
    if (this.#turn) return;
    const turn = (this.#turn = {});
    while (this.#waiting.length > 0) {
      const next = this.#waiting[0];
      let failure;
      try {
        if (next.entry) await this.#append(next.entry);
      } catch (cause) {
        failure = { cause };
      }
      // Somebody stalled the meter meanwhile: `recover` will say what became of the entry.
      if (turn !== this.#turn) return;
      if (failure?.cause instanceof InDoubt) return this.stall(failure.cause);
      if (failure) this.#abandon(failure.cause);
      else this.#confirm(this.#waiting.shift());
    }
    this.#turn = undefined;
  }

  /** A journal that does not answer in time leaves its entry in doubt. */
  async #append(entry) {
    const answer = this.#journal.append(entry);
    if (typeof answer?.then !== "function") return;
    let timer;
    const late = new Promise((_, reject) => {
      const doubt = new InDoubt(`the journal did not answer within ${this.#patience} ms`);
      timer = setTimeout(reject, this.#patience, doubt);
    });
    await Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }

  #confirm({ step, resolve, reject }) {
    try {
      resolve(this.#raw.confirm(step));
    } catch (error) {
      reject(error);
    }
  }

  #abandon(cause) {
    const [first, ...later] = this.#waiting.splice(0);
    this.#raw.abandon(first.step);
    for (const { step } of later) step.free();
    for (const { reject } of [first, ...later]) reject(abandoned(cause));
  }

  /** Nothing is proposed until `recover`: the fate of a write is unknown. */
  stall(cause) {
    this.#raw.stall();
    this.#turn = undefined;
    for (const { step, reject } of this.#waiting.splice(0)) {
      this.#doubtful.push(step);
      reject(stalled(cause));
    }
  }

  /** Ends the doubt. What was recorded after all, and nobody has seen yet, is returned. */
  recover(entries) {
    if (this.#waiting.length > 0) this.stall();
    this.#raw.recover(entries);
    return this.#doubtful.splice(0).flatMap((step) => {
      try {
        return [this.#raw.confirm(step)];
      } catch (error) {
        if (error.code === "step_abandoned") return [];
        throw error;
      }
    });
  }

  get entries() {
    return this.#raw.entries;
  }
  get origin() {
    return this.#raw.origin;
  }
  get signer() {
    return this.#raw.signer;
  }
  get logSize() {
    return this.#raw.logSize;
  }
  snapshot() {
    return this.#raw.snapshot();
  }
  plan(id) {
    return this.#raw.plan(id);
  }
  plans() {
    return this.#raw.plans();
  }
  lane(id) {
    return this.#raw.lane(id);
  }
  lanes() {
    return this.#raw.lanes();
  }
  subscription(id) {
    return this.#raw.subscription(id);
  }
  holds(subscription) {
    return this.#raw.holds(subscription);
  }
  leases(subscription) {
    return this.#raw.leases(subscription);
  }
  subscriptions() {
    return this.#raw.subscriptions();
  }
}

/** A call that may be made. Leaving its scope without `settle` or `release` marks it unknown. */
export class Hold {
  #meter;
  #call;
  #open = true;

  constructor(meter, { subscription, id }, fields) {
    Object.assign(this, fields);
    this.#meter = meter;
    this.#call = { subscription, id };
  }

  async settle(usage, { content, now } = {}) {
    return this.#end(() => this.#meter.settle({ ...this.#call, usage, content, now }));
  }

  async settlePart(usage, { content, now } = {}) {
    return this.#meter.settlePart({ ...this.#call, usage, content, now });
  }

  async settleUnfinished({ now } = {}) {
    return this.#end(() => this.#meter.settleUnfinished({ ...this.#call, now }));
  }

  async extend({ most, now } = {}) {
    const outcome = await this.#meter.extend({ ...this.#call, most, now });
    if (outcome.kind === "extended") this.deadline = outcome.deadline;
    return outcome;
  }

  async release({ now } = {}) {
    return this.#end(() => this.#meter.release({ ...this.#call, now }));
  }

  async #end(act) {
    this.#open = false;
    try {
      return await act();
    } catch (error) {
      this.#open = true;
      throw error;
    }
  }

  async [Symbol.asyncDispose]() {
    if (!this.#open) return;
    try {
      await this.#end(() => this.#meter.release({ ...this.#call, reason: "unknown" }));
    } catch (error) {
      // Not recorded as unknown, it is still reserved until its deadline: the same to the payer.
      if (!(error instanceof CounterfoilError)) throw error;
    }
  }

  [Symbol.dispose]() {
    this[Symbol.asyncDispose]();
  }
}
