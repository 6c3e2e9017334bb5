//! The local system as a whole, on free ports in a folder of its own.

#![allow(clippy::unwrap_used)]

mod a_projection_was_wrong;
mod durability;
mod objects;
mod protocols;
mod support;
mod what_an_operator_does;
