//! Prices a file of usages under a plan: `quote PLAN USAGES`, one JSON object of meters a line, with the
//! call's attributes in the member `attributes`. Prints each exact price in major units, and to standard
//! error how long one price took, the median of rounds over the whole file.
//!
//! The instant is 2026-01-01T00:00:00Z for every call.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;
use std::{env, fs};

use counterfoil::json::{Limits, parse};
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Plan, Timestamp, Usage};

const ROUNDS: usize = 101;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = env::args().skip(1).collect();
    let [plan, usages] = files.as_slice() else { return Err("quote PLAN USAGES".into()) };
    let plan = Plan::from_json(&fs::read(plan)?)?;
    let usages = fs::read_to_string(usages)?.lines().map(read).collect::<Result<Vec<_>, _>>()?;
    let at = Timestamp::from_millis(1_767_225_600_000)?;
    let decimals = plan.currency().decimals();
    for usage in &usages {
        println!("{}", plan.quote(usage, at)?.first.to_decimal(decimals));
    }
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for usage in &usages {
            black_box(plan.price(black_box(usage), at)?);
        }
        times.push(begun.elapsed().as_nanos());
    }
    times.sort_unstable();
    eprintln!("{}", times[ROUNDS / 2] / usages.len().max(1) as u128);
    Ok(())
}

fn read(line: &str) -> Result<Usage, Box<dyn Error>> {
    let document = parse(line.as_bytes(), &Limits::default())?;
    let mut usage = Usage::new(Surface::Plain, Basis::Reported);
    for (name, value) in document.root().fields()?.iter() {
        if name == "attributes" {
            for (attribute, text) in value.fields()?.iter() {
                usage.set_attribute(attribute, text.text()?)?;
            }
        } else {
            usage.set(name, value.quantity()?)?;
        }
    }
    Ok(usage)
}
