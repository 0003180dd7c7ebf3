//! Small indexes into the tables of a [`Compilation`](crate::Compilation).

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($width:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $width);

        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// Into `Deployment::nodes`.
    NodeId(u16);
    /// Into `Deployment::databases`.
    DatabaseId(u16);
    /// Into `Deployment::item_tables`.
    ItemTableId(u16);
    /// Into `Deployment::buckets`.
    BucketId(u16);
    /// Into `Deployment::topics`.
    TopicId(u16);
    /// Into `Deployment::pools`.
    PoolId(u16);
    /// Into `Deployment::routes`.
    RouteId(u16);
    /// Into `Compilation::programs`.
    ProgramId(u16);
    /// Into `Program::steps`.
    StepId(u32);
    /// Into `Program::registers`.
    RegisterId(u16);
    /// Into `Program::connections`: a connection that the program holds while it is acquired.
    ConnectionId(u8);
    /// Into `Workload::operations`.
    OperationId(u16);
    /// One request of one client, numbered from 0 in order of arrival; the same on every design.
    RequestId(u64);
}
