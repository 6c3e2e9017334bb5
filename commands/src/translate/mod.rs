//! Translates JSON to the commands of orders and shipments. The contract defines the names of
//! members; any other member is kept as an attribute.

pub mod fields;
pub mod order;
pub mod shipment;
