//! The whole system in one process on one machine: Waybill in the [`emulator`].
//!
//! The handlers of the deployed functions run here unchanged: they receive the payloads that AWS
//! sends, and ordinary AWS clients that lead to this process, so that they run as on AWS.
//!
//! ```text
//! settings ─▶ system ─┬─ data_folder, listeners ──────────────────────────────┐
//!                     ├─ functions (commands, projectors) ─┐                  ▼
//!                     └─ rules, routes, tables, variables ─┴▶ definition ─▶ emulator
//! ```
//!
//! - [`system`] starts and stops it; [`settings`], [`data_folder`] and [`listeners`] say where it
//!   listens and keeps its data, [`start_error`] why it does not start
//! - [`definition`] defines Waybill for the emulator: its [`functions`], [`rules`] of the buses,
//!   [`routes`] of the HTTP API, [`tables`], alarms, and the [`variables`] of the functions
//! - [`banner`] and [`logs`] are what the terminal shows
//! - [`limits`] has every bound; [`demo`] sends work and checks the results; [`carriers`] sends
//!   examples of webhooks

mod alarms;
pub mod banner;
pub mod carriers;
pub mod data_folder;
pub mod definition;
pub mod demo;
pub mod functions;
pub mod limits;
pub mod listeners;
pub mod logs;
pub mod routes;
pub mod rules;
pub mod settings;
pub mod start_error;
pub mod system;
pub mod tables;
pub mod variables;

pub use settings::Settings;
pub use start_error::StartError;
pub use system::System;

pub use emulator::Printed;

use emulator::clock;
