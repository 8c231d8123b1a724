//! The body of a receipt: salted items under one Merkle root.
//!
//! The leaf of item *i* of *n* is SHA-256(0x00 ‖ u16 *i* ‖ u16 *n* ‖ salt ‖ item), with a 16-byte salt
//! of its own; inner nodes are those of RFC 6962. A root alone does not fix the number of leaves, so a
//! path that fits one position often fits another in a tree of another size: the leaf says both. The
//! leaf salts derive from the receipt's salt, two from each SHA-256(salt ‖ u32 index / 2), so showing
//! one item with its leaf salt says nothing of the others.

use alloc::{string::String, vec::Vec};

use crate::{
    amount::Exact,
    codec::{Reader, Writer},
    crypto::{Digest, sha256},
    entry::{read_option, write_option},
    error::{Code, Error, Result},
    log::{merkle_path, merkle_root, merkle_verify},
    receipt::Head,
    time::{Timestamp, Window},
    usage::{Basis, Surface},
};

/// The most items of one body.
pub(super) const MAX_ITEMS: usize = 1_024;

/// One fact about a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// What was used.
    Quantity {
        /// The meter's name.
        meter: String,
        /// How many units.
        quantity: u64,
    },
    /// What one charge makes of it, with the counters it starts from.
    Line {
        /// The charge's id in the plan.
        charge: String,
        /// The window whose counter it advances.
        window: Window,
        /// The counter before, without the call's parts.
        units_before: u64,
        /// The units of this call, its parts included.
        units: u64,
        /// What the window had been billed before.
        billed_before: Exact,
        /// The price of this call: F(after) − billed, at least 0.
        amount: Exact,
    },
    /// The price as a whole, and what rounding did to the part that no grant pays.
    Price {
        /// What the call costs, exact; grants pay a part of it.
        exact: Exact,
        /// The lane's remainder before, in 10^-18 atomic unit.
        remainder_before: u64,
        /// The lane's remainder after.
        remainder_after: u64,
        /// What a limit did not let be charged, exact.
        uncollected: Exact,
        /// Whether the hold had expired when the call was settled.
        late: bool,
    },
    /// What a grant in units pays: its units are in no line.
    DrawUnits {
        /// The grant's id.
        grant: String,
        /// When it was given.
        given_at: Timestamp,
        /// The meter.
        meter: String,
        /// The units that it pays.
        units: u64,
        /// The units that it has left, reserved ones included.
        balance: u64,
    },
    /// What a grant in money pays of the price.
    Draw {
        /// The grant's id.
        grant: String,
        /// When it was given.
        given_at: Timestamp,
        /// What it pays, exact.
        amount: Exact,
        /// What it has left, exact.
        balance: Exact,
    },
    /// An attribute of the call: model, region, purpose …
    Attribute {
        /// The attribute's name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Where the quantities come from.
    Source {
        /// The usage surface that they were read under.
        surface: Surface,
        /// Whether they were reported, measured or estimated.
        basis: Basis,
        /// SHA-256 of the bytes that they were read from, or zero.
        content: Digest,
    },
    /// Which part of its call a receipt is, and what the parts before it came to. The lines price all
    /// that the call used; the price is what they are above this.
    Part {
        /// From 1; of the receipt that ends the call, one more than its parts.
        number: u64,
        /// What the parts before charged, exact, before grants paid of it.
        charged: Exact,
        /// What limits did not let them charge, exact.
        uncollected: Exact,
    },
    /// What the end of a call gives back, because its parts were charged more than the whole costs.
    Surplus {
        /// What is credited.
        exact: Exact,
        /// The lane's credit remainder before, in 10^-18 atomic unit.
        remainder_before: u64,
        /// The lane's credit remainder after.
        remainder_after: u64,
    },
    /// What the close of a window gives back.
    Correction {
        /// The charge's id in the plan.
        charge: String,
        /// The window that closes.
        window: Window,
        /// The counter at the close.
        units: u64,
        /// What the window had been billed.
        billed: Exact,
        /// What F says that it owes.
        due: Exact,
        /// What is credited: billed − due, rounded as the plan rounds calls, and never more than the
        /// lane, or the window beside what grants paid, was charged.
        exact: Exact,
        /// The lane's credit remainder before, in 10^-18 atomic unit.
        remainder_before: u64,
        /// The lane's credit remainder after.
        remainder_after: u64,
    },
    /// What a credit is, and what of it is money.
    Credit {
        /// The credit's id.
        id: String,
        /// Why it was made.
        reason: String,
        /// What was asked for, exact; `None` is all that is left of the receipt.
        amount: Option<Exact>,
        /// What is credited of what the receipt charged, exact.
        exact: Exact,
        /// The lane's credit remainder before, in 10^-18 atomic unit.
        remainder_before: u64,
        /// The lane's credit remainder after.
        remainder_after: u64,
    },
    /// Units that go back to the grant that paid them.
    ReturnedUnits {
        /// The grant's id.
        grant: String,
        /// When it was given.
        given_at: Timestamp,
        /// The meter.
        meter: String,
        /// The units that go back.
        units: u64,
        /// The units that it has left then, reserved ones included.
        balance: u64,
    },
    /// Money that goes back to the grant that paid it.
    Returned {
        /// The grant's id.
        grant: String,
        /// When it was given.
        given_at: Timestamp,
        /// What goes back, exact.
        amount: Exact,
        /// What it has left then, exact.
        balance: Exact,
    },
}

impl Item {
    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Item::Quantity { meter, quantity } => {
                w.u8(1).text(meter).u64(*quantity);
            }
            Item::Line { charge, window, units_before, units, billed_before, amount } => {
                w.u8(2).text(charge);
                window.write(w);
                w.u64(*units_before)
                    .u64(*units)
                    .raw(&billed_before.to_bytes())
                    .raw(&amount.to_bytes());
            }
            Item::Price { exact, remainder_before, remainder_after, uncollected, late } => {
                w.u8(3)
                    .raw(&exact.to_bytes())
                    .u64(*remainder_before)
                    .u64(*remainder_after)
                    .raw(&uncollected.to_bytes())
                    .flag(*late);
            }
            Item::Attribute { name, value } => {
                w.u8(4).text(name).text(value);
            }
            Item::Source { surface, basis, content } => {
                w.u8(5).text(surface.as_str()).u8(basis.number()).raw(content.bytes());
            }
            Item::Credit { id, reason, amount, exact, remainder_before, remainder_after } => {
                w.u8(16).text(id).text(reason);
                write_option(w, amount.as_ref(), |w, amount| {
                    w.raw(&amount.to_bytes());
                });
                w.raw(&exact.to_bytes()).u64(*remainder_before).u64(*remainder_after);
            }
            Item::ReturnedUnits { grant, given_at, meter, units, balance } => {
                w.u8(17).text(grant).u64(given_at.millis()).text(meter).u64(*units).u64(*balance);
            }
            Item::Returned { grant, given_at, amount, balance } => {
                w.u8(18)
                    .text(grant)
                    .u64(given_at.millis())
                    .raw(&amount.to_bytes())
                    .raw(&balance.to_bytes());
            }
            Item::DrawUnits { grant, given_at, meter, units, balance } => {
                w.u8(7).text(grant).u64(given_at.millis()).text(meter).u64(*units).u64(*balance);
            }
            Item::Draw { grant, given_at, amount, balance } => {
                w.u8(8)
                    .text(grant)
                    .u64(given_at.millis())
                    .raw(&amount.to_bytes())
                    .raw(&balance.to_bytes());
            }
            Item::Part { number, charged, uncollected } => {
                w.u8(9).u64(*number).raw(&charged.to_bytes()).raw(&uncollected.to_bytes());
            }
            Item::Surplus { exact, remainder_before, remainder_after } => {
                w.u8(10).raw(&exact.to_bytes()).u64(*remainder_before).u64(*remainder_after);
            }
            Item::Correction {
                charge,
                window,
                units,
                billed,
                due,
                exact,
                remainder_before,
                remainder_after,
            } => {
                w.u8(6).text(charge);
                window.write(w);
                w.u64(*units)
                    .raw(&billed.to_bytes())
                    .raw(&due.to_bytes())
                    .raw(&exact.to_bytes())
                    .u64(*remainder_before)
                    .u64(*remainder_after);
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Item> {
        Ok(match r.u8()? {
            1 => Item::Quantity { meter: r.text()?, quantity: r.u64()? },
            2 => Item::Line {
                charge: r.text()?,
                window: Window::read(r)?,
                units_before: r.u64()?,
                units: r.u64()?,
                billed_before: Exact::from_bytes(&r.array()?)?,
                amount: Exact::from_bytes(&r.array()?)?,
            },
            3 => Item::Price {
                exact: Exact::from_bytes(&r.array()?)?,
                remainder_before: r.u64()?,
                remainder_after: r.u64()?,
                uncollected: Exact::from_bytes(&r.array()?)?,
                late: r.flag()?,
            },
            4 => Item::Attribute { name: r.text()?, value: r.text()? },
            5 => Item::Source {
                surface: r.text()?.parse()?,
                basis: Basis::from_number(r.u8()?)?,
                content: Digest::new(r.array()?),
            },
            6 => Item::Correction {
                charge: r.text()?,
                window: Window::read(r)?,
                units: r.u64()?,
                billed: Exact::from_bytes(&r.array()?)?,
                due: Exact::from_bytes(&r.array()?)?,
                exact: Exact::from_bytes(&r.array()?)?,
                remainder_before: r.u64()?,
                remainder_after: r.u64()?,
            },
            7 => Item::DrawUnits {
                grant: r.text()?,
                given_at: Timestamp::from_millis(r.u64()?)?,
                meter: r.text()?,
                units: r.u64()?,
                balance: r.u64()?,
            },
            8 => Item::Draw {
                grant: r.text()?,
                given_at: Timestamp::from_millis(r.u64()?)?,
                amount: Exact::from_bytes(&r.array()?)?,
                balance: Exact::from_bytes(&r.array()?)?,
            },
            9 => Item::Part {
                number: r.u64()?,
                charged: Exact::from_bytes(&r.array()?)?,
                uncollected: Exact::from_bytes(&r.array()?)?,
            },
            10 => Item::Surplus {
                exact: Exact::from_bytes(&r.array()?)?,
                remainder_before: r.u64()?,
                remainder_after: r.u64()?,
            },
            16 => Item::Credit {
                id: r.text()?,
                reason: r.text()?,
                amount: read_option(r, |r| Exact::from_bytes(&r.array()?))?,
                exact: Exact::from_bytes(&r.array()?)?,
                remainder_before: r.u64()?,
                remainder_after: r.u64()?,
            },
            17 => Item::ReturnedUnits {
                grant: r.text()?,
                given_at: Timestamp::from_millis(r.u64()?)?,
                meter: r.text()?,
                units: r.u64()?,
                balance: r.u64()?,
            },
            18 => Item::Returned {
                grant: r.text()?,
                given_at: Timestamp::from_millis(r.u64()?)?,
                amount: Exact::from_bytes(&r.array()?)?,
                balance: Exact::from_bytes(&r.array()?)?,
            },
            _ => return Err(r.malformed("no item of this kind")),
        })
    }

    /// A short name for the item, as errors give it: `line input`, `quantity output_tokens`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Item::Quantity { meter, .. } => alloc::format!("quantity {meter}"),
            Item::Line { charge, .. } => alloc::format!("line {charge}"),
            Item::Price { .. } => String::from("price"),
            Item::Attribute { name, .. } => alloc::format!("attribute {name}"),
            Item::Source { .. } => String::from("source"),
            Item::Part { .. } => String::from("part"),
            Item::Surplus { .. } => String::from("surplus"),
            Item::Correction { charge, .. } => alloc::format!("correction {charge}"),
            Item::DrawUnits { grant, .. } | Item::Draw { grant, .. } => {
                alloc::format!("draw {grant}")
            }
            Item::Credit { id, .. } => alloc::format!("credit {id}"),
            Item::ReturnedUnits { grant, .. } | Item::Returned { grant, .. } => {
                alloc::format!("returned {grant}")
            }
        }
    }
}

/// Everything that a receipt says beyond its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The receipt's salt, from which the leaf salts derive. Keep it with the items: without it the
    /// root cannot be recomputed, and who has it can guess items.
    pub salt: Digest,
    /// The items, in order.
    pub items: Vec<Item>,
}

impl Body {
    /// The Merkle root that the head commits to.
    #[must_use]
    pub fn root(&self) -> Digest {
        merkle_root(self.leaves())
    }

    fn leaves(&self) -> Vec<Digest> {
        let mut leaves = Vec::with_capacity(self.items.len());
        let mut scratch = Writer::with_capacity(160);
        let mut pair = [0; 32];
        for (item, index) in self.items.iter().zip(0u32..) {
            if index & 1 == 0 {
                pair = *self.salt_pair(index).bytes();
            }
            let (even, odd) = pair.split_at(16);
            scratch.0.clear();
            let half = if index & 1 == 0 { even } else { odd };
            write_leaf(&mut scratch, index, self.items.len(), half, item);
            leaves.push(sha256(&[&scratch.0]));
        }
        leaves
    }

    fn salt_pair(&self, index: u32) -> Digest {
        sha256(&[self.salt.bytes(), &(index >> 1).to_be_bytes()])
    }

    /// Shows one item with its proof, and nothing of the others but how many there are.
    ///
    /// # Errors
    /// `log_range` when there is no such item.
    pub fn disclose(&self, index: usize) -> Result<Disclosure> {
        let out = || Error::new(Code::LogRange).value(index);
        let item = self.items.get(index).cloned().ok_or_else(out)?;
        let number = u32::try_from(index).map_err(|_| out())?;
        let pair = self.salt_pair(number);
        let (even, odd) = pair.bytes().split_at(16);
        let half = if number & 1 == 0 { even } else { odd };
        let mut salt = [0; 16];
        salt.copy_from_slice(half);
        let path = merkle_path(&self.leaves(), index)?;
        Ok(Disclosure { index, count: self.items.len(), salt, item, path })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.raw(self.salt.bytes()).count(self.items.len());
        for item in &self.items {
            item.write(w);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Body> {
        let salt = Digest::new(r.array()?);
        let count = r.count(9)?;
        if count > MAX_ITEMS {
            return Err(r.malformed("more than 1024 items"));
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(Item::read(r)?);
        }
        Ok(Body { salt, items })
    }
}

/// One item of a body and the proof that its head commits to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// The item's position.
    pub index: usize,
    /// How many items the body has.
    pub count: usize,
    /// The item's own salt.
    pub salt: [u8; 16],
    /// The item.
    pub item: Item,
    /// The sibling hashes from the leaf to the root.
    pub path: Vec<Digest>,
}

impl Disclosure {
    /// Checks the item against the body root of a verified head, and gives it back.
    ///
    /// # Errors
    /// `proof_invalid` when the proof does not lead to `body`.
    pub fn verify(&self, body: &Digest) -> Result<&Item> {
        let mut w = Writer::new();
        let index = u32::try_from(self.index).unwrap_or(u32::MAX);
        write_leaf(&mut w, index, self.count, &self.salt, &self.item);
        let leaf = sha256(&[&w.0]);
        merkle_verify(&leaf, self.index, self.count, &self.path, body)?;
        Ok(&self.item)
    }
}

/// What a leaf is the hash of. A body has at most 1024 items; where an index or a count does not fit
/// 16 bits, there is no such leaf.
fn write_leaf(w: &mut Writer, index: u32, count: usize, salt: &[u8], item: &Item) {
    let short = |n: Option<u16>| n.unwrap_or(u16::MAX).to_be_bytes();
    w.u8(0).raw(&short(u16::try_from(index).ok())).raw(&short(u16::try_from(count).ok())).raw(salt);
    item.write(w);
}

/// The part of its lane's exact sum that a call or a period occupies: from what was charged before it
/// to what was after it.
///
/// # Errors
/// `body_mismatch` for a receipt without its price, `amount_overflow`.
pub(crate) fn charged_part(head: &Head, items: &[Item]) -> Result<(Exact, Exact)> {
    for item in items {
        if let Item::Price { remainder_before, remainder_after, .. } = item {
            let start = head.cumulative.checked_sub(head.charge)?;
            let before = Exact::new(start.atomic(), *remainder_before)?;
            let after = Exact::new(head.cumulative.atomic(), *remainder_after)?;
            return Ok((before, after));
        }
    }
    Err(Error::new(Code::BodyMismatch).at(alloc::format!(
        "lane {} receipt {} price",
        head.lane,
        head.sequence
    )))
}

/// The salt of one receipt: SHA-256 over the salt key, the lane and the sequence.
pub(crate) fn receipt_salt(key: &Digest, lane: &Digest, sequence: u64) -> Digest {
    sha256(&[key.bytes(), lane.bytes(), &sequence.to_be_bytes()])
}

impl Window {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.start.millis()).u64(self.end.millis());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Window> {
        let start = Timestamp::from_millis(r.u64()?)?;
        let end = Timestamp::from_millis(r.u64()?)?;
        if start >= end {
            return Err(r.malformed("a window ends after it starts"));
        }
        Ok(Window { start, end })
    }
}
