//! How values are written: JSON, or MessagePack.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CacheError;

/// How values are written. What is stored says itself which it is, so that a change of the setting loses no entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Text that other programs read.
    #[default]
    Json,
    /// Smaller, and with bytes as they are.
    MessagePack,
}

/// Before each value in MessagePack. No MessagePack begins with it ("never used" in its table of formats), and no JSON.
const MESSAGE_PACK: u8 = 0xc1;

/// Why a value does not decode. Holds nothing of the value: the messages of serde can quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDecoded;

impl Codec {
    pub(crate) fn encode<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Result<Bytes, CacheError> {
        let failed = |source| CacheError::Encode { key: key.to_owned(), source };
        let json = || serde_json::to_vec(value).map(Bytes::from).map_err(|source| failed(source.into()));
        match self {
            Self::Json => json(),
            Self::MessagePack => {
                let mut packed = vec![MESSAGE_PACK];
                rmp_serde::encode::write_named(&mut packed, value).map_err(|source| failed(source.into()))?;
                // An integer is its decimal text with either codec, so that it can be counted.
                if packed.get(1).is_some_and(|first| matches!(first, 0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff))
                {
                    return json();
                }
                Ok(Bytes::from(packed))
            }
        }
    }

    /// Reads what either codec wrote.
    pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, NotDecoded> {
        match bytes {
            [MESSAGE_PACK, packed @ ..] => rmp_serde::from_slice(packed).map_err(|_| NotDecoded),
            json => serde_json::from_slice(json).map_err(|_| NotDecoded),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn either_codec_is_read_whatever_is_set() {
        let value = BTreeMap::from([("name".to_owned(), vec![1.5, -2.0])]);
        for codec in [Codec::Json, Codec::MessagePack] {
            let bytes = codec.encode("key", &value).unwrap();
            assert_eq!(Codec::decode::<BTreeMap<String, Vec<f64>>>(&bytes), Ok(value.clone()));
        }
        assert_eq!(Codec::decode::<String>(b"\xc1"), Err(NotDecoded));
        assert_eq!(Codec::decode::<String>(b""), Err(NotDecoded));
    }

    #[test]
    fn an_integer_is_its_decimal_text() {
        for codec in [Codec::Json, Codec::MessagePack] {
            for number in [0, 1, 127, 128, 65_536, i64::MAX, -1, -32, -33, i64::MIN] {
                let bytes = codec.encode("key", &number).unwrap();
                assert_eq!(bytes, number.to_string());
                assert_eq!(Codec::decode(&bytes), Ok(number));
            }
            assert_eq!(codec.encode("key", &Some(u64::MAX)).unwrap(), u64::MAX.to_string());
        }
    }
}
