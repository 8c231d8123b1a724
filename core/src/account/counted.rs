//! What limits count of one settled or imported call, and which of their shares it reaches.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    amount::Exact,
    entry::ReceiptEntry,
    error::Result,
    meter::{Crossed, Parts, State, Subscription},
    plan::{Limit, LimitRule, Plan, whole},
    receipt::{Item, Kind},
    time::Timestamp,
};

/// A call as limits count it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    /// What it costs, as limits compare it.
    money: Exact,
    /// What its parts were counted above its price, if it is the end of a call.
    over: Exact,
    /// Whether it is a window that was billed without a call: of units it has none, not even a request.
    is_period: bool,
    plan: &'a Plan,
    items: &'a [Item],
    /// What its parts have counted already.
    earlier: Option<&'a Parts>,
    /// The attributes that it was authorised with.
    pub(crate) attributes: &'a BTreeMap<String, String>,
    /// When it was authorised.
    pub(crate) at: Timestamp,
}

impl<'a> Counted<'a> {
    /// What limits count of a receipt. A call is covered by the attributes that it was authorised with,
    /// so that it counts where its hold reserved.
    pub(crate) fn of(
        plan: &'a Plan,
        receipt: &'a ReceiptEntry,
        attributes: &'a BTreeMap<String, String>,
        earlier: Option<&'a Parts>,
    ) -> Result<Counted<'a>> {
        let items = receipt.body.items.as_slice();
        let price = items.iter().find_map(|item| match item {
            Item::Price { exact, .. } => Some(*exact),
            _ => None,
        });
        // What the call costs before grants pay.
        let money = plan.rounding().compared(price.unwrap_or(Exact::ZERO))?;
        let over = match receipt.head.kind {
            Kind::Call => over(plan, items)?,
            _ => Exact::ZERO,
        };
        Ok(Counted {
            money,
            over,
            is_period: receipt.head.kind == Kind::Period,
            plan,
            items,
            earlier,
            attributes,
            at: receipt.head.authorized_at,
        })
    }

    /// The value under which a limit counts the call, and how much; `None` where it counts nothing.
    pub(crate) fn under(&self, limit: &Limit) -> Option<(&'a str, Exact)> {
        let more = match limit.rule {
            LimitRule::Spend { .. } => self.money,
            LimitRule::Units { .. } if self.is_period => return None,
            LimitRule::Units { .. } => {
                let (before, used) = self.units(limit);
                whole(used.saturating_sub(before))
            }
            LimitRule::Credit { .. } | LimitRule::Concurrency { .. } | LimitRule::Rate(_) => {
                return None;
            }
        };
        Some((limit.value(self.attributes)?, more))
    }

    /// What a limit counts less, because the call's parts were counted more than it costs, or has of a
    /// derived meter.
    pub(crate) fn over(&self, limit: &Limit) -> Exact {
        match limit.rule {
            LimitRule::Spend { .. } => self.over,
            LimitRule::Units { .. } if self.is_period => Exact::ZERO,
            LimitRule::Units { .. } => {
                let (before, used) = self.units(limit);
                whole(before.saturating_sub(used))
            }
            _ => Exact::ZERO,
        }
    }

    /// The units of a limit's meter that the call's parts have counted, and those that it has in all.
    fn units(&self, limit: &Limit) -> (u64, u64) {
        let counted = |parts: &Parts| limit.units(|meter| parts.quantity(self.plan, meter));
        let before = self.earlier.and_then(counted).unwrap_or(0);
        (before, limit.units(|meter| self.quantity(meter)).unwrap_or(0))
    }

    /// A meter's quantity; 0 where the body has none. Of a derived meter, the units of its lines and
    /// those that grants paid.
    fn quantity(&self, wanted: &str) -> u64 {
        let lines = self.items.iter().filter_map(|item| match item {
            Item::Line { charge: id, units, .. } => {
                let index = self.plan.charges().iter().position(|charge| charge.id == *id)?;
                Some((index, *units))
            }
            _ => None,
        });
        if let Some(units) = self.plan.derived_units(wanted, lines) {
            let drawn = self.items.iter().filter_map(|item| match item {
                Item::DrawUnits { meter, units, .. } if meter == wanted => Some(*units),
                _ => None,
            });
            let earlier = self.earlier.map_or(0, |parts| parts.granted(wanted));
            return drawn.fold(units.saturating_add(earlier), u64::saturating_add);
        }
        let found = self.items.iter().find_map(|item| match item {
            Item::Quantity { meter, quantity } if meter == wanted => Some(*quantity),
            _ => None,
        });
        found.unwrap_or(0)
    }
}

/// What the parts before the end of a call charged above what its lines come to.
fn over(plan: &Plan, items: &[Item]) -> Result<Exact> {
    let charged = items.iter().find_map(|item| match item {
        Item::Part { charged, .. } => Some(*charged),
        _ => None,
    });
    let Some(charged) = charged else { return Ok(Exact::ZERO) };
    let whole = items.iter().try_fold(Exact::ZERO, |sum, item| match item {
        Item::Line { amount, .. } => sum.checked_add(*amount),
        _ => Ok(sum),
    })?;
    Ok(charged.minus_or_zero(plan.rounding().compared(whole)?))
}

impl State {
    /// The shares of limits that a call reaches, before it is counted: in the order of the plan, the
    /// smaller first.
    pub(crate) fn crossed(&self, s: &Subscription, call: &Counted<'_>) -> Result<Vec<Crossed>> {
        let mut crossed = Vec::new();
        for (_, limit, tally) in self.tallies(s) {
            if limit.notify.is_empty() {
                continue;
            }
            let Some((value, more)) = call.under(limit) else { continue };
            let Some(window) = s.account.limit_window(&s.plan, limit, tally, call.at) else {
                continue;
            };
            let before = tally.counted(window, value)?;
            let after = before.checked_add(more)?;
            let reached = |share: Exact| before < share && share <= after;
            for share in limit.notify.iter().filter(|share| reached(share.reached)) {
                crossed.push(Crossed {
                    limit: limit.id.clone(),
                    value: limit.per.as_ref().map(|_| String::from(value)),
                    fraction: share.fraction,
                    window,
                });
            }
        }
        Ok(crossed)
    }
}
