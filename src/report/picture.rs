//! A deployment as the data of a drawing: servers, what lies in them, and the walls between tenants and between domains.
//!
//! A box is a server (a failure domain), a cylinder a database, a tab a schema, a stripe the rows of a tenant.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentPicture {
    /// Only those that keep data.
    pub servers: Vec<PictureServer>,
    /// Of the event bus between the services; 0: there is none.
    pub topics: u32,
    /// Between the rows of two tenants; `None`: the scenario has no tenants.
    pub tenant_wall: Option<Wall>,
    /// Between the tables of two owners; `None`: there is one owner.
    pub domain_wall: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureServer {
    pub name: String,
    /// A service that somebody else keeps running.
    pub managed: bool,
    pub stores: Vec<PictureStore>,
}

/// A database, a table of items or a bucket of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureStore {
    pub name: String,
    pub kind: StoreKind,
    /// Owners of the tables in it, in order of name.
    pub domains: Vec<String>,
    pub tenants: Tenancy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreKind {
    Database,
    Items,
    Objects,
}

/// Whose rows lie in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tenancy {
    /// Nobody's: what it holds belongs to no tenant.
    None,
    /// One tenant's, who is the so-manieth (from 0).
    One(u32),
    All,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    pub kind: WallKind,
    /// `another database`, `row-level security`, `every statement's own filter`
    pub by: String,
    /// A probe came through.
    pub hole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WallKind {
    /// Enforced by the engine: drawn solid.
    Engine,
    /// The application alone: drawn dashed.
    Application,
}

impl DeploymentPicture {
    /// The drawing as a sentence.
    pub fn sentence(&self) -> String {
        use crate::number::plural;
        let stores: usize = self.servers.iter().map(|server| server.stores.len()).sum();
        let all = |kind| {
            let mut stores = self.servers.iter().flat_map(|server| &server.stores);
            stores.all(|store| store.kind == kind)
        };
        let (one, many) = if all(StoreKind::Items) {
            ("table of items", "tables of items")
        } else if all(StoreKind::Objects) {
            ("bucket of objects", "buckets of objects")
        } else {
            ("database", "databases")
        };
        let stores = plural(stores as u64, one, many);
        let managed = self.servers.iter().all(|server| server.managed);
        let servers = if managed {
            "a managed service".to_owned()
        } else {
            plural(self.servers.len() as u64, "server", "servers")
        };
        let mut text = format!("{stores} on {servers}");
        if self.topics > 0 {
            let topics = plural(u64::from(self.topics), "topic", "topics");
            text.push_str(&format!(", an event bus with {topics}"));
        }
        for (between, wall) in [("tenants", &self.tenant_wall), ("domains", &self.domain_wall)] {
            if let Some(wall) = wall {
                text.push_str(&format!("; between {between}: {}", wall.sentence()));
            }
        }
        text
    }
}

impl Wall {
    pub fn sentence(&self) -> String {
        let by = &self.by;
        let kind = match self.kind {
            WallKind::Engine => format!("{by}, enforced by the engine"),
            WallKind::Application => format!("{by}, kept by the application alone"),
        };
        if self.hole {
            format!("{kind}; a probe came through")
        } else {
            kind
        }
    }
}
