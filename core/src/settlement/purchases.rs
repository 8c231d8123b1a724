//! Grants that were bought: what was paid for them, and what of it calls have drawn.

use alloc::{collections::BTreeMap, string::String, sync::Arc};

use crate::{
    amount::{Amount, Exact},
    crypto::Digest,
    error::Result,
    plan::{Grant, whole},
    receipt::Item,
    time::Timestamp,
};

/// A paid grant of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bought {
    pub(super) terms: Arc<Grant>,
    pub(super) price: Amount,
    /// What its void owed the buyer.
    pub(super) refund: Amount,
}

/// By subscription, id and instant of giving: an id that is forgotten may be given again.
pub(super) type Purchases = BTreeMap<(Digest, String, Timestamp), Bought>;

/// What a draw on a paid grant earns the payees, or what goes back to it takes from them.
pub(super) enum Worth {
    Drawn(Exact),
    Returned(Exact),
}

/// The worth of an item that draws on a paid grant or returns to it.
pub(super) fn worth(
    purchases: &Purchases,
    subscription: Digest,
    item: &Item,
) -> Result<Option<Worth>> {
    let (grant, given_at, amount, balance, returned) = match item {
        Item::Draw { grant, given_at, amount, balance } => {
            (grant, given_at, *amount, *balance, false)
        }
        Item::DrawUnits { grant, given_at, units, balance, .. } => {
            (grant, given_at, whole(*units), whole(*balance), false)
        }
        Item::Returned { grant, given_at, amount, balance } => {
            (grant, given_at, *amount, *balance, true)
        }
        Item::ReturnedUnits { grant, given_at, units, balance, .. } => {
            (grant, given_at, whole(*units), whole(*balance), true)
        }
        _ => return Ok(None),
    };
    if purchases.is_empty() {
        return Ok(None);
    }
    let key = (subscription, grant.clone(), *given_at);
    let Some(bought) = purchases.get(&key) else { return Ok(None) };
    // The balance is the one after the item: from the part that is drawn without it to the part with it.
    let balance = if returned { balance.checked_sub(amount)? } else { balance };
    let after = bought.terms.credit.amount().checked_sub(balance)?;
    let before = bought.terms.worth(after.checked_sub(amount)?)?;
    let worth = bought.terms.worth(after)?.checked_sub(before)?;
    Ok(Some(if returned { Worth::Returned(worth) } else { Worth::Drawn(worth) }))
}
