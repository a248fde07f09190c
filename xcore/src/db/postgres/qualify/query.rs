//! The walk over a query.

use sqlparser::ast::{
    Cte, CteAsMaterialized, Distinct, Expr, Fetch, GroupByExpr, LimitClause, LockClause, LockType,
    NamedWindowDefinition, NamedWindowExpr, Offset, OrderBy, OrderByExpr, OrderByKind, OrderByOptions,
    OrderBySort, Parens, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, Statement, TableAlias, Values, WildcardAdditionalOptions, WindowSpec, With,
};

use super::analysis::Reason;
use super::mutants::Mutant;
use super::statement::{Walk, Walked, name, refuse, single};

/// Whether a list of common table expressions hangs on the query inside of the parentheses, directly.
fn parenthesised_with(body: &SetExpr) -> bool {
    match body {
        SetExpr::Query(inner) => inner.with.is_some() || parenthesised_with(&inner.body),
        _ => false,
    }
}

impl Walk<'_> {
    pub(super) fn query(&mut self, query: &Query) -> Walked {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let plain = for_clause.is_none()
            && settings.is_none()
            && format_clause.is_none()
            && pipe_operators.is_empty();
        refuse(plain, "a clause of another database")?;
        // PostgreSQL moves what follows `(WITH .. SELECT ..)` into the parentheses, so there the inner names
        // are seen.
        let bare = with.is_none()
            && order_by.is_none()
            && limit_clause.is_none()
            && fetch.is_none()
            && locks.is_empty()
            || Mutant::BehindWith.is_on();
        refuse(bare || !parenthesised_with(body), "a clause behind a WITH in parentheses")?;

        let mark = self.scope.open();
        if let Some(with) = with {
            self.with(with)?;
        }
        self.set_expression(body)?;
        if let Some(order_by) = order_by {
            self.order_by(order_by)?;
        }
        if let Some(limit) = limit_clause {
            self.limit(limit)?;
        }
        if let Some(Fetch { with_ties: _, percent, quantity }) = fetch {
            refuse(!percent, "FETCH PERCENT")?;
            self.optional(quantity.as_ref())?;
        }
        for lock in locks {
            self.lock(lock)?;
        }
        self.scope.close(mark);
        Ok(())
    }

    fn with(&mut self, with: &With) -> Walked {
        let With { with_token: _, recursive, cte_tables } = with;
        let recursive = *recursive || Mutant::AllIsRecursive.is_on();
        let mut names = Vec::with_capacity(cte_tables.len());
        for cte in cte_tables {
            let Cte { alias: cte_alias, query: _, from, materialized, closing_paren_token: _ } = cte;
            let (None | Some(CteAsMaterialized::Materialized | CteAsMaterialized::NotMaterialized)) =
                materialized;
            refuse(from.is_none(), "FROM behind a common table expression")?;
            names.push(alias(cte_alias)?);
        }
        if recursive {
            // Every member sees all of them.
            for name in &names {
                self.scope.add(name.clone(), true);
            }
        }
        for (cte, name) in cte_tables.iter().zip(names) {
            self.query(&cte.query)?;
            if !recursive {
                // A member sees those before it, and in itself its name is still a table.
                self.scope.add(name, false);
            }
        }
        Ok(())
    }

    fn limit(&mut self, limit: &LimitClause) -> Walked {
        match limit {
            LimitClause::LimitOffset { limit, offset, limit_by } => {
                refuse(limit_by.is_empty(), "LIMIT BY")?;
                self.optional(limit.as_ref())?;
                match offset {
                    Some(Offset { value, rows: _ }) => self.expression(value),
                    None => Ok(()),
                }
            }
            LimitClause::OffsetCommaLimit { .. } => Err(Reason::Clause("LIMIT with a comma")),
        }
    }

    fn lock(&mut self, lock: &LockClause) -> Walked {
        let LockClause { lock_type, of, nonblock: _ } = lock;
        let (LockType::Share | LockType::Update) = lock_type;
        self.writes = true;
        // It names an alias or a table of FROM, which may not be qualified.
        match of {
            Some(of) => name(single(of)?).map(drop),
            None => Ok(()),
        }
    }

    fn set_expression(&mut self, body: &SetExpr) -> Walked {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let known = matches!(op, SetOperator::Union | SetOperator::Except | SetOperator::Intersect)
                    && matches!(
                        set_quantifier,
                        SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None
                    );
                refuse(known, "a set operation of another database")?;
                self.set_expression(left)?;
                self.set_expression(right)
            }
            SetExpr::Values(Values { explicit_row, value_keyword, rows }) => {
                refuse(!explicit_row && !value_keyword, "VALUES of another database")?;
                for Parens { opening_token: _, content, closing_token: _ } in rows {
                    self.expressions(content)?;
                }
                Ok(())
            }
            SetExpr::Insert(Statement::Insert(insert)) => self.insert(insert),
            SetExpr::Update(Statement::Update(update)) => self.update(update),
            SetExpr::Delete(Statement::Delete(delete)) => self.delete(delete),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(Reason::Statement)
            }
            SetExpr::Table(_) => Err(Reason::Clause("TABLE")),
        }
    }

    fn select(&mut self, select: &Select) -> Walked {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        refuse(into.is_none(), "SELECT INTO")?;
        let plain = optimizer_hints.is_empty()
            && select_modifiers.is_none()
            && top.is_none()
            && exclude.is_none()
            && lateral_views.is_empty()
            && prewhere.is_none()
            && connect_by.is_empty()
            && cluster_by.is_empty()
            && distribute_by.is_empty()
            && sort_by.is_empty()
            && qualify.is_none()
            && value_table_mode.is_none()
            && *flavor == SelectFlavor::Standard;
        refuse(plain, "a clause of another database")?;
        if let Some(Distinct::On(expressions)) = distinct {
            self.expressions(expressions)?;
        }
        projection.iter().try_for_each(|item| self.select_item(item))?;
        self.from(from)?;
        self.optional(selection.as_ref())?;
        match group_by {
            GroupByExpr::Expressions(expressions, modifiers) => {
                refuse(modifiers.is_empty(), "GROUP BY .. WITH")?;
                self.expressions(expressions)?;
            }
            GroupByExpr::All(_) => return Err(Reason::Clause("GROUP BY ALL")),
        }
        self.optional(having.as_ref())?;
        for NamedWindowDefinition(ident, window) in named_window {
            name(ident)?;
            match window {
                NamedWindowExpr::NamedWindow(_) => {
                    return Err(Reason::Clause("a window without parentheses"));
                }
                NamedWindowExpr::WindowSpec(spec) => self.window(spec)?,
            }
        }
        Ok(())
    }

    pub(super) fn select_item(&mut self, item: &SelectItem) -> Walked {
        match item {
            SelectItem::UnnamedExpr(expression) => self.expression(expression),
            SelectItem::ExprWithAlias { expr, alias } => {
                name(alias)?;
                self.expression(expr)
            }
            SelectItem::ExprWithAliases { .. } => Err(Reason::Clause("several aliases")),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), options) => {
                name(single(table)?)?;
                wildcard(options)
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => {
                Err(Reason::Expression("the fields of an expression"))
            }
            SelectItem::Wildcard(options) => wildcard(options),
        }
    }

    fn order_by(&mut self, order_by: &OrderBy) -> Walked {
        let OrderBy { kind, interpolate } = order_by;
        refuse(interpolate.is_none(), "INTERPOLATE")?;
        match kind {
            OrderByKind::Expressions(expressions) => self.orderings(expressions),
            OrderByKind::All(_) => Err(Reason::Clause("ORDER BY ALL")),
        }
    }

    pub(super) fn orderings(&mut self, orderings: &[OrderByExpr]) -> Walked {
        for OrderByExpr { expr, options, with_fill } in orderings {
            let OrderByOptions { sort, nulls_first: _ } = options;
            refuse(with_fill.is_none(), "WITH FILL")?;
            refuse(matches!(sort, None | Some(OrderBySort::Asc | OrderBySort::Desc)), "ORDER BY USING")?;
            self.expression(expr)?;
        }
        Ok(())
    }

    pub(super) fn window(&mut self, window: &WindowSpec) -> Walked {
        use sqlparser::ast::{WindowFrame, WindowFrameBound};

        let WindowSpec { window_name, partition_by, order_by, window_frame } = window;
        if let Some(window) = window_name {
            name(window)?;
        }
        self.expressions(partition_by)?;
        self.orderings(order_by)?;
        let Some(WindowFrame { units: _, start_bound, end_bound }) = window_frame else { return Ok(()) };
        for bound in [Some(start_bound), end_bound.as_ref()].into_iter().flatten() {
            match bound {
                WindowFrameBound::CurrentRow => {}
                WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
                    self.optional(rows.as_deref())?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn optional(&mut self, expression: Option<&Expr>) -> Walked {
        expression.map_or(Ok(()), |expression| self.expression(expression))
    }

    pub(super) fn expressions(&mut self, expressions: &[Expr]) -> Walked {
        expressions.iter().try_for_each(|expression| self.expression(expression))
    }
}

/// An alias, with names of columns and without types.
pub(super) fn alias(alias: &TableAlias) -> Result<Box<str>, Reason> {
    let TableAlias { explicit: _, name: ident, columns, at } = alias;
    refuse(at.is_none(), "AT behind an alias")?;
    for column in columns {
        refuse(column.data_type.is_none(), "types in an alias")?;
        name(&column.name)?;
    }
    name(ident)
}

fn wildcard(options: &WildcardAdditionalOptions) -> Walked {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let plain = opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none();
    refuse(plain, "a wildcard with options")
}
