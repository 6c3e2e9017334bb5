//! A deterministic world that tries to break every promise.
//!
//! One thread, no clock, no IO: every choice is drawn from one seed, so a seed and a commit replay
//! a failure. The real handlers run against ports that hold every call up before and after its
//! effect, lose answers, throttle and fail per entry; invocations crash wherever they stand and
//! are triggered again; the stream reorders, repeats and forgets; rows are spoilt. An operator sets
//! going again what has stopped and makes good what was lost, under the same faults: so that every
//! promise holds in the end for every order and shipment, without exception.
//!
//! - [`core`]: choices, time, faults, and how a task waits
//! - [`ports`]: table, rows, bus, topic and operator in this world
//! - [`plan`]: what the clients of a seed want, and the carriers
//! - [`platform`]: what AWS does around the functions: stream, mappings, event delivery
//! - [`world`]: one run of a seed, with its clients and its operator
//! - [`checks`]: what must hold of what was observed
//! - [`defects`]: planted, to see that the world finds them
//! - [`small_scope`]: every interleaving of a small world
//! - [`runner`]: many seeds, and the shortest trace of one that fails

#![allow(clippy::unwrap_used, clippy::expect_used)]

/// A seed is mostly small allocations: this one takes a third off its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod checks;
pub mod core;
pub mod defects;
pub mod observed;
pub mod plan;
pub mod platform;
pub mod ports;
pub mod runner;
pub mod small_scope;
pub mod world;
