//! Money, instants, hashes and names: one core type, one form at the border.

use counterfoil::{Code, Error};

use crate::{CounterfoilError, Result};

pub(crate) type Address = counterfoil::Address;
pub(crate) type Amount = counterfoil::Amount;
pub(crate) type Basis = counterfoil::usage::Basis;
pub(crate) type DenialCode = counterfoil::entry::DenialCode;
pub(crate) type Digest = counterfoil::Digest;
pub(crate) type Exact = counterfoil::Exact;
pub(crate) type HoldState = counterfoil::meter::HoldState;
pub(crate) type Kind = counterfoil::receipt::Kind;
pub(crate) type Signature = counterfoil::Signature;
pub(crate) type Surface = counterfoil::usage::Surface;
pub(crate) type Timestamp = counterfoil::Timestamp;

/// A core type that is text at the border, read and written by the core itself.
macro_rules! texts {
    ($($name:ident)*) => {$(
        uniffi::custom_type!($name, String, {
            remote,
            lower: |value| value.to_string(),
            try_lift: |text| Ok(text.parse::<$name>().map_err(CounterfoilError::from)?),
        });
    )*};
}

texts!(Address Amount Digest Exact Signature);

uniffi::custom_type!(Timestamp, i64, {
    remote,
    lower: |instant| i64::try_from(instant.millis()).unwrap_or(i64::MAX),
    try_lift: |millis| Ok(instant(millis)?),
});

/// Names of the specification, the same text in every language.
macro_rules! names {
    ($($name:ident: $find:expr;)*) => {$(
        uniffi::custom_type!($name, String, {
            remote,
            lower: |value| value.as_str().to_owned(),
            try_lift: |text| Ok(($find)(&text).ok_or_else(|| unknown(&text))?),
        });
    )*};
}

names! {
    Basis: Basis::parse;
    DenialCode: |text: &str| DenialCode::ALL.iter().copied().find(|code| code.as_str() == text);
    HoldState: |text: &str| HoldState::ALL.into_iter().find(|state| state.as_str() == text);
    Kind: |text: &str| Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    Surface: |text: &str| Surface::ALL.iter().copied().find(|surface| surface.as_str() == text);
}

fn unknown(text: &str) -> CounterfoilError {
    Error::new(Code::JsonType).value(text).because("unknown name").into()
}

fn instant(millis: i64) -> Result<Timestamp> {
    let early = || Error::new(Code::TimeInvalid).value(millis).because("before 1970");
    let millis = u64::try_from(millis).map_err(|_| early())?;
    Ok(Timestamp::from_millis(millis)?)
}

/// A secret of 32 bytes.
pub(crate) fn secret(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| {
        Error::new(Code::KeyInvalid).value(bytes.len()).because("a key is 32 bytes").into()
    })
}

type Rounding = counterfoil::Rounding;

/// How an exact price becomes whole atomic units.
#[uniffi::remote(Enum)]
pub enum Rounding {
    /// What is below one unit stays on the lane: nothing is lost and nothing is gained.
    Carry,
    /// Each receipt is rounded up.
    Up,
    /// Each receipt is rounded down.
    Down,
    /// Each receipt is rounded to the nearest unit, ties to the even one.
    HalfEven,
}

type Billed = counterfoil::amount::Billed;

/// An exact price after rounding.
#[uniffi::remote(Record)]
pub struct Billed {
    /// Whole atomic units.
    pub amount: Amount,
    /// What is carried on, in 10^-18 atomic unit.
    pub remainder: u64,
}

/// Bills an exact amount under a rounding mode, with what the lane carries so far.
#[uniffi::export]
fn bill(rounding: Rounding, exact: Exact, carried: u64) -> Result<Billed> {
    Ok(rounding.bill(exact, carried)?)
}

/// A currency: a CAIP-19 style token or an ISO-4217 code.
#[derive(uniffi::Record)]
pub struct Currency {
    /// Its id, as it stands in plans.
    pub id: String,
    /// How many decimals an atomic unit is below a whole.
    pub decimals: u8,
}

impl From<&counterfoil::Currency> for Currency {
    fn from(currency: &counterfoil::Currency) -> Self {
        Currency { id: currency.id(), decimals: currency.decimals() }
    }
}

pub(crate) type Window = counterfoil::time::Window;

/// A calendar window: its start, and the first instant after it.
#[uniffi::remote(Record)]
pub struct Window {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}
