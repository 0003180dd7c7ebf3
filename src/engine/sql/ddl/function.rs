//! CREATE FUNCTION, DROP FUNCTION.

use std::sync::Arc;

use base::Type;
use syntax::{CreateFunction, DataType, DataTypeKind, Dialect, FunctionName, Grant, Name};

use super::grant::granted;
use super::{Defined, Definer};
use crate::SqlError;
use crate::bind::{Arguments, column_type};
use crate::catalog::{Access, FunctionBody, FunctionType, Grantee, Privileges, UserFunction};
use crate::error::{Fallible, error, state, unsupported};

impl Definer<'_> {
    pub(super) fn create_function(&mut self, create: &CreateFunction) -> Defined {
        let schema = self
            .names()
            .creation_schema(&create.name)
            .map_err(super::without_place)?;
        let arguments: Fallible<Vec<FunctionType>> = create
            .arguments
            .iter()
            .map(|argument| function_type(&argument.data_type))
            .collect();
        // Everybody may call it, until that is revoked.
        let mut access = Access::owned_by(self.session.current_user().clone());
        let execute = Privileges::of_functions();
        access.acl_mut(execute).grant(&None, execute, false);
        let mut function = UserFunction {
            database: self.session.database,
            schema,
            name: create.name.name.text.clone(),
            access,
            arguments: arguments?,
            names: create
                .arguments
                .iter()
                .map(|argument| argument.name.as_ref().map(|name| name.text.clone()))
                .collect(),
            returns: function_type(&create.returns)?,
            strict: create.strict,
            volatility: create.volatility,
            body: FunctionBody::Unknown {
                language: create.language.text.clone(),
                text: create.body.clone(),
            },
        };
        match create.language.as_str() {
            "sql" => function.body = self.function_body(&function, create)?,
            "plpgsql" => {}
            other => {
                let message = format!("language \"{other}\" does not exist");
                return Err(error(state::UNDEFINED_OBJECT, message));
            }
        }
        if let Some(known) = self.find_function(&function).cloned() {
            if !create.or_replace {
                let message = format!("function \"{}\" already exists with same argument types", function.name);
                return Err(error("42723", message));
            }
            self.must_own_function(&known)?;
            if known.returns != function.returns {
                let signature = known.signature().replace(", ", ",");
                let hint = format!("Use DROP FUNCTION {signature} first.");
                return Err(error(
                    state::INVALID_FUNCTION_DEFINITION,
                    "cannot change return type of existing function",
                )
                .hint(hint));
            }
            function.access = known.access.clone();
            let (own, xid) = (self.own().to_vec(), self.xid);
            self.core.catalog_mut().drop_function(&known, &own, xid);
        }
        let xid = self.xid;
        self.core.catalog_mut().create_function(function, xid);
        Ok(Some("CREATE FUNCTION"))
    }

    fn find_function(&self, like: &UserFunction) -> Option<&Arc<UserFunction>> {
        let catalog = &self.core.catalog;
        let mut named = catalog.functions_named(like.database, &like.schema, &like.name, self.own());
        named.find(|other| other.arguments == like.arguments)
    }

    /// The statements of a body in SQL, each of which must be one that could run, the last giving the result.
    fn function_body(&mut self, function: &UserFunction, create: &CreateFunction) -> Fallible<FunctionBody> {
        let items = syntax::parse_script(&create.body, Dialect::Postgres).map_err(|refusal| {
            let mut refusal = *Box::<SqlError>::from(refusal);
            refusal.position = None;
            refusal
        })?;
        let arguments = Arguments::of(function)?;
        let mut last = None;
        let mut statements = Vec::new();
        for item in items {
            let plan = crate::planning::plan_with(&item.statement, self.names(), arguments.clone());
            let plan = plan.map_err(super::without_place)?;
            let Some(plan) = plan else {
                return Err(unsupported("a statement other than a query or a write in a function"));
            };
            last = Some(plan.columns.clone());
            statements.push(Arc::new(item.statement));
        }
        let returns = match &function.returns {
            FunctionType::Other(name) if **name == *"void" => return Ok(FunctionBody::Statements(statements)),
            FunctionType::Other(name) => return Err(unsupported(format!("a function that returns {name}"))),
            FunctionType::Is(returns) => *returns,
        };
        let mismatch = || {
            let message = format!("return type mismatch in function declared to return {}", returns.name());
            error(state::INVALID_FUNCTION_DEFINITION, message).within(format!("SQL function \"{}\"", function.name))
        };
        let columns = last.unwrap_or_else(|| Arc::from([]));
        let [column] = &*columns else {
            return Err(match columns.len() {
                0 => mismatch().detail("Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING."),
                _ => mismatch().detail("Final statement must return exactly one column."),
            });
        };
        let implicit = matches!((column.data_type, returns), (Type::Int4, Type::Int8));
        if column.data_type != returns && !implicit {
            return Err(mismatch().detail(format!("Actual return type is {}.", column.data_type.name())));
        }
        Ok(FunctionBody::Statements(statements))
    }

    pub(super) fn drop_functions(&mut self, functions: &[FunctionName], if_exists: bool) -> Defined {
        for wanted in functions {
            let Some(function) = self.named_function(wanted, if_exists)? else {
                continue;
            };
            self.must_own_function(&function)?;
            let (own, xid) = (self.own().to_vec(), self.xid);
            self.core.catalog_mut().drop_function(&function, &own, xid);
        }
        Ok(Some("DROP FUNCTION"))
    }

    fn must_own_function(&self, function: &UserFunction) -> Fallible<()> {
        if self.authority().has(&function.access.owner) {
            return Ok(());
        }
        let message = format!("must be owner of function {}", function.name);
        Err(error(state::INSUFFICIENT_PRIVILEGE, message))
    }

    // ---- privileges

    pub(super) fn grant_on_functions(
        &mut self,
        grant: &Grant,
        functions: Vec<Arc<UserFunction>>,
        grantees: &[Grantee],
    ) -> Fallible<bool> {
        for function in functions {
            let all = Privileges::of_functions();
            let whole = granted(&grant.privileges, all, "function")?.whole;
            let allowed = self.allowed(grant, &function.access, whole, ("function", &function.name))?;
            let mut changed = (*function).clone();
            Self::change(grant, &mut changed.access, all, allowed, grantees);
            let (own, xid) = (self.own().to_vec(), self.xid);
            self.core.catalog_mut().drop_function(&function, &own, xid);
            self.core.catalog_mut().create_function(changed, xid);
        }
        Ok(true)
    }

    pub(super) fn functions(&mut self, names: &[FunctionName]) -> Fallible<Vec<Arc<UserFunction>>> {
        let mut functions = Vec::new();
        for name in names {
            functions.extend(self.named_function(name, false)?);
        }
        Ok(functions)
    }

    pub(super) fn functions_in(&self, schemas: &[Name]) -> Fallible<Vec<Arc<UserFunction>>> {
        let mut functions = Vec::new();
        for schema in schemas {
            self.schema(schema)?;
            let all = self.core.catalog.functions_of(self.session.database, self.own());
            functions.extend(all.filter(|function| function.schema == schema.text).cloned());
        }
        Ok(functions)
    }

    fn named_function(&mut self, wanted: &FunctionName, if_exists: bool) -> Fallible<Option<Arc<UserFunction>>> {
        let arguments: Option<Fallible<Vec<FunctionType>>> = wanted
            .arguments
            .as_ref()
            .map(|types| types.iter().map(function_type).collect());
        let arguments = arguments.transpose()?;
        let schemas: Vec<Arc<str>> = match &wanted.name.schema {
            Some(schema) => vec![schema.text.clone()],
            None => self.session.search_path().to_vec(),
        };
        let name = &wanted.name.name.text;
        let mut found: Vec<Arc<UserFunction>> = Vec::new();
        for schema in schemas {
            let catalog = &self.core.catalog;
            let named = catalog.functions_named(self.session.database, &schema, name, self.own());
            let fits =
                |function: &&Arc<UserFunction>| arguments.as_ref().is_none_or(|wanted| function.arguments == *wanted);
            found.extend(named.filter(fits).cloned());
        }
        if found.len() > 1 && arguments.is_none() {
            let message = format!("function name \"{name}\" is not unique");
            return Err(error("42725", message).hint("Specify the argument list to select the function unambiguously."));
        }
        if let Some(function) = found.into_iter().next() {
            return Ok(Some(function));
        }
        let message = match &arguments {
            Some(arguments) => {
                let types: Vec<&str> = arguments.iter().map(FunctionType::name).collect();
                format!("function {name}({}) does not exist", types.join(","))
            }
            None => format!("could not find a function named \"{name}\""),
        };
        if !if_exists {
            let message = message.replace(",", ", ");
            return Err(error(state::UNDEFINED_FUNCTION, message));
        }
        let message = match arguments {
            Some(_) => message,
            None => format!("function {name}() does not exist"),
        };
        self.notice(format!("{message}, skipping"));
        Ok(None)
    }
}

fn function_type(data_type: &DataType) -> Fallible<FunctionType> {
    match &data_type.kind {
        DataTypeKind::Other(name)
            if matches!(
                &**name,
                "void" | "anyelement" | "anynonarray" | "anyarray" | "anyenum" | "anycompatible" | "record"
            ) =>
        {
            Ok(FunctionType::Other(name.clone()))
        }
        _ => column_type(data_type).map(FunctionType::Is),
    }
}
