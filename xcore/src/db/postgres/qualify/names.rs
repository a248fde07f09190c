//! Lists of names.

use sqlparser::ast::Ident;

/// Key words that cannot be the name of a table or function, or that can and lead a construct, sorted: those
/// that `pg_get_keywords()` does not give as unreserved, of PostgreSQL 15 to 18, and ROWS.
#[rustfmt::skip] // one word a line would be pages
const KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization",
    "between", "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check",
    "coalesce", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "dec", "decimal", "default", "deferrable", "desc", "distinct",
    "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign",
    "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike", "in",
    "initially", "inner", "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull",
    "join", "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query",
    "json_scalar", "json_serialize", "json_table", "json_value", "lateral", "leading", "least", "left",
    "like", "limit", "localtime", "localtimestamp", "merge_action", "national", "natural", "nchar", "none",
    "normalize", "not", "notnull", "null", "nullif", "numeric", "offset", "on", "only", "or", "order",
    "out", "outer", "overlaps", "overlay", "placing", "position", "precision", "primary", "real",
    "references", "returning", "right", "row", "rows", "select", "session_user", "setof", "similar",
    "smallint", "some", "substring", "symmetric", "system_user", "table", "tablesample", "then", "time",
    "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique", "user", "using", "values",
    "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize",
    "xmltable",
];

/// Functions of `pg_catalog` that neither take names as text, nor ask for the path, the role or a setting,
/// nor change the session, nor touch rows, sorted. A missing one costs time only.
#[rustfmt::skip] // one word a line would be pages
pub(super) const FUNCTIONS: &[&str] = &[
    "abs", "acos", "age", "array_agg", "array_append", "array_cat", "array_dims", "array_fill",
    "array_length", "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend",
    "array_remove", "array_replace", "array_to_json", "array_to_string", "array_upper", "ascii", "asin",
    "atan", "atan2", "avg", "bit_and", "bit_length", "bit_or", "bool_and", "bool_or", "btrim",
    "cardinality", "cbrt", "ceil", "ceiling", "char_length", "character_length", "chr", "clock_timestamp",
    "concat", "concat_ws", "corr", "cos", "cot", "count", "covar_pop", "covar_samp", "cume_dist",
    "date_bin", "date_part", "date_trunc", "decode", "degrees", "dense_rank", "div", "encode", "every",
    "exp", "factorial", "first_value", "floor", "format", "gcd", "gen_random_uuid", "generate_series",
    "generate_subscripts", "get_byte", "initcap", "isfinite", "json_agg", "json_array_elements",
    "json_array_elements_text", "json_array_length", "json_build_array", "json_build_object", "json_each",
    "json_each_text", "json_extract_path", "json_extract_path_text", "json_object", "json_object_agg",
    "json_object_keys", "json_strip_nulls", "json_typeof", "jsonb_agg", "jsonb_array_elements",
    "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array", "jsonb_build_object",
    "jsonb_each", "jsonb_each_text", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert",
    "jsonb_object", "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_query",
    "jsonb_path_query_array", "jsonb_path_query_first", "jsonb_pretty", "jsonb_set", "jsonb_strip_nulls",
    "jsonb_typeof", "justify_days", "justify_hours", "justify_interval", "lag", "last_value", "lcm", "lead",
    "left", "length", "ln", "log", "log10", "lower", "lpad", "ltrim", "make_date", "make_interval",
    "make_time", "make_timestamp", "make_timestamptz", "max", "md5", "min", "mod", "mode", "now",
    "nth_value", "ntile", "octet_length", "overlay", "percent_rank", "percentile_cont", "percentile_disc",
    "pi", "position", "power", "radians", "random", "rank", "regexp_count", "regexp_instr", "regexp_like",
    "regexp_match", "regexp_matches", "regexp_replace", "regexp_split_to_array", "regexp_split_to_table",
    "regexp_substr", "regr_slope", "repeat", "replace", "reverse", "right", "round", "row_number",
    "row_to_json", "rpad", "rtrim", "scale", "sha224", "sha256", "sha384", "sha512", "sign", "sin",
    "split_part", "sqrt", "starts_with", "statement_timestamp", "stddev", "stddev_pop", "stddev_samp",
    "string_agg", "string_to_array", "strpos", "substr", "substring", "sum", "tan", "to_char", "to_date",
    "to_hex", "to_json", "to_jsonb", "to_number", "to_timestamp", "transaction_timestamp", "translate",
    "trim_array", "trim_scale", "trunc", "unnest", "upper", "var_pop", "var_samp", "variance",
    "width_bucket",
];

/// What looks like a function and is grammar, when it is not quoted.
#[rustfmt::skip] // one word a line would be pages
const CONSTRUCTS: &[&str] = &[
    "coalesce", "greatest", "grouping", "least", "nullif", "row",
];

/// What looks like a column and is grammar. It may have a precision: `CURRENT_TIMESTAMP(3)`.
const CONSTANTS: &[&str] =
    &["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// Collations of `pg_catalog`, which is searched first, in every database.
const COLLATIONS: &[&str] = &["C", "POSIX", "default"];

/// Whether a bare name, in lower case, is a key word.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.binary_search(&name).is_ok()
}

/// Whether the server may keep a relation of that name in `pg_catalog`, which is searched before the tenant's
/// schema.
pub(super) fn is_reserved_relation(name: &str) -> bool {
    name.starts_with("pg_")
}

/// Whether a function is known to be harmless.
pub(super) fn is_known_function(ident: &Ident) -> bool {
    match ident.quote_style {
        None => {
            let folded = ident.value.to_ascii_lowercase();
            is_in(FUNCTIONS, &folded) || is_in(CONSTRUCTS, &folded)
        }
        Some('"') => is_in(FUNCTIONS, &ident.value),
        Some(_) => false,
    }
}

/// Whether it is one of those that are called without parentheses.
pub(super) fn is_constant_function(ident: &Ident) -> bool {
    ident.quote_style.is_none() && CONSTANTS.iter().any(|known| ident.value.eq_ignore_ascii_case(known))
}

pub(super) fn is_known_collation(ident: &Ident) -> bool {
    ident.quote_style == Some('"') && COLLATIONS.contains(&ident.value.as_str())
}

fn is_in(sorted: &[&str], name: &str) -> bool {
    sorted.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in [KEYWORDS, FUNCTIONS, CONSTRUCTS] {
            assert!(list.is_sorted_by(|a, b| a < b));
        }
    }
}
