//! Roles, GRANT and REVOKE, policies.

use super::{Parser, Result};
use crate::{
    AlterPolicy, CreatePolicy, Expr, Grant, GrantRole, GrantTarget, GrantedPrivilege, Name, ObjectName, PolicyCommand,
    Privilege, RoleOptions, RoleRef, RowSecurity, Statement, SyntaxError,
};

impl Parser<'_> {
    // ---- roles

    pub(super) fn create_role(&mut self) -> Result<Statement> {
        self.expect("create")?;
        let user = self.at("user");
        self.advance();
        let name = self.role()?;
        let mut options = self.role_options(true)?;
        if user && options.login.is_none() {
            options.login = Some(true);
        }
        Ok(Statement::CreateRole { name, options })
    }

    pub(super) fn alter_role(&mut self) -> Result<Statement> {
        self.expect("alter")?;
        self.advance();
        self.refuse("all", "ALTER ROLE ALL")?;
        let name = self.role()?;
        if self.at_any(&["set", "reset", "in", "rename"]) {
            return Err(self.unsupported("ALTER ROLE … SET, RESET or RENAME"));
        }
        let options = self.role_options(false)?;
        Ok(Statement::AlterRole { name, options })
    }

    fn role_options(&mut self, new: bool) -> Result<RoleOptions> {
        self.eat("with");
        let mut options = RoleOptions::default();
        while let Some(word) = self.word() {
            let (positive, value) = match word.strip_prefix("no") {
                Some(rest) => (rest, false),
                None => (word, true),
            };
            let option = match positive {
                "login" => &mut options.login,
                "superuser" => &mut options.superuser,
                "inherit" => &mut options.inherit,
                "bypassrls" => &mut options.bypass_rls,
                "createrole" => &mut options.create_role,
                "createdb" => &mut options.create_database,
                "in" if new && self.at_any(&["in"]) => {
                    self.advance();
                    if !self.eat("role") {
                        self.expect("group")?;
                    }
                    options.in_roles.extend(self.list(Self::role)?);
                    continue;
                }
                _ => {
                    let words = format!("role option {}", word.to_ascii_uppercase());
                    return Err(self.unsupported(&words));
                }
            };
            if option.replace(value).is_some() {
                let span = self.span();
                return Err(SyntaxError::new("42601", "conflicting or redundant options", span));
            }
            self.advance();
        }
        Ok(options)
    }

    /// A role, or a word that stands for one.
    pub(super) fn role_ref(&mut self) -> Result<RoleRef> {
        let words = [
            ("public", RoleRef::Public),
            ("current_user", RoleRef::CurrentUser),
            ("current_role", RoleRef::CurrentUser),
            ("session_user", RoleRef::SessionUser),
        ];
        for (word, role) in words {
            if self.eat(word) {
                return Ok(role);
            }
        }
        self.role().map(RoleRef::Named)
    }

    // ---- GRANT, REVOKE

    pub(super) fn grant(&mut self) -> Result<Statement> {
        let revoke = self.at("revoke");
        self.advance();
        let mut option = revoke && self.eat_words(&["grant", "option", "for"]);
        let admin = revoke && self.eat_words(&["admin", "option", "for"]);
        let everything = self.at("all") && !admin;
        if !everything && (admin || !self.at_privileges()) {
            return self.grant_role(revoke, admin);
        }
        let privileges = if self.eat("all") {
            self.eat("privileges");
            if self.at_symbol('(') {
                return Err(self.unsupported("GRANT ALL of columns"));
            }
            Vec::new()
        } else {
            self.list(Self::granted_privilege)?
        };
        self.expect("on")?;
        let on = self.grant_target()?;
        self.expect(if revoke { "from" } else { "to" })?;
        let roles = self.list(|parser| {
            parser.eat("group");
            parser.role_ref()
        })?;
        option |= !revoke && self.eat_words(&["with", "grant", "option"]);
        self.refuse("granted", "GRANTED BY")?;
        Ok(Statement::Grant(Box::new(Grant {
            revoke,
            option,
            privileges,
            on,
            roles,
            cascade: revoke && self.cascade(),
        })))
    }

    /// A list of privileges comes next, not one of roles: ON or a list of columns follows its first word.
    fn at_privileges(&self) -> bool {
        let mut n = 0;
        loop {
            n += 1;
            match (self.word_at(n), self.kind_at(n)) {
                (Some("on"), _) | (_, crate::token::TokenKind::Symbol('(')) => return true,
                (None, crate::token::TokenKind::Symbol(',')) => n += 1,
                _ => return false,
            }
        }
    }

    fn granted_privilege(&mut self) -> Result<GrantedPrivilege> {
        let found = Privilege::ALL.into_iter().find(|privilege| {
            self.word()
                .is_some_and(|word| word.eq_ignore_ascii_case(privilege.keyword()))
        });
        let Some(privilege) = found else {
            let span = self.span();
            if self.at_any(&["connect", "temporary", "temp", "set"]) || self.at_words(&["alter", "system"]) {
                return Err(self.unsupported("GRANT of CONNECT, TEMPORARY, SET or ALTER SYSTEM"));
            }
            let Some(word) = self.word() else {
                return Err(self.unexpected());
            };
            let message = format!("unrecognized privilege type \"{word}\"");
            return Err(SyntaxError::new("42601", message, span));
        };
        self.advance();
        let columns = self.optional_names()?;
        Ok(GrantedPrivilege { privilege, columns })
    }

    fn grant_target(&mut self) -> Result<GrantTarget> {
        if self.eat("all") {
            let target = match self.word() {
                Some("tables") => GrantTarget::AllTables,
                Some("sequences") => GrantTarget::AllSequences,
                Some("functions") => GrantTarget::AllFunctions,
                _ => return Err(self.unsupported("GRANT ON ALL PROCEDURES or ROUTINES")),
            };
            self.advance();
            self.expect_words(&["in", "schema"])?;
            return self.list(Self::name).map(target);
        }
        let name_follows = !matches!(
            self.kind_at(1),
            crate::token::TokenKind::Symbol(_) | crate::token::TokenKind::End
        ) && !matches!(self.word_at(1), Some("to" | "from"));
        if name_follows {
            if self.eat("schema") {
                return self.list(Self::name).map(GrantTarget::Schemas);
            }
            if self.eat("sequence") {
                return self.list(Self::object_name).map(GrantTarget::Sequences);
            }
            if self.eat("function") {
                return self.list(Self::function_name).map(GrantTarget::Functions);
            }
            if !self.at("table") && self.word().is_some() {
                let kind = self.word().unwrap_or_default().to_ascii_uppercase();
                return Err(self.unsupported(&format!("GRANT ON {kind}")));
            }
            self.eat("table");
        }
        self.list(Self::object_name).map(GrantTarget::Tables)
    }

    fn grant_role(&mut self, revoke: bool, admin: bool) -> Result<Statement> {
        let roles = self.list(Self::role)?;
        self.expect(if revoke { "from" } else { "to" })?;
        let members = self.list(Self::role_ref)?;
        let option = admin || (!revoke && self.eat_words(&["with", "admin", "option"]));
        self.refuse("granted", "GRANTED BY")?;
        if revoke {
            self.refuse("cascade", "REVOKE of a role … CASCADE")?;
            self.eat("restrict");
        }
        Ok(Statement::GrantRole(Box::new(GrantRole {
            revoke,
            option,
            roles,
            members,
        })))
    }

    // ---- policies

    /// `name ON table`, behind CREATE, ALTER or DROP POLICY.
    fn policy_of(&mut self) -> Result<(Name, ObjectName)> {
        let name = self.name()?;
        self.expect("on")?;
        Ok((name, self.object_name()?))
    }

    pub(super) fn create_policy(&mut self) -> Result<Statement> {
        self.expect_words(&["create", "policy"])?;
        let (name, table) = self.policy_of()?;
        let mut restrictive = false;
        if self.eat("as") {
            restrictive = self.at("restrictive");
            if !restrictive && !self.at("permissive") {
                let words = format!(
                    "unrecognized row security option \"{}\"",
                    self.word().unwrap_or_default()
                );
                let error = SyntaxError::new("42601", words, self.span());
                return Err(error.hint("Only PERMISSIVE or RESTRICTIVE policies are supported currently."));
            }
            self.advance();
        }
        let command = if self.eat("for") {
            self.policy_command()?
        } else {
            PolicyCommand::All
        };
        let roles = self.policy_roles()?.unwrap_or_default();
        let (using, check) = self.policy_conditions()?;
        Ok(Statement::CreatePolicy(Box::new(CreatePolicy {
            name,
            table,
            restrictive,
            command,
            roles,
            using,
            check,
        })))
    }

    fn policy_command(&mut self) -> Result<PolicyCommand> {
        let commands = [
            ("all", PolicyCommand::All),
            ("select", PolicyCommand::Select),
            ("insert", PolicyCommand::Insert),
            ("update", PolicyCommand::Update),
            ("delete", PolicyCommand::Delete),
        ];
        for (word, command) in commands {
            if self.eat(word) {
                return Ok(command);
            }
        }
        Err(self.unexpected())
    }

    fn policy_roles(&mut self) -> Result<Option<Vec<RoleRef>>> {
        if self.eat("to") {
            self.list(Self::role_ref).map(Some)
        } else {
            Ok(None)
        }
    }

    fn policy_conditions(&mut self) -> Result<(Option<Expr>, Option<Expr>)> {
        let using = if self.eat("using") {
            Some(self.in_parentheses()?)
        } else {
            None
        };
        let check = if self.eat_words(&["with", "check"]) {
            Some(self.in_parentheses()?)
        } else {
            None
        };
        Ok((using, check))
    }

    fn in_parentheses(&mut self) -> Result<Expr> {
        self.expect_symbol('(')?;
        let expr = self.expr()?;
        self.expect_symbol(')')?;
        Ok(expr)
    }

    pub(super) fn alter_policy(&mut self) -> Result<Statement> {
        self.expect_words(&["alter", "policy"])?;
        let (name, table) = self.policy_of()?;
        if self.at("rename") {
            return Err(self.unsupported("ALTER POLICY … RENAME"));
        }
        let roles = self.policy_roles()?;
        let (using, check) = self.policy_conditions()?;
        Ok(Statement::AlterPolicy(Box::new(AlterPolicy {
            name,
            table,
            roles,
            using,
            check,
        })))
    }

    pub(super) fn drop_policy(&mut self) -> Result<Statement> {
        self.expect_words(&["drop", "policy"])?;
        let if_exists = self.if_exists()?;
        let (name, table) = self.policy_of()?;
        self.cascade();
        Ok(Statement::DropPolicy { name, table, if_exists })
    }

    /// `[ENABLE | DISABLE | FORCE | NO FORCE] ROW LEVEL SECURITY`, behind ALTER TABLE.
    pub(super) fn row_security(&mut self) -> Option<RowSecurity> {
        let forms = [
            (&["enable", "row", "level", "security"][..], RowSecurity::Enable),
            (&["disable", "row", "level", "security"], RowSecurity::Disable),
            (&["force", "row", "level", "security"], RowSecurity::Force),
            (&["no", "force", "row", "level", "security"], RowSecurity::NoForce),
        ];
        let found = forms.into_iter().find(|(words, _)| self.at_words(words));
        found.map(|(words, change)| {
            self.eat_words(words);
            change
        })
    }
}
