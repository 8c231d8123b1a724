/** Bytes in hexadecimal: a digest (32 bytes), an address (20) or a signature (65). */
export type Hex = `0x${string}`;
/** An exact amount: a decimal of atomic units with at most 18 digits after the point. */
export type Exact = string;
/** Unix milliseconds. */
export type Instant = number;

export type Surface =
  | "openai.chat" | "openai.responses" | "openai.realtime" | "openai.images"
  | "anthropic.messages" | "gemini.generate" | "bedrock.converse" | "mistral.chat"
  | "deepseek.chat" | "groq.chat" | "openrouter.chat" | "xai.chat"
  | "cohere.chat" | "perplexity.chat" | "snowflake.chat" | "otel.genai"
  | "plain";
export type Basis = "reported" | "measured" | "estimated";
export type Rounding = "carry" | "up" | "down" | "half_even";
export type ReceiptKind = "call" | "part" | "period" | "true_up" | "credit";

/** What one call consumed. Quantities that are read are always `bigint`. */
export interface Usage {
  /** Default `plain`. */
  surface?: Surface;
  /** Default `measured`. */
  basis?: Basis;
  meters: Record<string, bigint | number>;
  attributes?: Record<string, string>;
}

export interface Billed { amount: bigint; /** In 10^-18 atomic unit. */ remainder: bigint }

export interface Quote { first: Exact; ceiling: Exact; lines: QuoteLine[] }
export interface QuoteLine {
  charge: string; meter: string;
  /** Which calls the charge is for, in words; absent where it counts in every call. */
  selected?: string;
  units: bigint; amount: Exact; steps: QuoteStep[];
}
export interface QuoteStep { units: bigint; price: Exact; amount: Exact; what: string }

export interface Begin { origin: string; signer: Hex }
export interface Subscribe {
  plan: Hex;
  /** The payer's address, if it has one. */
  payer?: Hex | null;
  /** The seller's own name for the subscriber. */
  account?: string | null;
  startedAt: Instant;
  /** The rail that settles the lane: an x402 channel's id, say. */
  rail?: Hex | null;
}
export interface Authorize {
  subscription: Hex;
  /** The request id, unique per subscription within the plan's replay horizon. */
  id: string;
  /** The client's own instant, if the id carries one. */
  createdAt?: Instant | null;
  /** SHA-256 of the request as the client sent it: tells two calls apart that may use the same. */
  content?: Hex | null;
  /**
   * Whether the client says that it repeats a request, without the id of the first: it then joins the
   * newest one of the same `content` within `times.retry` of the plan. One that joins none has `id`.
   */
  retry?: boolean | null;
  /** The most that the call may use. */
  most: Usage;
}
export interface Settle {
  subscription: Hex; id: string; usage: Usage;
  /** SHA-256 of the bytes that the usage was read from. */
  content?: Hex | null;
}
export interface SettleUnfinished { subscription: Hex; id: string }
export interface Extend {
  subscription: Hex; id: string;
  /** The most that the call may use in all from now on, where it is more than before. */
  most?: Usage | null;
}
export interface Release { subscription: Hex; id: string; reason: "released" | "unknown" }
export interface ImportMark {
  input: Hex; ordinal: bigint | number; offset: bigint | number; digest: Hex;
}
export interface Import extends ImportMark {
  subscription: Hex; at: Instant; usage: Usage; content?: Hex | null;
}
export interface Collect {
  lane: Hex;
  /** All that was collected for the lane so far. */
  amount: bigint;
  /** All fees so far, part of the amount. */
  fee?: bigint | null;
  reference: string;
  at: Instant;
}

export interface Grant {
  subscription: Hex;
  /** JSON in the form of a plan's `grants`, with the instant `expires_at`; of a paid one with `reference`
   * and, where it gives units, `price`. */
  terms: string;
}
export interface Cancel { subscription: Hex }
export interface Switch {
  subscription: Hex;
  /** The other plan's id. */
  plan: Hex;
}
export interface Void { subscription: Hex; grant: string }
export interface Present {
  subscription: Hex;
  /** The signed document: `VerifiedEvidence.toJson()`. */
  evidence: string;
}

/** What an attestor signs: that a statement is true of one payer, for one seller, until an instant. */
export interface Evidence {
  /** As the lane openings name it. */
  payer: Hex;
  /** The plan's authority. */
  seller: Hex;
  /** 1 to 200 characters on one line. */
  statement: string;
  /** A later one takes the place of an earlier one. */
  issuedAt: Instant;
  /** The first instant at which it no longer counts. Equal to `issuedAt`: it is revoked. */
  expiresAt: Instant;
}
export interface Credit {
  subscription: Hex; id: string;
  /** Exact, in atomic units. Default: all that is left of the receipt. */
  amount?: Exact | null;
  reason: string;
}

export interface LeaseRequest {
  subscription: Hex;
  /** The origin of the log that may meter under it. */
  holder: string;
  /** The first instant at which it authorises nothing more. */
  until: Instant;
  /** Units by charge. Calls under the lease may use no other charge. */
  units: Record<string, bigint | number>;
  /** Units by limit on units. A hard one that covers its calls and is not here counts as 0. */
  limits?: Record<string, bigint | number> | null;
  /** The attributes that limits look at: every call under the lease has these. */
  attributes?: Record<string, string> | null;
}
export interface Accept {
  lease: Uint8Array; signature: Hex;
  /** The rail that settles the lane. */
  rail?: Hex | null;
}
export interface StatementRequest {
  lease: Hex;
  /** Whether the lease takes no more calls. */
  closing: boolean;
}
export interface Absorb { statement: Uint8Array; signature: Hex }

export interface Done { kind: "done" }
export interface Nothing { kind: "nothing" }
export interface Opened { kind: "opened"; subscription: Hex; lane: Hex; sign?: SignRequest }
export interface HoldFields {
  subject: Hex; lane: Hex; authorizedAt: Instant; deadline: Instant;
  attributes: Record<string, string>;
}
export interface Authorized extends HoldFields { kind: "authorized"; reserved: Exact }
export interface Denied {
  kind: "denied";
  code:
    | "limit_reached" | "condition_failed" | "rate_exceeded" | "term_ended" | "concurrency_reached"
    | "values_reached" | "lease_exhausted";
  httpStatus: number; rule: string;
  /**
   * For a limit with `per`: the value that it refused, "" for a call without the attribute. For a
   * condition: the call's value of the attribute that decided, if it carries it.
   */
  value?: string;
  /** The window in which there is no room. */
  start?: Instant; end?: Instant;
  /** For a limit on units, or a charge of a lease: the meter. The four numbers below are then its units; without it money in
   * atomic units, for `concurrency_reached` calls, for `values_reached` values. */
  meter?: string;
  most?: Exact; spent?: Exact; needed?: Exact; available?: Exact; retryAt?: Instant;
}
export interface Settled {
  kind: "receipt"; receipt: Receipt; position: bigint;
  /** The signature that is wanted; absent in checkpoint mode. */
  sign?: SignRequest;
  /** The shares of limits that the call reached, once each. */
  crossed: Crossed[];
}
export interface Crossed {
  limit: string;
  /** For a limit with `per`: the value that reached it, "" for calls without the attribute. */
  value?: string;
  /** The share, as the plan's `notify` has it: "0.8" of the limit. */
  fraction: Exact;
  start: Instant; end: Instant;
}
/** Where the plan lets it not reserve for longer, the deadline is as before. */
export interface Extended { kind: "extended"; subject: Hex; deadline: Instant }
export interface Released { kind: "released"; subject: Hex }
/** `refund`: what the buyer is owed for the rest of a paid grant, in atomic units. */
export interface Voided { kind: "voided"; refund: bigint }
export interface Cancelled {
  kind: "cancelled";
  /** When the subscription ends; absent where its term does not end. */
  endsAt?: Instant;
}
export type Replayed =
  | ({ kind: "replayed"; state: "held" } & HoldFields)
  | { kind: "replayed"; state: "settled"; receipt: Hex }
  | { kind: "replayed"; state: "released" };
export interface Checkpointed { kind: "checkpoint"; checkpoint: Checkpoint; sign: SignRequest }
/** A lease was made: its bytes and signature go to its holder. */
export interface Leased { kind: "leased"; lease: Hex; bytes: Uint8Array; sign: SignRequest }
/** What a lease was used for: statement and signature go to the meter that lent. */
export interface Stated { kind: "stated"; statement: Uint8Array; sign: SignRequest }
/** A lease is over whose last word did not come. */
export interface Reclaimed { kind: "reclaimed"; lease: Hex }
export type Outcome =
  | Done | Nothing | Opened | Authorized | Denied | Settled | Extended | Released | Voided | Cancelled | Replayed
  | Checkpointed | Leased | Stated | Reclaimed;

export interface LaneTotals {
  lane: Hex; subscription: Hex; plan: Hex; payer: Hex; rail: Hex; number: number; sequence: bigint;
  head: Hex;
  baseline: Exact; creditedBaseline: Exact; cumulative: Exact; credited: Exact;
  collected: bigint; fee: bigint;
}
export interface Subscription {
  id: Hex; plan: Hex; payer: Hex; account?: string; startedAt: Instant;
  /** When it ends, by its term or a cancellation. */
  endsAt?: Instant;
  lane: Hex; denied: bigint;
  holds: bigint; reserved: Exact; counters: Counter[]; grants: GrantState[];
}
export interface Counter {
  charge: string; start: Instant; end: Instant; units: bigint; billed: Exact;
}

/** A hold that reserves, or that expired and may still be settled. */
export interface HoldView {
  subject: Hex; state: "open" | "unknown" | "expired"; authorizedAt: Instant; deadline: Instant;
  /** How many parts charged what the call used so far, and what they charged together. */
  parts: bigint; charged: Exact;
}

/** A lease that is out: nothing of it was taken back. */
export interface LeaseView {
  lease: Hex;
  /** The origin of the log that may meter under it. */
  holder: string;
  at: Instant; until: Instant;
  /** When it is reclaimed, if it does not come back before. */
  reclaimedAt: Instant;
  /** Where each charge's counter stood, the units lent, and those that the last statement says were used. */
  charges: { charge: string; counter: bigint; units: bigint; used: bigint }[];
  limits: { limit: string; most: bigint }[];
  /** The last that was absorbed of what its holder states. */
  stated?: { sequence: bigint; cumulative: Exact; at: Instant };
}

/** A grant and what is left of it. */
export interface GrantState {
  grant: string; kind: "promotional" | "trial" | "included" | "paid";
  /** The meter whose units it pays; absent for money. */
  meter?: string;
  givenAt: Instant; expiresAt?: Instant;
  /** What holds reserve included; of units, their whole number. */
  balance: Exact;
  /** Units that open holds reserve. */
  reserved: bigint;
}

export interface CheckpointFields {
  origin: string; size: bigint | number; root: Hex; lanes: Hex; time: Instant;
}
export interface TreeHead { size: bigint | number; root: Hex }
export interface InclusionProof { index: bigint | number; size: bigint | number; path: Hex[] }
export interface ConsistencyProof {
  oldSize: bigint | number; newSize: bigint | number; path: Hex[];
}

export interface Counts { entries: bigint; receipts: bigint; denied: bigint; checkpoints: bigint }

/** `everything` pays out what was charged, whether it was collected or not. */
export type Extent = "collected" | "everything";
export interface Totals {
  gross: bigint; credited: bigint; collected: bigint; fees: bigint; claimable: bigint;
  owed: bigint; held: bigint; sold: bigint; refunded: bigint; spent: bigint; unearned: bigint;
  payouts: bigint; residue: bigint;
}
export interface PayeeLine { payee: string; payable: bigint; owed: bigint }
/** A request id that two lanes of one subscription charged; `extra` is to be credited. */
export interface Duplicate {
  subscription: Hex; subject: Hex; kept: LaneCharge; extra: LaneCharge;
  /** Whether credits gave all of `extra` back, as far as it can go back. */
  resolved: boolean;
}
/** What one lane charged for a call: one receipt, or several where it was charged in parts. */
export interface LaneCharge {
  lane: Hex; issuedAt: Instant; receipts: { sequence: bigint; digest: Hex }[];
}
export interface PayoutProof { payee: Hex; token: Hex; cumulative: bigint; proof: Hex[] }

export interface Channel {
  payer: Hex; payerAuthorizer: Hex; receiver: Hex; receiverAuthorizer: Hex; token: Hex;
  /** In seconds. */
  withdrawDelay: bigint | number;
  salt: Hex;
}
export interface Voucher { channel: Channel; maxClaimable: bigint; signature: Hex }
export interface ClaimRow extends Voucher { totalClaimed: bigint }
export type VoucherCheck =
  | { kind: "verified"; voucher: VerifiedVoucher }
  | { kind: "ask_payer"; check: PayerCheck };
