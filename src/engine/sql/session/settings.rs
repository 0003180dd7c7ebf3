//! Settings: what SET, SHOW and RESET work on, and what of it transactions take over.

use std::sync::Arc;

use base::Nanos;
use syntax::{IsolationLevel, TransactionModes};

use super::value::{NoTime, boolean, milliseconds, show_milliseconds};
use super::{Modes, SessionState, Settings, isolation_name};
use crate::SqlError;
use crate::catalog::Catalog;
use crate::error::{Fallible, error, state};
use crate::replication::Asks;
use crate::server::ServerConfig;

/// The settings that exist, in lower case, with their values at the start.
const KNOWN_SETTINGS: &[(&str, &str)] = &[
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_deferrable", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("intervalstyle", "postgres"),
    ("lock_timeout", "0"),
    ("role", "none"),
    ("row_security", "on"),
    ("search_path", "\"$user\", public"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("synchronous_commit", "on"),
    ("timezone", "UTC"),
];

impl SessionState {
    /// What a transaction begins with.
    pub(super) fn default_modes(&self) -> Modes {
        if self.settings.session.is_empty() && self.settings.local.is_empty() {
            return Modes::PLAIN;
        }
        let on = |name: &str| self.set_text(name).is_some_and(|text| &**text == "on");
        let isolation = self.set_text("default_transaction_isolation");
        Modes {
            isolation: isolation.map_or(IsolationLevel::ReadCommitted, |text| isolation_level(text)),
            read_only: on("default_transaction_read_only"),
            deferrable: on("default_transaction_deferrable"),
        }
    }

    /// What SET of `transaction_isolation`, `_read_only` or `_deferrable` means; `None`: the default.
    pub(crate) fn transaction_setting(&self, name: &str, value: Option<&str>) -> Fallible<TransactionModes> {
        let mut modes = TransactionModes::default();
        let default = self.default_modes();
        let value = value.map(|value| check_setting(&format!("default_{name}"), value));
        let value = match value.transpose() {
            Err(refusal) => {
                let message = refusal.message.replace("default_", "");
                return Err(Box::new(SqlError { message, ..*refusal }));
            }
            Ok(value) => value,
        };
        let truth = value.as_deref().map(|text| text == "on");
        match name {
            "transaction_isolation" => {
                modes.isolation = Some(value.map_or(default.isolation, |text| isolation_level(&text)));
            }
            "transaction_read_only" => modes.read_only = Some(truth.unwrap_or(default.read_only)),
            "transaction_deferrable" => modes.deferrable = Some(truth.unwrap_or(default.deferrable)),
            _ => return Err(unrecognized(name)),
        }
        Ok(modes)
    }

    /// A setting that was set.
    pub(super) fn set_text(&self, name: &str) -> Option<&Arc<str>> {
        let Settings { session, local } = &self.settings;
        local.get(name).or_else(|| session.get(name))
    }

    /// A setting that was set, or a known one's default.
    pub(super) fn setting_text(&self, name: &str) -> Option<Arc<str>> {
        self.set_text(name).cloned().or_else(|| {
            let known = KNOWN_SETTINGS.iter().find(|(known, _)| *known == name);
            let empty = || self.custom.contains(name).then_some("");
            known.map(|(_, value)| *value).or_else(empty).map(Arc::from)
        })
    }

    pub(crate) fn setting(&self, name: &str, config: &ServerConfig) -> Option<Arc<str>> {
        let name = name.to_ascii_lowercase();
        match &*name {
            "transaction_isolation" => Some(isolation_name(self.modes().isolation).into()),
            "transaction_read_only" => Some(on_or_off(self.modes().read_only).into()),
            "transaction_deferrable" => Some(on_or_off(self.modes().deferrable).into()),
            "session_authorization" => Some(self.session_user().clone()),
            "server_version" => Some("15.0".into()),
            "wal_writer_delay" => {
                let time = i32::try_from(config.wal_writer_delay.0 / 1_000_000).unwrap_or(i32::MAX);
                Some(show_milliseconds(time).into())
            }
            "max_prepared_transactions" => Some(config.max_prepared_transactions.to_string().into()),
            "deadlock_timeout" if self.setting_text(&name).is_none() => {
                let time = i32::try_from(config.deadlock_timeout.0 / 1_000_000).unwrap_or(i32::MAX);
                Some(show_milliseconds(time).into())
            }
            _ => self.setting_text(&name),
        }
    }

    /// SET and SET LOCAL; `None`: back to the default.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Fallible<()> {
        let name: Arc<str> = name.to_ascii_lowercase().into();
        if &*name == "max_prepared_transactions" {
            let message = format!("parameter \"{name}\" cannot be changed without restarting the server");
            return Err(error("55P02", message));
        }
        if &*name == "wal_writer_delay" {
            let message = format!("parameter \"{name}\" cannot be changed now");
            return Err(error("55P02", message));
        }
        let known = KNOWN_SETTINGS.iter().any(|(known, _)| *known == &*name)
            || ["deadlock_timeout", "session_authorization"].contains(&&*name);
        if !known {
            self.know_custom(&name)?;
        }
        let value = match value {
            Some(value) => Some(check_setting(&name, value)?),
            None => None,
        };
        let target = if local {
            &mut self.settings.local
        } else {
            &mut self.settings.session
        };
        match value {
            Some(value) => Arc::make_mut(target).insert(name.clone(), value),
            None => Arc::make_mut(target).remove(&name),
        };
        if !local && self.settings.local.contains_key(&name) {
            Arc::make_mut(&mut self.settings.local).remove(&name);
        }
        if &*name == "session_authorization" {
            self.set("role", None, local)?;
        }
        if ["search_path", "role", "session_authorization", "row_security"].contains(&&*name) {
            self.refresh();
        }
        Ok(())
    }

    /// A custom setting comes into being when it is first set, and outlives a rollback.
    fn know_custom(&mut self, name: &Arc<str>) -> Fallible<()> {
        if !name.contains('.') {
            return Err(unrecognized(name));
        }
        let identifier = |part: &str| {
            let first = |c: char| c.is_alphabetic() || c == '_';
            part.starts_with(first) && part.chars().all(|c| first(c) || c.is_ascii_digit() || c == '$')
        };
        if !name.split('.').all(identifier) {
            let message = format!("invalid configuration parameter name \"{name}\"");
            let detail = "Custom parameter names must be two or more simple identifiers separated by dots.";
            return Err(error(state::INVALID_NAME, message).detail(detail));
        }
        if !self.custom.contains(name) {
            Arc::make_mut(&mut self.custom).insert(name.clone());
        }
        Ok(())
    }

    /// [`Self::set`], if the session's roles allow it: `role` and `session_authorization` name roles.
    pub(crate) fn assign(&mut self, name: &str, value: Option<&str>, local: bool, catalog: &Catalog) -> Fallible<()> {
        let named = name.to_ascii_lowercase();
        if let ("role" | "session_authorization", Some(role)) = (&*named, value)
            && (&*named, role) != ("role", "none")
        {
            self.check_role(&named, role, catalog)?;
        }
        self.set(name, value, local)
    }

    fn check_role(&self, setting: &str, role: &str, catalog: &Catalog) -> Fallible<()> {
        let own = &self.transaction.xids;
        let Some(found) = catalog.role(role, own) else {
            let message = format!("role \"{role}\" does not exist");
            return Err(error(state::INVALID_PARAMETER_VALUE, message));
        };
        let is_superuser = |role: &Arc<str>| catalog.role(role, own).is_some_and(|role| role.superuser);
        if setting == "role" {
            let session = self.session_user();
            if is_superuser(session) || catalog.roles_of(session, own, false).contains(&found.name) {
                return Ok(());
            }
            let message = format!("permission denied to set role \"{role}\"");
            return Err(error(state::INSUFFICIENT_PRIVILEGE, message));
        }
        if is_superuser(&self.login) || *self.login == *role {
            return Ok(());
        }
        let message = "permission denied to set session authorization";
        Err(error(state::INSUFFICIENT_PRIVILEGE, message))
    }

    /// `synchronous_commit` is not off.
    pub(crate) fn waits_for_flush(&self) -> bool {
        self.set_text("synchronous_commit").is_none_or(|text| &**text != "off")
    }

    /// What `synchronous_commit` asks of a synchronous standby.
    pub(crate) fn asks_of_standby(&self) -> Option<Asks> {
        match self.set_text("synchronous_commit").map_or("on", |text| text) {
            "local" | "off" => None,
            "remote_write" => Some(Asks::Written),
            "remote_apply" => Some(Asks::Applied),
            _ => Some(Asks::Flushed),
        }
    }

    /// Whether `client_min_messages` lets a message of this severity through.
    pub(crate) fn hears(&self, severity: &str) -> bool {
        let least = self.set_text("client_min_messages").map_or("notice", |text| &**text);
        match severity {
            "NOTICE" => !["warning", "error"].contains(&least),
            _ => least != "error",
        }
    }

    /// A timeout in force; zero means none.
    pub(crate) fn timeout(&self, name: &str) -> Option<Nanos> {
        if self.settings.session.is_empty() && self.settings.local.is_empty() {
            return None;
        }
        let time = milliseconds(self.set_text(name)?).ok()?;
        (time > 0).then_some(Nanos::from_millis(time as u64))
    }
}

pub(crate) fn unrecognized(name: &str) -> Box<SqlError> {
    let message = format!("unrecognized configuration parameter \"{name}\"");
    error(state::UNDEFINED_OBJECT, message)
}

/// The value as it is kept and shown.
fn check_setting(name: &str, value: &str) -> Fallible<Arc<str>> {
    let invalid = || {
        let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
        error(state::INVALID_PARAMETER_VALUE, message)
    };
    if name.ends_with("_timeout") {
        let time = milliseconds(value).map_err(|NoTime(hint)| match hint {
            Some(hint) => invalid().hint(hint),
            None => invalid(),
        })?;
        return check_range(name, time).map(|time| show_milliseconds(time).into());
    }
    match name {
        "row_security" | "default_transaction_read_only" | "default_transaction_deferrable" => {
            let truth = boolean(value).ok_or_else(|| {
                let message = format!("parameter \"{name}\" requires a Boolean value");
                error(state::INVALID_PARAMETER_VALUE, message)
            })?;
            Ok(on_or_off(truth).into())
        }
        "default_transaction_isolation" => choose(value, ISOLATION_LEVELS)
            .map(Arc::from)
            .ok_or_else(|| invalid().hint(format!("Available values: {}.", ISOLATION_LEVELS.join(", ")))),
        "synchronous_commit" => match boolean(value) {
            Some(truth) => Ok(on_or_off(truth).into()),
            None => choose(value, &["local", "remote_write", "remote_apply", "on", "off"])
                .map(Arc::from)
                .ok_or_else(|| invalid().hint("Available values: local, remote_write, remote_apply, on, off.")),
        },
        "timezone" if !["utc", "gmt", "etc/utc"].contains(&&*value.to_ascii_lowercase()) => {
            Err(crate::error::unsupported("a time zone other than UTC"))
        }
        _ => Ok(value.into()),
    }
}

pub(super) const ISOLATION_LEVELS: &[&str] = &["serializable", "repeatable read", "read committed", "read uncommitted"];

fn isolation_level(text: &str) -> IsolationLevel {
    match text {
        "repeatable read" => IsolationLevel::RepeatableRead,
        "serializable" => IsolationLevel::Serializable,
        _ => IsolationLevel::ReadCommitted,
    }
}

fn choose(value: &str, known: &[&'static str]) -> Option<&'static str> {
    known.iter().copied().find(|known| known.eq_ignore_ascii_case(value))
}

fn check_range(name: &str, time: i32) -> Fallible<i32> {
    let least = i32::from(name == "deadlock_timeout");
    if time >= least {
        return Ok(time);
    }
    let range = format!(
        "outside the valid range for parameter \"{name}\" ({least} .. {})",
        i32::MAX
    );
    Err(error(state::INVALID_PARAMETER_VALUE, format!("{time} ms is {range}")))
}

fn on_or_off(truth: bool) -> &'static str {
    if truth { "on" } else { "off" }
}
