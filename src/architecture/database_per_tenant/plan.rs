//! Where each statement of an operation runs, and what the operation is as a whole.
//!
//! | the operation | becomes |
//! |---|---|
//! | all of it in one database | one local transaction there |
//! | reads here and there | one request after the other; what concerns several databases is composed |
//! | writes in one database, reads in others too | a transaction there; the reads stay outside of it |
//! | UPDATE or DELETE of all tenants' rows | one transaction in each tenant's database |
//! | asynchronous writes in other databases | sent there in the background, after the rest |
//! | other writes in two databases | refused: no transaction spans them |

use std::collections::BTreeSet;

use scenario::{Action, Generator, Operation, Schema, TableId};
use syntax::Statement;

use super::places::{self, Place};
use super::tenancy::{Inserted, Pin, Tenancy, inserted};
use crate::lower::item::{Item, Refused};
use crate::sql::facts;

/// More tenants than this in one operation's text are no application's.
const MOST_PINS: usize = 100;

/// Where a statement runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    /// A decision over variables, or a call to the outside.
    Application,
    /// This tenant's database; it has the copied tables too.
    Tenant(Pin),
    /// The shared database; it has the copied tables too.
    Shared,
    /// Any database: it reads copied tables only.
    Anywhere,
    /// Every tenant's database, each for its own rows.
    Everywhere,
    /// A query over this tenant's rows, or all tenants', and perhaps the shared database.
    Composed(Option<Pin>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sited {
    pub(crate) item: Item,
    pub(crate) at: At,
    /// A write that reads other databases too.
    pub(crate) reads_elsewhere: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// In this database alone.
    Local(At),
    /// No effect anywhere.
    Reads,
    /// From the statement of this place on, a transaction in this database.
    Transaction { at: At, from: usize },
    /// These statements (a range of places), once in each tenant's database.
    Broadcast { from: usize, to: usize },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) items: Vec<Sited>,
    /// What other databases do later, each once.
    pub(crate) later: Vec<Late>,
    /// The tenant that the operation is for.
    pub(crate) home: Option<Pin>,
    pub(crate) shape: Shape,
    /// Statements that would mean all tenants' rows elsewhere and mean one tenant's here, with the tables.
    pub(crate) confined: Vec<(u16, Vec<TableId>)>,
}

/// Asynchronous writes that one other database does later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Late {
    pub(crate) at: At,
    pub(crate) items: Vec<Item>,
}

pub(crate) fn plan(schema: &Schema, operation: &Operation) -> Result<Plan, Refused> {
    let mut planner = Planner {
        schema,
        own: own_tenants(operation),
        home: None,
        confined: Vec::new(),
    };
    planner.home = planner.own.first().cloned();
    let items = Item::all(operation).into_iter().map(|item| planner.site(item));
    let items = items.collect::<Result<Vec<Sited>, _>>()?;
    let pins: BTreeSet<&Pin> = items.iter().filter_map(|sited| sited.at.pin()).collect();
    if pins.len() > MOST_PINS {
        return Err(Refused::new(
            0,
            format!("it names {} tenants", pins.len()),
            "one operation a tenant, or one that means all of them",
        ));
    }
    let (items, later) = later(items)?;
    let shape = shape(operation, &items)?;
    let Planner { home, confined, .. } = planner;
    Ok(Plan {
        items,
        later,
        home,
        shape,
        confined,
    })
}

/// What stays, and the asynchronous writes that are for another database than the writes that stay.
fn later(items: Vec<Sited>) -> Result<(Vec<Sited>, Vec<Late>), Refused> {
    let is_now = |sited: &&Sited| sited.item.writes() && !sited.item.statement.marks.asynchronous;
    let writes = |sited: &&Sited| sited.item.writes();
    let mut all = items.iter();
    let first = all.find(is_now).or_else(|| items.iter().find(writes));
    let here = first.map(|sited| sited.at.clone());
    let is_later = |sited: &Sited| sited.item.statement.marks.asynchronous && here.as_ref() != Some(&sited.at);
    let (late, now): (Vec<Sited>, Vec<Sited>) = items
        .into_iter()
        .partition(|sited| sited.item.writes() && is_later(sited));
    let mut later: Vec<Late> = Vec::new();
    for sited in late {
        if sited.reads_elsewhere || sited.at == At::Everywhere {
            return Err(Refused::new(
                sited.item.index,
                "it is done later, by one database alone, and looks at rows of others",
                "read what is needed with SELECT … INTO :variable first, then write with :variable",
            ));
        }
        match later.iter_mut().find(|late| late.at == sited.at) {
            Some(late) => late.items.push(sited.item),
            None => later.push(Late {
                at: sited.at,
                items: vec![sited.item],
            }),
        }
    }
    Ok((now, later))
}

/// The parameters that are the request's tenant; the first is the one that everything is routed by. None if the
/// operation names other tenants: then each statement goes where it says.
fn own_tenants(operation: &Operation) -> Vec<Pin> {
    if operation.tenant.is_none() {
        return Vec::new();
    }
    let parameters = operation.parameters.iter();
    let tenants = parameters.filter(|parameter| parameter.generator == Generator::Tenant);
    tenants.map(|parameter| Pin::Variable(parameter.name.clone())).collect()
}

impl At {
    pub(crate) fn pin(&self) -> Option<&Pin> {
        match self {
            At::Tenant(pin) | At::Composed(Some(pin)) => Some(pin),
            _ => None,
        }
    }
}

struct Planner<'a> {
    schema: &'a Schema,
    own: Vec<Pin>,
    home: Option<Pin>,
    confined: Vec<(u16, Vec<TableId>)>,
}

impl Planner<'_> {
    fn site(&mut self, item: Item) -> Result<Sited, Refused> {
        let at = match &item.statement.action {
            Action::Sql(sql) if item.writes() => self.write(&item, sql)?,
            Action::Sql(sql) => self.query(&item, sql)?,
            Action::AbortWhen { .. } | Action::Call { .. } => At::Application,
        };
        let other = if at == At::Shared {
            Place::Tenants
        } else {
            Place::Shared
        };
        let reads_elsewhere = item.writes() && self.touches(&item.statement.reads, other);
        Ok(Sited {
            item,
            at,
            reads_elsewhere,
        })
    }

    fn touches(&self, tables: &[TableId], place: Place) -> bool {
        tables.iter().any(|id| places::of(self.schema, *id) == place)
    }

    /// The tenants that a statement names, the request's own counted once.
    fn tenancy(&self, sql: &Statement) -> Tenancy {
        let mut tenancy = Tenancy::of(self.schema, sql);
        if let Some(home) = &self.home {
            let own = |pin: Pin| if self.own.contains(&pin) { home.clone() } else { pin };
            tenancy.pins = tenancy.pins.into_iter().map(own).collect();
        }
        tenancy
    }

    fn query(&mut self, item: &Item, sql: &Statement) -> Result<At, Refused> {
        let reads = &item.statement.reads;
        let shared = self.touches(reads, Place::Shared);
        if !self.touches(reads, Place::Tenants) {
            return Ok(if shared { At::Shared } else { At::Anywhere });
        }
        let tenancy = self.tenancy(sql);
        let tenant = self.tenant(item, &tenancy)?;
        Ok(match tenant {
            Some(tenant) if !shared => At::Tenant(tenant),
            tenant => At::Composed(tenant),
        })
    }

    /// Whose rows a statement reads or changes; `None`: all tenants'.
    fn tenant(&mut self, item: &Item, tenancy: &Tenancy) -> Result<Option<Pin>, Refused> {
        if let Some(only) = tenancy.only() {
            return Ok(Some(only.clone()));
        }
        let Some(home) = self.home.clone() else { return Ok(None) };
        if tenancy.pins.iter().any(|pin| *pin != home) {
            return Err(Refused::new(
                item.index,
                "it looks at the rows of two tenants, which lie in two databases",
                "read the other tenant's rows with a SELECT … INTO :variable of its own first",
            ));
        }
        if !tenancy.loose.is_empty() {
            self.confined.push((item.index, tenancy.loose.clone()));
        }
        Ok(Some(home))
    }

    fn write(&mut self, item: &Item, sql: &Statement) -> Result<At, Refused> {
        if !self.touches(&item.statement.writes, Place::Tenants) {
            return Ok(At::Shared);
        }
        let tenancy = self.tenancy(sql);
        let Statement::Insert(insert) = sql else {
            return match self.tenant(item, &tenancy)? {
                Some(tenant) => Ok(At::Tenant(tenant)),
                None => self.everywhere(item, &tenancy),
            };
        };
        match (inserted(self.schema, insert), &self.home) {
            (Inserted::Pinned(pin), home) => {
                let pin = match home {
                    Some(home) if self.own.contains(&pin) => home.clone(),
                    _ => pin,
                };
                if self.touches(&item.statement.reads, Place::Tenants) && tenancy.only().is_none_or(|only| *only != pin)
                {
                    let read = self.tenant(item, &tenancy)?;
                    if read.as_ref() != Some(&pin) {
                        return Err(Refused::new(
                            item.index,
                            "it writes a row of one tenant and reads rows of others",
                            "read what is needed with SELECT … INTO :variable first, then insert it",
                        ));
                    }
                }
                Ok(At::Tenant(pin))
            }
            (Inserted::AsRead | Inserted::Open, Some(_)) => {
                let tenant = self.tenant(item, &tenancy)?;
                Ok(At::Tenant(
                    tenant.or_else(|| self.home.clone()).unwrap_or(Pin::Constant(0)),
                ))
            }
            (Inserted::AsRead, None) => self.everywhere(item, &tenancy),
            (Inserted::Open, None) => Err(Refused::new(
                item.index,
                "it does not say which tenant the row is for, so nobody knows which database to write to",
                "give the operation a parameter with the generator \"tenant\", and write it into the tenant column",
            )),
        }
    }

    /// Each tenant's database does its part: right if no row depends on another tenant's.
    fn everywhere(&self, item: &Item, tenancy: &Tenancy) -> Result<At, Refused> {
        let refused = |reason: &str, hint: &str| Err(Refused::new(item.index, reason, hint));
        if tenancy.pins.len() > 1 {
            return refused(
                "it looks at the rows of two tenants, which lie in two databases",
                "read the other tenant's rows with a SELECT … INTO :variable of its own first",
            );
        }
        if !tenancy.together {
            return refused(
                "it changes rows of all tenants by what it reads of all tenants",
                "read what is needed with SELECT … INTO :variable first, then write with :variable",
            );
        }
        if self.touches(&item.statement.reads, Place::Shared) {
            return refused(
                "it changes rows of all tenants by rows of the shared database",
                "read what is needed with SELECT … INTO :variable first, then write with :variable",
            );
        }
        if item.statement.expect_rows.is_some() || !item.binds().is_empty() {
            return refused(
                "it changes rows of all tenants, and each database knows only what it has changed itself",
                "give the operation a parameter with the generator \"tenant\", or leave EXPECT and INTO out",
            );
        }
        Ok(At::Everywhere)
    }
}

fn shape(operation: &Operation, items: &[Sited]) -> Result<Shape, Refused> {
    if let Some(at) = local(operation, items) {
        return Ok(Shape::Local(at));
    }
    let writes: Vec<&Sited> = items.iter().filter(|sited| sited.item.writes()).collect();
    let Some(first) = writes.first() else {
        return Ok(Shape::Reads);
    };
    if let Some(second) = writes.iter().find(|sited| sited.at != first.at) {
        return Err(Refused::new(
            second.item.index,
            format!(
                "it writes to {}, and a statement before it to {}: no transaction spans two databases",
                second.at.name(),
                first.at.name()
            ),
            "two operations; or keep what is written together in tables that have the tenant column",
        ));
    }
    let is_first = |sited: &Sited| sited.at == first.at && sited.item.sql().is_some();
    let from = items.iter().position(is_first).unwrap_or(0);
    if first.at == At::Everywhere {
        return broadcast(items, from);
    }
    // Who holds a connection waits for no tenant's: else two operations could wait for each other's for ever.
    for sited in &items[from..] {
        let elsewhere = match &sited.at {
            At::Composed(None) => true,
            At::Tenant(_) | At::Composed(Some(_)) => sited.at.pin() != first.at.pin(),
            _ => false,
        };
        if elsewhere {
            return Err(Refused::new(
                sited.item.index,
                format!(
                    "it reads tenants' databases inside of a transaction in {}",
                    first.at.name()
                ),
                format!("read them before the first statement in {}", first.at.name()),
            ));
        }
    }
    Ok(Shape::Transaction {
        at: first.at.clone(),
        from,
    })
}

/// The only database that is needed, if it is known from the beginning.
fn local(operation: &Operation, items: &[Sited]) -> Option<At> {
    if items.iter().any(|sited| sited.reads_elsewhere) {
        return None;
    }
    let mut places: Vec<&At> = Vec::new();
    for sited in items {
        if !matches!(sited.at, At::Application | At::Anywhere) && !places.contains(&&sited.at) {
            places.push(&sited.at);
        }
    }
    let only = match places.as_slice() {
        [] => At::Anywhere,
        [only] => (*only).clone(),
        _ => return None,
    };
    let is_parameter = |name: &String| operation.parameters.iter().any(|parameter| parameter.name == *name);
    match &only {
        At::Tenant(Pin::Variable(name)) if !is_parameter(name) => None,
        At::Everywhere | At::Composed(_) => None,
        _ => Some(only),
    }
}

fn broadcast(items: &[Sited], from: usize) -> Result<Shape, Refused> {
    let is_part = |sited: &Sited| sited.at == At::Everywhere;
    let to = items.iter().rposition(is_part).map_or(from, |last| last + 1);
    if let Some(between) = items[from..to].iter().find(|sited| !is_part(sited)) {
        return Err(Refused::new(
            between.item.index,
            "it stands between changes of all tenants' rows, which each database makes for itself",
            "move it before the first of them",
        ));
    }
    let decides = |sited: &&Sited| sited.item.decides() || sited.item.is_external();
    if let Some(late) = items[to..].iter().find(decides) {
        return Err(Refused::new(
            late.item.index,
            "it may fail when all tenants' databases have committed, and nothing can take that back",
            "decide before the rows are changed",
        ));
    }
    Ok(Shape::Broadcast { from, to })
}

impl At {
    /// For people.
    pub(crate) fn name(&self) -> String {
        match self {
            At::Tenant(Pin::Variable(name)) => format!("the database of tenant :{name}"),
            At::Tenant(Pin::Constant(n)) => format!("the database of tenant {n}"),
            At::Shared => "the shared database".to_owned(),
            At::Everywhere => "every tenant's database".to_owned(),
            At::Application | At::Anywhere | At::Composed(_) => "several databases".to_owned(),
        }
    }
}

impl Plan {
    /// Does it read the rows of all tenants?
    pub(crate) fn fans_out(&self) -> bool {
        self.items.iter().any(|sited| sited.at == At::Composed(None))
    }

    pub(crate) fn answers(&self) -> Vec<Item> {
        let answering = |item: &&Item| item.sql().is_some_and(facts::answers_rows);
        self.items
            .iter()
            .map(|sited| &sited.item)
            .filter(answering)
            .cloned()
            .collect()
    }
}
