//! Where things run: nodes, databases on them, pools of connections, links between nodes.

use base::Value;
use serde::{Deserialize, Serialize};

use crate::bus::Topic;
use crate::ids::{DatabaseId, NodeId, PoolId};
use crate::item::ItemTable;
use crate::object::Bucket;
use crate::step::Connect;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deployment {
    pub nodes: Vec<Node>,
    pub databases: Vec<Database>,
    pub pools: Vec<Pool>,
    pub routes: Vec<Route>,
    pub item_tables: Vec<ItemTable>,
    pub buckets: Vec<Bucket>,
    pub topics: Vec<Topic>,
    /// Links that differ from [`LinkClass::SameZone`], the default between any two nodes.
    pub links: Vec<Link>,
}

/// A failure domain: what crashes and restarts as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub kind: NodeKind,
    /// Processors; the node's CPU is a queue with so many servers.
    pub cores: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NodeKind {
    /// Whoever asks: issues operations, waits for answers, may retry.
    Client,
    /// A stateless process that runs programs: application, orchestrator, service, relay.
    Service,
    /// A PostgreSQL server with its databases, one WAL and one buffer pool.
    SqlServer,
    /// DynamoDB: a managed service. It has partitions with a throughput each, and no cores of ours.
    DynamoDb,
    /// An object store (S3): a managed service. Its prefixes have a throughput each, and it has no cores of ours.
    ObjectStore,
    /// An event bus with its topics: brokers seen as one. What its replicas have survives its crash.
    EventBus,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Database {
    pub name: String,
    pub node: NodeId,
    /// An earlier database of the same server that it begins as a copy of, before there are any rows:
    /// `CREATE DATABASE … TEMPLATE …`.
    pub template: Option<DatabaseId>,
    /// DDL, one statement an item, in order: schemas, tables, indexes, roles. After the template's, if it has one.
    pub definitions: Vec<String>,
}

/// Connections that one service keeps to one database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pool {
    pub name: String,
    pub service: NodeId,
    pub database: DatabaseId,
    pub role: String,
    pub size: u16,
}

/// Pools of one service, one per value of a key: which tenant's rows lie in which database. The service
/// knows it from memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// What the key is: `tenant`.
    pub name: String,
    /// Each key once. `int` and `bigint` of one value are one key.
    pub pools: Vec<(Value, PoolId)>,
}

/// Applies in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    pub between: (NodeId, NodeId),
    pub class: LinkClass,
}

/// What the hardware profile knows a latency for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkClass {
    /// Within one process: no latency at all.
    Local,
    SameZone,
    CrossZone,
    CrossRegion,
}

impl NodeKind {
    /// Has it no machine of ours that could be busy or crash?
    pub fn is_managed(self) -> bool {
        matches!(self, NodeKind::DynamoDb | NodeKind::ObjectStore)
    }

    /// `PostgreSQL server`
    pub fn words(self) -> &'static str {
        match self {
            NodeKind::Client => "client",
            NodeKind::Service => "service",
            NodeKind::SqlServer => "PostgreSQL server",
            NodeKind::DynamoDb => "DynamoDB",
            NodeKind::ObjectStore => "object store",
            NodeKind::EventBus => "event bus",
        }
    }
}

impl Deployment {
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The pools that such a connection may come from.
    pub fn pools_of(&self, connect: Connect) -> Vec<PoolId> {
        match connect {
            Connect::Pool(pool) => vec![pool],
            Connect::Route(route) => self.routes[route.index()].pools.iter().map(|(_, pool)| *pool).collect(),
        }
    }

    /// Where statements on such a connection go, for people: `auth`, `the tenant's database`.
    pub fn place_of(&self, connect: Connect) -> String {
        match connect {
            Connect::Pool(pool) => self.databases[self.pools[pool.index()].database.index()].name.clone(),
            Connect::Route(route) => format!("the {}'s database", self.routes[route.index()].name),
        }
    }

    /// The class of the link between two nodes; a node reaches itself locally.
    pub fn link_class(&self, a: NodeId, b: NodeId) -> LinkClass {
        if a == b {
            return LinkClass::Local;
        }
        self.links
            .iter()
            .find(|link| link.between == (a, b) || link.between == (b, a))
            .map_or(LinkClass::SameZone, |link| link.class)
    }
}
