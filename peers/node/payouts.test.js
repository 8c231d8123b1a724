// The payout table is a tree that OpenZeppelin's library loads and its contracts verify.
import assert from "node:assert/strict";
import { test } from "node:test";

import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

import { data } from "./data.js";

const { root, dump, proofs } = data.payouts;
const leaf = ({ payee, token, cumulative }) => [payee, token, cumulative];
const accepted = (row, proof) => StandardMerkleTree.verify(root, dump.leafEncoding, leaf(row), proof);

test("the dump loads, is consistent and has our root", () => {
  const tree = StandardMerkleTree.load(dump);
  tree.validate();
  assert.equal(tree.root, root);
});

test("a tree built from the values alone has our root", () => {
  const values = dump.values.map(({ value }) => value);
  assert.equal(StandardMerkleTree.of(values, dump.leafEncoding).root, root);
});

test("every row of the table has a proof that is accepted", () => {
  assert.ok(proofs.length > 0);
  assert.equal(proofs.length, dump.values.length);
  for (const row of proofs) assert.ok(accepted(row, row.proof), JSON.stringify(row));
});

test("a larger amount, another payee or another proof is refused", () => {
  for (const row of proofs) {
    const cumulative = (BigInt(row.cumulative) + 1n).toString();
    const payee = row.payee.toLowerCase().replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
    assert.ok(!accepted({ ...row, cumulative }, row.proof));
    assert.ok(!accepted({ ...row, payee }, row.proof));
    assert.ok(!accepted(row, [...row.proof, root]));
  }
});
