"""Heads, openings, checkpoints and evidence are EIP-712: eth_account must read them as we do."""

import copy
import json
import os
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils import keccak

# Written by `counterfoil inspect --typed-data`; `cargo xtask peers` says where.
DATA = json.loads(Path(os.environ["COUNTERFOIL_PEERS"]).read_text(encoding="utf-8"))
KINDS = ["receipts", "laneOpens", "checkpoints", "evidence"]

# No ledger holds the documents of evidence: a vector does.
VECTOR = Path(__file__).parents[2] / "spec/vectors/cond/cond-evidence-sign.json"
for step in json.loads(VECTOR.read_text(encoding="utf-8"))["steps"]:
    if step["op"] == "evidence.sign" and "out" in step:
        signed = json.loads(step["out"]["json"])
        DATA.setdefault("evidence", []).append({
            "digest": step["out"]["digest"], "typedData": json.loads(step["out"]["typedData"]),
            "signature": signed["signature"], "signer": signed["attestor"]})


def recovered(typed_data: dict, signature: str) -> str:
    return Account.recover_message(encode_typed_data(full_message=typed_data), signature=signature)


def digest(message: SignableMessage) -> str:
    return "0x" + keccak(b"\x19" + message.version + message.header + message.body).hex()


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_is_ours_and_the_signer_is_recovered(kind: str) -> None:
    assert DATA[kind]
    for item in DATA[kind]:
        assert digest(encode_typed_data(full_message=item["typedData"])) == item["digest"]
        assert recovered(item["typedData"], item["signature"]).lower() == item["signer"].lower()


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_any_integer_is_refused(kind: str) -> None:
    item = DATA[kind][-1]
    typed_data = item["typedData"]
    fields = typed_data["types"][typed_data["primaryType"]]
    integers = [field["name"] for field in fields if field["type"].startswith("uint")]
    assert integers
    for name in integers:
        changed = copy.deepcopy(typed_data)
        changed["message"][name] = str(int(changed["message"][name]) ^ 1)
        assert recovered(changed, item["signature"]).lower() != item["signer"].lower(), name
