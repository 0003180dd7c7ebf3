//! Transaction control and settings: statements that are over at once.

use std::sync::Arc;

use base::{Time, Type, Value};
use syntax::{Expr, ExprKind, Statement, TransactionModes, UnaryOperator};

use crate::error::{Fallible, error, state};
use crate::server::Core;
use crate::session::{Ending, SessionState, isolation_name, unrecognized};
use crate::{Notice, Output, OutputColumn, SqlError, Tag, TransactionStatus};

/// Runs the statement if it is one of these.
pub(crate) fn run(
    statement: &Statement,
    session: &mut SessionState,
    core: &mut Core,
    now: Time,
) -> Fallible<Option<Output>> {
    let failed = session.transaction.status == TransactionStatus::Failed;
    let output = match statement {
        Statement::Begin { modes } if !failed => {
            let mut output = tagged("BEGIN");
            if session.transaction.explicit {
                output
                    .notices
                    .push(warning("there is already a transaction in progress"));
            }
            session.begin(true, now);
            set_modes(modes, session)?;
            output
        }
        Statement::PrepareTransaction(_) if failed => {
            session.rollback(core);
            tagged("ROLLBACK")
        }
        Statement::Commit { chain } | Statement::Rollback { chain } if session.transaction.explicit => {
            session.transaction.chain = chain.then_some(now);
            if matches!(statement, Statement::Commit { .. }) && !failed {
                session.transaction.ending = Some(Ending::Commit);
                tagged("COMMIT")
            } else {
                session.rollback(core);
                tagged("ROLLBACK")
            }
        }
        Statement::Commit { chain: true } => return Err(outside_of_block("COMMIT AND CHAIN")),
        Statement::Rollback { chain: true } => return Err(outside_of_block("ROLLBACK AND CHAIN")),
        Statement::Commit { .. } => no_transaction("COMMIT"),
        Statement::Rollback { .. } => no_transaction("ROLLBACK"),
        Statement::PrepareTransaction(id) if session.transaction.explicit => {
            session.transaction.ending = Some(Ending::Prepare(id.clone()));
            tagged("PREPARE TRANSACTION")
        }
        Statement::PrepareTransaction(_) => no_transaction("ROLLBACK"),
        Statement::RollbackTo(name) => {
            in_block(session, "ROLLBACK TO SAVEPOINT")?;
            session.rollback_to(&name.text, core)?;
            tagged("ROLLBACK")
        }
        _ if failed => return Ok(None),
        Statement::Savepoint(name) => {
            in_block(session, "SAVEPOINT")?;
            session.savepoint(name.text.clone(), core);
            tagged("SAVEPOINT")
        }
        Statement::Release(name) => {
            in_block(session, "RELEASE SAVEPOINT")?;
            session.release_savepoint(&name.text)?;
            tagged("RELEASE")
        }
        Statement::SetTransaction { modes, session: whole } => set_transaction(modes, *whole, session)?,
        Statement::Set { name, value, .. } if name.text.starts_with("transaction_") => {
            let value = value.as_ref().map(|values| setting_value(values)).transpose()?;
            let modes = session.transaction_setting(&name.text, value.as_deref())?;
            // Outside of a block it is set for this statement alone.
            if session.transaction.explicit {
                set_modes(&modes, session)?;
            }
            tagged("SET")
        }
        Statement::Set { local, name, value } => {
            let mut output = tagged("SET");
            if *local && !session.transaction.explicit {
                output
                    .notices
                    .push(warning("SET LOCAL can only be used in transaction blocks"));
            } else {
                let value = value.as_ref().map(|values| setting_value(values)).transpose()?;
                session.assign(&name.text, value.as_deref(), *local, &core.catalog)?;
            }
            output
        }
        Statement::SetConstraints { names, deferred } => {
            if session.transaction.explicit {
                crate::deferred::set_constraints(names, *deferred, session, core)?;
            } else {
                session.warn("SET CONSTRAINTS can only be used in transaction blocks".to_owned());
                crate::deferred::find_all(names, session, core)?;
            }
            tagged("SET CONSTRAINTS")
        }
        Statement::Show(name) => show(&name.text, session, core)?,
        _ => return Ok(None),
    };
    Ok(Some(output))
}

pub(crate) fn tagged(verb: &'static str) -> Output {
    Output {
        tag: Tag { verb, rows: None },
        ..Output::default()
    }
}

fn warning(message: &str) -> Notice {
    Notice {
        severity: "WARNING",
        message: message.to_owned(),
        detail: None,
    }
}

fn no_transaction(verb: &'static str) -> Output {
    let mut output = tagged(verb);
    output.notices.push(warning("there is no transaction in progress"));
    output
}

fn in_block(session: &SessionState, what: &str) -> Fallible<()> {
    if session.transaction.explicit {
        return Ok(());
    }
    Err(outside_of_block(what))
}

fn outside_of_block(what: &str) -> Box<SqlError> {
    let message = format!("{what} can only be used in transaction blocks");
    error(state::NO_ACTIVE_TRANSACTION, message)
}

fn set_modes(modes: &TransactionModes, session: &mut SessionState) -> Fallible<()> {
    let inside_savepoint = !session.transaction.savepoints.is_empty();
    let transaction = &mut session.transaction;
    let queried = transaction.queried;
    let refused = |message: &str| Err(error(state::ACTIVE_SQL_TRANSACTION, message));
    if let Some(isolation) = modes.isolation
        && isolation != transaction.modes.isolation
    {
        if queried {
            return refused("SET TRANSACTION ISOLATION LEVEL must be called before any query");
        }
        if inside_savepoint {
            return refused("SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction");
        }
        transaction.modes.isolation = isolation;
    }
    if let Some(read_only) = modes.read_only {
        if !read_only && transaction.modes.read_only {
            if inside_savepoint {
                return refused("cannot set transaction read-write mode inside a read-only transaction");
            }
            if queried {
                return refused("transaction read-write mode must be set before any query");
            }
        }
        transaction.modes.read_only = read_only;
    }
    if let Some(deferrable) = modes.deferrable {
        if inside_savepoint {
            return refused("SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction");
        }
        if queried {
            return refused("SET TRANSACTION [NOT] DEFERRABLE must be called before any query");
        }
        transaction.modes.deferrable = deferrable;
    }
    Ok(())
}

fn set_transaction(modes: &TransactionModes, whole_session: bool, session: &mut SessionState) -> Fallible<Output> {
    let mut output = tagged("SET");
    let on_or_off = |truth: bool| Some(if truth { "on" } else { "off" });
    if whole_session {
        if let Some(isolation) = modes.isolation {
            session.set("default_transaction_isolation", Some(isolation_name(isolation)), false)?;
        }
        if let Some(read_only) = modes.read_only {
            session.set("default_transaction_read_only", on_or_off(read_only), false)?;
        }
        if let Some(deferrable) = modes.deferrable {
            session.set("default_transaction_deferrable", on_or_off(deferrable), false)?;
        }
    } else if session.transaction.explicit {
        set_modes(modes, session)?;
    } else {
        output
            .notices
            .push(warning("SET TRANSACTION can only be used in transaction blocks"));
    }
    Ok(output)
}

fn setting_value(values: &[Expr]) -> Fallible<String> {
    let texts: Fallible<Vec<String>> = values.iter().map(setting_text).collect();
    Ok(texts?.join(", "))
}

fn setting_text(value: &Expr) -> Fallible<String> {
    match &value.kind {
        ExprKind::String(text) | ExprKind::Number(text) => Ok(text.to_string()),
        ExprKind::Bool(truth) => Ok(if *truth { "on" } else { "off" }.to_owned()),
        ExprKind::Column(names) => Ok(names.iter().map(|name| &*name.text).collect::<Vec<_>>().join(".")),
        ExprKind::Unary {
            operator: UnaryOperator::Minus,
            operand,
        } => Ok(format!("-{}", setting_text(operand)?)),
        _ => Err(error(state::SYNTAX_ERROR, "a setting takes a literal").at(value.span)),
    }
}

fn show(name: &Arc<str>, session: &SessionState, core: &Core) -> Fallible<Output> {
    let value = session.setting(name, &core.config).ok_or_else(|| unrecognized(name))?;
    Ok(Output {
        tag: Tag {
            verb: "SHOW",
            rows: None,
        },
        columns: Arc::from([OutputColumn {
            name: name.clone(),
            data_type: Type::Text,
        }]),
        rows: vec![Arc::from([Value::Text(value)])],
        notices: Vec::new(),
    })
}
