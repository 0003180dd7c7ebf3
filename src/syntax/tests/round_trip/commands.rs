//! Random statements that are no queries and no writes: transactions, definitions, privileges.

use super::*;

impl Make {
    pub(super) fn small_statement(&mut self) -> Statement {
        let modes = TransactionModes {
            isolation: Some(self.pick(&[IsolationLevel::ReadCommitted, IsolationLevel::Serializable])),
            read_only: self.some(Self::coin),
            deferrable: self.some(Self::coin),
        };
        match self.below(18) {
            0 => Statement::Begin { modes },
            16 => {
                let chain = self.coin();
                self.pick(&[Statement::Commit { chain }, Statement::Rollback { chain }])
            }
            17 => {
                let id: Arc<str> = self.pick(&["it's", ""]).into();
                self.pick(&[
                    Statement::PrepareTransaction(id.clone()),
                    Statement::CommitPrepared(id.clone()),
                    Statement::RollbackPrepared(id),
                ])
            }
            1 => Statement::SetTransaction {
                modes,
                session: self.coin(),
            },
            2 => Statement::Set {
                local: self.coin(),
                name: Name::new("app.tenant_id"),
                value: Some(vec![Expr::new(ExprKind::String("it's".into()), Span::default())]),
            },
            3 => Statement::Lock {
                tables: self.many(1, Self::object),
                mode: self.pick(&[LockMode::Share, LockMode::ShareRowExclusive, LockMode::AccessExclusive]),
                nowait: self.coin(),
            },
            4 => Statement::Explain {
                analyze: self.coin(),
                statement: Box::new(Statement::Query(Box::new(self.query(2)))),
            },
            5 => Statement::DropTable {
                names: self.many(1, Self::object),
                if_exists: self.coin(),
                cascade: self.coin(),
            },
            6 => Statement::AlterTable {
                table: self.object(),
                actions: vec![
                    AlterAction::AddColumn {
                        column: self.column(),
                        if_not_exists: self.coin(),
                    },
                    AlterAction::AddConstraint(self.constraint()),
                    AlterAction::SetDefault(self.name(), self.expr(2)),
                    AlterAction::DropConstraint {
                        name: self.name(),
                        if_exists: self.coin(),
                        cascade: self.coin(),
                    },
                    AlterAction::DropNotNull(self.name()),
                ],
            },
            7 => Statement::AbortWhen {
                condition: self.expr(3),
                message: self.some(|_| Arc::from("it's over")),
            },
            8 => Statement::Call {
                name: self.object(),
                arguments: self.many(0, |make| make.expr(2)),
            },
            11 => Statement::CreateTableAs(Box::new(CreateTableAs {
                name: self.object(),
                if_not_exists: self.coin(),
                columns: self.many(0, Self::name),
                parameters: self.many(0, Self::parameter),
                query: self.query(2),
                data: self.coin(),
            })),
            12 => Statement::CreateTable(Box::new(CreateTable {
                name: self.object(),
                if_not_exists: self.coin(),
                columns: Vec::new(),
                constraints: self.many(0, Self::constraint),
                inherits: Vec::new(),
                partition_of: Some(PartitionOf {
                    parent: self.object(),
                    bound: self.partition_bound(),
                }),
                partition_by: None,
                parameters: self.many(0, Self::parameter),
            })),
            13 => Statement::AlterTable {
                table: self.object(),
                actions: vec![
                    AlterAction::AttachPartition(self.object(), self.partition_bound()),
                    AlterAction::DetachPartition(self.object()),
                ],
            },
            14 => Statement::SetConstraints {
                names: self.many(0, Self::object),
                deferred: self.coin(),
            },
            15 => match self.coin() {
                true => Statement::DropFunction {
                    functions: self.many(1, Self::function_name),
                    if_exists: self.coin(),
                },
                false => Statement::CreateFunction(Box::new(CreateFunction {
                    name: self.object(),
                    or_replace: self.coin(),
                    arguments: self.many(0, |make| FunctionArgument {
                        name: Some(Name::new("argument")),
                        data_type: make.data_type(),
                    }),
                    returns: self.data_type(),
                    language: Name::new("sql"),
                    body: "SELECT 'it''s'; SELECT 1".into(),
                    strict: self.coin(),
                    volatility: self.pick(&[Volatility::Immutable, Volatility::Stable, Volatility::Volatile]),
                })),
            },
            9 => Statement::Truncate {
                tables: self.many(1, Self::object),
            },
            10 => Statement::RollbackTo(self.name()),
            _ => self.access_statement(),
        }
    }

    fn role(&mut self) -> RoleRef {
        match self.below(4) {
            0 => RoleRef::Public,
            1 => RoleRef::CurrentUser,
            2 => RoleRef::SessionUser,
            _ => RoleRef::Named(Name::new("Odd role")),
        }
    }

    fn access_statement(&mut self) -> Statement {
        let odd = || Name::new("Odd role");
        match self.below(8) {
            0 => Statement::CreateRole {
                name: odd(),
                options: RoleOptions {
                    login: self.some(Self::coin),
                    superuser: self.some(Self::coin),
                    inherit: self.some(Self::coin),
                    bypass_rls: self.some(Self::coin),
                    create_role: self.some(Self::coin),
                    create_database: self.some(Self::coin),
                    in_roles: if self.coin() {
                        vec![odd(), Name::new("b")]
                    } else {
                        vec![]
                    },
                },
            },
            1 => Statement::Set {
                local: self.coin(),
                name: Name::new("role"),
                value: Some(vec![Expr::new(ExprKind::String("r".into()), Span::default())]),
            },
            2 => self.grant(),
            3 => Statement::GrantRole(Box::new(GrantRole {
                revoke: self.coin(),
                option: self.coin(),
                roles: vec![odd(), Name::new("b")],
                members: self.many(1, Self::role),
            })),
            4 => Statement::CreatePolicy(Box::new(CreatePolicy {
                name: self.name(),
                table: self.object(),
                restrictive: self.coin(),
                command: self.pick(&[PolicyCommand::All, PolicyCommand::Select, PolicyCommand::Delete]),
                roles: self.many(0, Self::role),
                using: self.some(|make| make.expr(3)),
                check: self.some(|make| make.expr(3)),
            })),
            5 => Statement::AlterPolicy(Box::new(AlterPolicy {
                name: self.name(),
                table: self.object(),
                roles: self.some(|make| make.many(1, Self::role)),
                using: self.some(|make| make.expr(3)),
                check: self.some(|make| make.expr(3)),
            })),
            6 => Statement::DropPolicy {
                name: self.name(),
                table: self.object(),
                if_exists: self.coin(),
            },
            _ => Statement::AlterTable {
                table: self.object(),
                actions: vec![
                    AlterAction::Owner(self.role()),
                    AlterAction::RowSecurity(self.pick(&[RowSecurity::Enable, RowSecurity::NoForce])),
                ],
            },
        }
    }

    fn function_name(&mut self) -> FunctionName {
        FunctionName {
            name: self.object(),
            arguments: self.some(|make| make.many(0, Self::data_type)),
        }
    }

    fn grant(&mut self) -> Statement {
        let revoke = self.coin();
        Statement::Grant(Box::new(Grant {
            revoke,
            option: self.coin(),
            privileges: self.many(0, |make| GrantedPrivilege {
                privilege: make.pick(&Privilege::ALL),
                columns: make.many(0, Self::name),
            }),
            on: match self.below(7) {
                0 => GrantTarget::Tables(self.many(1, Self::object)),
                1 => GrantTarget::Sequences(self.many(1, Self::object)),
                2 => GrantTarget::Schemas(self.many(1, Self::name)),
                3 => GrantTarget::AllTables(self.many(1, Self::name)),
                4 => GrantTarget::AllSequences(self.many(1, Self::name)),
                5 => GrantTarget::Functions(self.many(1, Self::function_name)),
                _ => GrantTarget::AllFunctions(self.many(1, Self::name)),
            },
            roles: self.many(1, Self::role),
            cascade: revoke && self.coin(),
        }))
    }
}
