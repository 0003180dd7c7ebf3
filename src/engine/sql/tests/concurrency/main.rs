//! Several sessions at once, through the server's public interface: forks, crashes, deadlocks, waiting.

mod access;
mod bloat;
mod crash;
mod deadlock;
mod durability;
mod foreign_keys;
mod fork;
mod lab;
mod prepared;
mod schedules;
mod serializable;
mod speed;
