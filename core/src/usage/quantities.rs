//! The quantities of one call.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    usage::{Surface, meters::index},
};

/// Quantities are below this.
const END: u64 = 1 << 63;
/// The most meters, and the most attributes, of one call.
const MAX_PARTS: usize = 64;
/// The longest attribute value in bytes.
const MAX_VALUE: usize = 1_024;

/// How the quantities are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// A provider reported them.
    Reported,
    /// The host measured them.
    Measured,
    /// Nobody reported them; they are an estimate by the plan's rule.
    Estimated,
}

impl Basis {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Basis::Reported => "reported",
            Basis::Measured => "measured",
            Basis::Estimated => "estimated",
        }
    }

    /// The basis of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Basis> {
        [Basis::Reported, Basis::Measured, Basis::Estimated]
            .into_iter()
            .find(|basis| basis.as_str() == name)
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Basis::Reported => 1,
            Basis::Measured => 2,
            Basis::Estimated => 3,
        }
    }

    pub(crate) fn from_number(number: u8) -> Result<Basis> {
        match number {
            1 => Ok(Basis::Reported),
            2 => Ok(Basis::Measured),
            3 => Ok(Basis::Estimated),
            _ => Err(Error::new(Code::BytesInvalid).value(number).because("no basis")),
        }
    }
}

/// What one call consumed: meter → quantity, with attributes and where the numbers come from.
///
/// ```
/// use counterfoil::{Usage, usage::{Basis, Surface}};
///
/// let mut usage = Usage::new(Surface::Plain, Basis::Measured);
/// usage.set("gpu_ms", 1_250)?;
/// assert_eq!(usage.get("gpu_ms"), 1_250);
/// assert!(usage.set("GPU", 1).is_err());
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    surface: Surface,
    basis: Basis,
    meters: Quantities,
    /// Shared with the holds and entries that they go into.
    attributes: Arc<BTreeMap<String, String>>,
}

/// Meter → quantity, sorted by meter. Shared with the holds and entries that they go into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantities(Arc<Vec<Quantity>>);

/// How much of a meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quantity {
    pub(super) meter: String,
    /// The meter's place in [`WHOLES`](super::WHOLES), if it is there: prices are found by it.
    pub(super) place: Option<usize>,
    pub(super) quantity: u64,
}

impl Quantities {
    /// A meter's quantity; 0 when it was not set.
    #[must_use]
    pub fn get(&self, meter: &str) -> u64 {
        self.find(meter).ok().and_then(|at| self.0.get(at)).map_or(0, |known| known.quantity)
    }

    /// The meters that were set, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.0.iter().map(|known| (known.meter.as_str(), known.quantity))
    }

    fn find(&self, meter: &str) -> core::result::Result<usize, usize> {
        self.0.binary_search_by(|known| known.meter.as_str().cmp(meter))
    }
}

impl Usage {
    /// No quantities yet.
    #[must_use]
    pub fn new(surface: Surface, basis: Basis) -> Usage {
        Usage { surface, basis, meters: Quantities::default(), attributes: Arc::default() }
    }

    /// Sets a meter's quantity.
    ///
    /// # Errors
    /// `text_invalid` for a name that is not `[a-z][a-z0-9_]*` of at most 64 characters;
    /// `usage_quantity` for 2^63 or more, or for a 65th meter.
    pub fn set(&mut self, meter: &str, quantity: u64) -> Result<()> {
        crate::plan::check_name(meter)?;
        if quantity >= END {
            return Err(Error::new(Code::UsageQuantity).value(quantity));
        }
        let found = self.meters.find(meter);
        let meters = Arc::make_mut(&mut self.meters.0);
        match found {
            Ok(at) => {
                if let Some(known) = meters.get_mut(at) {
                    known.quantity = quantity;
                }
            }
            Err(_) if meters.len() >= MAX_PARTS => {
                return Err(Error::new(Code::UsageQuantity).because("more than 64 meters"));
            }
            Err(at) => {
                let place = index(meter);
                meters.insert(at, Quantity { meter: String::from(meter), place, quantity });
            }
        }
        Ok(())
    }

    /// Sets an attribute of the call.
    ///
    /// # Errors
    /// `text_invalid` for a name that no meter could have, a value longer than 1024 bytes or with
    /// control characters, or a 65th attribute.
    pub fn set_attribute(&mut self, name: &str, value: &str) -> Result<()> {
        crate::plan::check_name(name)?;
        if value.len() > MAX_VALUE || value.chars().any(char::is_control) {
            return Err(Error::new(Code::TextInvalid)
                .value(value)
                .because("an attribute is at most 1024 bytes without control characters"));
        }
        if self.attributes.len() >= MAX_PARTS && !self.attributes.contains_key(name) {
            return Err(Error::new(Code::TextInvalid).because("more than 64 attributes"));
        }
        Arc::make_mut(&mut self.attributes).insert(String::from(name), String::from(value));
        Ok(())
    }

    /// Whether the usage says something of the meter, be it 0.
    pub(crate) fn has(&self, meter: &str) -> bool {
        self.meters.find(meter).is_ok()
    }

    /// A meter's quantity; 0 when it was not set.
    #[must_use]
    pub fn get(&self, meter: &str) -> u64 {
        self.meters.get(meter)
    }

    /// The meters that were set, by name.
    pub(super) fn quantities(&self) -> &[Quantity] {
        &self.meters.0
    }

    pub(crate) fn shared_quantities(&self) -> Quantities {
        self.meters.clone()
    }

    /// The meters that were set, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.meters.iter()
    }

    /// The attributes, by name.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.attributes
    }

    pub(crate) fn shared_attributes(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.attributes)
    }

    /// The surface under which the quantities were read.
    #[must_use]
    pub fn surface(&self) -> Surface {
        self.surface
    }

    /// So much of each meter, known by nobody's report.
    pub(crate) fn of(
        meters: Quantities,
        basis: Basis,
        attributes: Arc<BTreeMap<String, String>>,
    ) -> Usage {
        Usage { surface: Surface::Plain, basis, meters, attributes }
    }

    /// The same quantities, known otherwise.
    pub(super) fn on(self, basis: Basis) -> Usage {
        Usage { basis, ..self }
    }

    /// How the quantities are known.
    #[must_use]
    pub fn basis(&self) -> Basis {
        self.basis
    }
}
