// A seller with one subscriber, for the tests.

import { LocalKey, Meter, Plan } from "../js/index.js";

export const key = LocalKey.fromBytes(new Uint8Array(32).fill(1));
export const saltKey = new Uint8Array(32).fill(7);
export const NOW = Date.UTC(2026, 10, 24);

export function plan(changes = {}) {
  return Plan.fromJson(
    JSON.stringify({
      format: "counterfoil/plan/1",
      name: "Per token",
      authority: key.address,
      currency: { iso4217: "USD" },
      meters: { output_tokens: "token" },
      charges: [{ id: "output", meter: "output_tokens", model: "per_unit", price: "0.01" }],
      limits: [{ id: "daily_spend", spend: "10", window: "day" }],
      payees: [{ payee: "seller", weight: 1 }],
      ...changes,
    }),
  );
}

export const tokens = (n) => ({ meters: { output_tokens: n } });

export class MemoryJournal {
  entries = [];
  append(entry) {
    this.entries.push(entry);
  }
}

/** A meter with one subscription; `journal` may be changed afterwards. */
export async function shop({ journal = new MemoryJournal(), terms = plan(), ...options } = {}) {
  const meter = new Meter({ saltKey, journal, clock: () => NOW, ...options });
  await meter.begin({ origin: "test.example/log", signer: key.address });
  await meter.addPlan(terms);
  const { subscription, lane } = await meter.subscribe({ plan: terms.id, account: "acme" });
  const ask = (id, most = 10) => meter.authorize({ subscription, id, most: tokens(most) });
  return { meter, journal, subscription, lane, ask };
}

/** A promise, and the means to fulfil it. */
export function deferred() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

export const turns = () => new Promise((resolve) => setImmediate(resolve));
