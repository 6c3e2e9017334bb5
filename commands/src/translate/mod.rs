//! JSON to what is wanted of an order or a shipment. Names of fields are contract; what has no
//! name there is kept as an attribute.

pub mod fields;
pub mod order;
pub mod shipment;
