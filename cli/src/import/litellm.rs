//! Entries of LiteLLM's price map (`model_prices_and_context_window.json`) as charges.
//!
//! A key is a stem and suffixes: `input_cost_per_token_above_200k_tokens_priority`. The stem names the
//! meter, `above` a context cliff by the input's size, the last part a service tier. Where an entry
//! prices a tier and a cliff but not both at once, the cliff's price holds for the tier too, which is
//! how LiteLLM prices it. A key that has a price and no meter here is left out, and said so: usage of
//! such a meter is then refused rather than given away.

use std::collections::{BTreeMap, BTreeSet};

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::Sign;
use counterfoil::json::{Node, Object, Value};
use counterfoil::{Code, Error, Result};

/// (key, meter, unit): which meter a price counts.
const STEMS: &[(&str, &str, &str)] = &[
    ("input_cost_per_token", "input_tokens", "token"),
    ("input_cost_per_audio_token", "audio_input_tokens", "token"),
    ("input_cost_per_image_token", "image_input_tokens", "token"),
    ("input_cost_per_video_token", "video_input_tokens", "token"),
    ("cache_read_input_token_cost", "cached_input_tokens", "token"),
    ("cache_read_input_audio_token_cost", "cached_audio_input_tokens", "token"),
    ("cache_read_input_image_token_cost", "cached_image_input_tokens", "token"),
    ("cache_creation_input_token_cost", "cache_write_tokens", "token"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_tokens", "token"),
    ("output_cost_per_token", "output_tokens", "token"),
    ("output_cost_per_reasoning_token", "reasoning_tokens", "token"),
    ("output_cost_per_audio_token", "audio_output_tokens", "token"),
    ("output_cost_per_image_token", "image_output_tokens", "token"),
    ("output_cost_per_image", "images", "image"),
    ("ocr_cost_per_page", "pages", "page"),
    ("input_cost_per_request", "requests", "request"),
];

/// (suffix, the service tier as responses name it).
const TIERS: &[(&str, &str)] = &[
    ("_priority", "priority"),
    ("_flex", "flex"),
    ("_batches", "batch"),
    ("_balanced", "balanced"),
    ("_ultrafast", "ultrafast"),
];

/// Which calls a price is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    /// The input is larger than this.
    above: Option<u64>,
    tier: Option<&'static str>,
}

/// Prices of one unit, by meter and cell.
type Prices = BTreeMap<&'static str, BTreeMap<Cell, BigDecimal>>;

/// The charges of one entry, and what of it was left out.
pub(super) struct Entry {
    pub(super) meters: BTreeMap<&'static str, &'static str>,
    pub(super) charges: Vec<Value>,
    pub(super) left_out: Vec<String>,
}

/// Reads the entry of `model`; every price is multiplied by `factor`. `only` is the models that the
/// plan prices: with more than one, a charge names its own.
pub(super) fn read(
    map: &Value,
    model: &str,
    factor: &BigDecimal,
    only: &BTreeSet<&str>,
) -> Result<Entry> {
    let Value::Object(models) = map else {
        return Err(Error::new(Code::JsonType).because("a price map is an object"));
    };
    if models.get(model).is_none() {
        return Err(Error::new(Code::Arguments)
            .value(model)
            .because("the price map has no entry of this name"));
    }
    let root = map.root();
    let entry = root.at(&format!("/{}", model.replace('~', "~0").replace('/', "~1")));
    let entry = entry.ok_or_else(|| Error::new(Code::JsonMissingField).at(model))?;
    let mut prices = Prices::new();
    let mut left_out = Vec::new();
    for (key, node) in entry.fields()?.iter() {
        if key == "tiered_pricing" {
            read_tiered(&node, &mut prices, &mut left_out)?;
        } else if key.contains("cost") {
            match (place(key), node.value()) {
                (Some((meter, cell)), Value::Number(price)) => {
                    let price = number(price).ok_or_else(|| node.error(Code::DecimalInvalid))?;
                    prices.entry(meter).or_default().insert(cell, price);
                }
                (_, Value::Null) => {}
                _ => left_out.push(String::from(key)),
            }
        }
    }
    let mut meters = BTreeMap::new();
    let mut charges = Vec::new();
    for (meter, cells) in &mut prices {
        close(cells);
        let unit = STEMS.iter().find(|(_, known, _)| known == meter).map_or("", |stem| stem.2);
        if *meter != "requests" {
            meters.insert(*meter, unit);
        }
        let model = (only.len() > 1).then_some(model);
        for (cell, price) in &*cells {
            charges.push(charge(model, meter, unit, cell, cells, &(price * factor)));
        }
    }
    if charges.is_empty() {
        return Err(Error::new(Code::PlanInvalid).value(model).because("the entry has no price"));
    }
    Ok(Entry { meters, charges, left_out })
}

/// The meter and the cell of a key.
fn place(key: &str) -> Option<(&'static str, Cell)> {
    // The longest stem: `…_token_cost_above_1hr` is no context size.
    let stem = STEMS.iter().filter(|(stem, ..)| key.starts_with(stem));
    let (stem, meter, _) = stem.max_by_key(|(stem, ..)| stem.len())?;
    let mut rest = key.strip_prefix(stem)?;
    let mut cell = Cell { above: None, tier: None };
    if let Some(sized) = rest.strip_prefix("_above_") {
        let (thousands, tail) = sized.split_once("k_tokens")?;
        cell.above = Some(thousands.parse::<u64>().ok()?.checked_mul(1_000)?);
        rest = tail;
    }
    if let Some((_, tier)) = TIERS.iter().find(|(suffix, _)| *suffix == rest) {
        cell.tier = Some(tier);
        rest = "";
    }
    rest.is_empty().then_some((*meter, cell))
}

/// `tiered_pricing`: each range of input sizes, lower bound exclusive, has its own prices; the last
/// one goes on.
fn read_tiered(node: &Node<'_>, prices: &mut Prices, left_out: &mut Vec<String>) -> Result<()> {
    for range in node.items()? {
        let mut above = None;
        for (key, member) in range.fields()?.iter() {
            match (key, member.value()) {
                ("range", Value::Array(bounds)) => {
                    let Some(Value::Number(from)) = bounds.first() else {
                        return Err(member.error(Code::JsonType));
                    };
                    let from = number(from).and_then(|from| whole(&from));
                    above = Some(from.ok_or_else(|| member.error(Code::JsonNumber))?);
                }
                (_, Value::Number(price)) if place(key).is_some_and(|(_, c)| c.above.is_none()) => {
                    let Some((meter, cell)) = place(key) else { continue };
                    let cell = Cell { above: above.filter(|from| *from > 0), ..cell };
                    let price = number(price).ok_or_else(|| member.error(Code::DecimalInvalid))?;
                    prices.entry(meter).or_default().insert(cell, price);
                }
                _ => left_out.push(format!("tiered_pricing/{key}")),
            }
        }
    }
    Ok(())
}

/// Adds the cells of a tier and a cliff that the entry prices only apart.
fn close(cells: &mut BTreeMap<Cell, BigDecimal>) {
    let tiers: BTreeSet<_> = cells.keys().filter_map(|cell| cell.tier).collect();
    let cliffs: Vec<_> = cells
        .iter()
        .filter(|(cell, _)| cell.tier.is_none() && cell.above.is_some())
        .map(|(cell, price)| (cell.above, price.clone()))
        .collect();
    for tier in tiers {
        for (above, price) in &cliffs {
            cells.entry(Cell { above: *above, tier: Some(tier) }).or_insert_with(|| price.clone());
        }
    }
}

fn charge(
    model: Option<&str>,
    meter: &str,
    unit: &str,
    cell: &Cell,
    cells: &BTreeMap<Cell, BigDecimal>,
    price: &BigDecimal,
) -> Value {
    let mut id = model.map_or_else(String::new, |model| format!("{}_", slug(model)));
    id.push_str(meter.strip_suffix("_tokens").unwrap_or(meter));
    if let Some(above) = cell.above {
        id.push_str(&format!("_above_{above}"));
    }
    if let Some(tier) = cell.tier {
        id.push_str(&format!("_{tier}"));
    }
    let mut charge = Object::new();
    charge.insert("id", id.as_str());
    charge.insert("meter", meter);
    if let Some(above) = cell.above {
        let mut context = Object::new();
        context.insert("meter", "input_tokens");
        context.insert("above", above);
        // The next cliff of the same tier ends this one.
        let next = cells.keys().filter(|c| c.tier == cell.tier).filter_map(|c| c.above);
        if let Some(next) = next.filter(|bound| *bound > above).min() {
            context.insert("up_to", next);
        }
        charge.insert("context", Value::Object(context));
    }
    if model.is_some() || cells.len() > 1 {
        let mut matched = Object::new();
        if let Some(model) = model {
            let bare = model.rsplit('/').next().unwrap_or(model);
            let names: BTreeSet<&str> = [model, bare].into_iter().collect();
            matched.insert("model", names.into_iter().map(Value::from).collect::<Vec<_>>());
        }
        if let Some(tier) = cell.tier {
            matched.insert("service_tier", vec![Value::from(tier)]);
        }
        charge.insert("match", Value::Object(matched));
    }
    charge.insert("model", "per_unit");
    if unit == "token" {
        charge.insert("price", canonical(&(price * 1_000_000_u64)));
        charge.insert("per", 1_000_000_u64);
    } else {
        charge.insert("price", canonical(price));
    }
    Value::Object(charge)
}

/// A number as the map writes it, `2.5e-06`; nothing is rounded.
fn number(lexeme: &str) -> Option<BigDecimal> {
    let number: BigDecimal = lexeme.parse().ok()?;
    // What is smaller than any price would take as many digits to write.
    let (digits, scale) = number.as_bigint_and_exponent();
    (digits.sign() != Sign::Minus && scale.unsigned_abs() <= 64).then_some(number)
}

fn whole(number: &BigDecimal) -> Option<u64> {
    canonical(number).parse().ok()
}

/// The spelling that plans have.
fn canonical(number: &BigDecimal) -> String {
    number.normalized().to_plain_string()
}

/// A model's name as part of a charge's id.
fn slug(model: &str) -> String {
    let lower = model.to_ascii_lowercase();
    let clean = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let slug: String = clean.collect();
    // An id starts with a letter.
    if slug.starts_with(|c: char| c.is_ascii_lowercase()) { slug } else { format!("m_{slug}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (lexeme, text) in
            [("0.0", "0"), ("2.5e-06", "0.0000025"), ("2.50E-6", "0.0000025"), ("32e3", "32000")]
        {
            assert_eq!(canonical(&number(lexeme).unwrap()), text, "{lexeme}");
        }
        for lexeme in ["-1", "1e-99", "1e999999999", ""] {
            assert_eq!(number(lexeme), None, "{lexeme}");
        }
        assert_eq!(canonical(&(number("2.5e-6").unwrap() * number("1.2").unwrap())), "0.000003");
    }

    #[test]
    fn a_key_names_its_meter_cliff_and_tier() {
        let cell = |above, tier| Cell { above, tier };
        for (key, expected) in [
            ("input_cost_per_token", Some(("input_tokens", cell(None, None)))),
            (
                "cache_read_input_token_cost_above_272k_tokens_priority",
                Some(("cached_input_tokens", cell(Some(272_000), Some("priority")))),
            ),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                Some(("cache_write_1h_tokens", cell(Some(200_000), None))),
            ),
            ("output_cost_per_image", Some(("images", cell(None, None)))),
            ("output_cost_per_image_1K", None),
            ("output_cost_per_second", None),
            ("input_cost_per_token_cache_hit", None),
        ] {
            assert_eq!(place(key), expected, "{key}");
        }
    }
}
