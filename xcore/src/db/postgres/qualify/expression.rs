//! The walk over an expression.

use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, Expr, ExtractSyntax, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident,
    Interval, Subscript, TypedString, UnaryOperator, Value, WindowType,
};

use super::analysis::Reason;
use super::names::{is_constant_function, is_known_collation, is_known_function};
use super::statement::{Walk, Walked, label, name, refuse, single};
use super::types::check_type;

impl Walk<'_> {
    pub(super) fn expression(&mut self, expression: &Expr) -> Walked {
        // A chain such as `a AND b AND c` leans to the left.
        let mut next = expression;
        while let Expr::BinaryOp { left, op, right } = next {
            binary_operator(op)?;
            self.expression(right)?;
            next = left;
        }
        self.operand(next)
    }

    fn both(&mut self, left: &Expr, right: &Expr) -> Walked {
        self.expression(left)?;
        self.expression(right)
    }

    fn operand(&mut self, expression: &Expr) -> Walked {
        match expression {
            Expr::Identifier(ident) => column(ident),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => {
                    name(table)?;
                    label(column)
                }
                _ => Err(Reason::AlreadyQualified),
            },
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.expression(root)?;
                access_chain.iter().try_for_each(|access| match access {
                    AccessExpr::Subscript(Subscript::Index { index }) => self.expression(index),
                    _ => Err(Reason::Expression("a field or a slice")),
                })
            }
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Nested(inner) => self.expression(inner),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.both(left, right)
            }
            Expr::InList { expr, list, negated: _ } => {
                self.expression(expr)?;
                self.expressions(list)
            }
            Expr::InSubquery { expr, subquery, negated: _ } => {
                self.expression(expr)?;
                self.query(subquery)
            }
            Expr::Between { expr, negated: _, low, high } => {
                self.expression(expr)?;
                self.both(low, high)
            }
            Expr::Like { negated: _, any, expr, pattern, escape_char }
            | Expr::ILike { negated: _, any, expr, pattern, escape_char } => {
                refuse(!any, "LIKE ANY")?;
                self.both(expr, pattern)?;
                self.optional(escape_char.as_deref())
            }
            Expr::SimilarTo { negated: _, expr, pattern, escape_char } => {
                self.both(expr, pattern)?;
                self.optional(escape_char.as_deref())
            }
            Expr::AnyOp { left, compare_op, right, is_some: _ } | Expr::AllOp { left, compare_op, right } => {
                binary_operator(compare_op)?;
                self.both(left, right)
            }
            Expr::UnaryOp { op, expr } => match op {
                UnaryOperator::Plus
                | UnaryOperator::Minus
                | UnaryOperator::Not
                | UnaryOperator::BitwiseNot => self.expression(expr),
                _ => Err(Reason::Operator(op.to_string().into())),
            },
            Expr::Cast { kind, expr, data_type, format } => {
                refuse(matches!(kind, CastKind::Cast | CastKind::DoubleColon), "a cast of another database")?;
                refuse(format.is_none(), "CAST FORMAT")?;
                check_type(data_type)?;
                self.expression(expr)
            }
            Expr::AtTimeZone { timestamp, time_zone } => self.both(timestamp, time_zone),
            Expr::Extract { field: _, syntax, expr } => {
                refuse(*syntax == ExtractSyntax::From, "EXTRACT with a comma")?;
                self.expression(expr)
            }
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                let plain =
                    matches!(field, CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime));
                refuse(plain, "CEIL or FLOOR of another database")?;
                self.expression(expr)
            }
            Expr::Position { expr, r#in } => self.both(expr, r#in),
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => {
                self.expression(expr)?;
                self.optional(substring_from.as_deref())?;
                self.optional(substring_for.as_deref())
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                self.optional(trim_what.as_deref())?;
                self.expression(expr)?;
                self.expressions(trim_characters.as_deref().unwrap_or_default())
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.both(expr, overlay_what)?;
                self.expression(overlay_from)?;
                self.optional(overlay_for.as_deref())
            }
            Expr::Collate { expr, collation } => {
                let ident = single(collation)?;
                if !is_known_collation(ident) {
                    return Err(Reason::Type(ident.value.as_str().into()));
                }
                self.expression(expr)
            }
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax }) => {
                refuse(!uses_odbc_syntax, "ODBC")?;
                check_type(data_type)?;
                literal(&value.value)
            }
            Expr::Interval(interval) => plain_interval(interval),
            Expr::Function(function) => self.function(function),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.optional(operand.as_deref())?;
                for CaseWhen { condition, result } in conditions {
                    self.both(condition, result)?;
                }
                self.optional(else_result.as_deref())
            }
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => self.query(subquery),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                sets.iter().try_for_each(|set| self.expressions(set))
            }
            Expr::Tuple(expressions) => self.expressions(expressions),
            Expr::Array(Array { elem, named: _ }) => self.expressions(elem),
            _ => Err(Reason::Expression("an expression that is not known")),
        }
    }

    fn function(&mut self, function: &Function) -> Walked {
        let Function {
            name: path,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment,
            over,
        } = function;
        let plain = !uses_odbc_syntax && *parameters == FunctionArguments::None && null_treatment.is_none();
        refuse(plain, "a function of another database")?;
        let ident = single(path)?;
        let known = match args {
            FunctionArguments::None => is_constant_function(ident),
            FunctionArguments::Subquery(_) => {
                ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("array")
            }
            FunctionArguments::List(_) => is_known_function(ident) || is_constant_function(ident),
        };
        if !known {
            return Err(Reason::Function(ident.value.as_str().into()));
        }
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query)?,
            FunctionArguments::List(list) => self.arguments(list)?,
        }
        self.orderings(within_group)?;
        self.optional(filter.as_deref())?;
        match over {
            None => Ok(()),
            Some(WindowType::WindowSpec(window)) => self.window(window),
            Some(WindowType::NamedWindow(window)) => name(window).map(drop),
        }
    }

    fn arguments(&mut self, list: &FunctionArgumentList) -> Walked {
        let FunctionArgumentList { duplicate_treatment: _, args, clauses } = list;
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => self.expression(argument)?,
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(table)) => {
                    name(single(table)?)?;
                }
                _ => return Err(Reason::Expression("an argument of a function")),
            }
        }
        clauses.iter().try_for_each(|clause| match clause {
            FunctionArgumentClause::OrderBy(orderings) => self.orderings(orderings),
            _ => Err(Reason::Expression("a clause of a function")),
        })
    }
}

/// A bare column. `DEFAULT` is read as one.
fn column(ident: &Ident) -> Walked {
    if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default") {
        return Ok(());
    }
    name(ident).map(drop)
}

fn literal(value: &Value) -> Walked {
    match value {
        Value::Number(_, false)
        | Value::SingleQuotedString(_)
        | Value::EscapedStringLiteral(_)
        | Value::Boolean(_)
        | Value::Null
        | Value::Placeholder(_) => Ok(()),
        _ => Err(Reason::Expression("a literal of another database")),
    }
}

/// `INTERVAL '1' DAY`
fn plain_interval(interval: &Interval) -> Walked {
    let Interval { value, leading_field: _, leading_precision, last_field: _, fractional_seconds_precision } =
        interval;
    let is_string =
        matches!(&**value, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
    refuse(is_string && leading_precision.is_none() && fractional_seconds_precision.is_none(), "INTERVAL")
}

fn binary_operator(operator: &BinaryOperator) -> Walked {
    match operator {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::StringConcat
        | BinaryOperator::Gt
        | BinaryOperator::Lt
        | BinaryOperator::GtEq
        | BinaryOperator::LtEq
        | BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::And
        | BinaryOperator::Or
        | BinaryOperator::BitwiseOr
        | BinaryOperator::BitwiseAnd
        | BinaryOperator::PGBitwiseXor
        | BinaryOperator::PGBitwiseShiftLeft
        | BinaryOperator::PGBitwiseShiftRight
        | BinaryOperator::PGExp
        | BinaryOperator::PGOverlap
        | BinaryOperator::PGRegexMatch
        | BinaryOperator::PGRegexIMatch
        | BinaryOperator::PGRegexNotMatch
        | BinaryOperator::PGRegexNotIMatch
        | BinaryOperator::Arrow
        | BinaryOperator::LongArrow
        | BinaryOperator::HashArrow
        | BinaryOperator::HashLongArrow
        | BinaryOperator::AtArrow
        | BinaryOperator::ArrowAt
        | BinaryOperator::HashMinus
        | BinaryOperator::AtQuestion
        | BinaryOperator::Question
        | BinaryOperator::QuestionAnd
        | BinaryOperator::QuestionPipe => Ok(()),
        _ => Err(Reason::Operator(operator.to_string().into())),
    }
}
