//! How large a scenario may be. A browser's worker holds several designs at once; what is larger than this
//! is refused with the estimate instead of exhausting it.

/// Of a scenario file.
pub const FILE_BYTES: usize = 256 * 1024;
pub(super) const TABLES: usize = 128;
/// Of one table.
pub(super) const COLUMNS: usize = 128;
pub(super) const OPERATIONS: usize = 64;
/// Of one operation; also of one operation's statements.
pub(super) const PARAMETERS: usize = 64;
pub(super) const INVARIANTS: usize = 32;
pub(super) const FAULTS: usize = 16;
pub(super) const TENANTS: u64 = 10_000;
/// Initial rows, all tables together.
pub(super) const ROWS: u64 = 2_000_000;
/// Estimated, of the initial rows on one design.
pub(super) const ROW_BYTES: u64 = 512 * 1024 * 1024;
pub(super) const REQUESTS: u64 = 1_000_000;

/// Characters of a text that a generator makes, or that a `varchar(n)` may hold.
pub(crate) const TEXT: u32 = 10_000;
