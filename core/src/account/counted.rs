//! What limits count of one settled or imported call, and which of their shares it reaches.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    account::Account,
    amount::Exact,
    entry::ReceiptEntry,
    error::Result,
    meter::Crossed,
    plan::{Limit, LimitRule, Plan, whole},
    receipt::Item,
    time::Timestamp,
};

/// A call as limits count it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    /// What it costs, as limits compare it.
    money: Exact,
    items: &'a [Item],
    /// The attributes that it was authorised with.
    pub(crate) attributes: &'a BTreeMap<String, String>,
    /// When it was authorised.
    pub(crate) at: Timestamp,
}

impl<'a> Counted<'a> {
    /// What limits count of a receipt. A call is covered by the attributes that it was authorised with,
    /// so that it counts where its hold reserved.
    pub(crate) fn of(
        plan: &Plan,
        receipt: &'a ReceiptEntry,
        attributes: &'a BTreeMap<String, String>,
    ) -> Result<Counted<'a>> {
        let items = receipt.body.items.as_slice();
        let price = items.iter().find_map(|item| match item {
            Item::Price { exact, .. } => Some(*exact),
            _ => None,
        });
        // What the call costs before grants pay.
        let money = plan.rounding().compared(price.unwrap_or(Exact::ZERO))?;
        Ok(Counted { money, items, attributes, at: receipt.head.authorized_at })
    }

    /// The value under which a limit counts the call, and how much; `None` where it counts nothing.
    pub(crate) fn under(&self, limit: &Limit) -> Option<(&'a str, Exact)> {
        let more = match limit.rule {
            LimitRule::Spend { .. } => self.money,
            LimitRule::Units { .. } => whole(limit.units(|meter| self.quantity(meter))?),
            LimitRule::Credit { .. } | LimitRule::Concurrency { .. } | LimitRule::Rate(_) => {
                return None;
            }
        };
        Some((limit.value(self.attributes)?, more))
    }

    /// A meter's quantity; 0 where the body has none.
    fn quantity(&self, wanted: &str) -> u64 {
        let found = self.items.iter().find_map(|item| match item {
            Item::Quantity { meter, quantity } if meter == wanted => Some(*quantity),
            _ => None,
        });
        found.unwrap_or(0)
    }
}

impl Account {
    /// The shares of limits that a call reaches, before it is counted: in the order of the plan, the
    /// smaller first.
    pub(crate) fn crossed(&self, plan: &Plan, call: &Counted<'_>) -> Result<Vec<Crossed>> {
        let mut crossed = Vec::new();
        for (limit, tally) in plan.limits().iter().zip(&self.tallies) {
            if limit.notify.is_empty() {
                continue;
            }
            let Some((value, more)) = call.under(limit) else { continue };
            let Some(window) = self.limit_window(plan, limit, tally, call.at) else { continue };
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
