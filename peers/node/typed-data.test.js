// Heads, openings, checkpoints and evidence are EIP-712: any Ethereum library must read them as we do.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { TypedDataEncoder, verifyTypedData as recover } from "ethers";
import { hashTypedData, verifyTypedData } from "viem";

import { changes, data } from "./data.js";

/** Ethers takes the domain's type from the domain itself. */
function parts({ domain, types, message }) {
  const { EIP712Domain, ...own } = types;
  return [domain, own, message];
}

for (const kind of ["receipts", "laneOpens", "checkpoints", "evidence"]) {
  describe(kind, () => {
    test("there is something to check", () => assert.ok(data[kind].length > 0));

    test("viem computes the digest and accepts the signature", async () => {
      for (const { typedData, signature, signer, digest } of data[kind]) {
        assert.equal(hashTypedData(typedData), digest);
        assert.ok(await verifyTypedData({ ...typedData, address: signer, signature }), digest);
      }
    });

    test("ethers computes the digest and recovers the signer", () => {
      for (const { typedData, signature, signer, digest } of data[kind]) {
        assert.equal(TypedDataEncoder.hash(...parts(typedData)), digest);
        const by = recover(...parts(typedData), signature);
        assert.equal(by.toLowerCase(), signer.toLowerCase());
      }
    });

    test("a change of any field is refused", async () => {
      const { typedData, signature, signer } = data[kind].at(-1);
      const { types, primaryType, message } = typedData;
      for (const changed of changes(types, primaryType, message)) {
        const other = { ...typedData, message: changed };
        const said = JSON.stringify(changed);
        assert.ok(!(await verifyTypedData({ ...other, address: signer, signature })), said);
        assert.notEqual(recover(...parts(other), signature).toLowerCase(), signer.toLowerCase());
      }
    });

    test("another domain is refused", async () => {
      const { typedData, signature, signer } = data[kind][0];
      const domain = { ...typedData.domain, version: `${typedData.domain.version}x` };
      const other = { ...typedData, domain, address: signer, signature };
      assert.ok(!(await verifyTypedData(other)));
    });
  });
}
