//! Properties of the whole storage under seeded random schedules. A failure names its seed.

mod recovery;
mod rows;
mod speed;
mod world;
