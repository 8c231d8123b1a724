"""Exact metering, signed usage receipts and settlement for AI services.

Amounts are ``int`` (atomic units of a currency), exact amounts are decimal text of atomic units,
instants are Unix milliseconds, hashes, addresses and signatures are ``0x`` text.
"""

from ._errors import Error, InDoubt
from ._meter import Clock, Hold, Journal, Meter, MemoryJournal
from ._native import (
    Auditor, Authorized, Batch, Billed, Cancelled, Channel, Checkpoint, Checkpointed, ClaimRow,
    ChargedReceipt, CounterView, Counts, Crossed, Currency, Denial, Duplicate, Duplicates, Evidence, Expected, Extended, Extent, GrantView,
    Head, HoldView, Issued, Item,
    LaneCharge, LaneTotals, LeaseRequest, LeaseView, Leased, LentUnits, LocalKey, Mark, Opened, PayeeLine, PayerCheck, Payout, Plan, Quote, QuoteLine, QuoteStep,
    Receipt, Reclaimed, Released, Replay, ReplayState, Rounding, Settlement, SignRequest, Stated, StatementView, SubscriptionView,
    Totals, UnitShare, Usage, UsageStream, VerifiedCheckpoint, VerifiedEvidence, VerifiedReceipt, VerifiedVoucher,
    Voucher, VoucherCheck, Window, bill, channel_id, checkpoint_digest, claim_calldata, claim_digest,
    evidence_digest, evidence_typed_data, http_status, log_root, map_usage, prove_consistency,
    prove_inclusion, read_usage, verify_consistency,
    verify_inclusion, verify_payout, verify_voucher, voucher_digest,
)

__all__ = [
    "Auditor", "Authorized", "Batch", "Billed", "Cancelled", "Channel", "Checkpoint", "Checkpointed",
    "ChargedReceipt", "ClaimRow", "Clock", "CounterView", "Counts", "Crossed", "Currency", "Denial",
    "Duplicate", "Duplicates", "Error", "Evidence",
    "Expected", "Extended", "Extent", "GrantView", "Head", "Hold", "HoldView", "InDoubt", "Issued", "Item", "Journal",
    "LaneCharge", "LaneTotals",
    "LeaseRequest", "LeaseView", "Leased", "LentUnits", "LocalKey",
    "Mark", "MemoryJournal", "Meter", "Opened", "PayeeLine", "PayerCheck", "Payout", "Plan",
    "Quote", "QuoteLine", "QuoteStep", "Receipt", "Reclaimed", "Released", "Replay", "ReplayState",
    "Rounding", "Settlement", "SignRequest", "Stated", "StatementView", "SubscriptionView", "Totals", "UnitShare", "Usage", "UsageStream",
    "VerifiedCheckpoint", "VerifiedEvidence", "VerifiedReceipt", "VerifiedVoucher", "Voucher",
    "VoucherCheck", "Window", "bill", "channel_id", "checkpoint_digest", "claim_calldata", "claim_digest",
    "evidence_digest", "evidence_typed_data", "http_status", "log_root", "map_usage",
    "prove_consistency", "prove_inclusion", "read_usage",
    "verify_consistency", "verify_inclusion", "verify_payout", "verify_voucher",
    "voucher_digest",
]
