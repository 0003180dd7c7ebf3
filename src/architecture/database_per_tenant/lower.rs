//! An operation's plan as steps of the application.

use program::{Block, ConnectionId, NodeId, OperationId, PoolId, ProgramKind, Role, RouteId};
use scenario::Operation;

use super::places::Place;
use super::plan::{At, Late, Plan, Shape, Sited};
use super::tenancy::Pin;
use crate::composition::foreign::{Prefetch, separate};
use crate::composition::lower::{Caller, compose, prefetch_into, target};
use crate::composition::reach::Everywhere;
use crate::composition::{Landscape, Reach};
use crate::lower::assembly::Assembly;
use crate::lower::builder::Builder;
use crate::lower::item::{Item, Refused};
use crate::lower::later::{self, Later};
use crate::lower::{local, statement, transaction};
use crate::sql::facts;

/// What stands where.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) application: NodeId,
    /// To the tenants' databases.
    pub(crate) route: RouteId,
    /// A tenant whose database answers for what all of them have.
    pub(crate) first: i32,
    pub(crate) shared: Option<PoolId>,
    /// So many tenants' databases are asked at the same time.
    pub(crate) fan_out: u16,
}

pub(crate) fn compile(
    assembly: &mut Assembly<'_>,
    site: &Site,
    id: OperationId,
    operation: &Operation,
    plan: &Plan,
) -> Result<(), Refused> {
    let mut builder = Builder::new(&operation.name, site.application, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    let mut writer = Writer {
        assembly,
        site,
        plan,
        caller: Caller {
            id,
            operation,
            index: 0,
        },
        before: Block::new(),
    };
    let mut body = writer.operation(&mut builder)?;
    body.extend(writer.later(&mut builder));
    let answers = local::answers(&mut builder, &plan.answers());
    body.push(builder.answer(answers));
    let program = assembly.add(builder.finish(body));
    assembly.enter(id, program);
    Ok(())
}

/// Writes the steps of one operation.
struct Writer<'w, 'a> {
    assembly: &'w mut Assembly<'a>,
    site: &'w Site,
    plan: &'w Plan,
    caller: Caller<'w>,
    /// What is read before the transaction begins.
    before: Block,
}

/// The connection on which a transaction is open, and where.
#[derive(Clone, Copy)]
struct Open<'p> {
    at: &'p At,
    connection: ConnectionId,
}

impl<'w> Writer<'w, '_> {
    fn operation(&mut self, builder: &mut Builder) -> Result<Block, Refused> {
        let plan = self.plan;
        match &plan.shape {
            Shape::Local(at) => {
                let items: Vec<Item> = plan.items.iter().map(|sited| sited.item.clone()).collect();
                let connection = self.connection(builder, at);
                let operation = self.caller.operation;
                Ok(local::operation(
                    self.assembly,
                    builder,
                    operation,
                    &items,
                    connection,
                    local::Around::default(),
                ))
            }
            Shape::Reads => self.outside(builder, &plan.items),
            Shape::Transaction { at, from } => {
                let mut steps = self.outside(builder, &plan.items[..*from])?;
                steps.extend(self.transaction(builder, at, &plan.items[*from..])?);
                Ok(steps)
            }
            Shape::Broadcast { from, to } => {
                let mut steps = self.outside(builder, &plan.items[..*from])?;
                steps.extend(self.broadcast(builder, &plan.items[*from..*to]));
                steps.extend(self.outside(builder, &plan.items[*to..])?);
                Ok(steps)
            }
        }
    }

    /// What other databases do later.
    fn later(&mut self, builder: &mut Builder) -> Block {
        let plan = self.plan;
        let Caller { id, operation, .. } = self.caller;
        let mut steps = Block::new();
        for Late { at, items } in &plan.later {
            let place = at.name();
            let also: Vec<String> = at.pin().and_then(Pin::variable).into_iter().collect();
            let later = Later {
                place: &place,
                items,
                also: &also,
            };
            let (route, shared) = (self.site.route, self.site.shared);
            steps.push(later::send(
                self.assembly,
                builder,
                (id, operation),
                later,
                |callee| match (at.pin(), shared) {
                    (None, Some(pool)) => callee.connection(pool),
                    (pin, _) => {
                        let key = pin.unwrap_or(&Pin::Constant(0)).expression(callee);
                        callee.routed(route, "", key)
                    }
                },
            ));
        }
        steps
    }

    /// The connection to one database.
    fn connection(&self, builder: &mut Builder, at: &At) -> ConnectionId {
        let route = self.site.route;
        match (at, self.site.shared) {
            (At::Tenant(pin), _) => {
                let key = pin.expression(builder);
                builder.routed(route, "", key)
            }
            (At::Shared, Some(pool)) => builder.connection(pool),
            // What is copied can be read anywhere: the tenant's own database, since it is at hand.
            _ => {
                let pin = self
                    .plan
                    .home
                    .clone()
                    .unwrap_or(Pin::Constant(i64::from(self.site.first)));
                let key = pin.expression(builder);
                builder.routed(route, "", key)
            }
        }
    }

    /// Each statement by itself, in no transaction.
    fn outside(&mut self, builder: &mut Builder, items: &[Sited]) -> Result<Block, Refused> {
        let mut steps = Block::new();
        for sited in items {
            steps.extend(self.item(builder, sited, None)?);
        }
        Ok(steps)
    }

    fn item(&mut self, builder: &mut Builder, sited: &Sited, open: Option<Open<'_>>) -> Result<Block, Refused> {
        let Sited { item, at, .. } = sited;
        match (at, item.sql()) {
            (At::Composed(tenant), Some(syntax::Statement::Query(query))) => {
                let into = target(builder, item.index, query);
                let landscape = self.landscape(builder, tenant.as_ref(), open);
                let caller = self.caller(item.index);
                self.expects_nothing(item)?;
                Ok(compose(self.assembly, builder, &landscape, caller, query, into))
            }
            (_, None) => Ok(statement::lower(self.assembly, builder, item, None, Role::Work)),
            _ => match open {
                Some(open) if *open.at == *at || *at == At::Anywhere => self.held(builder, item, open),
                _ => {
                    let connection = self.connection(builder, at);
                    let acquire = builder.acquire(connection);
                    let work = statement::lower(self.assembly, builder, item, Some(connection), Role::Work);
                    let release = builder.release(connection);
                    Ok([vec![acquire], work, vec![release]].concat())
                }
            },
        }
    }

    /// What a composition cannot check.
    fn expects_nothing(&self, item: &Item) -> Result<(), Refused> {
        match item.statement.expect_rows {
            None => Ok(()),
            Some(_) => Err(Refused::new(
                item.index,
                "EXPECT cannot count the rows of a query over several databases",
                "SELECT … INTO :variable, then ABORT WHEN",
            )),
        }
    }

    /// A statement of the transaction; what it reads of the other databases is fetched before.
    fn held(&mut self, builder: &mut Builder, item: &Item, open: Open<'_>) -> Result<Block, Refused> {
        let place = match open.at {
            At::Shared => Place::Shared,
            _ => Place::Tenants,
        };
        let mut schema = self.assembly.scenario.schema.clone();
        for table in &mut schema.tables {
            // Every database has the copied tables.
            if table.owner == Place::Copied.owner() {
                table.owner = place.owner();
            }
        }
        let (prefetches, item) = if item.writes() {
            separate(&schema, item, place.owner())?
        } else {
            (Vec::new(), item.clone())
        };
        let mut steps = Block::new();
        for prefetch in &prefetches {
            let tenant = self.plan.home.as_ref();
            let caller = self.caller(item.index);
            if place == Place::Shared {
                let landscape = self.landscape(builder, tenant, None);
                self.known_before(&item, prefetch)?;
                self.before
                    .extend(prefetch_into(self.assembly, builder, &landscape, caller, prefetch));
            } else {
                let landscape = self.landscape(builder, tenant, Some(open));
                steps.extend(prefetch_into(self.assembly, builder, &landscape, caller, prefetch));
            }
        }
        let connection = Some(open.connection);
        steps.extend(statement::lower(self.assembly, builder, &item, connection, Role::Work));
        Ok(steps)
    }

    /// What is read of tenants before a transaction in the shared database can use only what is known then.
    fn known_before(&self, item: &Item, prefetch: &Prefetch) -> Result<(), Refused> {
        let Shape::Transaction { from, .. } = self.plan.shape else {
            return Ok(());
        };
        let bound: Vec<String> = self.plan.items[from..]
            .iter()
            .flat_map(|sited| sited.item.binds())
            .collect();
        let query = syntax::Statement::Query(Box::new(prefetch.query.clone()));
        match facts::variables(&query).into_iter().find(|name| bound.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Refused::new(
                item.index,
                format!("it reads tenants' databases by :{name}, which is not known before the transaction"),
                "read it with SELECT … INTO :variable before the first statement in the shared database",
            )),
        }
    }

    fn caller(&self, index: u16) -> Caller<'w> {
        Caller { index, ..self.caller }
    }

    /// How the rows of each place are reached, for one tenant or for all.
    fn landscape(&self, builder: &mut Builder, tenant: Option<&Pin>, open: Option<Open<'_>>) -> Landscape {
        let reach = |builder: &mut Builder, at: &At| match open {
            Some(open) if open.at == at => Reach::Held(open.connection),
            _ => Reach::Taken(self.connection(builder, at)),
        };
        let tenants = match tenant {
            Some(pin) => reach(builder, &At::Tenant(pin.clone())),
            None => Reach::Everywhere(Everywhere::of(builder, self.site.route, self.site.fan_out)),
        };
        let shared = reach(builder, &At::Shared);
        let copied = match (open, tenant) {
            (Some(open), _) => Reach::Held(open.connection),
            (None, Some(_)) => tenants,
            (None, None) => shared,
        };
        let mut owners = vec![tenants; Place::ALL.len()];
        owners[usize::from(Place::Shared.owner())] = shared;
        owners[usize::from(Place::Copied.owner())] = copied;
        Landscape { owners }
    }

    fn transaction(&mut self, builder: &mut Builder, at: &At, items: &[Sited]) -> Result<Block, Refused> {
        let connection = self.connection(builder, at);
        let acquire = builder.acquire(connection);
        let mut body = Block::new();
        for sited in items {
            body.extend(self.item(builder, sited, Some(Open { at, connection }))?);
        }
        let isolation = self.caller.operation.isolation;
        let work = transaction::transaction(builder, connection, isolation, body);
        let release = builder.release(connection);
        Ok([std::mem::take(&mut self.before), vec![acquire, work, release]].concat())
    }

    /// The statements as a transaction in each tenant's database.
    fn broadcast(&mut self, builder: &mut Builder, items: &[Sited]) -> Block {
        let everywhere = Everywhere::of(builder, self.site.route, self.site.fan_out);
        let items: Vec<Item> = items.iter().map(|sited| sited.item.clone()).collect();
        let connection = everywhere.connection;
        let operation = self.caller.operation;
        let body = local::operation(
            self.assembly,
            builder,
            operation,
            &items,
            connection,
            local::Around::default(),
        );
        let answers = local::answers(builder, &items);
        everywhere.each(builder, body, answers)
    }
}
