//! Plans, usage and quotes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use counterfoil::json::{Limits, parse};
use counterfoil::usage::{Basis, Mapping, Stream, Surface};
use counterfoil::{Code, Error, Timestamp};

use crate::Result;
use crate::values::{Address, Currency, Digest, Exact};

/// What a call used, or may use.
#[derive(uniffi::Record)]
pub struct Usage {
    /// Quantity by meter.
    pub meters: HashMap<String, u64>,
    /// Attributes of the call: model, region, purpose …
    #[uniffi(default)]
    pub attributes: HashMap<String, String>,
    /// The usage surface that the quantities were read under.
    #[uniffi(default = "plain")]
    pub surface: String,
    /// `reported`, `measured` or `estimated`.
    #[uniffi(default = "measured")]
    pub basis: String,
}

impl Usage {
    pub(crate) fn read(&self) -> Result<counterfoil::Usage> {
        let surface: Surface = self.surface.parse()?;
        let basis = Basis::parse(&self.basis).ok_or_else(|| {
            Error::new(Code::UsageMissing).value(&self.basis).because("no such basis")
        })?;
        let mut usage = counterfoil::Usage::new(surface, basis);
        // Sorted, so that of several bad members the same one is named in every run.
        for (meter, quantity) in self.meters.iter().collect::<BTreeMap<_, _>>() {
            usage.set(meter, *quantity)?;
        }
        for (name, value) in self.attributes.iter().collect::<BTreeMap<_, _>>() {
            usage.set_attribute(name, value)?;
        }
        Ok(usage)
    }
}

impl From<&counterfoil::Usage> for Usage {
    fn from(usage: &counterfoil::Usage) -> Self {
        Usage {
            meters: usage.iter().map(|(meter, quantity)| (meter.into(), quantity)).collect(),
            attributes: usage.attributes().clone().into_iter().collect(),
            surface: usage.surface().as_str().into(),
            basis: usage.basis().as_str().into(),
        }
    }
}

/// Reads the usage out of a provider's response body.
#[uniffi::export]
fn read_usage(surface: &str, body: &str) -> Result<Usage> {
    let surface: Surface = surface.parse()?;
    let body = parse(body.as_bytes(), &Limits::default())?;
    Ok((&counterfoil::Usage::from_json(surface, &body)?).into())
}

/// Reads the usage of an event of the host's own, as a mapping document says.
#[uniffi::export]
fn map_usage(mapping: &str, event: &str) -> Result<Usage> {
    let mapping = Mapping::from_json(mapping.as_bytes())?;
    let event = parse(event.as_bytes(), &Limits::default())?;
    Ok((&mapping.read(&event)?).into())
}

/// Reads the usage of a streamed answer from its events, in the order in which they come.
#[derive(uniffi::Object)]
pub struct UsageStream(Mutex<Stream>);

#[uniffi::export]
impl UsageStream {
    /// A stream of this surface, of which nothing came yet.
    #[uniffi::constructor]
    fn new(surface: &str) -> Result<Arc<UsageStream>> {
        Ok(Arc::new(UsageStream(Mutex::new(Stream::new(surface.parse()?)?))))
    }

    /// Takes the next event, what follows `data: `, or `[DONE]`. One that is refused changes nothing.
    fn feed(&self, event: &str) -> Result<()> {
        Ok(self.lock().feed(event.as_bytes())?)
    }

    /// Whether the last usage that came is that of the whole answer.
    fn is_complete(&self) -> bool {
        self.lock().is_complete()
    }

    /// What was used: `reported`, or, of an answer that did not end, `estimated`.
    fn usage(&self) -> Result<Usage> {
        Ok((&self.lock().usage()?).into())
    }
}

impl UsageStream {
    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The immutable terms of a smart subscription.
#[derive(uniffi::Object)]
pub struct Plan(pub(crate) counterfoil::Plan);

#[uniffi::export]
impl Plan {
    /// Reads and checks a plan document.
    #[uniffi::constructor]
    fn from_json(document: &str) -> Result<Arc<Plan>> {
        Ok(Arc::new(Plan(counterfoil::Plan::from_json(document.as_bytes())?)))
    }

    /// The hash of the document's canonical form.
    fn id(&self) -> Digest {
        self.0.id()
    }

    /// The plan's name.
    fn name(&self) -> String {
        self.0.name().into()
    }

    /// Whose signatures bind the seller.
    fn authority(&self) -> Address {
        self.0.authority()
    }

    /// What prices are in.
    fn currency(&self) -> Currency {
        self.0.currency().into()
    }

    /// The RFC 8785 form of the document.
    fn canonical(&self) -> Vec<u8> {
        self.0.canonical().to_vec()
    }

    /// Prices a usage without any state, as a call that is authorised at `at`, and says how.
    fn quote(&self, usage: &Usage, at: Timestamp) -> Result<Quote> {
        Ok(self.0.quote(&usage.read()?, at)?)
    }
}

type Quote = counterfoil::plan::Quote;
type QuoteLine = counterfoil::plan::QuoteLine;
type QuoteStep = counterfoil::rating::Step;

/// What a usage costs under a plan.
#[uniffi::remote(Record)]
pub struct Quote {
    /// The price of the usage as a subscription's very first call.
    pub first: Exact,
    /// The most that it can cost at any position of any counter.
    pub ceiling: Exact,
    /// How `first` comes about, one line per charge that the usage touches.
    pub lines: Vec<QuoteLine>,
}

/// One charge's part of a quote.
#[uniffi::remote(Record)]
pub struct QuoteLine {
    /// The charge's id.
    pub charge: String,
    /// The meter that it counts.
    pub meter: String,
    /// Which calls the charge is for, in words. Absent where it counts in every call.
    pub selected: Option<String>,
    /// The units counted.
    pub units: u64,
    /// The exact price.
    pub amount: Exact,
    /// How the price comes about, step by step.
    pub steps: Vec<QuoteStep>,
}

/// One step of a price.
#[uniffi::remote(Record)]
pub struct QuoteStep {
    /// How many units the price applies to.
    pub units: u64,
    /// The price of one of them.
    pub price: Exact,
    /// What this step adds.
    pub amount: Exact,
    /// The step in words.
    pub what: String,
}
