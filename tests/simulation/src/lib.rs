//! A deterministic simulation of the whole system that tries to break every invariant.
//!
//! A run has one thread, no real clock and no IO. Every random choice is drawn from one seed, so
//! a seed and a revision of the code reproduce a failure. The real handlers run against simulated
//! ports. The scheduler can suspend a task before and after the effect of each call of a port.
//! Calls are throttled, lose their answers, and fail for single entries. Invocations crash at any
//! suspended call and are triggered again. The stream reorders records, repeats them, and drops
//! those older than 24 hours. Rows are corrupted. A simulated operator resumes parked aggregates,
//! retries dead letters and rebuilds rows, under the same faults. In the second part of a run no
//! fault strikes any more; at its end every invariant must hold for every order and shipment.
//!
//! How the parts work together: [`runner`] runs a seed by [`world::run`], which draws a [`plan`] of
//! requests and then takes steps. Each step starts an invocation or advances a running one. What
//! an outside observer can see is collected in [`observed::Observed`], and
//! [`checks::violations`] compares it with the invariants I1 to I12.
//!
//! - [`core`]: the random choices, the simulated time, the faults, and how a task is suspended
//! - [`ports`]: the simulated tables, bucket, bus, topic, keys, operator messages and clock
//! - [`plan`]: the requests of the clients and the webhooks of the carriers of a seed
//! - [`platform`]: what AWS does around the functions: stream, event delivery, dead letters
//! - [`world`]: one run of a seed, with its clients and its operator
//! - [`observed`]: what an outside observer has seen of a run
//! - [`checks`]: the invariants, checked against what was observed
//! - [`defects`]: defects that are planted on purpose, to prove that the checks find them
//! - [`small_scope`]: every interleaving of a few small worlds
//! - [`runner`]: runs many seeds and reduces a failing one to a short trace

#![allow(clippy::unwrap_used, clippy::expect_used)]

/// A run makes mostly small allocations; this allocator shortens it by a third.
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
