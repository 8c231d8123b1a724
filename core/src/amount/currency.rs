//! Currencies: tokens on a network and national currencies.

use alloc::{format, string::String};
use core::fmt;

use crate::crypto::Address;
use crate::error::{Code, Error, Result};

/// What an amount is an amount of.
///
/// Two currencies are the same if and only if they are equal. Built by [`Currency::new_token`] and
/// [`Currency::new_fiat`] only.
///
/// ```
/// use counterfoil::amount::Currency;
///
/// let usdc = Currency::new_token("eip155:8453", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", 6)?;
/// assert_eq!(usdc.id(), "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913");
/// assert_eq!(Currency::new_fiat("JPY")?.decimals(), 0);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Currency {
    /// A token on a network.
    #[non_exhaustive]
    Token {
        /// The network as CAIP-2 names it: `eip155:8453`.
        network: String,
        /// The token's contract. On `eip155` networks `0x` and 40 lower-case hexadecimal digits,
        /// elsewhere the network's own form, as given.
        token: String,
        /// Digits of the major unit after the point: 6 for USDC. At most 36.
        decimals: u8,
    },
    /// A national currency.
    #[non_exhaustive]
    Fiat {
        /// Three capitals (ISO 4217).
        code: String,
        /// Digits of the major unit after the point (ISO 4217's minor unit): 2 for USD.
        decimals: u8,
    },
}

/// The most decimals a token may have.
const MOST_DECIMALS: u8 = 36;

impl Currency {
    /// A token by its network (CAIP-2) and contract.
    ///
    /// # Errors
    /// [`Code::CurrencyInvalid`] when the network is not of CAIP-2's form, the token not an address
    /// (`eip155`) or not of CAIP-19's form (elsewhere), or there are more than 36 decimals.
    pub fn new_token(network: &str, token: &str, decimals: u8) -> Result<Self> {
        let refused =
            |value: &str, why| Error::new(Code::CurrencyInvalid).value(value).because(why);
        let namespace = match network.split_once(':') {
            Some((namespace, reference)) if is_namespace(namespace) && is_reference(reference) => {
                namespace
            }
            _ => {
                return Err(refused(
                    network,
                    "network is not of the form namespace:reference (caip-2)",
                ));
            }
        };
        let token = if namespace == "eip155" {
            match token.strip_prefix("0x") {
                Some(hex) if hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    token.to_ascii_lowercase()
                }
                _ => return Err(refused(token, "token is not 0x and 40 hexadecimal digits")),
            }
        } else if is_asset_reference(token) {
            String::from(token)
        } else {
            return Err(refused(token, "token is not an asset reference (caip-19)"));
        };
        if decimals > MOST_DECIMALS {
            return Err(Error::new(Code::CurrencyInvalid)
                .value(decimals)
                .because("more than 36 decimals"));
        }
        Ok(Currency::Token { network: String::from(network), token, decimals })
    }

    /// A national currency by its ISO-4217 code; the code gives the decimals.
    ///
    /// # Errors
    /// [`Code::CurrencyInvalid`] when the code is not three capitals.
    pub fn new_fiat(code: &str) -> Result<Self> {
        if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Error::new(Code::CurrencyInvalid)
                .value(code)
                .because("not three capitals (iso 4217)"));
        }
        Ok(Currency::Fiat { code: String::from(code), decimals: minor_unit(code) })
    }

    /// Digits of the major unit after the point.
    #[must_use]
    pub fn decimals(&self) -> u8 {
        match self {
            Currency::Token { decimals, .. } | Currency::Fiat { decimals, .. } => *decimals,
        }
    }

    /// The token's contract, for a token on an EVM network.
    #[must_use]
    pub fn evm_token(&self) -> Option<Address> {
        match self {
            Currency::Token { network, token, .. } if network.starts_with("eip155:") => {
                token.parse().ok()
            }
            _ => None,
        }
    }

    /// The chain id of an EVM network.
    #[must_use]
    pub fn evm_chain(&self) -> Option<u64> {
        match self {
            Currency::Token { network, .. } => network.strip_prefix("eip155:")?.parse().ok(),
            Currency::Fiat { .. } => None,
        }
    }

    /// The name: `eip155:8453/erc20:0x…` (CAIP-19), with `token` in place of `erc20` on other
    /// networks, or `iso4217:USD`.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Currency::Token { network, token, .. } => {
                let standard = if network.starts_with("eip155:") { "erc20" } else { "token" };
                format!("{network}/{standard}:{token}")
            }
            Currency::Fiat { code, .. } => format!("iso4217:{code}"),
        }
    }
}

/// The [`Currency::id`].
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

/// CAIP-2: `[-a-z0-9]{3,8}`.
fn is_namespace(text: &str) -> bool {
    matches!(text.len(), 3..=8)
        && text.bytes().all(|b| matches!(b, b'-' | b'a'..=b'z' | b'0'..=b'9'))
}

/// CAIP-2: `[-_a-zA-Z0-9]{1,32}`.
fn is_reference(text: &str) -> bool {
    matches!(text.len(), 1..=32)
        && text.bytes().all(|b| matches!(b, b'-' | b'_') || b.is_ascii_alphanumeric())
}

/// CAIP-19: `[-.%a-zA-Z0-9]{1,128}`.
fn is_asset_reference(text: &str) -> bool {
    matches!(text.len(), 1..=128)
        && text.bytes().all(|b| matches!(b, b'-' | b'.' | b'%') || b.is_ascii_alphanumeric())
}

/// ISO 4217's minor units where they are not 2.
fn minor_unit(code: &str) -> u8 {
    match code {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";

    #[test]
    fn letter_case_of_an_address_makes_no_second_currency() {
        let a = Currency::new_token("eip155:8453", USDC, 6).unwrap();
        let b = Currency::new_token("eip155:8453", &USDC.to_ascii_lowercase(), 6).unwrap();
        assert_eq!(a, b);
        assert_ne!(a, Currency::new_token("eip155:1", USDC, 6).unwrap());
        assert_ne!(a, Currency::new_token("eip155:8453", USDC, 18).unwrap());
    }

    #[test]
    fn other_networks_keep_their_letter_case() {
        let mint = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
        let c = Currency::new_token("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", mint, 6).unwrap();
        assert_eq!(c.id(), format!("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/token:{mint}"));
    }

    #[test]
    fn refuses_other_forms() {
        for (network, token, decimals) in [
            ("eip155", USDC, 6),
            ("EIP155:1", USDC, 6),
            ("eip155:", USDC, 6),
            ("eip155:1:2", USDC, 6),
            ("eip155:1", &USDC[2..], 6),
            ("eip155:1", &USDC[..41], 6),
            ("eip155:1", "0X833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", 6),
            ("eip155:1", USDC, 37),
            ("solana:x", "", 6),
            ("solana:x", "a b", 6),
        ] {
            let e = Currency::new_token(network, token, decimals).unwrap_err();
            assert_eq!(e.code(), Code::CurrencyInvalid, "{network} {token}");
        }
        for code in ["", "usd", "US", "USDC", "U$D"] {
            assert_eq!(
                Currency::new_fiat(code).unwrap_err().code(),
                Code::CurrencyInvalid,
                "{code}"
            );
        }
    }

    #[test]
    fn fiat_decimals() {
        for (code, decimals) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)] {
            let c = Currency::new_fiat(code).unwrap();
            assert_eq!((c.decimals(), c.id()), (decimals, format!("iso4217:{code}")));
        }
    }
}
