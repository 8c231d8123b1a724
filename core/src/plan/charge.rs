//! One charge of a plan: a meter, a model, a window and free units.

use alloc::string::String;

use crate::{
    amount::{Exact, UnitPrice, parse_money},
    error::{Code, Error, Result},
    json::Node,
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
    /// The price as a function of the counter, free units included.
    pub tariff: Tariff,
}

impl Charge {
    /// The price of every unit, where it does not depend on a counter.
    pub(crate) fn unit_price(&self) -> Option<UnitPrice> {
        match self.tariff.model() {
            Model::PerUnit { price } if self.tariff.is_plain() => Some(*price),
            _ => None,
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
        Ok(Charge { id, meter, selector, period, tariff })
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
