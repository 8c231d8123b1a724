//! The price of one charge, as a plan writes it: model, prices, discounts, bounds.

use alloc::{string::String, vec::Vec};

use crate::{
    amount::{Exact, Fraction, UnitPrice},
    error::{Code, Error, Result},
    json::{Fields, Node},
    plan::charge::{read_money, read_positive},
    rating::{CostPlus, Dynamic, MOST_TIERS, Model, Percentage, Plus, Tariff, Terms, Tier},
};

/// Reads everything that makes the price: the members after `window`.
pub(super) fn read_tariff(
    node: &Node<'_>,
    fields: &mut Fields<'_>,
    decimals: u8,
) -> Result<Tariff> {
    let kind = fields.required("model")?;
    let mut reader = Reader { fields, decimals, kept: Fraction::ONE };
    match kind.text()? {
        "percentage" => return reader.percentage(node),
        "cost_plus" => return reader.cost_plus(node),
        "dynamic" => return reader.dynamic(node),
        _ => {}
    }
    let free = match reader.fields.optional("free") {
        Some(free) => free.integer()?,
        None => 0,
    };
    let zero = match kind.text()? {
        "flat" | "graduated" | "volume" => reader.fields.optional("zero"),
        _ => None,
    };
    let due = zero.map(|zero| zero.boolean()).transpose()?.unwrap_or(false);
    let prorate = match kind.text()? {
        "flat" => reader.prorate(due)?,
        _ => false,
    };
    reader.kept = reader.discount()?;
    let model = match kind.text()? {
        "flat" => Model::Flat { amount: reader.price("price")? },
        "per_unit" => {
            let per = reader.per()?;
            let price = reader.fields.required("price")?;
            Model::PerUnit { price: reader.unit_price(&price, per)? }
        }
        "graduated" => Model::Graduated { tiers: reader.tiers()? },
        "volume" => Model::Volume { tiers: reader.tiers()? },
        "package" => Model::Package {
            size: read_positive(&reader.fields.required("size")?)?,
            price: reader.price("price")?,
        },
        _ => {
            return Err(kind.error(Code::PlanInvalid).because(
                "a model is flat, per_unit, graduated, volume, package, percentage, cost_plus or dynamic",
            ));
        }
    };
    let tariff = Tariff::new(model, free).map_err(|e| e.at(place(node, "tiers")))?;
    if let (true, Some(zero)) = (due, zero)
        && without_flat(tariff.model())
    {
        return Err(zero
            .error(Code::PlanInvalid)
            .because("only a flat amount is due without any use"));
    }
    tariff.with(reader.terms(due, prorate)?).map_err(|e| e.at(place(node, "minimum")))
}

/// Whether nothing is due with the first unit but its own price.
fn without_flat(model: &Model) -> bool {
    match model {
        Model::Flat { amount } => amount.is_zero(),
        Model::Graduated { tiers } | Model::Volume { tiers } => {
            tiers.first().is_none_or(|tier| tier.flat.is_zero())
        }
        _ => true,
    }
}

fn place(node: &Node<'_>, member: &str) -> String {
    alloc::format!("{}/{member}", node.pointer())
}

struct Reader<'r, 'n> {
    fields: &'r mut Fields<'n>,
    decimals: u8,
    /// What a discount leaves of every price.
    kept: Fraction,
}

impl Reader<'_, '_> {
    fn percentage(&mut self, node: &Node<'_>) -> Result<Tariff> {
        let worth = self.worth()?;
        let rate = read_fraction(&self.fields.required("rate")?)?;
        if rate > Fraction::ONE {
            return Err(refused(node, "rate", "a rate is at most 1"));
        }
        let fixed = self.money("fixed")?.unwrap_or(Exact::ZERO);
        let min = self.money("min")?.unwrap_or(Exact::ZERO);
        let max = self.money("max")?;
        let model = Model::Percentage(Percentage { worth, rate, fixed, min, max });
        Tariff::new(model, 0).map_err(|e| match e.code() {
            Code::DecimalTooFine => e.at(place(node, "rate")),
            _ => e.at(place(node, "max")),
        })
    }

    fn cost_plus(&mut self, node: &Node<'_>) -> Result<Tariff> {
        let cost = self.worth()?;
        let (plus, member) = match self.fraction("markup")? {
            Some(markup) if markup.increased().is_err() => {
                return Err(refused(node, "markup", "a markup is at most 9"));
            }
            Some(markup) => (Plus::Markup(markup), "markup"),
            None => match self.fraction("margin")? {
                Some(margin) => (Plus::Margin(margin), "margin"),
                None => {
                    return Err(node
                        .error(Code::PlanInvalid)
                        .because("cost_plus has `markup` or `margin`"));
                }
            },
        };
        let model = Model::CostPlus(CostPlus { cost, plus });
        Tariff::new(model, 0).map_err(|e| e.at(place(node, member)))
    }

    fn dynamic(&mut self, node: &Node<'_>) -> Result<Tariff> {
        let unit = self.worth()?;
        let min = self.money("min")?.unwrap_or(Exact::ZERO);
        let max = read_money(&self.fields.required("max")?, self.decimals)?;
        let model = Model::Dynamic(Dynamic { unit, min, max });
        Tariff::new(model, 0).map_err(|e| e.at(place(node, "max")))
    }

    /// Whether a window that is paid for in part costs a part.
    fn prorate(&mut self, zero: bool) -> Result<bool> {
        let Some(node) = self.fields.optional("prorate") else { return Ok(false) };
        if !node.boolean()? {
            return Ok(false);
        }
        if !zero {
            return Err(node
                .error(Code::PlanInvalid)
                .because("only what is due without use is due for a part of a window"));
        }
        self.fields.required("window")?;
        Ok(true)
    }

    /// The members after those of the model.
    fn terms(&mut self, zero: bool, prorate: bool) -> Result<Terms> {
        let off = self.money("off")?.unwrap_or(Exact::ZERO);
        let cap = self.money("cap")?;
        // A fee is its own minimum.
        let minimum = if prorate { None } else { self.money("minimum")? };
        if minimum.is_some() {
            // A window without end would never come to its minimum.
            self.fields.required("window")?;
        }
        Ok(Terms { zero, prorate, off, cap, minimum: minimum.unwrap_or(Exact::ZERO) })
    }

    fn discount(&mut self) -> Result<Fraction> {
        let Some(node) = self.fields.optional("discount") else { return Ok(Fraction::ONE) };
        let discount = read_fraction(&node)?;
        if discount >= Fraction::ONE {
            return Err(node.error(Code::PlanInvalid).because("a discount is below 1"));
        }
        discount.complement()
    }

    fn fraction(&mut self, member: &'static str) -> Result<Option<Fraction>> {
        self.fields.optional(member).map(|node| read_fraction(&node)).transpose()
    }

    fn money(&mut self, member: &'static str) -> Result<Option<Exact>> {
        self.fields.optional(member).map(|node| read_money(&node, self.decimals)).transpose()
    }

    /// What one unit is worth, from `per` and `price`.
    fn worth(&mut self) -> Result<UnitPrice> {
        let per = self.per()?;
        let price = self.fields.required("price")?;
        self.unit_price(&price, per)
    }

    fn per(&mut self) -> Result<u64> {
        self.fields.optional("per").map_or(Ok(1), |per| read_positive(&per))
    }

    /// A price after the discount.
    fn price(&mut self, member: &'static str) -> Result<Exact> {
        let node = self.fields.required(member)?;
        self.discounted(&node, read_money(&node, self.decimals)?)
    }

    fn unit_price(&self, node: &Node<'_>, per: u64) -> Result<UnitPrice> {
        let price = UnitPrice::parse(node.text()?, self.decimals, per);
        let price = price.map_err(|e| e.at(node.pointer()))?;
        Ok(UnitPrice::new(self.discounted(node, price.exact())?))
    }

    fn discounted(&self, node: &Node<'_>, price: Exact) -> Result<Exact> {
        self.kept.of(price).ok_or_else(|| {
            node.error(Code::DecimalTooFine).because("the discounted price is not on the grid")
        })
    }

    fn tiers(&mut self) -> Result<Vec<Tier>> {
        let per = self.per()?;
        let list = self.fields.required("tiers")?;
        let mut tiers = Vec::new();
        for item in list.items()? {
            if tiers.len() >= MOST_TIERS {
                return Err(list.error(Code::PlanTiers).because("more than 64 tiers"));
            }
            let mut fields = item.fields()?;
            let up_to = fields.optional("up_to").map(|bound| read_positive(&bound)).transpose()?;
            let price = self.unit_price(&fields.required("price")?, per)?;
            let flat = match fields.optional("flat") {
                Some(node) => self.discounted(&node, read_money(&node, self.decimals)?)?,
                None => Exact::ZERO,
            };
            fields.finish()?;
            tiers.push(Tier { up_to, price, flat });
        }
        Ok(tiers)
    }
}

fn read_fraction(node: &Node<'_>) -> Result<Fraction> {
    Fraction::parse(node.text()?).map_err(|e| e.at(node.pointer()))
}

fn refused(node: &Node<'_>, member: &str, why: &'static str) -> Error {
    Error::new(Code::PlanInvalid).at(place(node, member)).because(why)
}
