//! Amounts, shares and windows.

use counterfoil::{
    Exact, Rounding,
    amount::{Accumulator, Shares},
    plan::Payee,
    time::Period,
};
use serde_json::{Value, json};

use crate::{
    input::{self, Input, Outcome, Stop, fault},
    output::{instant, list, text},
};

pub(super) fn round(input: &mut Input) -> Outcome {
    let rounding = input.text("rounding")?;
    let Some(rounding) = Rounding::parse(&rounding) else {
        return fault(format!("no rounding `{rounding}`"));
    };
    let carried = input.integer("carried")?;
    let exact: Exact = input.parsed("exact")?;
    let billed = rounding.bill(exact, carried)?;
    Ok(json!({"amount": text(billed.amount), "remainder": text(billed.remainder)}))
}

pub(super) fn split(input: &mut Input) -> Outcome {
    let mut weights = Vec::new();
    for row in input.list("weights")? {
        let mut row = Input::new(row)?;
        weights.push((Payee::parse(&row.text("payee")?)?.key(), row.integer("weight")?));
        row.finish()?;
    }
    let parts = input.list("parts")?.into_iter().map(|part| Ok(input::text(part)?.parse()?));
    let parts = parts.collect::<Outcome<Vec<Exact>>>()?;
    let shares = Shares::from_weights(&weights)?;
    let mut sums = vec![Accumulator::ZERO; weights.len()];
    for part in parts {
        for ((_, share), sum) in shares.iter().zip(&mut sums) {
            sum.add(part, share)?;
        }
    }
    let payouts = sums.iter().map(Accumulator::floor).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"shares": list(shares.iter().map(|(_, share)| share)), "payouts": list(payouts)}))
}

pub(super) fn window(input: &mut Input) -> Outcome<Value> {
    let name = input.text("period")?;
    let at = input.instant("at")?;
    let period = Period::parse(&name).ok_or_else(|| Stop::Fault(format!("no period `{name}`")))?;
    let window = period.window(at);
    Ok(json!({"start": instant(window.start), "end": instant(window.end)}))
}
