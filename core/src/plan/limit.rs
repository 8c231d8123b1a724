//! Limits: how much may be spent or used in a window, how many calls at once, how fast they may come.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    amount::Exact,
    crypto::Digest,
    error::{Code, Result},
    json::{Fields, Node},
    plan::{
        Aggregate, Charge, Plan, REQUESTS, Threshold,
        across::read_across,
        charge::{read_money, read_name, read_positive},
        grant::whole,
        notify::read_notify,
        selector::{matches, read_match},
        window::read_limit_window,
    },
    rating::Rate,
    time::{Cycle, Rolling, Timestamp, Window},
    usage::Usage,
};

/// How many values of `per` one limit keeps at once, if the plan does not say fewer.
const MOST_VALUES: u64 = 10_000;

/// A limit of a plan. Every limit must have room for a call to be authorised, unless it is soft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The limit's name in denials, unique in the plan.
    pub id: String,
    /// What it bounds.
    pub rule: LimitRule,
    /// Which calls it covers: those that carry each of these attributes with one of its values. All, if
    /// empty.
    pub matches: BTreeMap<String, Vec<String>>,
    /// The attribute for each of whose values the limit applies on its own.
    pub per: Option<String>,
    /// How many values of `per` there may be, in each window, or at once for a rate.
    pub values: u64,
    /// Whether it refuses nothing and only reports.
    pub soft: bool,
    /// The shares of the limit whose crossing is reported, ascending.
    pub notify: Vec<Threshold>,
    /// For a limit that counts over all subscriptions of a payer: a hash of its terms, the same in every
    /// plan that shares it. `None` counts in each subscription on its own.
    pub across: Option<Digest>,
}

/// What a limit bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitRule {
    /// Money per window: what was billed and what open holds may still cost stay at or below it.
    Spend {
        /// The bound, exact.
        most: Exact,
        /// The windows over which it counts.
        window: LimitWindow,
    },
    /// Units of a meter per window: as usage reports them, of a derived meter as charges count them.
    Units {
        /// The meter, a derived one, or `requests`.
        meter: String,
        /// The bound.
        most: u64,
        /// The windows over which it counts.
        window: LimitWindow,
    },
    /// Holds that reserve at one time.
    Concurrency {
        /// The bound, at least 1.
        most: u64,
    },
    /// Money that may be owed beyond what grants will pay: 0 is prepaid. What is owed is what was
    /// billed and not credited or collected, ever.
    Credit {
        /// The bound, exact.
        most: Exact,
    },
    /// Calls per time, by GCRA.
    Rate(Rate),
}

/// The windows over which a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitWindow {
    /// One, the whole subscription.
    Whole,
    /// One after the other.
    Cycle(Cycle),
    /// What an instant looks back to.
    Rolling(Rolling),
}

impl Limit {
    /// Where the limit keeps what a call authorised at `at` adds: its window, or its bucket of a rolling
    /// one. `None` for a rate.
    pub(crate) fn part(&self, plan: &Plan, started_at: Timestamp, at: Timestamp) -> Option<Window> {
        match self.rule {
            LimitRule::Spend { window, .. } | LimitRule::Units { window, .. } => {
                Some(match window {
                    LimitWindow::Whole => Window::ALWAYS,
                    LimitWindow::Cycle(cycle) => plan.window(Some(cycle), started_at, at),
                    LimitWindow::Rolling(rolling) => rolling.bucket(at),
                })
            }
            LimitRule::Concurrency { .. } => Some(Window::ALWAYS),
            LimitRule::Credit { .. } | LimitRule::Rate(_) => None,
        }
    }

    /// How the limit's window rolls, if it does.
    pub(crate) fn rolling(&self) -> Option<Rolling> {
        match self.rule {
            LimitRule::Spend { window: LimitWindow::Rolling(rolling), .. }
            | LimitRule::Units { window: LimitWindow::Rolling(rolling), .. } => Some(rolling),
            _ => None,
        }
    }

    /// The window of a call that the limit keeps in `part`.
    pub(crate) fn window(&self, part: Window) -> Window {
        self.rolling().map_or(part, |rolling| rolling.window(part))
    }

    /// The instants whose windows have the `part`.
    pub(crate) fn reach(&self, part: Window) -> Window {
        self.rolling().map_or(part, |rolling| rolling.reach(part))
    }

    /// The value under which the limit counts a call: that of the attribute `per`, or "". `None` where
    /// the limit does not cover the call.
    pub(crate) fn value<'a>(&self, attributes: &'a BTreeMap<String, String>) -> Option<&'a str> {
        matches(&self.matches, attributes).then(|| {
            let value = self.per.as_ref().and_then(|name| attributes.get(name));
            value.map_or("", String::as_str)
        })
    }

    /// Whether it may cover some calls of a window and not others.
    pub(crate) fn is_partial(&self) -> bool {
        self.per.is_some() || !self.matches.is_empty()
    }

    /// The most money that may be spent, for a limit that refuses.
    pub(crate) fn most_spend(&self) -> Option<Exact> {
        match self.rule {
            LimitRule::Spend { most, .. } if !self.soft => Some(most),
            _ => None,
        }
    }

    /// The units of its meter in a call whose quantities `quantity` gives; `None` for another kind of
    /// limit.
    pub(crate) fn units(&self, quantity: impl Fn(&str) -> u64) -> Option<u64> {
        match &self.rule {
            LimitRule::Units { meter, .. } if meter == REQUESTS => Some(quantity(REQUESTS).max(1)),
            LimitRule::Units { meter, .. } => Some(quantity(meter)),
            _ => None,
        }
    }

    /// Reads a limit of the plan `document`.
    pub(super) fn read(
        node: &Node<'_>,
        document: &Node<'_>,
        decimals: u8,
        meters: &BTreeMap<String, String>,
        charges: &[Charge],
    ) -> Result<Limit> {
        let mut fields = node.fields()?;
        let id = read_name(&fields.required("id")?)?;
        let rule = read_rule(&mut fields, node, decimals, meters, charges)?;
        if let LimitRule::Credit { .. } = rule {
            fields.finish()?;
            let (matches, per, notify) = (BTreeMap::new(), None, Vec::new());
            let (values, soft, across) = (MOST_VALUES, false, None);
            return Ok(Limit { id, rule, matches, per, values, soft, notify, across });
        }
        let matches = match fields.optional("match") {
            Some(node) => read_match(&node)?,
            None => BTreeMap::new(),
        };
        let per = fields.optional("per").map(|node| read_name(&node)).transpose()?;
        let values = match (&per, &rule) {
            (None, _) | (_, LimitRule::Concurrency { .. }) => MOST_VALUES,
            _ => read_values(&mut fields)?,
        };
        let bound = match rule {
            LimitRule::Spend { most, .. } => Some(most),
            LimitRule::Units { most, .. } => Some(whole(most)),
            _ => None,
        };
        let (mut soft, mut notify) = (false, Vec::new());
        if let Some(bound) = bound {
            if let Some(node) = fields.optional("soft") {
                soft = node.boolean()?;
            }
            if soft {
                notify = read_notify(&fields.required("notify")?, bound)?;
            } else if let Some(node) = fields.optional("notify") {
                notify = read_notify(&node, bound)?;
            }
        }
        let across = match fields.optional("across") {
            Some(across) => Some(read_across(&across, node, document, &rule)?),
            None => None,
        };
        fields.finish()?;
        Ok(Limit { id, rule, matches, per, values, soft, notify, across })
    }
}

impl Plan {
    /// The units that limits count of a call of this usage, of which charges count `charged` before
    /// grants pay any: (index of the limit, units), limits that do not cover it and those of which it has
    /// no unit left out.
    pub(crate) fn limited_units(
        &self,
        attributes: &BTreeMap<String, String>,
        usage: &Usage,
        charged: &[(usize, u64)],
    ) -> Vec<(usize, u64)> {
        let mut limited = Vec::new();
        for (index, limit) in self.limits().iter().enumerate() {
            let quantity = |meter: &str| {
                let derived = self.derived_units(meter, charged.iter().copied());
                derived.unwrap_or_else(|| usage.get(meter))
            };
            if let Some(units) = limit.units(quantity)
                && units > 0
                && limit.value(attributes).is_some()
            {
                limited.push((index, units));
            }
        }
        limited
    }

    /// The units of a derived meter in a call of which charges count so many (index of the charge,
    /// units): all of the meter's count the same. `None` for a meter that is not derived.
    pub(crate) fn derived_units(
        &self,
        meter: &str,
        charged: impl Iterator<Item = (usize, u64)>,
    ) -> Option<u64> {
        if !self.derived().contains_key(meter) {
            return None;
        }
        let of_meter = |index: usize| self.charges().get(index).is_some_and(|c| c.meter == meter);
        let units = charged.filter(|(index, _)| of_meter(*index)).map(|(_, units)| units);
        Some(units.max().unwrap_or(0))
    }
}

fn read_rule(
    fields: &mut Fields<'_>,
    node: &Node<'_>,
    decimals: u8,
    meters: &BTreeMap<String, String>,
    charges: &[Charge],
) -> Result<LimitRule> {
    if let Some(most) = fields.optional("spend") {
        let most = read_money(&most, decimals)?;
        return Ok(LimitRule::Spend { most, window: read_limit_window(fields)? });
    }
    if let Some(node) = fields.optional("meter") {
        let meter = read_name(&node)?;
        if meter != REQUESTS && !meters.contains_key(&meter) {
            check_derived(&node, &meter, charges)?;
        }
        let most = fields.required("most")?.integer()?;
        return Ok(LimitRule::Units { meter, most, window: read_limit_window(fields)? });
    }
    if let Some(most) = fields.optional("credit") {
        return Ok(LimitRule::Credit { most: read_money(&most, decimals)? });
    }
    if let Some(most) = fields.optional("concurrency") {
        return Ok(LimitRule::Concurrency { most: read_positive(&most)? });
    }
    if let Some(rate) = fields.optional("rate") {
        return Ok(LimitRule::Rate(read_rate(&rate)?));
    }
    Err(node
        .error(Code::PlanInvalid)
        .because("a limit has `spend`, `meter`, `credit`, `concurrency` or `rate`"))
}

/// Refuses a meter of a limit that is not derived, or that no charge sums: what a call has of a derived
/// meter is what charges count of it.
fn check_derived(node: &Node<'_>, meter: &str, charges: &[Charge]) -> Result<()> {
    let mut counting = charges.iter().filter(|charge| charge.meter == meter).peekable();
    if counting.peek().is_none() {
        return Err(node.error(Code::PlanReference));
    }
    if counting.any(|charge| charge.aggregate != Aggregate::Sum) {
        return Err(node
            .error(Code::PlanInvalid)
            .because("a limit counts a derived meter of which every charge is a sum"));
    }
    Ok(())
}

fn read_rate(node: &Node<'_>) -> Result<Rate> {
    let mut fields = node.fields()?;
    let limit = read_positive(&fields.required("calls")?)?;
    let every = fields.required("every")?;
    let period_ms = match every.text()? {
        "second" => 1_000,
        "minute" => 60_000,
        "hour" => 3_600_000,
        "day" => 86_400_000,
        _ => {
            return Err(every
                .error(Code::PlanInvalid)
                .because("a rate is per second, minute, hour or day"));
        }
    };
    let burst = match fields.optional("burst") {
        Some(burst) => read_positive(&burst)?,
        None => 1,
    };
    fields.finish()?;
    Rate::new(limit, period_ms, burst).map_err(|e| e.within(node.pointer()))
}

fn read_values(fields: &mut Fields<'_>) -> Result<u64> {
    let Some(node) = fields.optional("values") else { return Ok(MOST_VALUES) };
    let values = read_positive(&node)?;
    if values > MOST_VALUES {
        return Err(node.error(Code::PlanInvalid).because("at most 10000 values"));
    }
    Ok(values)
}
