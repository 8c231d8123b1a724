//! From a line to a record: where instant, subscriber, attributes and quantities stand.

use counterfoil::json::{Limits, Node, parse};
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Code, Error, Result, Timestamp, Usage};

use crate::args;
use crate::arguments;

/// A metered call as the log tells it.
pub(crate) struct Record {
    pub(crate) at: Timestamp,
    pub(crate) subscriber: String,
    pub(crate) usage: Usage,
}

/// How records are read.
pub(crate) struct Shape {
    csv: bool,
    at: String,
    subscriber: Subscriber,
    attributes: Vec<(String, String)>,
    quantities: Quantities,
}

enum Subscriber {
    In(String),
    Always(String),
}

enum Quantities {
    /// A body of a surface, at a JSON Pointer.
    Body(Surface, String),
    /// (meter, column or JSON Pointer).
    Map(Vec<(String, String)>),
}

impl Shape {
    pub(crate) fn from_args(args: &args::Meter) -> Result<Shape> {
        let csv = args.log.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let place = |given: &Option<String>, name: &str| match given {
            Some(place) => place.clone(),
            None if csv => String::from(name),
            None => format!("/{name}"),
        };
        let quantities = match (&args.surface, &args.map) {
            (Some(surface), None) => {
                if csv {
                    return Err(arguments("a table has no bodies: name its columns with --map"));
                }
                Quantities::Body(surface.parse()?, place(&args.body, "body"))
            }
            (None, Some(map)) => Quantities::Map(pairs(map.split(','))?),
            _ => return Err(arguments("give --surface or --map")),
        };
        let shape = Shape {
            csv,
            at: place(&args.at, "at"),
            subscriber: match &args.subscriber_value {
                Some(name) => Subscriber::Always(name.clone()),
                None => Subscriber::In(place(&args.subscriber, "subscriber")),
            },
            attributes: pairs(args.attributes.iter().map(String::as_str))?,
            quantities,
        };
        if !csv {
            for place in shape.places() {
                if !place.is_empty() && !place.starts_with('/') {
                    return Err(
                        arguments("in JSON lines a place is a JSON Pointer: /name").value(place)
                    );
                }
            }
        }
        Ok(shape)
    }

    pub(crate) fn is_csv(&self) -> bool {
        self.csv
    }

    fn places(&self) -> impl Iterator<Item = &String> {
        let subscriber = match &self.subscriber {
            Subscriber::In(place) => Some(place),
            Subscriber::Always(_) => None,
        };
        let quantities: Box<dyn Iterator<Item = &String>> = match &self.quantities {
            Quantities::Body(_, place) => Box::new(std::iter::once(place)),
            Quantities::Map(map) => Box::new(map.iter().map(|(_, place)| place)),
        };
        std::iter::once(&self.at)
            .chain(subscriber)
            .chain(self.attributes.iter().map(|(_, place)| place))
            .chain(quantities)
    }

    /// Reads one record. `columns` is the header of a table.
    pub(crate) fn read(&self, columns: &[String], line: &[u8]) -> Result<Record> {
        if self.csv { self.read_row(columns, line) } else { self.read_json(line) }
    }

    /// The header of a table, where every named column must be.
    pub(crate) fn columns(&self, header: Option<&[u8]>) -> Result<Vec<String>> {
        let Some(header) = header else { return Ok(Vec::new()) };
        let columns = cells(header)?;
        for place in self.places() {
            let why = match columns.iter().filter(|column| *column == place).count() {
                1 => continue,
                0 => "the table has no such column",
                _ => "the table has this column twice",
            };
            return Err(Error::new(Code::InputRecord).value(place).because(why));
        }
        Ok(columns)
    }

    fn read_row(&self, columns: &[String], line: &[u8]) -> Result<Record> {
        let row = cells(line)?;
        if row.len() != columns.len() {
            return Err(Error::new(Code::InputRecord)
                .value(row.len())
                .because("another number of columns than the header"));
        }
        let cell = |place: &str| {
            let at = columns.iter().position(|column| column == place);
            let found = at.and_then(|at| row.get(at)).map(String::as_str);
            found.ok_or_else(|| Error::new(Code::InputRecord).at(place).because("no such column"))
        };
        let Quantities::Map(map) = &self.quantities else {
            return Err(arguments("a table has no bodies"));
        };
        let mut usage = Usage::new(Surface::Plain, Basis::Reported);
        for (meter, place) in map {
            let text = cell(place)?;
            let quantity = whole(text).ok_or_else(|| {
                Error::new(Code::UsageQuantity).value(text).at(format!("column {place}"))
            })?;
            usage.set(meter, quantity)?;
        }
        for (name, place) in &self.attributes {
            usage.set_attribute(name, cell(place)?)?;
        }
        Ok(Record {
            at: instant(cell(&self.at)?).map_err(|e| e.at(format!("column {}", self.at)))?,
            subscriber: match &self.subscriber {
                Subscriber::Always(name) => name.clone(),
                Subscriber::In(place) => String::from(cell(place)?),
            },
            usage,
        })
    }

    fn read_json(&self, line: &[u8]) -> Result<Record> {
        let document = parse(line, &Limits::default())?;
        let root = document.root();
        let needed = |place: &str| {
            root.at(place).ok_or_else(|| Error::new(Code::JsonMissingField).at(String::from(place)))
        };
        let mut usage = match &self.quantities {
            Quantities::Body(surface, place) => Usage::from_node(*surface, needed(place)?)?,
            Quantities::Map(map) => {
                let mut usage = Usage::new(Surface::Plain, Basis::Reported);
                for (meter, place) in map {
                    let quantity = needed(place)?.quantity()?;
                    usage.set(meter, quantity).map_err(|e| e.at(place.clone()))?;
                }
                usage
            }
        };
        if let Some(attributes) = root.at("/attributes") {
            for (name, value) in attributes.fields()?.iter() {
                usage.set_attribute(name, value.text()?).map_err(|e| e.at(value.pointer()))?;
            }
        }
        for (name, place) in &self.attributes {
            let value = needed(place)?;
            usage.set_attribute(name, value.text()?).map_err(|e| e.at(value.pointer()))?;
        }
        let at = needed(&self.at)?;
        let subscriber = match &self.subscriber {
            Subscriber::Always(name) => name.clone(),
            Subscriber::In(place) => String::from(needed(place)?.text()?),
        };
        Ok(Record { at: json_instant(&at)?, subscriber, usage })
    }
}

fn json_instant(node: &Node<'_>) -> Result<Timestamp> {
    match node.text() {
        Ok(text) => instant(text),
        Err(_) => Timestamp::from_millis(node.integer()?),
    }
    .map_err(|e| e.at(node.pointer()))
}

/// An instant in words, or Unix milliseconds.
fn instant(text: &str) -> Result<Timestamp> {
    match whole(text) {
        Some(millis) => Timestamp::from_millis(millis),
        None => text.parse(),
    }
}

fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// `name=place` pairs.
fn pairs<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<(String, String)>> {
    texts
        .map(|text| match text.split_once('=') {
            Some((name, place)) if !name.is_empty() && !place.is_empty() => {
                Ok((String::from(name.trim()), String::from(place.trim())))
            }
            _ => Err(arguments("expected NAME=COLUMN").value(text)),
        })
        .collect()
}

/// The cells of one line of a table (RFC 4180).
fn cells(line: &[u8]) -> Result<Vec<String>> {
    let refused = |why| Error::new(Code::InputRecord).because(why);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .buffer_capacity(line.len().saturating_add(1))
        .from_reader(line);
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => Ok(record.iter().map(String::from).collect()),
        Ok(false) => Err(refused("an empty line")),
        Err(_) => Err(refused("not a line of a table in utf-8")),
    }
}
