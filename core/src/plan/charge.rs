//! One charge of a plan: a meter, a model, a window and free units.

use alloc::string::String;

use crate::{
    amount::{Exact, UnitPrice, parse_money},
    error::{Code, Error, Result},
    json::Node,
    plan::{
        Aggregate, Selector,
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
    /// How calls make the counter; a sum where they are priced on their own.
    pub aggregate: Aggregate,
    /// The price as a function of the counter, free units included.
    pub tariff: Tariff,
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
    /// every unit depends on how many there are in all. Nor do they where the counter is the largest or
    /// the latest quantity, or a number of values: it is not the sum of what several meters see.
    /// What is priced per call has no counter, and a fee for part of a window another price there.
    #[must_use]
    pub fn is_divisible(&self) -> bool {
        self.aggregate.adds()
            && !matches!(self.tariff.model(), Model::Volume { .. })
            && !self.tariff.is_per_call()
            && !self.tariff.terms().prorate
    }

    /// Whether nothing is billed or credited after the close of its windows.
    pub(super) fn is_final(&self) -> bool {
        self.aggregate != Aggregate::Latest
            && !matches!(self.tariff.model(), Model::Volume { .. })
            && self.tariff.terms().minimum.is_zero()
            && !self.tariff.terms().prorate
    }

    /// What a line of so many units pays in a window whose counter stands at `counter` and which was
    /// billed `billed`: what F of the counter after it lies above that, or a per-call model's price.
    ///
    /// # Errors
    /// As [`Tariff::total`].
    pub(crate) fn pays(&self, counter: u64, billed: Exact, units: u64) -> Result<Exact> {
        if self.aggregate.adds() {
            return self.tariff.pays(counter, billed, units);
        }
        let after = self.aggregate.after(counter, units)?;
        Ok(self.tariff.total(after)?.minus_or_zero(billed))
    }

    /// The most that one call of up to `quantity` units can pay at any position of the counter.
    ///
    /// # Errors
    /// As [`Tariff::worst_single`].
    pub(crate) fn worst_single(&self, quantity: u64) -> Result<Exact> {
        match self.aggregate {
            Aggregate::Sum | Aggregate::Count | Aggregate::Unique(_) => {
                self.tariff.worst_single(quantity)
            }
            // A window is never billed less than F of where its counter stands.
            Aggregate::Max | Aggregate::Latest => self.tariff.highest(0, quantity),
        }
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
            // At the close of its window a charge whose total may fall is trued up.
            "volume" => need_window(&mut fields).map(Some)?,
            _ if aggregate == Aggregate::Latest => need_window(&mut fields).map(Some)?,
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
