//! One error type, one table of stable codes.
//!
//! Every failure in Counterfoil is an [`Error`]: a [`Code`] that never changes its meaning and is the
//! same in every language, the *place* where it happened (a JSON Pointer, a file and byte, a lane and
//! sequence), the *offending value* cut to a readable length, and a lower-case message. A refused
//! call is not an error: see `Denial`.

use alloc::{boxed::Box, string::String, string::ToString};
use core::fmt;

/// The result of anything in this crate that can fail.
pub type Result<T> = core::result::Result<T, Error>;

/// A failure: what ([`Error::code`]), where ([`Error::place`]) and on which input
/// ([`Error::offending`]).
///
/// ```
/// use counterfoil::{Code, Error};
///
/// let e = Error::new(Code::JsonUnknownField).at("/charges/0/prise").value("prise");
/// assert_eq!(e.code().as_str(), "json_unknown_field");
/// assert_eq!(e.to_string(), "unknown field: `prise` at /charges/0/prise");
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", Text(self))]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: Code,
    place: Option<String>,
    offending: Option<String>,
    detail: Option<&'static str>,
}

/// The offending value is shown up to this many characters.
const SHOWN: usize = 80;

impl Error {
    /// An error with this code and nothing else known yet.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Error(Box::new(Inner { code, place: None, offending: None, detail: None }))
    }

    /// Names the place, unless an inner step has named it already: the innermost place wins.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        if self.0.place.is_none() {
            self.0.place = Some(place.into());
        }
        self
    }

    /// Puts `outer` before the place, for a step that knows where the inner document stands:
    /// `/usage/input_tokens` becomes `line 7: /usage/input_tokens`.
    #[must_use]
    pub fn within(mut self, outer: impl Into<String>) -> Self {
        let mut place = outer.into();
        if let Some(inner) = self.0.place.take() {
            place.push_str(": ");
            place.push_str(&inner);
        }
        self.0.place = Some(place);
        self
    }

    /// Echoes the offending value, cut to a readable length.
    #[must_use]
    pub fn value(mut self, value: impl fmt::Display) -> Self {
        let text = value.to_string();
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        self.0.offending = Some(shown);
        self
    }

    /// Says in a few lower-case words what was expected instead.
    #[must_use]
    pub fn because(mut self, detail: &'static str) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Where: a JSON Pointer, `lane 0x…/17/charge`, `segment 3 byte 512`, …
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// The offending value, at most 80 characters of it.
    #[must_use]
    pub fn offending(&self) -> Option<&str> {
        self.0.offending.as_deref()
    }

    /// What was expected instead, where the code alone does not say it.
    #[must_use]
    pub fn detail(&self) -> Option<&'static str> {
        self.0.detail
    }
}

struct Text<'a>(&'a Error);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0.0;
        f.write_str(inner.code.message())?;
        if let Some(detail) = inner.detail {
            write!(f, " ({detail})")?;
        }
        if let Some(offending) = &inner.offending {
            write!(f, ": `{offending}`")?;
        }
        if let Some(place) = &inner.place {
            let place = if place.is_empty() { "the document's root" } else { place };
            write!(f, " at {place}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code().as_str(), Text(self))
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Error::new(code)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $message:literal;)*) => {
        /// The stable code of an [`Error`]. A code is never renamed and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the table in `docs/ERRORS.md`.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code as it stands in JSON, exit messages and every binding.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// The lower-case message, without place and value.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Code::$variant => $message,)* }
            }
        }
    };
}

codes! {
    /// The document is longer than the reader's bound.
    ///
    /// Helps: a shorter document: 1 MiB, a plan 256 KiB.
    JsonTooLarge = "json_too_large", "document too large";
    /// Arrays and objects are nested deeper than the reader's bound.
    ///
    /// Helps: at most 32 arrays and objects inside each other.
    JsonTooDeep = "json_too_deep", "document nested too deep";
    /// More values than the reader's bound.
    ///
    /// Helps: at most 100,000 values and names.
    JsonTooMany = "json_too_many", "document has too many values";
    /// Not JSON (RFC 8259), or cut short.
    ///
    /// Helps: well-formed JSON: `{"a":1}`, not `{"a":1,}`.
    JsonSyntax = "json_syntax", "malformed json";
    /// Not UTF-8, or an escape that is half a surrogate pair.
    ///
    /// Helps: UTF-8, and escapes in pairs: `"\ud83d\ude00"`, not `"\ud83d"`.
    JsonEncoding = "json_encoding", "malformed text encoding";
    /// A member name occurs twice in one object.
    ///
    /// Helps: each name once: not `{"id":"a","id":"b"}`.
    JsonDuplicateKey = "json_duplicate_key", "duplicate key";
    /// A member that this format does not have.
    ///
    /// Helps: a name that the format has: `price`, not `prise` at `/charges/0/prise`.
    JsonUnknownField = "json_unknown_field", "unknown field";
    /// A required member is absent.
    ///
    /// Helps: the member at the place: `/charges/0/price`.
    JsonMissingField = "json_missing_field", "missing field";
    /// A value of another JSON type than the field has.
    ///
    /// Helps: a value of the field's type: `"price": "2.5"`, not `"price": 2.5`.
    JsonType = "json_type", "wrong type";
    /// A JSON number that is negative, fractional, has an exponent or is not below 2^53.
    ///
    /// Helps: digits alone: `1000000`, not `1e6`, `-1` or `1.0`; a price is a text.
    JsonNumber = "json_number", "number is not an exact non-negative integer below 2^53";
    /// Text that is not in Unicode normalization form C, or too long, or empty where it may not be.
    ///
    /// Helps: 1 to so many characters on one line, as the field says: `"id": "input"`, not `"id":
    /// "Input!"`.
    TextInvalid = "text_invalid", "text not allowed here";
    /// Hexadecimal of the wrong length or alphabet, or an address whose checksum is wrong (EIP-55).
    ///
    /// Helps: `0x` and the right number of digits, an address with its EIP-55 checksum or in one
    /// case.
    HexInvalid = "hex_invalid", "malformed hex";

    /// Not a canonical decimal: digits, optionally a point and digits, without sign, exponent,
    /// leading zeros or trailing zeros.
    ///
    /// Helps: the one spelling: `0.5`, not `.5`, `0.50` or `5e-1`.
    DecimalInvalid = "decimal_invalid", "not a canonical decimal";
    /// A price or amount with more digits than its grid of 10^-18 atomic unit has.
    ///
    /// Helps: fewer digits, or a `per` that divides the price: `"1"` per 3 has no end.
    DecimalTooFine = "decimal_too_fine", "finer than the exact grid";
    /// A result does not fit its type. Nothing wraps and nothing is clamped.
    ///
    /// Helps: smaller amounts or quantities: an amount is below 2^128 atomic units.
    AmountOverflow = "amount_overflow", "amount overflow";
    /// Amounts in two currencies were combined.
    ///
    /// Helps: one batch for each currency.
    CurrencyMismatch = "currency_mismatch", "currencies differ";
    /// Not a known currency form (CAIP-2 network with token and decimals, or ISO-4217 code).
    ///
    /// Helps: `{"iso4217":"USD"}`, or a CAIP-2 network, a token and 0 to 36 decimals.
    CurrencyInvalid = "currency_invalid", "not a currency";
    /// Shares that are empty, zero in sum, or name one payee twice.
    ///
    /// Helps: at least one payee, each once.
    SharesInvalid = "shares_invalid", "shares do not describe a split";

    /// An instant outside the years 1970 to 9999, or a malformed one.
    ///
    /// Helps: Unix milliseconds from 0 to 253402300799999, the earlier bound first.
    TimeInvalid = "time_invalid", "not an instant";

    /// The document is not a plan of this format version.
    ///
    /// Helps: `"format": "counterfoil/plan/1"`.
    PlanFormat = "plan_format", "not a plan of a known format";
    /// A field of the plan has a value that the rules of plans refuse.
    ///
    /// Helps: a value that docs/plan.md allows for the field at the place.
    PlanInvalid = "plan_invalid", "plan refused";
    /// Tier bounds are not ascending, have a gap, or the last tier is bounded.
    ///
    /// Helps: `up_to` ascending from 1, and a last tier without it.
    PlanTiers = "plan_tiers", "tiers are not ascending with an open end";
    /// Two parts of a plan have the same id, or a set is not sorted.
    ///
    /// Helps: ids that are unique, sets sorted by bytes: `["a","b"]`, not `["b","a"]`.
    PlanOrder = "plan_order", "not sorted or not unique";
    /// A charge, limit or condition names what the plan does not define.
    ///
    /// Helps: a name from `meters`, `derived` or `charges` of the same plan.
    PlanReference = "plan_reference", "name not defined in the plan";
    /// Two charges of one meter may apply to one call, and nothing says which of them counts.
    ///
    /// Helps: a third charge that looks at all that the two look at, or values that do not meet.
    PlanAmbiguous = "plan_ambiguous", "two charges and no rule between them";

    /// No usage surface of this name.
    ///
    /// Helps: one of docs/surfaces.md: `openai.chat`.
    UsageSurface = "usage_surface", "unknown usage surface";
    /// The body carries no usage where its surface puts it.
    ///
    /// Helps: the body with its usage: for a stream, ask for `include_usage`.
    UsageMissing = "usage_missing", "no usage in the response";
    /// A part is larger than the whole it is included in, or a call has used less than an earlier part of
    /// it did.
    ///
    /// Helps: the surface that the body is of: `cached_tokens` lie in `prompt_tokens` for OpenAI
    /// and beside the input for Anthropic.
    UsageContradiction = "usage_contradiction", "a part exceeds its whole";
    /// The surface's total equation does not hold.
    ///
    /// Helps: the surface that the body is of, or settle with another basis and the body's hash as
    /// content.
    UsageTotal = "usage_total", "total differs from the sum of its parts";
    /// A quantity is not an exact integer below 2^63.
    ///
    /// Helps: a whole number, as a number or a text of digits: `"1234"`.
    UsageQuantity = "usage_quantity", "quantity is not an exact non-negative integer below 2^63";
    /// The call used a meter that the plan does not have, or one of which no price is the right one: it
    /// has none, or it is what two priced meters share.
    ///
    /// Helps: a plan with a charge for the meter at the place, or with one for its whole.
    UsageUnpriced = "usage_unpriced", "the plan has no price for this meter";
    /// A price that came with the call lies outside the plan's bounds for it.
    ///
    /// Helps: a price within the charge's `min` and `max`, or a plan with others.
    PriceOutOfBounds = "price_out_of_bounds", "price outside the plan's bounds";

    /// Bytes that end too early, too late, or are not of this kind and version.
    ///
    /// Helps: the bytes as they were written, whole.
    BytesInvalid = "bytes_invalid", "malformed bytes";
    /// A later version than this reader knows.
    ///
    /// Helps: a newer version of this library, if the bytes are from one.
    BytesVersion = "bytes_version", "unknown kind or version";

    /// Not 65 bytes with v 27 or 28, r and s in range and s in the lower half.
    ///
    /// Helps: r ‖ s ‖ v, 65 bytes: v 27 or 28, and the lower of the two s.
    SignatureInvalid = "signature_invalid", "malformed signature";
    /// A well-formed signature by another key.
    ///
    /// Helps: the signature of the address that is named, over this document: any change of it
    /// makes another digest.
    SignatureWrongKey = "signature_wrong_key", "signed by another key";
    /// The key is zero or not below the order of secp256k1.
    ///
    /// Helps: 32 bytes that are a key.
    KeyInvalid = "key_invalid", "not a private key";
    /// A signature that must be there is not.
    ///
    /// Helps: the signature: of each opening and checkpoint, and of each receipt where the plan's
    /// `signing` says so.
    SignatureMissing = "signature_missing", "signature missing";

    /// No subscription of this id, or not open.
    ///
    /// Helps: `subscribe` first; after a restore, again.
    SubscriptionUnknown = "subscription_unknown", "unknown subscription";
    /// The subscription exists already with other terms.
    ///
    /// Helps: the rail and the names that the subscription has.
    SubscriptionConflict = "subscription_conflict", "subscription exists with other terms";
    /// The subscription has no grant of this id.
    ///
    /// Helps: the id of a grant of the plan or of one that was given.
    GrantUnknown = "grant_unknown", "unknown grant";
    /// The subscription has a grant of this id, with other terms.
    ///
    /// Helps: a new id for other terms.
    GrantConflict = "grant_conflict", "grant id in use with other terms";
    /// Evidence that does not count for this subscription: of another payer, for another seller, not asked
    /// for by the plan, expired, or older than what was presented before.
    ///
    /// Helps: evidence of this payer, for this seller, that the plan asks for, issued after the
    /// last one and not expired.
    EvidenceRefused = "evidence_refused", "evidence does not count here";
    /// A receipt that no credit can correct, or an amount that none can have.
    ///
    /// Helps: a call's or a period's receipt of this subscription, with its body and signature, and an
    /// amount above 0.
    CreditInvalid = "credit_invalid", "credit refused";
    /// More than the receipt cost and was not given back yet, or nothing is left of it.
    ///
    /// Helps: a smaller amount, or none: then all that is left is given back.
    CreditExceeded = "credit_exceeded", "more than is left to credit";
    /// The credit id was used for another receipt, amount or reason.
    ///
    /// Helps: a new id for another credit; the same id only to ask again for the same.
    CreditConflict = "credit_conflict", "credit id reused with another input";
    /// The plan, the subscription or the terms that were asked for do not allow a lease, or a lease
    /// does not allow what was asked for.
    ///
    /// Helps: what the message asks for; `docs/leases.md` says what can be lent.
    LeaseRefused = "lease_refused", "lease refused";
    /// No open lease of this id.
    ///
    /// Helps: another lease; a statement before `until` and the plan's `times.grace` are over.
    LeaseUnknown = "lease_unknown", "unknown lease";
    /// A lease or a statement that contradicts its plan, its lease or an earlier statement.
    ///
    /// Helps: the lease that was made for this log; the holder's latest statement.
    LeaseInvalid = "lease_invalid", "lease or statement does not hold";
    /// The lane of the lease takes no more calls.
    ///
    /// Helps: another lease.
    LeaseClosed = "lease_closed", "lease is closed";
    /// The plan is not known to this meter.
    ///
    /// Helps: `add plan` first.
    PlanUnknown = "plan_unknown", "unknown plan";
    /// No hold of this id: never made, released, or ended and forgotten, which happens no earlier than
    /// the replay horizon, and hold and grace together, after its call was authorised.
    ///
    /// Helps: `authorize` first, and settle with the same id before it is forgotten.
    HoldUnknown = "hold_unknown", "unknown hold";
    /// The request id was used with another input.
    ///
    /// Helps: a new id for another request; the same id only to ask again for the same.
    RequestConflict = "request_conflict", "request id reused with another input";
    /// The request is older than the plan's replay horizon, so that a replay could not be told.
    ///
    /// Helps: a new id with a new instant.
    RequestTooOld = "request_too_old", "request older than the replay horizon";
    /// An instant further ahead of the meter than the plan's clock skew allows, or before the term.
    ///
    /// Helps: the right clock, or a later try; `times.skew` says how far clocks may differ.
    ClockSkew = "clock_skew", "instant outside the allowed clock skew";
    /// The call's window is closed.
    ///
    /// Helps: an earlier settle: within `times.grace` of the window's end.
    WindowClosed = "window_closed", "window is closed";

    /// The meter waits for the fate of a write: call `recover` first.
    ///
    /// Helps: `recover`, with the number of entries that the journal holds.
    MeterStalled = "meter_stalled", "a write's outcome is unknown";
    /// The step was abandoned, or one before it was: propose again.
    ///
    /// Helps: the same command again.
    StepAbandoned = "step_abandoned", "step was abandoned";
    /// The ticket is not one of this meter's pending steps.
    ///
    /// Helps: the ticket of a step that is pending.
    StepUnknown = "step_unknown", "unknown step";
    /// The entry cannot follow the state it is applied to.
    ///
    /// Helps: the ledger's entries in their order, each once; a log that begins anew has an origin
    /// of its own.
    EntryMisplaced = "entry_misplaced", "entry does not follow from the state before it";

    /// A recorded result differs from what the plan and the recorded usage give.
    ///
    /// Helps: nothing: the place names the entry and the field that the seller has to explain.
    AuditMismatch = "audit_mismatch", "recorded value differs from the recomputed one";
    /// The chain of a lane is broken: a receipt is missing, repeated, reordered or forked.
    ///
    /// Helps: the receipts of the lane in their order, each once, none left out.
    AuditChain = "audit_chain", "the lane's chain is broken";
    /// The receipt's body does not hash to what its head commits to.
    ///
    /// Helps: the body that came with the head.
    BodyMismatch = "body_mismatch", "body does not match its head";
    /// A proof does not lead to the root.
    ///
    /// Helps: the path for this leaf, under the root of this size.
    ProofInvalid = "proof_invalid", "proof does not lead to the root";
    /// A position or size that the log does not have.
    ///
    /// Helps: an index below the size, an old size of at most the new one.
    LogRange = "log_range", "outside the log";

    /// A collected amount falls, or names an unknown lane.
    ///
    /// Helps: totals so far, not what was added: `500`, then `700`.
    CollectedInvalid = "collected_invalid", "collected amount refused";
    /// A voucher does not fit the lane, the network or the contract's rules.
    ///
    /// Helps: a voucher of the lane's channel, within the contract's rules.
    VoucherInvalid = "voucher_invalid", "voucher refused";

    /// The input that was metered before has changed.
    ///
    /// Helps: the log that was metered before, grown or rotated but not rewritten; another one has
    /// its own `--input-id`.
    InputChanged = "input_changed", "the input differs from what was metered";
    /// A line of a usage log is not a record.
    ///
    /// Helps: a record with instant, subscriber and body, one a line.
    InputRecord = "input_record", "malformed usage record";

    /// A file of the ledger is damaged.
    ///
    /// Helps: a copy of the files from before the damage.
    LedgerCorrupt = "ledger_corrupt", "ledger damaged";
    /// The ledger ends in the middle of a frame.
    ///
    /// Helps: `repair`, which cuts off what was never confirmed.
    LedgerTorn = "ledger_torn", "ledger ends in a torn write";
    /// Another process writes to this ledger.
    ///
    /// Helps: the end of the other process.
    LedgerLocked = "ledger_locked", "ledger is in use by another writer";
    /// The folder is not a ledger.
    ///
    /// Helps: the folder of a ledger.
    LedgerMissing = "ledger_missing", "not a ledger";
    /// Something stands where a ledger, a backup or an archive is to be made.
    ///
    /// Helps: an empty folder or a new name; an archive is the one that the ledger had before.
    LedgerExists = "ledger_exists", "something is there already";
    /// The entries, or what is made from them, are in the ledger's archive.
    ///
    /// Helps: the archive that is named, beside the ledger: `--archive`.
    LedgerArchived = "ledger_archived", "entries are in the archive";
    /// A folder of ledgers was made with another number of shards.
    ///
    /// Helps: the number that it was made with: who belongs into which shard follows from it.
    LedgerShards = "ledger_shards", "made with another number of shards";
    /// Reading or writing failed.
    ///
    /// Helps: what the system's message says: space, rights, the path.
    Io = "io", "input or output failed";
    /// The command line or its options are wrong.
    ///
    /// Helps: what `counterfoil help` says.
    Arguments = "arguments", "arguments refused";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_messages_are_lower_case() {
        let mut seen = BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            assert!(!code.message().chars().next().unwrap().is_uppercase());
        }
    }

    #[test]
    fn a_long_value_is_cut_and_the_innermost_place_wins() {
        let e =
            Error::new(Code::JsonType).value("x".repeat(500)).at("/a").at("/b").within("line 3");
        assert_eq!(e.offending().unwrap().chars().count(), SHOWN + 1);
        assert_eq!(e.place(), Some("line 3: /a"));
    }
}
