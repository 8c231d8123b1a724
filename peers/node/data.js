// What `counterfoil inspect --typed-data` wrote; `cargo xtask peers` says where.
import { readFileSync } from "node:fs";

const file = process.env.COUNTERFOIL_PEERS;
if (!file) throw new Error("COUNTERFOIL_PEERS must name the file; run `cargo xtask peers`");

export const data = JSON.parse(readFileSync(file, "utf8"));

// No ledger holds the documents of evidence: a vector does.
const vector = new URL("../../spec/vectors/cond/cond-evidence-sign.json", import.meta.url);
data.evidence = JSON.parse(readFileSync(vector, "utf8")).steps
  .filter(({ op, out }) => op === "evidence.sign" && out)
  .map(({ out: { digest, typedData, json } }) => {
    const { attestor, signature } = JSON.parse(json);
    return { digest, typedData: JSON.parse(typedData), signature, signer: attestor };
  });

/**
 * Every copy of `value` in which one elementary value differs: a wrong field must never verify.
 * `types` and `type` are those of EIP-712.
 */
export function* changes(types, type, value) {
  const array = /^(.*)\[\d*\]$/.exec(type);
  if (array) {
    for (const [index, item] of value.entries())
      for (const changed of changes(types, array[1], item)) yield value.map((kept, at) => (at === index ? changed : kept));
  } else if (types[type]) {
    for (const field of types[type])
      for (const changed of changes(types, field.type, value[field.name]))
        yield { ...value, [field.name]: changed };
  } else {
    yield changedValue(type, value);
  }
}

function changedValue(type, value) {
  if (type === "bool") return !value;
  if (type === "string") return `${value}x`;
  if (/^u?int/.test(type)) return (BigInt(value) ^ 1n).toString();
  // Bytes and addresses: another last digit. Lower case, so that no checksum is in the way.
  return value.slice(0, -1).toLowerCase() + (value.endsWith("0") ? "1" : "0");
}
