//! Types that may be named in a cast.
//!
//! The server looks a type up in `pg_catalog` first, so a built-in name means the same on every path. Types
//! whose input or output looks up names (`regclass`, `regtype`, ..) are not on the list.

use sqlparser::ast::{ArrayElemTypeDef, DataType, ObjectNamePart};

use super::analysis::Reason;

/// Built-in types by the name in the catalog, sorted.
const KNOWN: &[&str] = &[
    "bool",
    "bpchar",
    "bytea",
    "cidr",
    "date",
    "float4",
    "float8",
    "inet",
    "int2",
    "int4",
    "int8",
    "interval",
    "json",
    "jsonb",
    "macaddr",
    "numeric",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "uuid",
    "varbit",
    "varchar",
];

pub(super) fn check_type(data_type: &DataType) -> Result<(), Reason> {
    match data_type {
        DataType::Character(_)
        | DataType::Char(_)
        | DataType::CharacterVarying(_)
        | DataType::CharVarying(_)
        | DataType::Varchar(_)
        | DataType::Uuid
        | DataType::Numeric(_)
        | DataType::Decimal(_)
        | DataType::Dec(_)
        | DataType::Float(_)
        | DataType::Int2(_)
        | DataType::SmallInt(_)
        | DataType::Int(_)
        | DataType::Int4(_)
        | DataType::Int8(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::Float4
        | DataType::Real
        | DataType::Float8
        | DataType::DoublePrecision
        | DataType::Bool
        | DataType::Boolean
        | DataType::Date
        | DataType::Time(..)
        | DataType::Timestamp(..)
        | DataType::Interval { .. }
        | DataType::JSON
        | DataType::JSONB
        | DataType::Text
        | DataType::Bytea
        | DataType::Bit(_)
        | DataType::BitVarying(_)
        | DataType::VarBit(_) => Ok(()),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => check_type(element),
        DataType::Custom(path, modifiers) => {
            if let [ObjectNamePart::Identifier(ident)] = path.0.as_slice() {
                let folded = match ident.quote_style {
                    None => ident.value.to_ascii_lowercase(),
                    Some('"') => ident.value.clone(),
                    Some(_) => String::new(),
                };
                if modifiers.is_empty() && KNOWN.binary_search(&folded.as_str()).is_ok() {
                    return Ok(());
                }
                return Err(Reason::Type(folded.into()));
            }
            Err(Reason::AlreadyQualified)
        }
        _ => Err(Reason::Type(data_type.to_string().into())),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_is_sorted() {
        assert!(super::KNOWN.is_sorted());
    }
}
