//! How a row is written: its values one after the other, each with a byte before it that says what it is.
//!
//! | byte | then |
//! |---|---|
//! | `N` | nothing: NULL |
//! | `I` | 8 bytes: a signed integer, the lowest byte first |
//! | `R` | 8 bytes: a floating-point number of IEEE 754, the lowest byte first |
//! | `T` | 4 bytes: a length, the lowest byte first; so many bytes of UTF-8 |
//! | `B` | 4 bytes: a length, the lowest byte first; so many bytes |

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row, TypeInfo, ValueRef};

/// A value as SQLite stores it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// Bytes that are no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("they are not written as rows are")]
pub(super) struct Malformed;

/// Writes the row behind what is there.
pub(super) fn write(row: &SqliteRow, bytes: &mut Vec<u8>) -> Result<(), sqlx::Error> {
    for column in 0..row.len() {
        let value = row.try_get_raw(column)?;
        // The class of the value itself, whatever type the column was declared with.
        let class = value.type_info();
        match class.name() {
            _ if value.is_null() => bytes.push(b'N'),
            "INTEGER" => {
                bytes.push(b'I');
                bytes.extend(row.try_get_unchecked::<i64, _>(column)?.to_le_bytes());
            }
            "REAL" => {
                bytes.push(b'R');
                bytes.extend(row.try_get_unchecked::<f64, _>(column)?.to_le_bytes());
            }
            "TEXT" => write_bytes(b'T', row.try_get_unchecked::<&str, _>(column)?.as_bytes(), bytes)?,
            _ => write_bytes(b'B', row.try_get_unchecked::<&[u8], _>(column)?, bytes)?,
        }
    }
    Ok(())
}

fn write_bytes(class: u8, value: &[u8], bytes: &mut Vec<u8>) -> Result<(), sqlx::Error> {
    // SQLite's own limit is 2^31 - 1.
    let length = u32::try_from(value.len()).map_err(|too_long| sqlx::Error::Encode(Box::new(too_long)))?;
    bytes.push(class);
    bytes.extend(length.to_le_bytes());
    bytes.extend_from_slice(value);
    Ok(())
}

/// Reads a value off the beginning; `None` when not all of it is there yet.
pub(super) fn read(bytes: &mut &[u8]) -> Result<Option<Value>, Malformed> {
    let Some((class, rest)) = bytes.split_first() else { return Ok(None) };
    let (value, rest) = match class {
        b'N' => (Value::Null, rest),
        b'I' | b'R' => {
            let Some((number, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
            let integer = *class == b'I';
            let value = if integer {
                Value::Integer(i64::from_le_bytes(*number))
            } else {
                Value::Real(f64::from_le_bytes(*number))
            };
            (value, rest)
        }
        b'T' | b'B' => {
            let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Malformed)?;
            let Some((value, rest)) = rest.split_at_checked(length) else { return Ok(None) };
            let value = match class {
                b'T' => Value::Text(String::from_utf8(value.to_vec()).map_err(|_| Malformed)?),
                _ => Value::Blob(value.to_vec()),
            };
            (value, rest)
        }
        _ => return Err(Malformed),
    };
    *bytes = rest;
    Ok(Some(value))
}

/// Binds the value with its class.
pub(super) fn bind(value: Value, to: &mut SqliteArguments) -> Result<(), sqlx::Error> {
    let bound = match value {
        Value::Null => to.add(None::<i64>),
        Value::Integer(value) => to.add(value),
        Value::Real(value) => to.add(value),
        Value::Text(value) => to.add(value),
        Value::Blob(value) => to.add(value),
    };
    bound.map_err(sqlx::Error::Encode)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_map(Value::Real),
            ".*".prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Blob),
        ]
    }

    fn written(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        match value {
            Value::Null => bytes.push(b'N'),
            Value::Integer(number) => bytes.extend([b"I".as_slice(), &number.to_le_bytes()].concat()),
            Value::Real(number) => bytes.extend([b"R".as_slice(), &number.to_le_bytes()].concat()),
            Value::Text(text) => write_bytes(b'T', text.as_bytes(), &mut bytes).unwrap(),
            Value::Blob(blob) => write_bytes(b'B', blob, &mut bytes).unwrap(),
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_value_is_read_as_it_was_written_and_not_before_all_of_it_is_there(value in value()) {
            let bytes = written(&value);
            for end in 0..bytes.len() {
                let mut part = &bytes[..end];
                prop_assert_eq!(read(&mut part), Ok(None));
            }
            let mut all = bytes.as_slice();
            prop_assert_eq!(read(&mut all), Ok(Some(value)));
            prop_assert!(all.is_empty());
        }

        #[test]
        fn whatever_comes_is_no_panic(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            while let Ok(Some(_)) = read(&mut rest) {}
        }
    }
}
