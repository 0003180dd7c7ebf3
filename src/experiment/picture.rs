//! A compiled deployment → the data of its drawing: what lies where, and what stands between tenants and between owners.
//!
//! Everything is read off the compilation (nodes, databases, where rows are loaded, definitions): nothing here knows a
//! design by name.

use program::{Compilation, Load, NodeId, Read};
use report::{DeploymentPicture, PictureServer, PictureStore, StoreKind, Tenancy, Wall, WallKind};

/// A place that holds rows of logical tables.
struct Store {
    node: NodeId,
    picture: PictureStore,
}

pub(crate) fn of(compilation: &Compilation, tenant_column: Option<&str>) -> DeploymentPicture {
    let deployment = &compilation.deployment;
    let tenants = tenant_ids(compilation);
    let mut stores: Vec<Store> = Vec::new();
    for (index, database) in deployment.databases.iter().enumerate() {
        let holding = Holding::of(compilation, tenant_column, |place| place == Place::Database(index));
        stores.push(Store {
            node: database.node,
            picture: holding.store(&database.name, StoreKind::Database, &tenants),
        });
    }
    for (index, table) in deployment.item_tables.iter().enumerate() {
        let holding = Holding::of(compilation, tenant_column, |place| place == Place::Items(index));
        stores.push(Store {
            node: table.node,
            picture: holding.store(&table.name, StoreKind::Items, &tenants),
        });
    }
    for (index, bucket) in deployment.buckets.iter().enumerate() {
        let holding = Holding::of(compilation, tenant_column, |place| place == Place::Objects(index));
        stores.push(Store {
            node: bucket.node,
            picture: holding.store(&bucket.name, StoreKind::Objects, &tenants),
        });
    }
    stores.retain(|store| !store.picture.domains.is_empty());
    let servers = deployment.nodes.iter().enumerate().filter_map(|(index, node)| {
        let here = stores.iter().filter(|store| store.node.index() == index);
        let stores: Vec<PictureStore> = here.map(|store| store.picture.clone()).collect();
        (!stores.is_empty()).then(|| PictureServer {
            name: node.name.clone(),
            managed: node.kind.is_managed(),
            stores,
        })
    });
    let servers: Vec<PictureServer> = servers.collect();
    let all: Vec<&PictureStore> = servers.iter().flat_map(|server| &server.stores).collect();
    DeploymentPicture {
        tenant_wall: tenant_wall(compilation, &all),
        domain_wall: domain_wall(compilation, &all),
        topics: deployment.topics.len() as u32,
        servers,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Database(usize),
    Items(usize),
    Objects(usize),
}

/// What lies at one place.
#[derive(Default)]
struct Holding {
    domains: Vec<String>,
    /// The one tenant whose rows are loaded here, if it is one.
    tenant: Option<i32>,
    has_tenants: bool,
}

impl Holding {
    fn of(compilation: &Compilation, tenant_column: Option<&str>, here: impl Fn(Place) -> bool) -> Holding {
        let mut holding = Holding::default();
        for table in &compilation.logical_tables {
            let loaded = table.loads.iter().filter_map(|load| match load {
                Load::Rows { database, share, .. } => here(Place::Database(database.index())).then_some(Some(*share)),
                Load::Items { table, .. } => here(Place::Items(table.index())).then_some(None),
                Load::Objects { bucket, .. } => here(Place::Objects(bucket.index())).then_some(None),
            });
            let loaded: Vec<_> = loaded.collect();
            let read = table.reads.iter().any(|read| match read {
                Read::Rows { database, .. } => here(Place::Database(database.index())),
                Read::Items { table, .. } => here(Place::Items(table.index())),
                Read::Objects { bucket, .. } => here(Place::Objects(bucket.index())),
            });
            if loaded.is_empty() && !read {
                continue;
            }
            let owner = table.name.split_once('.').map_or("public", |(owner, _)| owner);
            if !holding.domains.iter().any(|known| known == owner) {
                holding.domains.push(owner.to_owned());
            }
            holding.has_tenants |=
                tenant_column.is_some_and(|tenant| table.columns.iter().any(|(name, _)| name == tenant));
            for share in loaded.into_iter().flatten() {
                if let program::Share::Tenant(tenant) = share {
                    holding.tenant = Some(tenant);
                }
            }
        }
        holding.domains.sort_unstable();
        holding
    }

    fn store(self, name: &str, kind: StoreKind, tenants: &[i32]) -> PictureStore {
        let tenants = match self.tenant {
            Some(tenant) => Tenancy::One(tenants.iter().position(|known| *known == tenant).unwrap_or(0) as u32),
            None if self.has_tenants => Tenancy::All,
            None => Tenancy::None,
        };
        PictureStore {
            name: name.to_owned(),
            kind,
            domains: self.domains,
            tenants,
        }
    }
}

/// Those who have a place of their own, in order.
fn tenant_ids(compilation: &Compilation) -> Vec<i32> {
    let loads = compilation.logical_tables.iter().flat_map(|table| &table.loads);
    let mut tenants: Vec<i32> = loads
        .filter_map(|load| match load {
            Load::Rows {
                share: program::Share::Tenant(tenant),
                ..
            } => Some(*tenant),
            _ => None,
        })
        .collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants
}

fn tenant_wall(compilation: &Compilation, stores: &[&PictureStore]) -> Option<Wall> {
    if stores.iter().all(|store| store.tenants == Tenancy::None) {
        return None;
    }
    let apart = stores.iter().all(|store| store.tenants != Tenancy::All);
    Some(if apart {
        engine("a database each")
    } else if defines(compilation, "ROW LEVEL SECURITY") {
        engine("row-level security")
    } else if stores.iter().any(|store| store.kind != StoreKind::Database) {
        application("the tenant in every key")
    } else {
        application("a filter in every statement")
    })
}

fn domain_wall(compilation: &Compilation, stores: &[&PictureStore]) -> Option<Wall> {
    let mut owners: Vec<&String> = stores.iter().flat_map(|store| &store.domains).collect();
    owners.sort_unstable();
    owners.dedup();
    if owners.len() < 2 {
        return None;
    }
    let apart = stores.iter().all(|store| store.domains.len() < 2);
    let mut roles: Vec<&String> = compilation.deployment.pools.iter().map(|pool| &pool.role).collect();
    roles.sort_unstable();
    roles.dedup();
    Some(if apart {
        engine("a database each")
    } else if stores.iter().any(|store| store.kind != StoreKind::Database) {
        application("names of keys")
    } else if roles.len() > 1 && defines(compilation, "GRANT ") {
        engine("a role with grants each")
    } else {
        application("names of schemas")
    })
}

fn defines(compilation: &Compilation, words: &str) -> bool {
    let definitions = compilation
        .deployment
        .databases
        .iter()
        .flat_map(|database| &database.definitions);
    definitions
        .into_iter()
        .any(|definition| definition.to_uppercase().contains(words))
}

fn engine(by: &str) -> Wall {
    Wall {
        kind: WallKind::Engine,
        by: by.to_owned(),
        hole: false,
    }
}

fn application(by: &str) -> Wall {
    Wall {
        kind: WallKind::Application,
        by: by.to_owned(),
        hole: false,
    }
}
