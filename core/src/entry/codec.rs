//! The binary form of entries: kind, version, fields.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    amount::{Amount, Exact},
    codec::{Reader, Writer},
    crypto::{Address, Digest, Signature},
    entry::{
        Absorbed, Cancelled, Collected, Denial, DenialCode, Denied, Entry, Extended, Granted,
        HoldEntry, ImportMark, Instance, Opening, Presented, ReceiptEntry, Reclaimed, Release,
        ReleaseReason, SignedLease, Voided,
    },
    error::{Code, Error, Result},
    lease::{Lease, Statement},
    log::Checkpoint,
    meter::{HeldUnits, ReservedUnits},
    receipt::{Body, Head, Kind, LaneOpen, Receipt},
    time::{Timestamp, Window},
    usage::{Basis, Quantities, Surface, Usage},
};

const VERSION: u8 = 0;

impl Entry {
    fn kind(&self) -> u8 {
        match self {
            Entry::Instance(_) => 1,
            Entry::Plan(_) => 2,
            Entry::Open(_) => 3,
            Entry::Hold(_) => 4,
            Entry::Denied(_) => 5,
            Entry::Receipt(_) => 6,
            Entry::Release(_) => 7,
            Entry::Checkpoint(_) => 8,
            Entry::Collected(_) => 9,
            Entry::Granted(_) => 10,
            Entry::Voided(_) => 11,
            Entry::Cancelled(_) => 12,
            Entry::Leased(_) => 13,
            Entry::Stated(_) => 14,
            Entry::Absorbed(_) => 15,
            Entry::Reclaimed(_) => 16,
            Entry::Extended(_) => 17,
            Entry::Presented(_) => 18,
        }
    }

    /// The entry's name in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Entry::Instance(_) => "instance",
            Entry::Plan(_) => "plan",
            Entry::Open(_) => "open",
            Entry::Hold(_) => "hold",
            Entry::Denied(_) => "denied",
            Entry::Receipt(_) => "receipt",
            Entry::Release(_) => "release",
            Entry::Checkpoint(_) => "checkpoint",
            Entry::Collected(_) => "collected",
            Entry::Granted(_) => "granted",
            Entry::Voided(_) => "voided",
            Entry::Cancelled(_) => "cancelled",
            Entry::Leased(_) => "leased",
            Entry::Stated(_) => "stated",
            Entry::Absorbed(_) => "absorbed",
            Entry::Reclaimed(_) => "reclaimed",
            Entry::Extended(_) => "extended",
            Entry::Presented(_) => "presented",
        }
    }

    /// The entry's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(match self {
            Entry::Plan(document) => document.len().saturating_add(8),
            // A body and a head of the usual size.
            Entry::Receipt(e) => e.body.items.len().saturating_mul(64).saturating_add(256),
            _ => 512,
        });
        w.u8(self.kind()).u8(VERSION);
        match self {
            Entry::Instance(e) => {
                w.text(&e.origin).raw(e.signer.bytes()).u64(e.at.millis());
            }
            Entry::Plan(document) => {
                w.bytes(document);
            }
            Entry::Open(e) => {
                e.lane.write(&mut w);
                write_option(&mut w, e.account.as_ref(), |w, name| {
                    w.text(name);
                });
                w.raw(e.payer_salt.bytes()).u64(e.started_at.millis());
                write_option(&mut w, e.switched_from.as_ref(), |w, from| {
                    w.raw(from.bytes());
                });
                write_option(&mut w, e.lease.as_ref(), |w, signed| {
                    w.bytes(&signed.lease.to_bytes()).raw(signed.signature.bytes());
                });
            }
            Entry::Hold(e) => {
                w.raw(e.lane.bytes())
                    .raw(e.subject.bytes())
                    .raw(e.input.bytes())
                    .u64(e.authorized_at.millis())
                    .u64(e.deadline.millis());
                write_units(&mut w, &e.units);
                write_units(&mut w, &e.limited);
                write_attributes(&mut w, &e.attributes);
                write_reserved(&mut w, &e.reserved);
                write_quantities(&mut w, &e.most);
            }
            Entry::Denied(e) => {
                w.raw(e.lane.bytes()).raw(e.subject.bytes()).u64(e.at.millis());
                write_denial(&mut w, &e.denial);
                write_mark(&mut w, &e.import);
            }
            Entry::Receipt(e) => {
                e.head.write(&mut w);
                e.body.write(&mut w);
                match &e.corrects {
                    Some(corrected) => write_corrected(&mut w, corrected),
                    None => write_option(&mut w, e.import.as_ref(), write_mark),
                }
            }
            Entry::Release(e) => {
                w.raw(e.lane.bytes()).raw(e.subject.bytes()).u64(e.at.millis()).u8(
                    match e.reason {
                        ReleaseReason::Released => 1,
                        ReleaseReason::Expired => 2,
                        ReleaseReason::Unknown => 3,
                    },
                );
            }
            Entry::Checkpoint(e) => e.write(&mut w),
            Entry::Collected(e) => {
                w.raw(e.lane.bytes())
                    .u128(e.amount.atomic())
                    .u128(e.fee.atomic())
                    .text(&e.reference)
                    .u64(e.at.millis());
            }
            Entry::Granted(e) => {
                w.raw(e.subscription.bytes()).bytes(&e.terms).u64(e.at.millis());
            }
            Entry::Voided(e) => {
                w.raw(e.subscription.bytes())
                    .text(&e.grant)
                    .u64(e.at.millis())
                    .u128(e.refund.atomic());
            }
            Entry::Cancelled(e) => {
                w.raw(e.subscription.bytes()).u64(e.at.millis()).u64(e.ends_at.millis());
            }
            Entry::Leased(lease) => {
                w.bytes(&lease.to_bytes());
            }
            Entry::Stated(statement) => {
                w.bytes(&statement.to_bytes());
            }
            Entry::Absorbed(e) => {
                w.bytes(&e.statement.to_bytes()).raw(e.signature.bytes()).u64(e.at.millis());
            }
            Entry::Reclaimed(e) => {
                w.raw(e.lease.bytes()).u64(e.at.millis());
            }
            Entry::Extended(e) => {
                w.raw(e.lane.bytes())
                    .raw(e.subject.bytes())
                    .u64(e.at.millis())
                    .u64(e.deadline.millis());
                write_option(&mut w, e.units.as_ref(), |w, held| {
                    write_units(w, &held.units);
                    write_units(w, &held.limited);
                    write_reserved(w, &held.reserved);
                    write_quantities(w, &held.most);
                });
            }
            Entry::Presented(e) => {
                w.raw(e.subscription.bytes())
                    .raw(e.attestor.bytes())
                    .text(&e.statement)
                    .u64(e.issued_at.millis())
                    .u64(e.expires_at.millis())
                    .raw(e.signature.bytes())
                    .u64(e.at.millis());
            }
        }
        w.0
    }

    /// Reads an entry's bytes.
    ///
    /// # Errors
    /// `bytes_invalid`, `bytes_version`, or the code of a field that cannot be.
    pub fn from_bytes(bytes: &[u8]) -> Result<Entry> {
        let r = &mut Reader::new(bytes);
        let kind = r.u8()?;
        if r.u8()? != VERSION {
            return Err(Error::new(Code::BytesVersion).at("byte 1"));
        }
        let entry = match kind {
            1 => Entry::Instance(Instance {
                origin: r.text()?,
                signer: Address::new(r.array()?),
                at: read_time(r)?,
            }),
            2 => Entry::Plan(r.bytes()?.to_vec()),
            3 => Entry::Open(Opening {
                lane: LaneOpen::read(r)?,
                account: read_option(r, Reader::text)?,
                payer_salt: Digest::new(r.array()?),
                started_at: read_time(r)?,
                switched_from: read_option(r, |r| r.array().map(Digest::new))?,
                lease: read_option(r, |r| {
                    let lease = Arc::new(Lease::from_bytes(r.bytes()?)?);
                    Ok(SignedLease { lease, signature: Signature::from_bytes(&r.array()?)? })
                })?,
            }),
            4 => Entry::Hold(HoldEntry {
                lane: Digest::new(r.array()?),
                subject: Digest::new(r.array()?),
                input: Digest::new(r.array()?),
                authorized_at: read_time(r)?,
                deadline: read_time(r)?,
                units: read_units(r)?.into(),
                limited: read_units(r)?.into(),
                attributes: Arc::new(read_attributes(r)?),
                reserved: read_reserved(r)?.into(),
                most: read_quantities(r)?,
            }),
            5 => Entry::Denied(Denied {
                lane: Digest::new(r.array()?),
                subject: Digest::new(r.array()?),
                at: read_time(r)?,
                denial: read_denial(r)?,
                import: read_mark(r)?,
            }),
            6 => {
                let head = Head::read(r)?;
                let digest = head.digest();
                let body = Body::read(r)?;
                let (import, corrects) = match head.kind {
                    Kind::Credit => (None, Some(Arc::new(read_corrected(r)?))),
                    _ => (read_option(r, read_mark)?, None),
                };
                Entry::Receipt(Arc::new(ReceiptEntry { head, digest, body, import, corrects }))
            }
            7 => Entry::Release(Release {
                lane: Digest::new(r.array()?),
                subject: Digest::new(r.array()?),
                at: read_time(r)?,
                reason: match r.u8()? {
                    1 => ReleaseReason::Released,
                    2 => ReleaseReason::Expired,
                    3 => ReleaseReason::Unknown,
                    _ => return Err(r.malformed("no release reason of this number")),
                },
            }),
            8 => Entry::Checkpoint(Checkpoint::read(r)?),
            9 => Entry::Collected(Collected {
                lane: Digest::new(r.array()?),
                amount: Amount::from_atomic(r.u128()?),
                fee: Amount::from_atomic(r.u128()?),
                reference: r.text()?,
                at: read_time(r)?,
            }),
            10 => Entry::Granted(Granted {
                subscription: Digest::new(r.array()?),
                terms: r.bytes()?.to_vec(),
                at: read_time(r)?,
            }),
            11 => Entry::Voided(Voided {
                subscription: Digest::new(r.array()?),
                grant: r.text()?,
                at: read_time(r)?,
                refund: Amount::from_atomic(r.u128()?),
            }),
            12 => Entry::Cancelled(Cancelled {
                subscription: Digest::new(r.array()?),
                at: read_time(r)?,
                ends_at: read_time(r)?,
            }),
            13 => Entry::Leased(Arc::new(Lease::from_bytes(r.bytes()?)?)),
            14 => Entry::Stated(Statement::from_bytes(r.bytes()?)?),
            15 => Entry::Absorbed(Absorbed {
                statement: Statement::from_bytes(r.bytes()?)?,
                signature: Signature::from_bytes(&r.array()?)?,
                at: read_time(r)?,
            }),
            16 => Entry::Reclaimed(Reclaimed { lease: Digest::new(r.array()?), at: read_time(r)? }),
            17 => Entry::Extended(Extended {
                lane: Digest::new(r.array()?),
                subject: Digest::new(r.array()?),
                at: read_time(r)?,
                deadline: read_time(r)?,
                units: read_option(r, |r| {
                    Ok(HeldUnits {
                        units: read_units(r)?.into(),
                        limited: read_units(r)?.into(),
                        reserved: read_reserved(r)?.into(),
                        most: read_quantities(r)?,
                    })
                })?,
            }),
            18 => Entry::Presented(Presented {
                subscription: Digest::new(r.array()?),
                attestor: Address::new(r.array()?),
                statement: r.text()?,
                issued_at: read_time(r)?,
                expires_at: read_time(r)?,
                signature: Signature::from_bytes(&r.array()?)?,
                at: read_time(r)?,
            }),
            _ => return Err(Error::new(Code::BytesVersion).at("byte 0").value(kind)),
        };
        r.clone().finish()?;
        Ok(entry)
    }
}

pub(crate) fn read_time(r: &mut Reader<'_>) -> Result<Timestamp> {
    Timestamp::from_millis(r.u64()?)
}

pub(crate) fn write_option<T>(
    w: &mut Writer,
    value: Option<&T>,
    write: impl FnOnce(&mut Writer, &T),
) {
    match value {
        Some(value) => {
            w.u8(1);
            write(w, value);
        }
        None => {
            w.u8(0);
        }
    }
}

pub(crate) fn read_option<'a, T>(
    r: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if r.flag()? { read(r).map(Some) } else { Ok(None) }
}

pub(crate) fn write_units(w: &mut Writer, units: &[(usize, u64)]) {
    w.count(units.len());
    for (charge, quantity) in units {
        w.count(*charge).u64(*quantity);
    }
}

pub(crate) fn read_units(r: &mut Reader<'_>) -> Result<Vec<(usize, u64)>> {
    let count = r.count(12)?;
    let mut units = Vec::with_capacity(count);
    for _ in 0..count {
        let charge = usize::try_from(r.u32()?).map_err(|_| r.malformed("charge index"))?;
        units.push((charge, r.u64()?));
    }
    Ok(units)
}

pub(crate) fn write_reserved(w: &mut Writer, reserved: &[ReservedUnits]) {
    w.count(reserved.len());
    for part in reserved {
        w.text(&part.grant).u64(part.given_at.millis()).u64(part.units);
    }
}

pub(crate) fn read_reserved(r: &mut Reader<'_>) -> Result<Vec<ReservedUnits>> {
    let count = r.count(20)?;
    let mut reserved = Vec::with_capacity(count);
    for _ in 0..count {
        let grant = r.text()?;
        reserved.push(ReservedUnits { grant, given_at: read_time(r)?, units: r.u64()? });
    }
    Ok(reserved)
}

pub(crate) fn write_attributes(w: &mut Writer, attributes: &BTreeMap<String, String>) {
    w.count(attributes.len());
    for (name, value) in attributes {
        w.text(name).text(value);
    }
}

pub(crate) fn read_attributes(r: &mut Reader<'_>) -> Result<BTreeMap<String, String>> {
    let mut attributes = BTreeMap::new();
    for _ in 0..r.count(8)? {
        let name = r.text()?;
        if attributes.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(r.malformed("attributes are sorted and unique"));
        }
        let value = r.text()?;
        attributes.insert(name, value);
    }
    Ok(attributes)
}

pub(crate) fn write_quantities(w: &mut Writer, quantities: &Quantities) {
    w.count(quantities.iter().len());
    for (meter, quantity) in quantities.iter() {
        w.text(meter).u64(quantity);
    }
}

pub(crate) fn read_quantities(r: &mut Reader<'_>) -> Result<Quantities> {
    let mut usage = Usage::new(Surface::Plain, Basis::Measured);
    let mut last = String::new();
    for _ in 0..r.count(12)? {
        let meter = r.text()?;
        if meter <= last {
            return Err(r.malformed("meters are sorted and unique"));
        }
        usage.set(&meter, r.u64()?)?;
        last = meter;
    }
    Ok(usage.shared_quantities())
}

pub(crate) fn write_mark(w: &mut Writer, mark: &ImportMark) {
    w.raw(mark.input.bytes()).u64(mark.ordinal).u64(mark.offset).raw(mark.digest.bytes());
}

pub(crate) fn read_mark(r: &mut Reader<'_>) -> Result<ImportMark> {
    Ok(ImportMark {
        input: Digest::new(r.array()?),
        ordinal: r.u64()?,
        offset: r.u64()?,
        digest: Digest::new(r.array()?),
    })
}

/// What a credit corrects: head, signature, body. One that lacks either cannot be read again, and no
/// draft makes it.
fn write_corrected(w: &mut Writer, receipt: &Receipt) {
    receipt.head.write(w);
    if let Some(signature) = &receipt.signature {
        w.raw(signature.bytes());
    }
    if let Some(body) = &receipt.body {
        body.write(w);
    }
}

fn read_corrected(r: &mut Reader<'_>) -> Result<Receipt> {
    let head = Head::read(r)?;
    let signature = Some(Signature::from_bytes(&r.array()?)?);
    Ok(Receipt { head, signature, body: Some(Body::read(r)?) })
}

fn write_denial(w: &mut Writer, denial: &Denial) {
    w.u8(denial.code.number()).text(&denial.rule);
    let exact = |w: &mut Writer, value: &Exact| {
        w.raw(&value.to_bytes());
    };
    let text = |w: &mut Writer, value: &String| {
        w.text(value);
    };
    write_option(w, denial.value.as_ref(), text);
    write_option(w, denial.window.as_ref(), |w, window| window.write(w));
    write_option(w, denial.meter.as_ref(), text);
    for value in [denial.most, denial.spent, denial.needed, denial.available] {
        write_option(w, value.as_ref(), exact);
    }
    write_option(w, denial.retry_at.as_ref(), |w, at| {
        w.u64(at.millis());
    });
}

fn read_denial(r: &mut Reader<'_>) -> Result<Denial> {
    let exact = |r: &mut Reader<'_>| Exact::from_bytes(&r.array()?);
    let number = r.u8()?;
    let code = DenialCode::ALL.iter().copied().find(|code| code.number() == number);
    Ok(Denial {
        code: code.ok_or_else(|| r.malformed("no denial of this number"))?,
        rule: r.text()?,
        value: read_option(r, Reader::text)?,
        window: read_option(r, Window::read)?,
        meter: read_option(r, Reader::text)?,
        most: read_option(r, exact)?,
        spent: read_option(r, exact)?,
        needed: read_option(r, exact)?,
        available: read_option(r, exact)?,
        retry_at: read_option(r, read_time)?,
    })
}
