//! Money.

use counterfoil::{Code, Error, Exact, Rounding};
use wasm_bindgen::prelude::*;

use crate::{error::Thrown, input, output::Record};

/// Bills an exact amount under a rounding, given what the receipt before it left, in 10^-18 atomic
/// unit.
#[wasm_bindgen(js_name = billExact, unchecked_return_type = "Billed")]
pub fn bill_exact(
    #[wasm_bindgen(unchecked_param_type = "Rounding")] rounding: JsValue,
    #[wasm_bindgen(unchecked_param_type = "string")] exact: JsValue,
    #[wasm_bindgen(unchecked_param_type = "bigint")] carried: JsValue,
) -> Result<JsValue, Thrown> {
    let name = input::text(&rounding)?;
    let rounding = Rounding::parse(&name).ok_or_else(|| {
        Error::new(Code::PlanInvalid).value(name).because("carry, up, down or half_even")
    })?;
    let exact: Exact = input::parsed(&exact)?;
    let billed = rounding.bill(exact, input::count(&carried)?)?;
    Ok(Record::new()
        .set("amount", billed.amount.atomic())
        .set("remainder", billed.remainder)
        .into())
}
