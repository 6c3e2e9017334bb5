//! Every limit on what is accepted, so that what is accepted fits every limit downstream (I11).

/// Items of an order. The largest real one known has 1,114.
pub const ITEMS_MAX: usize = 2_000;

/// Adjustments of an order, and of each of its items.
pub const ADJUSTMENTS_MAX: usize = 100;

/// Significant digits of a number: what DynamoDB holds.
pub const DIGITS_MAX: u64 = 38;

/// Power of ten of a number's first digit, least and greatest: DynamoDB holds 1E-130 to 9.9…E+125.
pub const MAGNITUDE: std::ops::RangeInclusive<i64> = -130..=125;

/// Characters of a number's text. Nobody needs 38 digits and an exponent of three in more.
pub const NUMBER_TEXT_MAX: usize = 400;

/// Levels of JSON: an array in an object counts two. DynamoDB nests 32, and a row puts a value
/// some levels deeper than it came.
pub const JSON_DEPTH_MAX: usize = 16;

/// Characters of an id, of an order, a shipment, or what somebody else calls a customer, a product or
/// a parcel: 512 bytes at most, and so within every key.
pub const ID_MAX: usize = 128;

/// Characters of a name, and of a reason to cancel.
pub const TEXT_MAX: usize = 1_024;

/// Characters of a status in a carrier's own spelling: 40 letters, and room for what parts them.
pub const CARRIER_STATUS_MAX: usize = 100;

/// A shipment update's detail as JSON, in bytes.
pub const DETAIL_BYTES_MAX: usize = 64 * 1024;

/// A row or a commit as DynamoDB counts it, in bytes: its limit is 400 KB, the rest is ours to grow.
pub const ITEM_BYTES_MAX: usize = 350 * 1024;

/// What an order's row holds beside its items and attributes, in bytes as DynamoDB counts them:
/// some twenty names, dates and bounded texts (customer name, reason, source file).
pub const ROW_OVERHEAD_BYTES: usize = 12 * 1024;

/// Hours that an update's own time, or the one that an order was placed at, may be ahead of its arrival.
pub const CLOCK_AHEAD_HOURS: i64 = 24;

/// Commits of an aggregate.
pub const COMMITS_MAX: u32 = 20_000;
