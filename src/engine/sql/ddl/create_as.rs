//! CREATE TABLE AS: the table by the query's columns, then the query's rows into it.

use base::Type;
use syntax::{
    ColumnDef, CreateTable, CreateTableAs, DataType, DataTypeKind, Insert, InsertSource, Name, ObjectName, Statement,
};

use super::Definer;
use crate::bind::Binder;
use crate::error::{Fallible, error, state, unsupported};
use crate::server::Core;
use crate::session::SessionState;

/// Makes the table; gives the statement that fills it. `None`: it was there already, or is to stay empty.
pub(crate) fn create_table_as(
    create: &CreateTableAs,
    session: &mut SessionState,
    core: &mut Core,
) -> Fallible<Option<Statement>> {
    if session.transaction.modes.read_only {
        let message = "cannot execute CREATE TABLE AS in a read-only transaction";
        return Err(error(state::READ_ONLY_TRANSACTION, message));
    }
    let xid = session.write_xid(core)?;
    let mut definer = Definer { session, core, xid };
    let columns = definer.columns_of_query(create)?;
    let schema = definer.names().creation_schema(&create.name)?;
    let database = definer.session.database;
    let name = &create.name.name.text;
    let exists = (definer.core.catalog).relation_exists(database, &schema, name, definer.own());
    definer.create_table(&CreateTable {
        name: create.name.clone(),
        if_not_exists: create.if_not_exists,
        columns,
        constraints: Vec::new(),
        inherits: Vec::new(),
        partition_of: None,
        partition_by: None,
        parameters: create.parameters.clone(),
    })?;
    if exists || !create.data {
        return Ok(None);
    }
    Ok(Some(Statement::Insert(Box::new(Insert {
        with: Vec::new(),
        table: ObjectName {
            schema: Some(Name::new(schema)),
            name: create.name.name.clone(),
        },
        alias: None,
        columns: Vec::new(),
        source: InsertSource::Query(Box::new(create.query.clone())),
        on_conflict: None,
        returning: None,
    }))))
}

impl Definer<'_> {
    fn columns_of_query(&self, create: &CreateTableAs) -> Fallible<Vec<ColumnDef>> {
        let output = Binder::new(self.names()).query(&create.query)?.output;
        if create.columns.len() > output.len() {
            return Err(error(state::SYNTAX_ERROR, "too many column names were specified"));
        }
        for target in &output {
            match target.data_type.settled() {
                Type::Record => {
                    let message = format!("column \"{}\" has pseudo-type record", target.name);
                    return Err(error(state::INVALID_TABLE_DEFINITION, message));
                }
                internal @ (Type::Tid | Type::Oid | Type::Regclass) => {
                    return Err(unsupported(format!("a column of type {internal}")));
                }
                _ => {}
            }
        }
        let define = |(at, target): (usize, &crate::bind::Target)| ColumnDef {
            name: create
                .columns
                .get(at)
                .cloned()
                .unwrap_or_else(|| Name::new(target.name.clone())),
            data_type: DataType {
                kind: DataTypeKind::Known(target.data_type.settled()),
                span: Default::default(),
            },
            not_null: false,
            default: None,
            generated: None,
            constraints: Vec::new(),
        };
        Ok(output.iter().enumerate().map(define).collect())
    }
}
