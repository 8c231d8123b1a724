// Counterfoil for Node.

import { readFileSync } from "node:fs";
import { initSync } from "../pkg/counterfoil.js";

initSync({ module: readFileSync(new URL("../pkg/counterfoil_bg.wasm", import.meta.url)) });

export {
  Auditor, Batch, Checkpoint, Command, Contract, Duplicates, Expected, LocalKey, PayerCheck, Plan, RawMeter,
  Receipt, Settlement, SignRequest, Step, UsageStream, VerifiedCheckpoint, VerifiedEvidence,
  VerifiedReceipt, VerifiedVoucher, billExact, claimCalldata, claimWithSignatureCalldata,
  evidenceDigest, evidenceTypedData, mapUsage, proveConsistency, proveInclusion,
  readUsage, settleCalldata, sha256, treeHead, verifyConsistency, verifyInclusion, verifyPayout,
} from "../pkg/counterfoil.js";
export { CounterfoilError, InDoubt } from "./error.js";
export { Hold, Meter } from "./meter.js";
