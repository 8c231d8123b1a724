//! Errors: what the core refuses, as a JavaScript exception.

use counterfoil::{Code, Error};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "../js/error.js")]
extern "C" {
    /// `new CounterfoilError(code, message, place, offending)`
    #[wasm_bindgen(extends = js_sys::Error)]
    type CounterfoilError;

    #[wasm_bindgen(constructor)]
    fn new(
        code: &str,
        message: &str,
        place: Option<&str>,
        offending: Option<&str>,
    ) -> CounterfoilError;
}

/// What an exported function throws.
pub enum Thrown {
    /// What the core or a reader refused, and the members that lead to it in the argument.
    Refused(Error, String),
    /// What a getter of the host's own object threw.
    Host(JsValue),
}

/// The result of every exported function that can fail.
pub(crate) type Result<T> = std::result::Result<T, Thrown>;

impl Thrown {
    /// Says that the argument's part stands in its member `name`.
    pub(crate) fn under(self, name: &str) -> Thrown {
        match self {
            Thrown::Refused(error, path) => Thrown::Refused(error, format!("/{name}{path}")),
            host @ Thrown::Host(_) => host,
        }
    }
}

impl From<Error> for Thrown {
    fn from(error: Error) -> Thrown {
        Thrown::Refused(error, String::new())
    }
}

impl From<Code> for Thrown {
    fn from(code: Code) -> Thrown {
        Error::new(code).into()
    }
}

impl From<Thrown> for JsValue {
    fn from(thrown: Thrown) -> JsValue {
        let (error, path) = match thrown {
            Thrown::Refused(error, path) => (error, path),
            Thrown::Host(value) => return value,
        };
        let error = match error.place() {
            None if path.is_empty() => error,
            None => error.at(path),
            Some(_) if path.is_empty() => error,
            Some(_) => error.within(path),
        };
        CounterfoilError::new(
            error.code().as_str(),
            &error.to_string(),
            error.place(),
            error.offending(),
        )
        .into()
    }
}
