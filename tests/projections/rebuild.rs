//! Rows made again, named where they are wrong, and mended: one aggregate's, all of them, and in
//! passing; what is parked, taken up; what nobody heard, announced again.

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
