//! One charge of a plan: a meter, a model, a window and free units.

use alloc::{string::String, vec::Vec};

use crate::{
    amount::{Exact, UnitPrice, parse_money},
    error::{Code, Error, Result},
    json::{Fields, Node},
    plan::{Selector, window::read_window},
    rating::{Model, Tariff, Tier},
    time::Cycle,
};

/// The meter that every call counts on its own: one per call.
pub const REQUESTS: &str = "requests";

/// The most tiers that one charge may have.
const MAX_TIERS: usize = 64;

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
            Model::PerUnit { price } if self.tariff.free() == 0 => Some(*price),
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
        let period = read_window(&mut fields)?;
        let free = match fields.optional("free") {
            Some(free) => free.integer()?,
            None => 0,
        };
        let model = match kind.text()? {
            "flat" => Model::Flat { amount: read_price(&mut fields, decimals)? },
            "per_unit" => Model::PerUnit {
                price: {
                    let per = read_per(&mut fields)?;
                    read_unit_price(&fields.required("price")?, decimals, per)?
                },
            },
            "graduated" => Model::Graduated { tiers: read_tiers(&mut fields, decimals)? },
            "volume" => Model::Volume { tiers: read_tiers(&mut fields, decimals)? },
            "package" => Model::Package {
                size: read_positive(&fields.required("size")?)?,
                price: read_price(&mut fields, decimals)?,
            },
            _ => {
                return Err(kind
                    .error(Code::PlanInvalid)
                    .because("a model is flat, per_unit, graduated, volume or package"));
            }
        };
        if matches!(model, Model::Volume { .. }) && period.is_none() {
            return Err(node
                .error(Code::PlanInvalid)
                .because("a volume charge has a window, at whose close it is trued up"));
        }
        fields.finish()?;
        let tariff = Tariff::new(model, free).map_err(|e| e.within(node.pointer()))?;
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

fn read_price(fields: &mut Fields<'_>, decimals: u8) -> Result<Exact> {
    read_money(&fields.required("price")?, decimals)
}

fn read_per(fields: &mut Fields<'_>) -> Result<u64> {
    match fields.optional("per") {
        Some(per) => read_positive(&per),
        None => Ok(1),
    }
}

fn read_unit_price(node: &Node<'_>, decimals: u8, per: u64) -> Result<UnitPrice> {
    UnitPrice::parse(node.text()?, decimals, per).map_err(|e| e.at(node.pointer()))
}

fn read_tiers(fields: &mut Fields<'_>, decimals: u8) -> Result<Vec<Tier>> {
    let per = read_per(fields)?;
    let list = fields.required("tiers")?;
    let mut tiers = Vec::new();
    for item in list.items()? {
        if tiers.len() >= MAX_TIERS {
            return Err(list.error(Code::PlanTiers).because("more than 64 tiers"));
        }
        let mut fields = item.fields()?;
        let up_to = match fields.optional("up_to") {
            Some(bound) => Some(read_positive(&bound)?),
            None => None,
        };
        let price = read_unit_price(&fields.required("price")?, decimals, per)?;
        fields.finish()?;
        tiers.push(Tier { up_to, price });
    }
    Ok(tiers)
}
