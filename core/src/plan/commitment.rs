//! Commitments: the least that several charges come to together in a window.

use alloc::{string::String, vec::Vec};

use crate::{
    amount::Exact,
    error::{Code, Result},
    json::Node,
    plan::{
        Charge, Plan,
        charge::{read_money, read_name},
        grant::read_scope,
        window::need_window,
    },
    time::Cycle,
};

/// What a subscriber pays at least, in each window, for some charges together. What they lack of it is
/// billed when the window closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// Its name in line items, unique among charges and commitments.
    pub id: String,
    /// The indices of its charges in the plan, ascending.
    pub charges: Vec<usize>,
    /// The windows.
    pub period: Cycle,
    /// The least that the charges come to in a window, above 0.
    pub minimum: Exact,
}

impl Commitment {
    pub(super) fn read(node: &Node<'_>, decimals: u8, charges: &[Charge]) -> Result<Commitment> {
        let mut fields = node.fields()?;
        let id = read_name(&fields.required("id")?)?;
        let scope = fields.required("charges")?;
        let of = read_scope(&scope, charges)?;
        // What was billed for the window must be known, once and for all, as it closes.
        let settled = |index: &usize| charges.get(*index).is_some_and(Charge::is_final);
        if !of.iter().all(settled) {
            return Err(scope
                .error(Code::PlanInvalid)
                .because("a committed charge has no minimum and no true-up of its own"));
        }
        let period = need_window(&mut fields)?;
        let least = fields.required("minimum")?;
        let minimum = read_money(&least, decimals)?;
        if minimum.is_zero() {
            return Err(least.error(Code::PlanInvalid).because("a commitment is above 0"));
        }
        fields.finish()?;
        Ok(Commitment { id, charges: of, period, minimum })
    }
}

impl Plan {
    /// The name of what a line bills, charges first, then commitments.
    pub(crate) fn line_id(&self, line: usize) -> Option<&str> {
        match line.checked_sub(self.charges().len()) {
            None => self.charges().get(line).map(|charge| charge.id.as_str()),
            Some(place) => self.commitments().get(place).map(|committed| committed.id.as_str()),
        }
    }

    /// The commitment that a line of this number bills.
    pub(crate) fn commitment(&self, line: usize) -> Option<(usize, &Commitment)> {
        let place = line.checked_sub(self.charges().len())?;
        self.commitments().get(place).map(|found| (place, found))
    }
}
