import type {
  Absorb, Accept, Authorize, Authorized, Begin, Cancel, Cancelled, Checkpointed, Collect, Credit, Denied, Extend, Extended, Grant, HoldView, Import,
  LaneTotals, LeaseRequest, LeaseView, Leased, Nothing, Opened, Outcome, Present, RawMeter, Receipt, Reclaimed, Released, Replayed,
  Settle, SettleUnfinished, Settled, SignRequest, Stated, StatementRequest, Subscribe, Subscription, Switch, Hex, Instant, Exact, Plan, Usage, Void, Voided,
} from "../pkg/counterfoil.js";

export {
  Auditor, Batch, Checkpoint, Command, Contract, Duplicates, Expected, LocalKey, PayerCheck, Plan, RawMeter,
  Receipt, Settlement, SignRequest, Step, UsageStream, VerifiedCheckpoint, VerifiedEvidence,
  VerifiedReceipt, VerifiedVoucher, billExact, claimCalldata, claimWithSignatureCalldata,
  evidenceDigest, evidenceTypedData, mapUsage, proveConsistency, proveInclusion,
  readUsage, settleCalldata, sha256, treeHead, verifyConsistency, verifyInclusion, verifyPayout,
} from "../pkg/counterfoil.js";
export type {
  Absorb, Accept, Authorize, Authorized, Basis, Begin, Billed, Cancel, Cancelled, Channel, CheckpointFields, Checkpointed, ClaimRow,
  Collect, ConsistencyProof, Counter, Counts, Credit, Crossed, Denied, Done, Duplicate, Evidence, Exact, Extend, Extended, Extent, Grant, GrantState, Hex, HoldFields, HoldView, Import,
  ImportMark, InclusionProof, Instant, LaneCharge, LaneTotals, LeaseRequest, LeaseView, Leased, Nothing, Opened, Outcome, PayeeLine, PayoutProof, Present,
  Quote, QuoteLine, QuoteStep, ReceiptKind, Reclaimed, Release, Released, Replayed, Rounding, Settle, SettleUnfinished, Settled,
  Stated, StatementRequest, Subscribe, Subscription, Surface, Switch, Totals, TreeHead, Usage, Void, Voided, Voucher, VoucherCheck,
} from "../pkg/counterfoil.js";

/** What Counterfoil refuses. */
export class CounterfoilError extends Error {
  /** Stable, and the same in every language. */
  readonly code: string;
  /** Where: a JSON Pointer, or a lane and receipt. */
  readonly place: string | undefined;
  /** The offending value, cut to a readable length. */
  readonly offending: string | undefined;
}

/** What a journal throws when it cannot know whether the entry was recorded. */
export class InDoubt extends Error {}

/** Makes entries durable, one at a time and in their order. */
export interface Journal {
  /**
   * Returns when the entry is durable. Throws when it was not recorded, which abandons the step, or
   * `InDoubt` when that is not known, which stalls the meter.
   *
   * The meter may be called from here, but not awaited: its answer waits for this one.
   */
  append(entry: Uint8Array): void | PromiseLike<void>;
}

export interface MeterOptions {
  /** A secret of 32 random bytes: the salts of bodies and payers derive from it. */
  saltKey: Uint8Array;
  journal: Journal;
  /** Where `now` is not given. Default `Date.now`. */
  clock?: () => Instant;
  /** How many milliseconds the journal may take before its entry is in doubt. Default 30000. */
  patience?: number;
}

export interface OpenOptions extends MeterOptions {
  /** The journal's entries, after the snapshot if there is one. */
  entries: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  snapshot?: Uint8Array;
  /** Called with each signature that the entries want, for a host that finds its slot empty. */
  wanted?: (request: SignRequest) => void;
}

type Now = {
  /** Default: the meter's clock. */
  now?: Instant;
};

/**
 * Meters calls under plans and makes receipts.
 *
 * Every method that changes something decides at once, hands one entry to the journal, and resolves
 * when the journal has it. Calls may overlap: their entries are appended one after the other, in the
 * order of the calls.
 */
export class Meter {
  constructor(options: MeterOptions);
  static open(options: OpenOptions): Promise<Meter>;

  begin(begin: Begin & Now): Promise<void>;
  addPlan(plan: Plan, options?: Now): Promise<void>;
  subscribe(subscribe: Omit<Subscribe, "startedAt"> & { startedAt?: Instant } & Now): Promise<Opened>;
  authorize(request: Authorize & Now): Promise<Hold | Denied | Replayed>;
  settle(settle: Settle & Now): Promise<Settled | Replayed>;
  /** Charges what a running call has used so far: `usage` is all of it. Its hold goes on for the rest. */
  settlePart(settle: Settle & Now): Promise<Settled | Replayed>;
  /** Charges a call that ended and of which nobody knows what it used, as its plan says. */
  settleUnfinished(settle: SettleUnfinished & Now): Promise<Settled | Replayed>;
  /**
   * While it still reserves: a whole hold of the plan from now on, at most its grace in all; and with
   * `most` for more. If a limit has no room for that, the hold stays as it was.
   */
  extend(extend: Extend & Now): Promise<Extended | Denied>;
  /** `released`: the call was not made, or is free. `unknown`: nobody knows; it stays reserved. */
  release(
    release: { subscription: Hex; id: string; reason?: "released" | "unknown" } & Now,
  ): Promise<Released>;
  import(record: Import): Promise<Settled | Denied | Nothing>;
  /** Does the first thing that is due. Call it until it gives `nothing`. */
  due(options?: Now): Promise<Released | Settled | Checkpointed | Opened | Reclaimed | Nothing>;
  checkpoint(options?: Now): Promise<Checkpointed | Nothing>;
  collect(collect: Omit<Collect, "at"> & { at?: Instant }): Promise<void>;
  /** Gives a subscription a grant; the same terms again give nothing. */
  grant(grant: Grant & Now): Promise<void>;
  /** Takes back what is left of a grant and no hold reserves; says what the buyer of a paid one is owed. */
  void(grant: Void & Now): Promise<Voided>;
  /** Shows evidence that the plan's condition asks for: calls after it may rely on it. */
  present(shown: Present & Now): Promise<void>;
  /**
   * Ends a subscription at once or with its term, as its plan says. What was billed in advance of a fee
   * with `prorate` is credited by `due`, once it has ended.
   */
  cancel(cancel: Cancel & Now): Promise<Cancelled>;
  /** Ends a subscription now, and opens one of the same payer to another plan, in one entry. */
  switch(to: Switch & Now): Promise<Opened>;
  /**
   * Gives back what a receipt cost, in part or whole. The receipt has its body and is signed by the
   * meter's key; the same `id` gives back once.
   */
  credit(credit: Credit & { receipt: Receipt } & Now): Promise<Settled | Replayed>;
  /** Lends a share of a subscription to another meter. */
  lease(request: LeaseRequest & Now): Promise<Leased | Denied>;
  /**
   * Takes a lease that another meter made for this one. From then on its id stands for the
   * subscription's: `authorize` and `settle` name it.
   */
  accept(accept: Accept & Now): Promise<Opened>;
  /** Says what the calls under a lease used so far; after the closing one it takes no more. */
  statement(request: StatementRequest & Now): Promise<Stated>;
  /** Takes note of what the holder of a lease says; of its last word, takes the rest back. */
  absorb(absorb: Absorb & Now): Promise<void>;

  /** Says that the fate of a write is unknown. Every waiting call is refused with `meter_stalled`. */
  stall(cause?: unknown): void;
  /**
   * Ends the doubt: `entries` is how many entries the journal really holds. What was recorded after
   * all, and whose caller was refused, is returned.
   */
  recover(entries: bigint | number): Outcome[];

  /** How many entries are durable. */
  readonly entries: bigint;
  readonly origin: string | undefined;
  readonly signer: Hex | undefined;
  readonly logSize: bigint;
  snapshot(): Uint8Array;
  plan(id: Hex): Plan | undefined;
  plans(): Plan[];
  lane(id: Hex): LaneTotals | undefined;
  lanes(): LaneTotals[];
  subscription(id: Hex): Subscription | undefined;
  subscriptions(): Subscription[];
  /** Those that reserve, also of calls whose outcome is unknown, and those that expired and may still be
   * settled. */
  holds(subscription: Hex): HoldView[] | undefined;
  /** Those that are out, by id, and what their holders last stated. */
  leases(subscription: Hex): LeaseView[] | undefined;
  /** To read from, and to settle from. Propose through this class only. */
  readonly raw: RawMeter;
}

/**
 * A call that may be made. Leaving its scope (`await using`) without `settle` or `release` marks it
 * unknown: still reserved, until its deadline.
 */
export class Hold implements Authorized {
  private constructor();
  readonly kind: "authorized";
  readonly subject: Hex;
  readonly lane: Hex;
  readonly authorizedAt: Instant;
  readonly deadline: Instant;
  readonly attributes: Record<string, string>;
  readonly reserved: Exact;
  settle(usage: Usage, options?: { content?: Hex } & Now): Promise<Settled | Replayed>;
  /** Charges what the call has used so far, while it goes on. */
  settlePart(usage: Usage, options?: { content?: Hex } & Now): Promise<Settled | Replayed>;
  /** Charges the call as its plan says: it ended, and nobody knows what it used. */
  settleUnfinished(options?: Now): Promise<Settled | Replayed>;
  /** Reserves for longer, and with `most` for more, while it still reserves. */
  extend(options?: { most?: Usage } & Now): Promise<Extended | Denied>;
  release(options?: Now): Promise<Released>;
  [Symbol.asyncDispose](): Promise<void>;
  [Symbol.dispose](): void;
}
