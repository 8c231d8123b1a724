//! Reading a step's `in`: every member is asked for by name and type, and what is left over is refused.

use std::str::FromStr;

use counterfoil::{
    Digest, Error, Timestamp, Usage,
    usage::{Basis, Surface},
    x402::ChannelConfig,
};
use serde_json::{Map, Value};

/// Why a step has no result: the library refused it, or the vector is not one.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The library's error: a result like any other.
    Refused(Error),
    /// The vector is malformed.
    Fault(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Refused(error)
    }
}

pub(crate) type Outcome<T = Value> = Result<T, Stop>;

pub(crate) fn fault<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Stop::Fault(why.into()))
}

/// The members of an object that were not read yet.
#[derive(Debug)]
pub(crate) struct Input(Map<String, Value>);

impl Input {
    pub(crate) fn new(value: Value) -> Outcome<Input> {
        match value {
            Value::Object(members) => Ok(Input(members)),
            other => fault(format!("expected an object, not {other}")),
        }
    }

    /// A member that must be there.
    pub(crate) fn take(&mut self, name: &str) -> Outcome<Value> {
        self.maybe(name).ok_or_else(|| Stop::Fault(format!("no member `{name}`")))
    }

    /// A member that may be absent.
    pub(crate) fn maybe(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Refuses members that were not read.
    pub(crate) fn finish(self) -> Outcome<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => fault(format!("unknown member `{name}`")),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Outcome<String> {
        text(self.take(name)?)
    }

    /// `null` is absent.
    pub(crate) fn nullable(&mut self, name: &str) -> Outcome<Option<String>> {
        match self.take(name)? {
            Value::Null => Ok(None),
            value => text(value).map(Some),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Outcome<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Ok(flag),
            other => fault(format!("`{name}` is true or false, not {other}")),
        }
    }

    pub(crate) fn integer<T: FromStr>(&mut self, name: &str) -> Outcome<T> {
        integer(&self.text(name)?)
    }

    pub(crate) fn instant(&mut self, name: &str) -> Outcome<Timestamp> {
        Ok(Timestamp::from_millis(self.integer(name)?)?)
    }

    /// What the core itself reads from text: digests, addresses, exact amounts, signatures.
    pub(crate) fn parsed<T: FromStr<Err = Error>>(&mut self, name: &str) -> Outcome<T> {
        Ok(self.text(name)?.parse()?)
    }

    /// An optional digest; zero when it is absent.
    pub(crate) fn digest_or_zero(&mut self, name: &str) -> Outcome<Digest> {
        match self.maybe(name) {
            None => Ok(Digest::ZERO),
            Some(value) => Ok(text(value)?.parse()?),
        }
    }

    pub(crate) fn bytes(&mut self, name: &str) -> Outcome<Vec<u8>> {
        bytes(&self.text(name)?)
    }

    pub(crate) fn array<const N: usize>(&mut self, name: &str) -> Outcome<[u8; N]> {
        let bytes = self.bytes(name)?;
        bytes.try_into().or_else(|_| fault(format!("`{name}` has {N} bytes")))
    }

    pub(crate) fn list(&mut self, name: &str) -> Outcome<Vec<Value>> {
        match self.take(name)? {
            Value::Array(items) => Ok(items),
            other => fault(format!("`{name}` is a list, not {other}")),
        }
    }

    pub(crate) fn digests(&mut self, name: &str) -> Outcome<Vec<Digest>> {
        self.list(name)?.into_iter().map(|item| Ok(text(item)?.parse()?)).collect()
    }

    pub(crate) fn usage(&mut self, name: &str) -> Outcome<Usage> {
        let mut input = Input::new(self.take(name)?)?;
        let surface = match input.maybe("surface") {
            Some(name) => text(name)?.parse()?,
            None => Surface::Plain,
        };
        let basis = match input.maybe("basis") {
            Some(name) => {
                let name = text(name)?;
                let basis = Basis::parse(&name);
                basis.ok_or_else(|| Stop::Fault(format!("no basis `{name}`")))?
            }
            None => Basis::Measured,
        };
        let mut usage = Usage::new(surface, basis);
        for (meter, quantity) in Input::new(input.take("meters")?)?.0 {
            usage.set(&meter, integer(&text(quantity)?)?)?;
        }
        if let Some(attributes) = input.maybe("attributes") {
            for (name, value) in Input::new(attributes)?.0 {
                usage.set_attribute(&name, &text(value)?)?;
            }
        }
        input.finish()?;
        Ok(usage)
    }

    pub(crate) fn channel(&mut self, name: &str) -> Outcome<ChannelConfig> {
        let mut input = Input::new(self.take(name)?)?;
        let channel = ChannelConfig {
            payer: input.parsed("payer")?,
            payer_authorizer: input.parsed("payerAuthorizer")?,
            receiver: input.parsed("receiver")?,
            receiver_authorizer: input.parsed("receiverAuthorizer")?,
            token: input.parsed("token")?,
            withdraw_delay: input.integer("withdrawDelay")?,
            salt: input.array("salt")?,
        };
        input.finish()?;
        Ok(channel)
    }
}

pub(crate) fn text(value: Value) -> Outcome<String> {
    match value {
        Value::String(text) => Ok(text),
        other => fault(format!("expected a string, not {other}")),
    }
}

/// A decimal string without leading zeros.
pub(crate) fn integer<T: FromStr>(text: &str) -> Outcome<T> {
    let canonical = text == "0" || !text.starts_with(['0', '+', '-']);
    match text.parse() {
        Ok(value) if canonical => Ok(value),
        _ => fault(format!("`{text}` is no integer of this size")),
    }
}

fn bytes(text: &str) -> Outcome<Vec<u8>> {
    let digits = text.strip_prefix("0x").filter(|digits| {
        digits.len() % 2 == 0 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    });
    let Some(digits) = digits else {
        return fault(format!("`{text}` is not 0x and lower-case hexadecimal"));
    };
    let pairs = digits.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(|pair| byte(pair).ok_or_else(|| Stop::Fault(text.into()))).collect()
}
