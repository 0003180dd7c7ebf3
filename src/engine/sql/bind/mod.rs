//! From the syntax tree to bound trees: names become tables and slots, literals and parameters get
//! types, functions and operators are chosen. Everything that PostgreSQL's analysis refuses is
//! refused here.

mod aggregate;
mod argument;
mod arithmetic;
mod coerce;
mod column_name;
mod common;
mod expression;
mod from;
mod function;
mod hint;
mod json;
mod members;
mod query;
mod record;
mod regclass;
mod row;
mod scope;
mod security;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Type, Value};
use syntax::{LockMode, LockWait, ObjectName, PolicyCommand, Privilege, RowLock, SetOperator};

use crate::catalog::{Authority, Catalog, Privileges, Table, UserFunction};
use crate::error::{Fallible, error, state};
use crate::expr::{Bound, SetFunction, Slot};
use crate::storage::{DatabaseId, RelationId, Xid};
use crate::types::SqlType;

pub(crate) use column_name::column_name;
pub(crate) use expression::{column_modifier, column_type};
pub(crate) use members::{Level, Member};
pub(crate) use regclass::object_name;
pub(crate) use row::RowClause;
pub(crate) use write::known_column;

pub(crate) use aggregate::{Aggregate, AggregateFunction, Grouping};
pub(crate) use argument::Arguments;
pub(crate) use common::{BoundCommon, BoundStatement};
pub(crate) use scope::{Scope, ScopeColumn, ScopeItem, Source, SystemColumn};
pub(crate) use security::{BoundCheck, denied};
pub(crate) use write::{BoundDelete, BoundInsert, BoundUpdate};

/// What names mean to one statement of one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) catalog: &'a Catalog,
    /// The numbers of the transaction that looks.
    pub(crate) own: &'a [Xid],
    pub(crate) database: DatabaseId,
    pub(crate) search_path: &'a [Arc<str>],
    /// As whom it looks.
    pub(crate) role: &'a Arc<str>,
    /// The setting: off, a statement that policies would change is refused.
    pub(crate) row_security: bool,
}

/// A base table's appearance in a statement. Its number is also the place of its current row's id.
#[derive(Clone, Debug)]
pub(crate) struct RangeTable {
    pub(crate) table: Arc<Table>,
    /// The columns that are read, each with its slot.
    pub(crate) wanted: Vec<(u16, Slot)>,
    /// What is read of its rows besides.
    pub(crate) system: Vec<(SystemColumn, Slot)>,
    /// What is done with its rows; `None`: they are not rows of the table yet.
    pub(crate) command: Option<PolicyCommand>,
    /// What the role must be allowed, besides SELECT of `read`.
    pub(crate) required: Privileges,
    /// The columns that the statement itself reads: not those of policies, not those that come along.
    pub(crate) read: BTreeSet<u16>,
    pub(crate) written: BTreeSet<u16>,
    /// The tables in whose policies it stands.
    within: Vec<RelationId>,
    /// What its policies ask of a row.
    pub(crate) security: Vec<Bound>,
    /// Its own rows only.
    pub(crate) only: bool,
    /// Where its rows are, if not (only) in itself.
    pub(crate) members: Vec<Member>,
    /// The partitioned tables above the members, itself first.
    pub(crate) levels: Vec<Level>,
    /// Of a member: where the columns are of the table that it is a member of.
    pub(crate) root_columns: Option<Arc<[Option<u16>]>>,
}

impl RangeTable {
    /// The slots that a row of it is put into.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        let columns = self.wanted.iter().map(|(_, slot)| *slot);
        columns.chain(self.system.iter().map(|(_, slot)| *slot))
    }

    /// Whether its rows are in other tables, too.
    pub(crate) fn has_members(&self) -> bool {
        !self.members.is_empty() || (self.table.partition_key.is_some() && !self.only)
    }

    /// An expression of the catalog over a row of this table, over the statement's slots; `None`: the statement
    /// does not read all that it reads.
    pub(crate) fn of_row(&self, expression: &Bound) -> Option<Bound> {
        let mut localised = expression.clone();
        self.localise(&mut localised).then_some(localised)
    }

    fn localise(&self, expression: &mut Bound) -> bool {
        if let crate::expr::BoundKind::Slot(slot) = &mut expression.kind {
            let found = self.wanted.iter().find(|(column, _)| u32::from(*column) == *slot);
            return match found {
                Some((_, own)) => {
                    *slot = *own;
                    true
                }
                None => false,
            };
        }
        expression.children_mut().into_iter().all(|child| self.localise(child))
    }
}

/// A column of a query's result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    pub(crate) data_type: SqlType,
    pub(crate) slot: Slot,
}

#[derive(Clone, Debug)]
pub(crate) struct BoundQuery {
    pub(crate) body: Body,
    pub(crate) output: Vec<Target>,
    pub(crate) order_by: Vec<SortKey>,
    pub(crate) limit: Option<Bound>,
    pub(crate) offset: Option<Bound>,
    pub(crate) locking: Vec<BoundLock>,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Select(Box<BoundSelect>),
    Values(Vec<Vec<Bound>>),
    Set {
        operator: SetOperator,
        all: bool,
        left: Box<BoundQuery>,
        right: Box<BoundQuery>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct BoundSelect {
    pub(crate) from: From,
    pub(crate) filter: Vec<Bound>,
    pub(crate) grouping: Option<Grouping>,
    pub(crate) having: Vec<Bound>,
    /// What has to be computed for the output and for the order.
    pub(crate) compute: Vec<(Bound, Slot)>,
    /// Set-returning calls of the select list: each row becomes as many as the longest gives.
    pub(crate) series: Vec<Series>,
    pub(crate) distinct: BoundDistinct,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BoundDistinct {
    All,
    Distinct,
    /// `DISTINCT ON`: the first row of each combination of these slots.
    On(Vec<Slot>),
}

#[derive(Clone, Debug)]
pub(crate) enum From {
    /// No FROM: one row of nothing.
    Nothing,
    /// A base table, by its number.
    Table(usize),
    Derived(Box<BoundQuery>),
    /// What a WITH query gives that is kept.
    Common {
        number: usize,
        slots: Vec<Slot>,
    },
    Series(Series),
    Join {
        left: Box<From>,
        right: Box<From>,
        kind: Join,
        condition: Vec<Bound>,
        /// What a merged column of FULL JOIN USING computes.
        merged: Vec<(Bound, Slot)>,
    },
}

/// A call of a function that returns a set.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) function: SetFunction,
    pub(crate) arguments: Vec<Bound>,
    /// One for each of its columns.
    pub(crate) slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Join {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SortKey {
    pub(crate) slot: Slot,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// Rows of a table to lock as they are returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BoundLock {
    pub(crate) table: usize,
    pub(crate) strength: RowLock,
    pub(crate) wait: LockWait,
}

/// Binds one statement. What it gathers on the way belongs to the whole statement.
#[derive(Debug)]
pub(crate) struct Binder<'a> {
    names: Names<'a>,
    authority: Authority,
    /// The tables whose policies are being bound.
    within: Vec<RelationId>,
    pub(crate) tables: Vec<RangeTable>,
    /// Expression subqueries, by number; whether each reads from an enclosing query.
    pub(crate) subqueries: Vec<(BoundQuery, bool)>,
    pub(crate) params: Vec<SqlType>,
    /// Of the function whose statement it is.
    arguments: Arguments,
    /// The functions that it calls which users have made.
    called: Vec<Arc<UserFunction>>,
    /// Tables to lock before anything runs, in the order in which they are named.
    pub(crate) locks: Vec<(RelationId, LockMode)>,
    slot_count: u32,
    /// Leave the literals of the next select list untyped.
    keep_unknown: bool,
    /// Set-returning calls of the select list that is being bound; `None` where there can be none.
    series: Option<Vec<Series>>,
    /// Innermost last.
    scopes: Vec<Scope>,
    /// Common table expressions in reach, innermost last.
    common: Vec<(Arc<str>, common::Common)>,
    /// Those that run once, by number.
    pub(crate) commons: Vec<BoundCommon>,
    /// How often the statement names each table, if it has a WITH.
    uses: BTreeMap<Arc<str>, usize>,
    /// The next WITH is the statement's own.
    at_top: bool,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(names: Names<'a>) -> Binder<'a> {
        Binder {
            names,
            authority: names.authority(),
            within: Vec::new(),
            tables: Vec::new(),
            subqueries: Vec::new(),
            params: Vec::new(),
            arguments: Arguments::default(),
            called: Vec::new(),
            locks: Vec::new(),
            slot_count: 0,
            keep_unknown: false,
            series: None,
            scopes: Vec::new(),
            common: Vec::new(),
            commons: Vec::new(),
            uses: BTreeMap::new(),
            at_top: false,
        }
    }

    /// As a statement of a function with these arguments.
    pub(crate) fn within_function(mut self, arguments: Arguments) -> Self {
        self.params = arguments.types.clone();
        self.arguments = arguments;
        self
    }

    pub(crate) fn slot_count(&self) -> u32 {
        self.slot_count
    }

    pub(crate) fn new_slot(&mut self) -> Slot {
        self.slot_count += 1;
        self.slot_count - 1
    }

    /// The parameters' types; a parameter that nothing decided is text.
    pub(crate) fn param_types(&self) -> Vec<SqlType> {
        let settle = |data_type: &SqlType| match data_type {
            SqlType::Unknown => SqlType::TEXT,
            known => *known,
        };
        self.params.iter().map(settle).collect()
    }

    /// Finds a table and notes the lock that the statement needs on it.
    pub(crate) fn table(&mut self, name: &ObjectName, mode: LockMode) -> Fallible<Arc<Table>> {
        let table = match self.within.is_empty() {
            true => match self
                .names
                .find_table(name)
                .is_none()
                .then(|| crate::system::named(name))
            {
                Some(Some(view)) if mode == LockMode::AccessShare => view.clone(),
                Some(Some(view)) => {
                    let what = format!("writing to the system view \"{}\", or locking its rows,", view.name);
                    return Err(crate::error::unsupported(what).at(name.span()));
                }
                _ => self.names.table(name)?.clone(),
            },
            // Who wrote the policy could see the schema.
            false => self.names.find_table(name).cloned().ok_or_else(|| no_table(name))?,
        };
        match self.locks.iter_mut().find(|(id, _)| *id == table.id) {
            Some((_, held)) => *held = (*held).max(mode),
            None => self.locks.push((table.id, mode)),
        }
        Ok(table)
    }

    /// A new appearance of a table.
    pub(crate) fn range_table(&mut self, table: Arc<Table>) -> usize {
        self.tables.push(RangeTable {
            table,
            wanted: Vec::new(),
            system: Vec::new(),
            command: None,
            required: Privileges::NONE,
            read: BTreeSet::new(),
            written: BTreeSet::new(),
            within: self.within.clone(),
            security: Vec::new(),
            only: false,
            members: Vec::new(),
            levels: Vec::new(),
            root_columns: None,
        });
        self.tables.len() - 1
    }

    /// An appearance of a table whose rows are read, updated or deleted.
    pub(crate) fn used_table(&mut self, table: Arc<Table>, command: PolicyCommand) -> usize {
        let number = self.range_table(table);
        let range = &mut self.tables[number];
        range.command = Some(command);
        range.required = Privileges::of(&[match command {
            PolicyCommand::All | PolicyCommand::Select => Privilege::Select,
            PolicyCommand::Insert => Privilege::Insert,
            PolicyCommand::Update => Privilege::Update,
            PolicyCommand::Delete => Privilege::Delete,
        }]);
        number
    }

    /// The slot of a base table's column, made when it is first asked for.
    pub(crate) fn column_slot(&mut self, table: usize, column: u16) -> Slot {
        let wanted = &self.tables[table].wanted;
        if let Some((_, slot)) = wanted.iter().find(|(found, _)| *found == column) {
            return *slot;
        }
        let slot = self.new_slot();
        let wanted = &mut self.tables[table].wanted;
        let at = wanted.partition_point(|(other, _)| *other < column);
        wanted.insert(at, (column, slot));
        slot
    }

    /// Slots for all columns, the dropped ones too, in order: a row to be stored.
    pub(crate) fn all_slots(&mut self, table: usize) -> Vec<Slot> {
        let count = self.tables[table].table.columns.len();
        (0..count)
            .map(|column| self.column_slot(table, column as u16))
            .collect()
    }

    /// An expression's slot: its own if it is one, else a new one that must be computed.
    pub(crate) fn slot_for(&mut self, expression: Bound, compute: &mut Vec<(Bound, Slot)>) -> Slot {
        if let crate::expr::BoundKind::Slot(slot) = expression.kind {
            return slot;
        }
        // What has no type yet may get different ones.
        let shared = expression.data_type != SqlType::Unknown && !expression.is_volatile();
        if let Some((_, slot)) = compute.iter().find(|(other, _)| shared && *other == expression) {
            return *slot;
        }
        let slot = self.new_slot();
        compute.push((expression, slot));
        slot
    }
}

impl Names<'_> {
    pub(crate) fn table(&self, name: &ObjectName) -> Fallible<&Arc<Table>> {
        self.check_schema(name)?;
        self.find_table(name).ok_or_else(|| no_table(name))
    }

    pub(crate) fn authority(&self) -> Authority {
        self.catalog.authority(self.role, self.own)
    }

    /// The schema that a name mentions must be one that the role may use.
    pub(crate) fn check_schema(&self, name: &ObjectName) -> Fallible<()> {
        match &name.schema {
            Some(schema) if !self.may_use(&schema.text) => Err(denied("schema", &schema.text).at(name.span())),
            _ => Ok(()),
        }
    }

    fn may_use(&self, schema: &str) -> bool {
        let usage = Privileges::of(&[Privilege::Usage]);
        let schema = self.catalog.schema(self.database, schema, self.own);
        schema.is_none_or(|schema| schema.access.allows(&self.authority(), usage))
    }

    pub(crate) fn find_table(&self, name: &ObjectName) -> Option<&Arc<Table>> {
        let named = |schema: &str| {
            self.catalog
                .table_named(self.database, schema, &name.name.text, self.own)
        };
        match &name.schema {
            Some(schema) => named(&schema.text),
            None => self
                .search_path
                .iter()
                .filter(|schema| self.may_use(schema))
                .find_map(|schema| named(schema)),
        }
    }

    /// The functions of this name that users have made, by the order of schemas.
    pub(crate) fn functions(&self, name: &ObjectName) -> Vec<Arc<UserFunction>> {
        let schemas = match &name.schema {
            Some(schema) => std::slice::from_ref(&schema.text),
            None => self.search_path,
        };
        let in_schema = |schema: &Arc<str>| {
            self.catalog
                .functions_named(self.database, schema, &name.name.text, self.own)
                .cloned()
                .collect::<Vec<_>>()
        };
        schemas
            .iter()
            .filter(|schema| self.may_use(schema))
            .flat_map(in_schema)
            .collect()
    }

    pub(crate) fn has_functions(&self, name: &ObjectName) -> bool {
        !self.functions(name).is_empty()
    }

    /// Where a new table or index of this name goes.
    pub(crate) fn creation_schema(&self, name: &ObjectName) -> Fallible<Arc<str>> {
        let exists = |schema: &str| self.catalog.has_schema(self.database, schema, self.own);
        let schema = match &name.schema {
            Some(schema) if exists(&schema.text) => Ok(schema.text.clone()),
            Some(schema) => Err(error(
                state::INVALID_SCHEMA_NAME,
                format!("schema \"{}\" does not exist", schema.text),
            )
            .at(schema.span)),
            None => self
                .search_path
                .iter()
                .find(|schema| exists(schema))
                .cloned()
                .ok_or_else(|| {
                    error(state::INVALID_SCHEMA_NAME, "no schema has been selected to create in").at(name.span())
                }),
        }?;
        let create = Privileges::of(&[Privilege::Create]);
        match self.catalog.schema(self.database, &schema, self.own) {
            Some(found) if !found.access.allows(&self.authority(), create) => {
                Err(denied("schema", &schema).at(name.span()))
            }
            _ => Ok(schema),
        }
    }
}

fn no_table(name: &ObjectName) -> Box<crate::SqlError> {
    let message = match &name.schema {
        Some(schema) => format!("relation \"{}.{}\" does not exist", schema.text, name.name.text),
        None => format!("relation \"{}\" does not exist", name.name.text),
    };
    error(state::UNDEFINED_TABLE, message).at(name.span())
}

/// A literal NULL of a type.
pub(crate) fn null_of(data_type: Type) -> Bound {
    Bound::constant(Value::Null, SqlType::Is(data_type))
}
