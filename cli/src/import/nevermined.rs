//! Nevermined's plans, as they are registered (`POST /api/v1/protocol/plans`, API 1.1), as plans of ours.
//!
//! A credits plan sells a number of credits for a price and takes some for each call. Here each call
//! pays for the credits that it takes, within the plan's bounds, and all calls together pay at most the
//! price of all credits. Where Nevermined moves an amount into the bounds and tells nobody, a call of
//! ours is refused (`price_out_of_bounds`); the import says where that makes a difference.

use bigdecimal::num_bigint::BigUint;
use counterfoil::crypto::keccak256;
use counterfoil::json::{Node, Object, Value};
use counterfoil::{Address, Amount, Code, Currency, Error, Result};

/// Amounts in registrations have this many decimals, fiat ones included.
const DECIMALS: u8 = 6;

/// What an import made of a registration.
pub(super) struct Imported {
    pub(super) name: String,
    pub(super) meters: Object,
    pub(super) charges: Vec<Value>,
    pub(super) limits: Vec<Value>,
    pub(super) payees: Vec<Value>,
    pub(super) duration: Option<u64>,
    pub(super) notes: Vec<String>,
}

/// A registration, read.
pub(super) struct Registration {
    name: String,
    nonce: BigUint,
    price: Price,
    credits: Credits,
    trial: bool,
}

struct Price {
    crypto: bool,
    token: Address,
    amounts: Vec<BigUint>,
    receivers: Vec<Address>,
    external: Address,
    fees: Address,
    template: Address,
    currency: Option<String>,
}

struct Credits {
    bounds: Bounds,
    kind: u64,
    mirror: bool,
    seconds: BigUint,
    amount: BigUint,
}

/// How many credits a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    fixed: bool,
    least: u64,
    most: u64,
}

impl Bounds {
    /// The credits that Nevermined takes for a call that asks for `amount`, by the rule of its credits
    /// contract: the least where the amount is fixed, else the amount moved into the bounds.
    pub(super) fn redeemed(self, amount: u64) -> u64 {
        if self.fixed { self.least } else { amount.max(self.least).min(self.most) }
    }

    /// What the rule above hides, in words.
    fn told(self) -> Vec<String> {
        if self.fixed {
            return vec![format!(
                "every call takes {} credits, whatever it asks for; here a call that reports another \
                 number is refused",
                self.redeemed(0)
            )];
        }
        let mut notes = Vec::new();
        if self.least > 0 {
            let below = self.least.saturating_sub(1);
            notes.push(format!(
                "a call for {below} credits would be raised to {}; here it is refused",
                self.redeemed(below)
            ));
        }
        let above = self.most.saturating_add(1);
        notes.push(format!(
            "a call for {above} credits would be lowered to {}; here it is refused",
            self.redeemed(above)
        ));
        notes
    }
}

impl Registration {
    pub(super) fn read(root: Node<'_>) -> Result<Registration> {
        let price = need(root, "/priceConfig")?;
        let credits = need(root, "/creditsConfig")?;
        let name = match root.at("/metadataAttributes/name") {
            Some(name) => String::from(name.text()?),
            None => String::from("Imported plan"),
        };
        let trial = match root.at("/isTrialPlan") {
            Some(flag) => flag.boolean()?,
            None => false,
        };
        let currency = match price.at("/currency") {
            Some(code) => Some(String::from(code.text()?)),
            None => None,
        };
        let list = |place| -> Result<Vec<Node<'_>>> { Ok(need(price, place)?.items()?.collect()) };
        let amounts = list("/amounts")?.iter().map(uint).collect::<Result<Vec<_>>>()?;
        let receivers = list("/receivers")?.iter().map(address).collect::<Result<Vec<_>>>()?;
        if amounts.len() != receivers.len() {
            return Err(need(price, "/receivers")?
                .error(Code::SharesInvalid)
                .because("as many receivers as amounts"));
        }
        let optional = |place| price.at(place).map_or(Ok(Address::ZERO), |node| address(&node));
        // Before version 1.1 of the API the flag was called `proofRequired`.
        let mirror = credits.at("/onchainMirror").or_else(|| credits.at("/proofRequired"));
        Ok(Registration {
            name,
            nonce: root.at("/nonce").map_or(Ok(BigUint::ZERO), |node| uint(&node))?,
            price: Price {
                crypto: need(price, "/isCrypto")?.boolean()?,
                token: optional("/tokenAddress")?,
                amounts,
                receivers,
                external: optional("/externalPriceAddress")?,
                fees: optional("/feeController")?,
                template: optional("/templateAddress")?,
                currency,
            },
            credits: Credits {
                bounds: Bounds {
                    fixed: need(credits, "/isRedemptionAmountFixed")?.boolean()?,
                    least: small_at(&need(credits, "/minAmount")?)?,
                    most: small_at(&need(credits, "/maxAmount")?)?,
                },
                kind: need(credits, "/redemptionType")?.integer()?,
                mirror: mirror.map_or(Ok(false), |flag| flag.boolean())?,
                seconds: uint(&need(credits, "/durationSecs")?)?,
                amount: uint(&need(credits, "/amount")?)?,
            },
            trial,
        })
    }

    /// The plan's id on chain: keccak-256 over the ABI encoding of price, credits, creator and nonce
    /// (`AssetsRegistry.hashPlanId`).
    pub(super) fn plan_id(&self, creator: Address, credits_contract: Address) -> BigUint {
        let (price, credits) = (&self.price, &self.credits);
        let flag = |set: bool| number_word(u64::from(set));
        let size = |n: usize| number_word(u64::try_from(n).unwrap_or(u64::MAX));
        // The price is the one dynamic part: its offset stands in its place, past eleven words.
        let mut words = vec![
            number_word(11 * 32),
            flag(credits.bounds.fixed),
            number_word(credits.kind),
            flag(credits.mirror),
            word(&credits.seconds),
            word(&credits.amount),
            number_word(credits.bounds.least),
            number_word(credits.bounds.most),
            credits_contract.word(),
            creator.word(),
            word(&self.nonce),
            flag(price.crypto),
            price.token.word(),
            number_word(7 * 32),
            size(price.amounts.len().saturating_add(8).saturating_mul(32)),
            price.external.word(),
            price.fees.word(),
            price.template.word(),
            size(price.amounts.len()),
        ];
        words.extend(price.amounts.iter().map(word));
        words.push(size(price.receivers.len()));
        words.extend(price.receivers.iter().map(Address::word));
        let bytes: Vec<&[u8]> = words.iter().map(<[u8; 32]>::as_slice).collect();
        BigUint::from_bytes_be(keccak256(&bytes).bytes())
    }

    /// The registration as terms of a plan. `network` is where a token lives, which a registration does
    /// not say.
    pub(super) fn import(&self, network: Option<&str>) -> Result<(Currency, Imported)> {
        let currency = self.currency(network)?;
        let total: BigUint = self.price.amounts.iter().sum();
        let price = decimal(&total)?;
        let mut made = Imported {
            name: self.name.clone(),
            meters: Object::new(),
            charges: Vec::new(),
            limits: Vec::new(),
            payees: Vec::new(),
            duration: None,
            notes: Vec::new(),
        };
        if self.credits.seconds != BigUint::ZERO {
            let ms =
                small(&self.credits.seconds, "/creditsConfig/durationSecs")?.checked_mul(1_000);
            made.duration = Some(ms.ok_or(Code::AmountOverflow)?);
        }
        let amount = small(&self.credits.amount, "/creditsConfig/amount")?;
        // A plan of one credit that a call does not use up sells time.
        if amount == 1 && self.credits.bounds.least == 1 && self.credits.bounds.most == 1 {
            self.import_time(&price, &mut made);
        } else {
            self.import_credits(&total, amount, &mut made)?;
        }
        self.import_payees(&mut made)?;
        if self.trial {
            made.notes
                .push(String::from("a trial is sold once to each subscriber: not enforced here"));
        }
        if self.price.external != Address::ZERO {
            made.notes.push(String::from("an external price contract is not asked"));
        }
        Ok((currency, made))
    }

    fn currency(&self, network: Option<&str>) -> Result<Currency> {
        let code = self.price.currency.as_deref();
        if !self.price.crypto {
            return Currency::new_fiat(code.unwrap_or("USD"))
                .map_err(|e| e.at("/priceConfig/currency"));
        }
        let network = network.ok_or_else(|| {
            Error::new(Code::Arguments)
                .because("a registration does not say the token's network: give --network")
        })?;
        Currency::new_token(network, &self.price.token.to_string(), DECIMALS)
    }

    fn import_time(&self, price: &str, made: &mut Imported) {
        made.charges.push(Value::object([
            ("id", Value::from("access")),
            ("model", Value::from("flat")),
            ("zero", Value::Bool(true)),
            ("price", Value::from(price)),
        ]));
        made.notes.push(String::from("the price is due once, when the subscription starts"));
    }

    fn import_credits(&self, total: &BigUint, amount: u64, made: &mut Imported) -> Result<()> {
        let bounds = self.credits.bounds;
        if amount == 0 {
            return Err(Error::new(Code::PlanInvalid)
                .at("/creditsConfig/amount")
                .because("a plan sells at least one credit"));
        }
        let bound = |credits: u64| -> Result<String> {
            let too_large = || Error::new(Code::AmountOverflow).value(total);
            let sum = u128::try_from(total).ok().and_then(|n| n.checked_mul(credits.into()));
            let sum = sum.ok_or_else(too_large)?;
            match (sum.checked_div(amount.into()), sum.checked_rem(amount.into())) {
                (Some(price), Some(0)) => Ok(Amount::from_atomic(price).to_decimal(DECIMALS)),
                _ => Err(Error::new(Code::DecimalTooFine)
                    .at("/creditsConfig/amount")
                    .value(format!("{sum} / {amount}"))
                    .because("a credit costs no whole number of atomic units")),
            }
        };
        made.meters.insert("credits", "credit");
        made.charges.push(Value::object([
            ("id", Value::from("credits")),
            ("meter", Value::from("credits")),
            ("model", Value::from("dynamic")),
            ("price", Value::from(decimal(total)?)),
            ("per", Value::from(amount)),
            ("min", Value::from(bound(bounds.least)?)),
            ("max", Value::from(bound(if bounds.fixed { bounds.least } else { bounds.most })?)),
        ]));
        made.limits.push(Value::object([
            ("id", Value::from("credits")),
            ("meter", Value::from("credits")),
            ("most", Value::from(amount)),
        ]));
        made.notes.push(format!(
            "{amount} credits are not bought at once: each call pays for those that it takes, and all \
             calls together take at most {amount}"
        ));
        made.notes.extend(bounds.told());
        Ok(())
    }

    fn import_payees(&self, made: &mut Imported) -> Result<()> {
        let mut shares: Vec<(Address, u64)> = Vec::new();
        for (amount, receiver) in self.price.amounts.iter().zip(&self.price.receivers) {
            let amount = small(amount, "/priceConfig/amounts")?;
            match shares.iter_mut().find(|(known, _)| known == receiver) {
                Some((_, sum)) => *sum = sum.checked_add(amount).ok_or(Code::AmountOverflow)?,
                None => shares.push((*receiver, amount)),
            }
        }
        shares.retain(|(_, amount)| *amount > 0);
        shares.sort_unstable();
        for (receiver, amount) in shares {
            made.payees.push(Value::object([
                ("payee", Value::from(receiver.to_string())),
                ("weight", Value::from(amount)),
            ]));
        }
        Ok(())
    }
}

fn need<'a>(node: Node<'a>, place: &str) -> Result<Node<'a>> {
    node.at(place)
        .ok_or_else(|| Error::new(Code::JsonMissingField).at(format!("{}{place}", node.pointer())))
}

fn address(node: &Node<'_>) -> Result<Address> {
    node.text()?.parse().map_err(|e: Error| e.at(node.pointer()))
}

/// A uint256: a decimal string; a number, too, as configuration files have it.
fn uint(node: &Node<'_>) -> Result<BigUint> {
    let text = match node.value() {
        Value::Number(text) | Value::String(text) => text,
        _ => return Err(node.error(Code::JsonType)),
    };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse::<BigUint>().ok() } else { None };
    number.filter(|n| n.bits() <= 256).ok_or_else(|| node.error(Code::JsonNumber))
}

fn small_at(node: &Node<'_>) -> Result<u64> {
    small(&uint(node)?, &node.pointer())
}

fn small(number: &BigUint, place: &str) -> Result<u64> {
    u64::try_from(number).map_err(|_| Error::new(Code::AmountOverflow).value(number).at(place))
}

/// An amount of the registration in major units.
fn decimal(atomic: &BigUint) -> Result<String> {
    match u128::try_from(atomic) {
        Ok(atomic) => Ok(Amount::from_atomic(atomic).to_decimal(DECIMALS)),
        Err(_) => Err(Error::new(Code::AmountOverflow).value(atomic)),
    }
}

/// A word of the contract ABI. Numbers read here have at most 256 bits.
fn word(number: &BigUint) -> [u8; 32] {
    let bytes = number.to_bytes_be();
    let mut word = [0; 32];
    for (slot, byte) in word.iter_mut().rev().zip(bytes.iter().rev()) {
        *slot = *byte;
    }
    word
}

fn number_word(number: u64) -> [u8; 32] {
    word(&BigUint::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use counterfoil::json::{Limits, parse};

    const REGISTRATION: &str = r#"{
      "metadataAttributes": {"name": "Basic plan"},
      "priceConfig": {"tokenAddress": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "amounts": ["9900000", "100000"],
        "receivers": ["0x505384192Ba6a4D4b50EAB846ee67db3b9A93359",
                      "0x068ed00cf0441e4829d9784fcbe7b9e26d4bd8d0"],
        "isCrypto": true},
      "creditsConfig": {"isRedemptionAmountFixed": false, "redemptionType": 4, "onchainMirror": false,
        "durationSecs": "0", "amount": "100", "minAmount": "1", "maxAmount": "10"},
      "nonce": "12345"}"#;

    fn registration(text: &str) -> Registration {
        let value = parse(text.as_bytes(), &Limits::default()).unwrap();
        Registration::read(value.root()).unwrap()
    }

    #[test]
    fn the_plan_id_is_the_one_on_chain() {
        let id = registration(REGISTRATION).plan_id(
            "0x505384192Ba6a4D4b50EAB846ee67db3b9A93359".parse().unwrap(),
            "0xb2F9bB43F768E0D4ADCa49CE708acbE577bC2d64".parse().unwrap(),
        );
        assert_eq!(
            id.to_string(),
            "63331990952912478409004639497304263021337172944627492235805264006821238359483"
        );
    }

    #[test]
    fn every_edge_of_the_redemption_rule() {
        for (fixed, least, most) in [(true, 3, 3), (true, 3, 9), (false, 1, 10), (false, 0, 0)] {
            let bounds = Bounds { fixed, least, most };
            for amount in 0..=12 {
                let expected = if fixed || amount < least {
                    least
                } else if amount > most {
                    most
                } else {
                    amount
                };
                assert_eq!(bounds.redeemed(amount), expected, "{bounds:?} {amount}");
            }
        }
        assert_eq!(
            Bounds { fixed: false, least: 1, most: 10 }.told(),
            [
                "a call for 0 credits would be raised to 1; here it is refused",
                "a call for 11 credits would be lowered to 10; here it is refused"
            ]
        );
    }

    #[test]
    fn a_registration_that_is_wrong_names_the_field() {
        let broken = REGISTRATION.replace("\"maxAmount\": \"10\"", "\"maxAmount\": \"ten\"");
        let value = parse(broken.as_bytes(), &Limits::default()).unwrap();
        let error = Registration::read(value.root()).err().unwrap();
        assert_eq!(error.place(), Some("/creditsConfig/maxAmount"));
        let error = registration(REGISTRATION).import(None).err().unwrap();
        assert_eq!(error.code(), Code::Arguments);
    }
}
