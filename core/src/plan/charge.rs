//! One charge of a plan: a meter, a model, a window and free units.

use alloc::string::String;

use crate::{
    amount::{Exact, UnitPrice, parse_money},
    error::{Code, Error, Result},
    json::{Fields, Node},
    plan::{
        Selector,
        tariff::read_tariff,
        window::{need_window, read_window},
    },
    rating::{Model, Tariff},
    time::Cycle,
};

/// The meter that every call counts on its own: one per call.
pub const REQUESTS: &str = "requests";

/// What one meter costs: F(counter) over a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The charge's name in line items, unique in the plan.
    pub id: String,
    /// The meter whose quantity it counts; `requests` for a flat charge.
    pub meter: String,
    /// Which calls it is for; `None` counts in every call, beside what is selected.
    pub selector: Option<Selector>,
    /// The windows over which it counts; `None` counts over the whole subscription.
    pub period: Option<Cycle>,
    /// What a call brings to the counter; a sum where calls are priced on their own.
    pub aggregate: Aggregate,
    /// The price as a function of the counter, free units included.
    pub tariff: Tariff,
}

/// What a call brings to a charge's counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Aggregate {
    /// The quantity of its meter.
    #[default]
    Sum,
    /// One, if it has any of its meter.
    Count,
}

impl Aggregate {
    /// Every aggregate.
    pub const ALL: [Aggregate; 2] = [Aggregate::Sum, Aggregate::Count];

    /// The name as a plan has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Aggregate::Sum => "sum",
            Aggregate::Count => "count",
        }
    }

    /// The units of a call that has this much of the meter.
    pub(super) fn units(self, quantity: u64) -> u64 {
        match self {
            Aggregate::Sum => quantity,
            Aggregate::Count => quantity.min(1),
        }
    }

    fn read(fields: &mut Fields<'_>) -> Result<Aggregate> {
        let Some(node) = fields.optional("aggregate") else { return Ok(Aggregate::Sum) };
        let name = node.text()?;
        let found = Aggregate::ALL.into_iter().find(|aggregate| aggregate.as_str() == name);
        found.ok_or_else(|| node.error(Code::PlanInvalid).because("an aggregate is sum or count"))
    }
}

impl Charge {
    /// The price of every unit, where it does not depend on a counter.
    pub(crate) fn unit_price(&self) -> Option<UnitPrice> {
        match self.tariff.model() {
            Model::PerUnit { price }
                if self.tariff.is_plain() && self.aggregate == Aggregate::Sum =>
            {
                Some(*price)
            }
            _ => None,
        }
    }

    /// Whether a lease may take a part of the counter with it, so that several meters price calls of
    /// one window without asking each other. Then a call costs what its units cost at some place of
    /// the counter, and the parts add up to the whole. Under volume tiers they do not: the price of
    /// every unit depends on how many there are in all. What is priced per call has no counter.
    #[must_use]
    pub fn is_divisible(&self) -> bool {
        !matches!(self.tariff.model(), Model::Volume { .. }) && !self.tariff.is_per_call()
    }

    pub(super) fn read(node: &Node<'_>, decimals: u8) -> Result<Charge> {
        let mut fields = node.fields()?;
        let id = read_name(&fields.required("id")?)?;
        let kind = fields.required("model")?;
        let meter = match kind.text()? {
            "flat" => String::from(REQUESTS),
            _ => read_name(&fields.required("meter")?)?,
        };
        let aggregate = match kind.text()? {
            "flat" | "percentage" | "cost_plus" | "dynamic" => Aggregate::Sum,
            _ => Aggregate::read(&mut fields)?,
        };
        let selector = Selector::read(&mut fields)?;
        let period = match kind.text()? {
            // At the close of its window a volume charge is trued up.
            "volume" => need_window(&mut fields).map(Some)?,
            _ => read_window(&mut fields)?,
        };
        let tariff = read_tariff(node, &mut fields, decimals)?;
        if tariff.is_due_without_use()
            && let Some(effective) = fields.optional("effective")
        {
            return Err(effective
                .error(Code::PlanInvalid)
                .because("what is due without use is due in every window"));
        }
        fields.finish()?;
        Ok(Charge { id, meter, selector, period, aggregate, tariff })
    }
}

/// A name: `[a-z][a-z0-9_]*`, at most 64 characters.
pub(super) fn read_name(node: &Node<'_>) -> Result<String> {
    let text = node.text()?;
    check_name(text).map_err(|e| e.at(node.pointer()))?;
    Ok(String::from(text))
}

pub(crate) fn check_name(text: &str) -> Result<()> {
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let clean = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if starts && clean && text.len() <= 64 {
        Ok(())
    } else {
        Err(Error::new(Code::TextInvalid)
            .value(text)
            .because("a name is a to z, 0 to 9 and _, starts with a letter, at most 64"))
    }
}

pub(super) fn read_positive(node: &Node<'_>) -> Result<u64> {
    match node.integer()? {
        0 => Err(node.error(Code::PlanInvalid).because("at least 1")),
        n => Ok(n),
    }
}

pub(super) fn read_money(node: &Node<'_>, decimals: u8) -> Result<Exact> {
    parse_money(node.text()?, decimals).map_err(|e| e.at(node.pointer()))
}
