//! Limits that count over all subscriptions of a payer.

use alloc::vec;

use crate::{
    crypto::{Digest, sha256},
    error::{Code, Result},
    json::Node,
    plan::{LimitRule, LimitWindow},
    time::Anchor,
};

/// What is hashed before the terms.
const DOMAIN: &[u8] = b"counterfoil/shared-limit/0\n";

/// The member `across` of a limit: the hash of its terms. What it counts must mean the same in every plan
/// that shares it: money of one currency, windows of one zone, units of one meter.
pub(super) fn read_across(
    across: &Node<'_>,
    limit: &Node<'_>,
    document: &Node<'_>,
    rule: &LimitRule,
) -> Result<Digest> {
    if across.text()? != "payer" {
        return Err(across.error(Code::PlanInvalid).because("a limit is across a `payer`"));
    }
    let (window, meter) = match rule {
        LimitRule::Spend { window, .. } => (Some(window), None),
        LimitRule::Units { window, meter, .. } => (Some(window), Some(meter.as_str())),
        _ => (None, None),
    };
    if let Some(LimitWindow::Cycle(cycle)) = window
        && cycle.anchor() == Anchor::Start
    {
        return Err(across
            .error(Code::PlanInvalid)
            .because("windows that start with a subscription are not those of another"));
    }
    let mut fields = document.fields()?;
    let mut parts = vec![Some(*limit), fields.optional("currency"), fields.optional("zone")];
    for list in ["meters", "derived"] {
        let named = fields.optional(list).map(|node| node.fields()).transpose()?;
        let mut named = named.into_iter().flat_map(|named| named.iter());
        parts.push(named.find(|(name, _)| Some(*name) == meter).map(|(_, node)| node));
    }
    let mut terms = DOMAIN.to_vec();
    for part in parts {
        if let Some(part) = part {
            terms.extend(part.canonical()?);
        }
        terms.push(b'\n');
    }
    Ok(sha256(&[&terms]))
}
