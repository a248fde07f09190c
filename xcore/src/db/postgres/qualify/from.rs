//! The walk over FROM.

use sqlparser::ast::{
    FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor,
    TableFunctionArgs, TableWithJoins,
};

use super::analysis::Reason;
use super::mutants::Mutant;
use super::names::is_known_function;
use super::query::alias;
use super::statement::{Walk, Walked, name, refuse, single};

impl Walk<'_> {
    pub(super) fn from(&mut self, tables: &[TableWithJoins]) -> Walked {
        tables.iter().try_for_each(|table| self.table_with_joins(table))
    }

    fn table_with_joins(&mut self, table: &TableWithJoins) -> Walked {
        let TableWithJoins { relation, joins } = table;
        self.table_factor(relation, false)?;
        for Join { relation, global, join_operator } in joins {
            refuse(!global, "GLOBAL JOIN")?;
            self.table_factor(relation, false)?;
            match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint) => self.join_constraint(constraint)?,
                _ => return Err(Reason::Clause("a join of another database")),
            }
        }
        Ok(())
    }

    fn join_constraint(&mut self, constraint: &JoinConstraint) -> Walked {
        match constraint {
            JoinConstraint::On(condition) => self.expression(condition),
            JoinConstraint::Using(columns) => {
                columns.iter().try_for_each(|column| name(single(column)?).map(drop))
            }
            JoinConstraint::Natural | JoinConstraint::None => Ok(()),
        }
    }

    /// What stands in FROM, or the target of a change, which is never a common table expression.
    pub(super) fn table_factor(&mut self, factor: &TableFactor, is_target: bool) -> Walked {
        match factor {
            TableFactor::Table {
                name: relation,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                let plain = with_hints.is_empty()
                    && version.is_none()
                    && partitions.is_empty()
                    && json_path.is_none()
                    && sample.is_none()
                    && index_hints.is_empty();
                refuse(plain, "a table with options")?;
                optional_alias(alias.as_ref())?;
                match args {
                    Some(TableFunctionArgs { args, settings }) => {
                        refuse(settings.is_none() && !is_target, "a function with settings")?;
                        self.table_function(relation, args)
                    }
                    None => {
                        refuse(!with_ordinality, "a table WITH ORDINALITY")?;
                        if is_target && !Mutant::TargetIsScoped.is_on() {
                            return self.target_table(relation);
                        }
                        let resolved = name(single(relation)?)?;
                        if self.scope.holds(&resolved) { Ok(()) } else { self.table(relation) }
                    }
                }
            }
            TableFactor::Derived { lateral: _, subquery, alias, sample } => {
                refuse(sample.is_none(), "a sample of a query")?;
                optional_alias(alias.as_ref())?;
                self.query(subquery)
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                optional_alias(alias.as_ref())?;
                self.table_function(name, args)
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset,
                with_offset_alias,
                with_ordinality: _,
            } => {
                refuse(!with_offset && with_offset_alias.is_none(), "UNNEST WITH OFFSET")?;
                optional_alias(alias.as_ref())?;
                self.expressions(array_exprs)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                optional_alias(alias.as_ref())?;
                self.table_with_joins(table_with_joins)
            }
            _ => Err(Reason::Clause("FROM other than tables, queries and functions")),
        }
    }

    fn table_function(&mut self, function: &ObjectName, args: &[FunctionArg]) -> Walked {
        let ident = single(function)?;
        if !is_known_function(ident) {
            return Err(Reason::Function(ident.value.as_str().into()));
        }
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => self.expression(argument)?,
                _ => return Err(Reason::Expression("an argument of a function")),
            }
        }
        Ok(())
    }
}

fn optional_alias(given: Option<&TableAlias>) -> Walked {
    given.map_or(Ok(()), |given| alias(given).map(drop))
}
