//! How a composition reaches the rows of each owner.

use program::{Block, ConnectionId, Expression, NodeId, Op, PoolId, RegisterId, RouteId};

use crate::lower::builder::{Builder, Mark};

#[derive(Clone, Debug)]
pub(crate) struct Landscape {
    /// By owner.
    pub(crate) owners: Vec<Reach>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By a call to the owner's service, which has a pool of its own.
    Service {
        node: NodeId,
        pool: PoolId,
    },
    /// On a connection that is taken for it and given back.
    Taken(ConnectionId),
    /// On a connection that the program holds already: in its transaction.
    Held(ConnectionId),
    Everywhere(Everywhere),
}

/// In every database of a route: the rows are the union of what each of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Everywhere {
    pub(crate) route: RouteId,
    /// For each database in turn; nothing else may use it.
    pub(crate) connection: ConnectionId,
    /// So many databases at the same time.
    pub(crate) at_once: u16,
}

impl Landscape {
    pub(crate) fn reach(&self, owner: u16) -> &Reach {
        &self.owners[usize::from(owner)]
    }
}

impl Reach {
    pub(crate) fn is_one_connection(&self) -> bool {
        matches!(self, Reach::Taken(_) | Reach::Held(_))
    }
}

impl Everywhere {
    /// The steps, once for each database; what they put into the row sets to gather is the union afterwards. They
    /// take the connection for [`Everywhere::key`].
    pub(crate) fn each(&self, builder: &mut Builder, body: Block, gather: Vec<RegisterId>) -> Block {
        let keys = builder.rows("all keys");
        let key = Everywhere::key(builder);
        let op = Op::RouteKeys {
            route: self.route,
            into: keys,
        };
        let all = builder.step(Mark::plumbing("all keys, from memory"), op);
        let op = Op::ForEach {
            rows: keys,
            bind: vec![key],
            body,
            parallel: self.at_once,
            gather,
        };
        vec![all, builder.step(Mark::plumbing("in each database"), op)]
    }

    /// The key of the database that is being asked.
    pub(crate) fn key(builder: &mut Builder) -> RegisterId {
        builder.value("key asked", base::Type::Int4)
    }

    /// The connection for it, made ready.
    pub(crate) fn of(builder: &mut Builder, route: RouteId, at_once: u16) -> Everywhere {
        let key = Everywhere::key(builder);
        let connection = builder.routed(route, "everywhere", Expression::Register(key));
        Everywhere {
            route,
            connection,
            at_once,
        }
    }
}
