//! From exact amounts to billed ones.

use super::{Amount, Exact, GRID, overflow};
use crate::error::{Code, Error, Result};

/// How an exact amount becomes whole atomic units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rounding {
    /// What is below one unit stays for the next receipt, so that the sum of what was billed is
    /// always the floor of the exact sum. The default.
    #[default]
    Carry,
    /// Each receipt up to the next whole unit.
    Up,
    /// Each receipt down to the last whole unit.
    Down,
    /// Each receipt to the nearest whole unit, and a half to the even one.
    HalfEven,
}

/// An amount that was billed and what is left of it below one atomic unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Billed {
    /// Whole atomic units.
    pub amount: Amount,
    /// To carry to the next receipt, in 10⁻¹⁸ atomic unit; below [`GRID`], and zero unless the
    /// rounding is [`Rounding::Carry`].
    pub remainder: u64,
}

impl Rounding {
    /// Every rounding.
    pub const ALL: [Rounding; 4] =
        [Rounding::Carry, Rounding::Up, Rounding::Down, Rounding::HalfEven];

    /// The name as a plan has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Rounding::Carry => "carry",
            Rounding::Up => "up",
            Rounding::Down => "down",
            Rounding::HalfEven => "half_even",
        }
    }

    /// The rounding of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Rounding::ALL.into_iter().find(|rounding| rounding.as_str() == name)
    }

    /// Bills an exact amount, given what the receipt before it left.
    ///
    /// ```
    /// use counterfoil::amount::{Exact, Rounding};
    ///
    /// let call: Exact = "0.4".parse()?;
    /// let first = Rounding::Carry.bill(call, 0)?;
    /// let second = Rounding::Carry.bill(call, first.remainder)?;
    /// let third = Rounding::Carry.bill(call, second.remainder)?;
    /// assert_eq!([first, second, third].map(|b| b.amount.atomic()), [0, 0, 1]);
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the result does not fit or `carried` is not below [`GRID`];
    /// [`Code::DecimalTooFine`] when something is carried into a rounding that carries nothing, which
    /// would lose it.
    pub fn bill(self, exact: Exact, carried: u64) -> Result<Billed> {
        if self == Rounding::Carry {
            let sum = exact.checked_add(Exact::new(0, carried)?)?;
            return Ok(Billed { amount: sum.floor(), remainder: sum.fraction() });
        }
        if carried != 0 {
            let e = Error::new(Code::DecimalTooFine).value(carried);
            return Err(e.because("a remainder is carried by the rounding `carry` only"));
        }
        Ok(Billed { amount: self.round(exact)?, remainder: 0 })
    }

    /// What limits and holds compare: the exact amount under [`Rounding::Carry`], the rounded one
    /// otherwise.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the rounded amount does not fit.
    pub fn compared(self, exact: Exact) -> Result<Exact> {
        match self {
            Rounding::Carry => Ok(exact),
            _ => self.round(exact).map(Exact::from_amount),
        }
    }

    /// One amount on its own.
    fn round(self, exact: Exact) -> Result<Amount> {
        const HALF: u64 = GRID / 2;
        let up = match (self, exact.fraction()) {
            (_, 0) | (Rounding::Carry | Rounding::Down, _) => false,
            (Rounding::Up, _) => true,
            (Rounding::HalfEven, HALF) => exact.whole() & 1 == 1,
            (Rounding::HalfEven, fraction) => fraction > HALF,
        };
        let whole = if up { exact.whole().checked_add(1) } else { Some(exact.whole()) };
        whole.map(Amount::from_atomic).ok_or_else(overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::super::exact::tests::{any_exact, steps};
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn one_by_one(rounding: Rounding, exact: &str) -> u128 {
        rounding.bill(exact.parse().unwrap(), 0).unwrap().amount.atomic()
    }

    #[test]
    fn names() {
        for rounding in Rounding::ALL {
            assert_eq!(Rounding::parse(rounding.as_str()), Some(rounding));
        }
        assert_eq!(Rounding::parse("Carry"), None);
    }

    #[test]
    fn each_rounding_on_the_edges() {
        let edges = [
            "0",
            "0.5",
            "0.500000000000000001",
            "1",
            "1.499999999999999999",
            "1.5",
            "2.5",
            "2.000000000000000001",
        ];
        for (rounding, want) in [
            (Rounding::Carry, [0, 0, 0, 1, 1, 1, 2, 2]),
            (Rounding::Down, [0, 0, 0, 1, 1, 1, 2, 2]),
            (Rounding::Up, [0, 1, 1, 1, 2, 2, 3, 3]),
            (Rounding::HalfEven, [0, 0, 1, 1, 1, 2, 2, 2]),
        ] {
            assert_eq!(edges.map(|edge| one_by_one(rounding, edge)), want, "{rounding:?}");
        }
        assert_eq!(Rounding::Up.bill(Exact::MAX, 0).unwrap_err().code(), Code::AmountOverflow);
        assert_eq!(
            Rounding::HalfEven.compared(Exact::MAX).unwrap_err().code(),
            Code::AmountOverflow
        );
    }

    #[test]
    fn a_remainder_is_never_lost() {
        for rounding in [Rounding::Up, Rounding::Down, Rounding::HalfEven] {
            assert_eq!(rounding.bill(Exact::ZERO, 1).unwrap_err().code(), Code::DecimalTooFine);
        }
        assert_eq!(
            Rounding::Carry.bill(Exact::ZERO, GRID).unwrap_err().code(),
            Code::AmountOverflow
        );
    }

    #[test]
    fn a_thousand_calls_of_a_thousandth_cost_one() {
        let call: Exact = "0.001".parse().unwrap();
        let (mut total, mut carried) = (Amount::ZERO, 0);
        for n in 0..1000 {
            assert_eq!(total, Amount::ZERO, "nothing is due before call {n}");
            let billed = Rounding::Carry.bill(call, carried).unwrap();
            total = total.checked_add(billed.amount).unwrap();
            carried = billed.remainder;
        }
        assert_eq!((total.atomic(), carried), (1, 0));
    }

    proptest! {
        #[test]
        fn carrying_does_not_drift(calls in prop::collection::vec(any_exact(), 1..40), start in 0..GRID) {
            let (mut exact, mut billed, mut carried) = (BigUint::from(start), BigUint::ZERO, start);
            for call in calls {
                let Ok(b) = Rounding::Carry.bill(call, carried) else {
                    prop_assert!(steps(call) + carried > steps(Exact::MAX));
                    continue;
                };
                exact += steps(call);
                billed += b.amount.atomic();
                carried = b.remainder;
                prop_assert!(carried < GRID);
                prop_assert_eq!(&billed * GRID + carried, exact.clone());
            }
        }

        #[test]
        fn rounding_moves_less_than_one_unit(exact in any_exact()) {
            for rounding in [Rounding::Up, Rounding::Down, Rounding::HalfEven] {
                let Ok(rounded) = rounding.compared(exact) else { continue };
                prop_assert_eq!(rounded.fraction(), 0);
                let distance = rounded.minus_or_zero(exact).max(exact.minus_or_zero(rounded));
                let within = if rounding == Rounding::HalfEven { GRID / 2 } else { GRID - 1 };
                prop_assert!(distance <= Exact::new(0, within).unwrap());
                prop_assert!(rounding != Rounding::Up || rounded >= exact);
                prop_assert!(rounding != Rounding::Down || rounded <= exact);
            }
            prop_assert_eq!(Rounding::Carry.compared(exact).unwrap(), exact);
        }
    }
}
