//! Rebuilds. Wrong rows are reported and repaired: those of one aggregate, all rows, and a part at
//! a time by the sweep. Also the resuming of parked aggregates, and the repeated announcing of
//! messages.

mod aggregate;
mod announced;
mod corrupted;
mod cost;
mod interleaved;
mod only;
mod paced;
mod parked;
mod resumed;
mod sweep;
mod trap;
mod whole;
