"""R-X402: channels, vouchers and claims of x402 `batch-settlement` on EVM networks."""

from .refused import need
from .signing import Domain, check, keccak256, struct_hash, word

CONTRACT = bytes.fromhex("4020074e9dF2ce1deE5A9C1b5c3f541D02a10003")
CHANNEL = ("ChannelConfig(address payer,address payerAuthorizer,address receiver,"
           "address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)")
VOUCHER = "Voucher(bytes32 channelId,uint128 maxClaimableAmount)"
CLAIM = "ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
BATCH = "ClaimBatch(ClaimEntry[] claims)" + CLAIM
FIELDS = ("payer", "payer_authorizer", "receiver", "receiver_authorizer", "token",
          "withdraw_delay", "salt")


def domain(chain):
    return Domain("x402 Batch Settlement", "1", chain, CONTRACT)


def channel_id(chain, channel):
    return domain(chain).digest(CHANNEL, *(channel[name] for name in FIELDS))


def voucher_digest(chain, channel, most):
    return domain(chain).digest(VOUCHER, channel_id(chain, channel), most)


def check_channel(channel):
    for name, member in (("payer", "payer"), ("receiver", "receiver"),
                         ("receiver_authorizer", "receiverAuthorizer"), ("token", "token")):
        need(channel[name] != bytes(20), "voucher_invalid", "/channelConfig/" + member)
    good = 900 <= channel["withdraw_delay"] <= 2_592_000
    need(good, "voucher_invalid", "/channelConfig/withdrawDelay")


def verify_voucher(chain, channel, most, signature):
    """`verified`, or `ask_payer` where only the chain can tell."""
    check_channel(channel)
    digest = voucher_digest(chain, channel, most)
    if channel["payer_authorizer"] == bytes(20):
        return digest, "ask_payer"
    check(digest, signature, channel["payer_authorizer"])
    return digest, "verified"


def claim_digest(chain, rows):
    hashes = [struct_hash(CLAIM, channel_id(chain, row["channel"]), row["max_claimable"],
                          row["total_claimed"]) for row in rows]
    return domain(chain).digest(BATCH, keccak256(b"".join(hashes)))


def claim_calldata(rows):
    """`claim(VoucherClaim[])`: offsets, then each row with its 65-byte signature."""
    encoded = []
    for row in rows:
        words = [word(row["channel"][name]) for name in FIELDS]
        words += [word(row["max_claimable"]), word(0x140), word(row["total_claimed"])]
        encoded.append(b"".join(words) + word(65) + row["signature"].ljust(96, b"\0"))
    offsets, at = [], 32 * len(rows)
    for row in encoded:
        offsets.append(word(at))
        at += len(row)
    return (bytes.fromhex("29237b0c") + word(0x20) + word(len(rows)) + b"".join(offsets)
            + b"".join(encoded))


