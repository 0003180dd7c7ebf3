//! The part of the tree about who may do what: roles, privileges, policies.

use crate::{Expr, FunctionName, Name, ObjectName};

/// Attributes of CREATE ROLE and ALTER ROLE; `None`: not mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoleOptions {
    pub login: Option<bool>,
    pub superuser: Option<bool>,
    pub inherit: Option<bool>,
    pub bypass_rls: Option<bool>,
    pub create_role: Option<bool>,
    pub create_database: Option<bool>,
    /// `IN ROLE a, b`, of CREATE ROLE only.
    pub in_roles: Vec<Name>,
}

/// A role where PostgreSQL takes a word for the present one or for everybody, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RoleRef {
    Named(Name),
    Public,
    CurrentUser,
    SessionUser,
}

/// GRANT or REVOKE of privileges on objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    pub revoke: bool,
    /// WITH GRANT OPTION, GRANT OPTION FOR.
    pub option: bool,
    /// Empty: ALL.
    pub privileges: Vec<GrantedPrivilege>,
    pub on: GrantTarget,
    pub roles: Vec<RoleRef>,
    pub cascade: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantedPrivilege {
    pub privilege: Privilege,
    /// Empty: the whole object.
    pub columns: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Usage,
    Create,
    Execute,
}

impl Privilege {
    pub const ALL: [Privilege; 10] = [
        Privilege::Select,
        Privilege::Insert,
        Privilege::Update,
        Privilege::Delete,
        Privilege::Truncate,
        Privilege::References,
        Privilege::Trigger,
        Privilege::Usage,
        Privilege::Create,
        Privilege::Execute,
    ];

    pub fn keyword(self) -> &'static str {
        match self {
            Privilege::Select => "SELECT",
            Privilege::Insert => "INSERT",
            Privilege::Update => "UPDATE",
            Privilege::Delete => "DELETE",
            Privilege::Truncate => "TRUNCATE",
            Privilege::References => "REFERENCES",
            Privilege::Trigger => "TRIGGER",
            Privilege::Usage => "USAGE",
            Privilege::Create => "CREATE",
            Privilege::Execute => "EXECUTE",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GrantTarget {
    Tables(Vec<ObjectName>),
    Sequences(Vec<ObjectName>),
    Schemas(Vec<Name>),
    /// ALL TABLES IN SCHEMA
    AllTables(Vec<Name>),
    /// ALL SEQUENCES IN SCHEMA
    AllSequences(Vec<Name>),
    Functions(Vec<FunctionName>),
    /// ALL FUNCTIONS IN SCHEMA
    AllFunctions(Vec<Name>),
}

/// GRANT or REVOKE of membership in roles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantRole {
    pub revoke: bool,
    /// WITH ADMIN OPTION, ADMIN OPTION FOR.
    pub option: bool,
    pub roles: Vec<Name>,
    pub members: Vec<RoleRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreatePolicy {
    pub name: Name,
    pub table: ObjectName,
    pub restrictive: bool,
    pub command: PolicyCommand,
    /// Empty: PUBLIC.
    pub roles: Vec<RoleRef>,
    pub using: Option<Expr>,
    pub check: Option<Expr>,
}

/// What is not mentioned stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlterPolicy {
    pub name: Name,
    pub table: ObjectName,
    pub roles: Option<Vec<RoleRef>>,
    pub using: Option<Expr>,
    pub check: Option<Expr>,
}

/// The commands that a policy is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyCommand {
    #[default]
    All,
    Select,
    Insert,
    Update,
    Delete,
}

/// `ALTER TABLE … ROW LEVEL SECURITY`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowSecurity {
    Enable,
    Disable,
    Force,
    NoForce,
}
