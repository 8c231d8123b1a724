//! The JSON forms: a receipt with head and body, and the EIP-712 typed data of what is signed.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    amount::{Amount, Exact},
    crypto::{Digest, Signature},
    error::{Code, Error, Result},
    json::{Limits, Node, Value, parse},
    meter::Signed,
    receipt::{Body, Head, Item, Kind, Receipt, body::MAX_ITEMS, head},
    time::{Timestamp, Window},
    usage::Basis,
};

const FORMAT: &str = "counterfoil/receipt/0";

impl Receipt {
    /// The JSON form: head, signature and body in one document.
    #[must_use]
    pub fn to_json(&self) -> String {
        let signature = match &self.signature {
            Some(signature) => Value::from(signature.to_string()),
            None => Value::Null,
        };
        let body = match &self.body {
            Some(body) => body.to_value(),
            None => Value::Null,
        };
        Value::object([
            ("format", Value::from(FORMAT)),
            ("head", self.head.to_value()),
            ("signature", signature),
            ("body", body),
        ])
        .compact()
    }

    /// Reads the JSON form. Nothing is verified but the form.
    ///
    /// # Errors
    /// `json_*` codes with the place, `bytes_version` for another format, and the fields' own codes.
    pub fn from_json(bytes: &[u8]) -> Result<Receipt> {
        let document = parse(bytes, &Limits::default())?;
        let mut fields = document.root().fields()?;
        let format = fields.required("format")?;
        if format.text()? != FORMAT {
            return Err(format.error(Code::BytesVersion));
        }
        let head = read_head(&fields.required("head")?)?;
        let signature = match fields.required("signature")? {
            node if matches!(node.value(), Value::Null) => None,
            node => Some(read::<Signature>(&node)?),
        };
        let body = match fields.required("body")? {
            node if matches!(node.value(), Value::Null) => None,
            node => Some(read_body(&node)?),
        };
        fields.finish()?;
        Ok(Receipt { head, signature, body })
    }
}

fn number(n: u64) -> Value {
    Value::from(n.to_string())
}

impl Head {
    /// The head as a JSON object: hex for hashes, decimal strings for numbers.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("lane", Value::from(self.lane.to_string())),
            ("sequence", number(self.sequence)),
            ("previous", Value::from(self.previous.to_string())),
            ("kind", number(u64::from(self.kind.number()))),
            ("subject", Value::from(self.subject.to_string())),
            ("authorizedAt", number(self.authorized_at.millis())),
            ("issuedAt", number(self.issued_at.millis())),
            ("body", Value::from(self.body.to_string())),
            ("charge", Value::from(self.charge.to_string())),
            ("cumulative", Value::from(self.cumulative.to_string())),
            ("credited", Value::from(self.credited.to_string())),
        ])
    }
}

impl Body {
    /// The body as a JSON object: the salt and the items in order.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let items: Vec<Value> = self.items.iter().map(Item::to_value).collect();
        Value::object([("salt", Value::from(self.salt.to_string())), ("items", Value::from(items))])
    }
}

fn window_value(window: &Window) -> Value {
    Value::object([("start", number(window.start.millis())), ("end", number(window.end.millis()))])
}

impl Item {
    /// The item as a JSON object whose `item` names its kind.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let text = |text: &String| Value::from(text.as_str());
        let exact = |exact: &Exact| Value::from(exact.to_string());
        match self {
            Item::Quantity { meter, quantity } => Value::object([
                ("item", Value::from("quantity")),
                ("meter", text(meter)),
                ("quantity", number(*quantity)),
            ]),
            Item::Line { charge, window, units_before, units, billed_before, amount } => {
                Value::object([
                    ("item", Value::from("line")),
                    ("charge", text(charge)),
                    ("window", window_value(window)),
                    ("unitsBefore", number(*units_before)),
                    ("units", number(*units)),
                    ("billedBefore", exact(billed_before)),
                    ("amount", exact(amount)),
                ])
            }
            Item::Price { exact: price, remainder_before, remainder_after, uncollected, late } => {
                Value::object([
                    ("item", Value::from("price")),
                    ("exact", exact(price)),
                    ("remainderBefore", number(*remainder_before)),
                    ("remainderAfter", number(*remainder_after)),
                    ("uncollected", exact(uncollected)),
                    ("late", Value::from(*late)),
                ])
            }
            Item::Attribute { name, value } => Value::object([
                ("item", Value::from("attribute")),
                ("name", text(name)),
                ("value", text(value)),
            ]),
            Item::Source { surface, basis, content } => Value::object([
                ("item", Value::from("source")),
                ("surface", Value::from(surface.as_str())),
                ("basis", Value::from(basis.as_str())),
                ("content", Value::from(content.to_string())),
            ]),
            Item::DrawUnits { grant, given_at, meter, units, balance } => Value::object([
                ("item", Value::from("draw_units")),
                ("grant", text(grant)),
                ("givenAt", number(given_at.millis())),
                ("meter", text(meter)),
                ("units", number(*units)),
                ("balance", number(*balance)),
            ]),
            Item::Draw { grant, given_at, amount, balance } => Value::object([
                ("item", Value::from("draw")),
                ("grant", text(grant)),
                ("givenAt", number(given_at.millis())),
                ("amount", exact(amount)),
                ("balance", exact(balance)),
            ]),
            Item::Part { number: part, charged, uncollected } => Value::object([
                ("item", Value::from("part")),
                ("number", number(*part)),
                ("charged", exact(charged)),
                ("uncollected", exact(uncollected)),
            ]),
            Item::Surplus { exact: credit, remainder_before, remainder_after } => Value::object([
                ("item", Value::from("surplus")),
                ("exact", exact(credit)),
                ("remainderBefore", number(*remainder_before)),
                ("remainderAfter", number(*remainder_after)),
            ]),
            Item::Credit {
                id,
                reason,
                amount,
                exact: money,
                remainder_before,
                remainder_after,
            } => Value::object([
                ("item", Value::from("credit")),
                ("id", text(id)),
                ("reason", text(reason)),
                ("amount", amount.as_ref().map_or(Value::Null, exact)),
                ("exact", exact(money)),
                ("remainderBefore", number(*remainder_before)),
                ("remainderAfter", number(*remainder_after)),
            ]),
            Item::ReturnedUnits { grant, given_at, meter, units, balance } => Value::object([
                ("item", Value::from("returned_units")),
                ("grant", text(grant)),
                ("givenAt", number(given_at.millis())),
                ("meter", text(meter)),
                ("units", number(*units)),
                ("balance", number(*balance)),
            ]),
            Item::Returned { grant, given_at, amount, balance } => Value::object([
                ("item", Value::from("returned")),
                ("grant", text(grant)),
                ("givenAt", number(given_at.millis())),
                ("amount", exact(amount)),
                ("balance", exact(balance)),
            ]),
            Item::Correction {
                charge,
                window,
                units,
                billed,
                due,
                exact: credit,
                remainder_before,
                remainder_after,
            } => Value::object([
                ("item", Value::from("correction")),
                ("charge", text(charge)),
                ("window", window_value(window)),
                ("units", number(*units)),
                ("billed", exact(billed)),
                ("due", exact(due)),
                ("exact", exact(credit)),
                ("remainderBefore", number(*remainder_before)),
                ("remainderAfter", number(*remainder_after)),
            ]),
        }
    }
}

/// Reads a text field through `FromStr`.
pub(crate) fn read<T: core::str::FromStr<Err = Error>>(node: &Node<'_>) -> Result<T> {
    node.text()?.parse().map_err(|e: Error| e.at(node.pointer()))
}

/// A decimal string of any width up to 128 bits, canonical.
fn read_u128(node: &Node<'_>) -> Result<u128> {
    let text = node.text()?;
    match text.parse::<u128>() {
        Ok(value) if value.to_string() == text => Ok(value),
        _ => Err(node.error(Code::DecimalInvalid)),
    }
}

fn read_u64(node: &Node<'_>) -> Result<u64> {
    u64::try_from(read_u128(node)?).map_err(|_| node.error(Code::DecimalInvalid))
}

pub(crate) fn read_time(node: &Node<'_>) -> Result<Timestamp> {
    Timestamp::from_millis(read_u64(node)?).map_err(|e| e.at(node.pointer()))
}

fn read_head(node: &Node<'_>) -> Result<Head> {
    let mut f = node.fields()?;
    let kind = f.required("kind")?;
    let head = Head {
        lane: read(&f.required("lane")?)?,
        sequence: read_u64(&f.required("sequence")?)?,
        previous: read(&f.required("previous")?)?,
        kind: u8::try_from(read_u64(&kind)?)
            .map_err(|_| kind.error(Code::BytesVersion))
            .and_then(|n| Kind::from_number(n).map_err(|e| e.at(kind.pointer())))?,
        subject: read(&f.required("subject")?)?,
        authorized_at: read_time(&f.required("authorizedAt")?)?,
        issued_at: read_time(&f.required("issuedAt")?)?,
        body: read(&f.required("body")?)?,
        charge: Amount::from_atomic(read_u128(&f.required("charge")?)?),
        cumulative: Amount::from_atomic(read_u128(&f.required("cumulative")?)?),
        credited: Amount::from_atomic(read_u128(&f.required("credited")?)?),
    };
    f.finish()?;
    Ok(head)
}

fn read_body(node: &Node<'_>) -> Result<Body> {
    let mut f = node.fields()?;
    let salt: Digest = read(&f.required("salt")?)?;
    let mut items = Vec::new();
    let list = f.required("items")?;
    for item in list.items()? {
        if items.len() >= MAX_ITEMS {
            return Err(list.error(Code::JsonTooMany).because("more than 1024 items"));
        }
        items.push(read_item(&item)?);
    }
    f.finish()?;
    Ok(Body { salt, items })
}

fn read_window(node: &Node<'_>) -> Result<Window> {
    let mut f = node.fields()?;
    let start = read_time(&f.required("start")?)?;
    let end = read_time(&f.required("end")?)?;
    f.finish()?;
    if start >= end {
        return Err(node.error(Code::TimeInvalid).because("a window ends after it starts"));
    }
    Ok(Window { start, end })
}

fn read_item(node: &Node<'_>) -> Result<Item> {
    let mut f = node.fields()?;
    let kind = f.required("item")?;
    let owned = |node: Node<'_>| node.text().map(String::from);
    let item = match kind.text()? {
        "quantity" => Item::Quantity {
            meter: owned(f.required("meter")?)?,
            quantity: read_u64(&f.required("quantity")?)?,
        },
        "line" => Item::Line {
            charge: owned(f.required("charge")?)?,
            window: read_window(&f.required("window")?)?,
            units_before: read_u64(&f.required("unitsBefore")?)?,
            units: read_u64(&f.required("units")?)?,
            billed_before: read(&f.required("billedBefore")?)?,
            amount: read(&f.required("amount")?)?,
        },
        "price" => Item::Price {
            exact: read(&f.required("exact")?)?,
            remainder_before: read_u64(&f.required("remainderBefore")?)?,
            remainder_after: read_u64(&f.required("remainderAfter")?)?,
            uncollected: read(&f.required("uncollected")?)?,
            late: f.required("late")?.boolean()?,
        },
        "attribute" => Item::Attribute {
            name: owned(f.required("name")?)?,
            value: owned(f.required("value")?)?,
        },
        "source" => {
            let basis = f.required("basis")?;
            Item::Source {
                surface: read(&f.required("surface")?)?,
                basis: Basis::parse(basis.text()?).ok_or_else(|| basis.error(Code::JsonType))?,
                content: read(&f.required("content")?)?,
            }
        }
        "correction" => Item::Correction {
            charge: owned(f.required("charge")?)?,
            window: read_window(&f.required("window")?)?,
            units: read_u64(&f.required("units")?)?,
            billed: read(&f.required("billed")?)?,
            due: read(&f.required("due")?)?,
            exact: read(&f.required("exact")?)?,
            remainder_before: read_u64(&f.required("remainderBefore")?)?,
            remainder_after: read_u64(&f.required("remainderAfter")?)?,
        },
        "part" => Item::Part {
            number: read_u64(&f.required("number")?)?,
            charged: read(&f.required("charged")?)?,
            uncollected: read(&f.required("uncollected")?)?,
        },
        "surplus" => Item::Surplus {
            exact: read(&f.required("exact")?)?,
            remainder_before: read_u64(&f.required("remainderBefore")?)?,
            remainder_after: read_u64(&f.required("remainderAfter")?)?,
        },
        "draw_units" => Item::DrawUnits {
            grant: owned(f.required("grant")?)?,
            given_at: read_time(&f.required("givenAt")?)?,
            meter: owned(f.required("meter")?)?,
            units: read_u64(&f.required("units")?)?,
            balance: read_u64(&f.required("balance")?)?,
        },
        "draw" => Item::Draw {
            grant: owned(f.required("grant")?)?,
            given_at: read_time(&f.required("givenAt")?)?,
            amount: read(&f.required("amount")?)?,
            balance: read(&f.required("balance")?)?,
        },
        "credit" => Item::Credit {
            id: owned(f.required("id")?)?,
            reason: owned(f.required("reason")?)?,
            amount: match f.required("amount")? {
                node if matches!(node.value(), Value::Null) => None,
                node => Some(read(&node)?),
            },
            exact: read(&f.required("exact")?)?,
            remainder_before: read_u64(&f.required("remainderBefore")?)?,
            remainder_after: read_u64(&f.required("remainderAfter")?)?,
        },
        "returned_units" => Item::ReturnedUnits {
            grant: owned(f.required("grant")?)?,
            given_at: read_time(&f.required("givenAt")?)?,
            meter: owned(f.required("meter")?)?,
            units: read_u64(&f.required("units")?)?,
            balance: read_u64(&f.required("balance")?)?,
        },
        "returned" => Item::Returned {
            grant: owned(f.required("grant")?)?,
            given_at: read_time(&f.required("givenAt")?)?,
            amount: read(&f.required("amount")?)?,
            balance: read(&f.required("balance")?)?,
        },
        _ => return Err(kind.error(Code::JsonUnknownField).because("no item of this kind")),
    };
    f.finish()?;
    Ok(item)
}

/// An EIP-712 document for `eth_signTypedData_v4` and its kin.
pub(crate) fn typed_data(type_text: &str, message: Value) -> Value {
    let (name, rest) = type_text.split_once('(').unwrap_or((type_text, ""));
    let fields: Vec<Value> = rest
        .trim_end_matches(')')
        .split(',')
        .filter_map(|field| field.split_once(' '))
        .map(|(kind, name)| {
            Value::object([("name", Value::from(name)), ("type", Value::from(kind))])
        })
        .collect();
    let text_field =
        |name| Value::object([("name", Value::from(name)), ("type", Value::from("string"))]);
    Value::object([
        (
            "types",
            Value::object([
                (
                    "EIP712Domain",
                    Value::from(alloc::vec![text_field("name"), text_field("version")]),
                ),
                (name, Value::from(fields)),
            ]),
        ),
        ("primaryType", Value::from(name)),
        (
            "domain",
            Value::object([("name", Value::from("Counterfoil")), ("version", Value::from("1"))]),
        ),
        ("message", message),
    ])
}

impl Signed {
    /// The EIP-712 typed data as a JSON document.
    #[must_use]
    pub fn typed_data(&self) -> Value {
        match self {
            Signed::Head(head) => typed_data(head::TYPE, head.to_value()),
            Signed::Lane(open) => typed_data(super::lane::TYPE, open.to_value()),
            Signed::Checkpoint(checkpoint) => {
                typed_data(crate::log::CHECKPOINT_TYPE, checkpoint.to_value())
            }
            Signed::Lease(lease) => typed_data(crate::lease::LEASE_TYPE, lease.to_value()),
            Signed::Statement(statement) => {
                typed_data(crate::lease::STATEMENT_TYPE, statement.to_value())
            }
        }
    }
}

impl super::LaneOpen {
    /// The opening as a JSON object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("plan", Value::from(self.plan.to_string())),
            ("subscription", Value::from(self.subscription.to_string())),
            ("payer", Value::from(self.payer.to_string())),
            ("number", number(u64::from(self.number))),
            ("parent", Value::from(self.parent.to_string())),
            ("rail", Value::from(self.rail.to_string())),
            ("lease", Value::from(self.lease.to_string())),
            ("origin", Value::from(self.origin.as_str())),
            ("openedAt", number(self.opened_at.millis())),
            ("cumulative", Value::from(self.cumulative.to_string())),
            ("cumulativeRemainder", number(self.cumulative_remainder)),
            ("credited", Value::from(self.credited.to_string())),
            ("creditedRemainder", number(self.credited_remainder)),
        ])
    }
}

impl crate::lease::Lease {
    /// The lease as a JSON object: its terms by their hash.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("plan", Value::from(self.plan.to_string())),
            ("subscription", Value::from(self.subscription.to_string())),
            ("payer", Value::from(self.payer.to_string())),
            ("startedAt", number(self.started_at.millis())),
            ("parent", Value::from(self.parent.to_string())),
            ("number", number(u64::from(self.number))),
            ("holder", Value::from(self.holder.as_str())),
            ("at", number(self.at.millis())),
            ("until", number(self.until.millis())),
            ("terms", Value::from(self.terms().to_string())),
        ])
    }
}

impl crate::lease::Statement {
    /// The statement as a JSON object: what was used by its hash.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("lease", Value::from(self.lease.to_string())),
            ("lane", Value::from(self.lane.to_string())),
            ("sequence", number(self.sequence)),
            ("head", Value::from(self.head.to_string())),
            ("cumulative", Value::from(self.cumulative.to_string())),
            ("cumulativeRemainder", number(self.cumulative_remainder)),
            ("at", number(self.at.millis())),
            ("closed", number(u64::from(self.closed))),
            ("used", Value::from(self.used().to_string())),
        ])
    }
}

impl crate::log::Checkpoint {
    /// The checkpoint as a JSON object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("origin", Value::from(self.origin.as_str())),
            ("size", number(self.size)),
            ("root", Value::from(self.root.to_string())),
            ("lanes", Value::from(self.lanes.to_string())),
            ("time", number(self.time.millis())),
        ])
    }
}
