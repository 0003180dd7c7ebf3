//! Transaction control and settings: statements that are over at once.

use std::sync::Arc;

use base::{Time, Type, Value};
use syntax::{Expr, ExprKind, Statement, TransactionModes, UnaryOperator};

use crate::error::{Fallible, error, state};
use crate::server::Core;
use crate::session::{SessionState, isolation_name, unrecognized};
use crate::{Notice, Output, OutputColumn, Tag, TransactionStatus};

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
            if let Err(refusal) = set_modes(modes, session) {
                session.rollback(core);
                return Err(refusal);
            }
            output
        }
        Statement::Commit if failed => {
            session.rollback(core);
            tagged("ROLLBACK")
        }
        Statement::Commit if session.transaction.explicit => {
            session.transaction.committing = true;
            tagged("COMMIT")
        }
        Statement::Commit => no_transaction("COMMIT"),
        Statement::Rollback if session.transaction.explicit => {
            session.rollback(core);
            tagged("ROLLBACK")
        }
        Statement::Rollback => no_transaction("ROLLBACK"),
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
    Err(error(
        state::NO_ACTIVE_TRANSACTION,
        format!("{what} can only be used in transaction blocks"),
    ))
}

fn set_modes(modes: &TransactionModes, session: &mut SessionState) -> Fallible<()> {
    if let Some(isolation) = modes.isolation {
        let transaction = &mut session.transaction;
        if isolation != transaction.isolation && transaction.queried {
            return Err(error(
                state::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION ISOLATION LEVEL must be called before any query",
            ));
        }
        transaction.isolation = isolation;
    }
    if let Some(read_only) = modes.read_only {
        session.transaction.read_only = read_only;
    }
    if let Some(deferrable) = modes.deferrable {
        if session.transaction.queried {
            return Err(error(
                state::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION [NOT] DEFERRABLE must be called before any query",
            ));
        }
        session.transaction.deferrable = deferrable;
    }
    Ok(())
}

fn set_transaction(modes: &TransactionModes, whole_session: bool, session: &mut SessionState) -> Fallible<Output> {
    let mut output = tagged("SET");
    if whole_session {
        if let Some(isolation) = modes.isolation {
            session.set("default_transaction_isolation", Some(isolation_name(isolation)), false)?;
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
