//! The walk over a statement.
//!
//! Patterns name every field, so that a new one does not compile until it is decided here.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, FromTable, Ident, Insert, ObjectName,
    ObjectNamePart, OnConflict, OnConflictAction, OnInsert, SelectItem, Statement, TableAliasWithoutColumns,
    TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::analysis::Reason;
use super::lexer::bytes_of;
use super::mutants::Mutant;
use super::names::{is_keyword, is_reserved_relation};
use super::scope::Scope;
use super::template::Template;

pub(super) type Walked = Result<(), Reason>;

/// Gathers the tables of a statement.
pub(super) struct Walk<'a> {
    text: &'a str,
    holes: Vec<usize>,
    pub(super) scope: Scope,
    pub(super) writes: bool,
}

/// Refuses a part of a statement.
pub(super) fn refuse(allowed: bool, what: &'static str) -> Walked {
    if allowed { Ok(()) } else { Err(Reason::Clause(what)) }
}

/// The only part of a name.
pub(super) fn single(name: &ObjectName) -> Result<&Ident, Reason> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Ok(ident),
        [ObjectNamePart::Function(_)] => Err(Reason::Clause("a function as a name")),
        _ => Err(Reason::AlreadyQualified),
    }
}

/// A name behind a dot, where the server takes any word.
pub(super) fn label(ident: &Ident) -> Walked {
    match ident.quote_style {
        None | Some('"') => Ok(()),
        Some(_) => Err(Reason::Name(ident.value.as_str().into())),
    }
}

/// A name as the server resolves it. A bare key word is refused: the server may read it otherwise than the
/// parser.
pub(super) fn name(ident: &Ident) -> Result<Box<str>, Reason> {
    label(ident)?;
    if ident.quote_style.is_some() {
        return Ok(ident.value.as_str().into());
    }
    if Mutant::NotFolded.is_on() {
        return Ok(ident.value.as_str().into());
    }
    let folded = ident.value.to_ascii_lowercase();
    if is_keyword(&folded) { Err(Reason::Name(folded.into())) } else { Ok(folded.into()) }
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, holes: Vec::new(), scope: Scope::default(), writes: false }
    }

    pub(super) fn finish(mut self) -> Result<Template, Reason> {
        self.holes.sort_unstable();
        if self.holes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Reason::Misplaced);
        }
        Ok(Template::new(self.text, self.holes, self.writes))
    }

    /// A table, and never a common table expression.
    pub(super) fn table(&mut self, relation: &ObjectName) -> Walked {
        let ident = single(relation)?;
        let resolved = name(ident)?;
        if is_reserved_relation(&resolved) {
            return Err(Reason::Name(resolved));
        }
        let at = self.place(ident)?;
        self.holes.push(at);
        Ok(())
    }

    /// The table that is changed. It is a table even when a common table expression has its name.
    pub(super) fn target_table(&mut self, relation: &ObjectName) -> Walked {
        let resolved = name(single(relation)?)?;
        refuse(!self.scope.holds_recursive(&resolved), "a target with the name of a recursive expression")?;
        self.table(relation)
    }

    /// Where a name begins, when the text has it there.
    fn place(&self, ident: &Ident) -> Result<usize, Reason> {
        let bytes = bytes_of(ident.span).ok_or(Reason::Misplaced)?;
        let found = self.text.get(bytes.clone()).ok_or(Reason::Misplaced)?;
        let same = match ident.quote_style {
            Some(_) => found.strip_prefix('"').and_then(|f| f.strip_suffix('"')) == Some(&ident.value),
            None => found == ident.value,
        };
        let off = usize::from(Mutant::OneOff.is_on());
        if same { Ok(bytes.start + off) } else { Err(Reason::Misplaced) }
    }

    pub(super) fn statement(&mut self, statement: &Statement) -> Walked {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            _ => Err(Reason::Statement),
        }
    }

    pub(super) fn insert(&mut self, insert: &Insert) -> Walked {
        let Insert {
            insert_token: _,
            optimizer_hints,
            or,
            ignore,
            into,
            table,
            table_alias,
            columns,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        let plain = optimizer_hints.is_empty()
            && or.is_none()
            && !ignore
            && *into
            && !overwrite
            && assignments.is_empty()
            && partitioned.is_none()
            && after_columns.is_empty()
            && !has_table_keyword
            && output.is_none()
            && !replace_into
            && priority.is_none()
            && insert_alias.is_none()
            && settings.is_none()
            && format_clause.is_none()
            && multi_table_insert_type.is_none()
            && multi_table_into_clauses.is_empty()
            && multi_table_when_clauses.is_empty()
            && multi_table_else_clause.is_none();
        refuse(plain, "INSERT")?;
        self.writes = true;
        let TableObject::TableName(relation) = table else {
            return Err(Reason::Clause("INSERT INTO other than a table"));
        };
        self.target_table(relation)?;
        if let Some(TableAliasWithoutColumns { explicit: _, alias }) = table_alias {
            name(alias)?;
        }
        for column in columns {
            name(single(column)?)?;
        }
        if let Some(query) = source {
            self.query(query)?;
        }
        match on {
            None => {}
            Some(OnInsert::OnConflict(conflict)) => self.on_conflict(conflict)?,
            Some(_) => return Err(Reason::Clause("ON other than CONFLICT")),
        }
        self.returning(returning.as_deref())
    }

    fn on_conflict(&mut self, conflict: &OnConflict) -> Walked {
        let OnConflict { conflict_target, action } = conflict;
        match conflict_target {
            None => {}
            Some(ConflictTarget::Columns(columns)) => {
                for column in columns {
                    name(column)?;
                }
            }
            Some(ConflictTarget::OnConstraint(constraint)) => {
                name(single(constraint)?)?;
            }
        }
        match action {
            OnConflictAction::DoNothing => Ok(()),
            OnConflictAction::DoUpdate(update) => {
                let sqlparser::ast::DoUpdate { assignments, selection } = update;
                self.assignments(assignments)?;
                self.optional(selection.as_ref())
            }
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) -> Walked {
        for Assignment { target, value } in assignments {
            match target {
                AssignmentTarget::ColumnName(column) => {
                    name(single(column)?)?;
                }
                AssignmentTarget::Tuple(columns) => {
                    for column in columns {
                        name(single(column)?)?;
                    }
                }
            }
            self.expression(value)?;
        }
        Ok(())
    }

    fn returning(&mut self, items: Option<&[SelectItem]>) -> Walked {
        items.unwrap_or_default().iter().try_for_each(|item| self.select_item(item))
    }

    fn target(&mut self, target: &TableWithJoins) -> Walked {
        let TableWithJoins { relation, joins } = target;
        refuse(joins.is_empty(), "a join as the target")?;
        match relation {
            TableFactor::Table { .. } => self.table_factor(relation, true),
            _ => Err(Reason::Clause("a target other than a table")),
        }
    }

    pub(super) fn update(&mut self, update: &Update) -> Walked {
        let Update {
            update_token: _,
            optimizer_hints,
            table,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
        } = update;
        let plain = optimizer_hints.is_empty()
            && output.is_none()
            && or.is_none()
            && order_by.is_empty()
            && limit.is_none();
        refuse(plain, "UPDATE")?;
        self.writes = true;
        self.target(table)?;
        self.assignments(assignments)?;
        match from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(tables)) => self.from(tables)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => return Err(Reason::Clause("FROM before SET")),
        }
        self.optional(selection.as_ref())?;
        self.returning(returning.as_deref())
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Walked {
        let Delete {
            delete_token: _,
            optimizer_hints,
            tables,
            from,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
        } = delete;
        let plain = optimizer_hints.is_empty()
            && tables.is_empty()
            && output.is_none()
            && order_by.is_empty()
            && limit.is_none();
        refuse(plain, "DELETE")?;
        self.writes = true;
        match from {
            FromTable::WithFromKeyword(from) => match from.as_slice() {
                [target] => self.target(target)?,
                _ => return Err(Reason::Clause("DELETE from several tables")),
            },
            FromTable::WithoutKeyword(_) => return Err(Reason::Clause("DELETE without FROM")),
        }
        if let Some(using) = using {
            self.from(using)?;
        }
        self.optional(selection.as_ref())?;
        self.returning(returning.as_deref())
    }
}
