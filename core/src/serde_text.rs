//! Value types in serde: always as the text of their `Display` and `FromStr`, never as numbers or
//! bytes, in binary formats too.

use core::{fmt, marker::PhantomData, str::FromStr};

use serde::de;

/// Reads a string through [`FromStr`].
pub(crate) struct TextVisitor<T>(pub(crate) &'static str, pub(crate) PhantomData<T>);

impl<T: FromStr<Err = crate::Error>> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string: {}", self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> core::result::Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Implements `Serialize` and `Deserialize` for a type as its text.
macro_rules! as_text {
    ($type:ty, $expecting:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(
                &self,
                serializer: S,
            ) -> core::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> core::result::Result<Self, D::Error> {
                let visitor =
                    $crate::serde_text::TextVisitor($expecting, core::marker::PhantomData);
                deserializer.deserialize_str(visitor)
            }
        }
    };
}

pub(crate) use as_text;

#[cfg(test)]
mod tests {
    use crate::amount::{Amount, Exact};

    #[test]
    fn money_is_text() {
        let exact: Exact = "2.5".parse().unwrap();
        assert_eq!(
            serde_json::to_string(&(Amount::MAX, exact)).unwrap(),
            "[\"340282366920938463463374607431768211455\",\"2.5\"]"
        );
        assert_eq!(serde_json::from_str::<Exact>("\"2.5\"").unwrap(), exact);
        for refused in ["2.5", "\"2.50\"", "\"-1\"", "null"] {
            assert!(serde_json::from_str::<Exact>(refused).is_err(), "{refused}");
        }
        assert!(serde_json::from_str::<Amount>("7").is_err());
    }

    #[test]
    fn digests_are_text() {
        let digest = crate::crypto::sha256(&[b"x"]);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, alloc::format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<crate::Digest>(&json).unwrap(), digest);
    }
}
