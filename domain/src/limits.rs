//! Every limit on accepted input, so that it fits every limit downstream (invariant I11).

/// The most items of an order. The largest real order known has 1,114.
pub const ITEMS_MAX: usize = 2_000;

/// The most adjustments of an order, and of each of its items.
pub const ADJUSTMENTS_MAX: usize = 100;

/// The most significant digits of a number: DynamoDB holds 38.
pub const DIGITS_MAX: u64 = 38;

/// The smallest and the greatest power of ten of a number's first digit: DynamoDB holds 1E-130 to
/// 9.9…E+125.
pub const MAGNITUDE: std::ops::RangeInclusive<i64> = -130..=125;

/// The most characters of a number's text. A number of 38 digits with an exponent needs far fewer.
pub const NUMBER_TEXT_MAX: usize = 400;

/// The most levels of nested JSON: an array in an object counts two. DynamoDB nests 32, and a row
/// puts a value some levels deeper than it was sent.
pub const JSON_DEPTH_MAX: usize = 16;

/// The most characters of an id: of an order, a shipment, a customer, a product or a parcel. They
/// take 512 bytes at most, and so fit into every key.
pub const ID_MAX: usize = 128;

/// The most characters of a name, and of the reason of a cancellation.
pub const TEXT_MAX: usize = 1_024;

/// The most bytes of an order's personal data, as JSON: a name, addresses and telephone numbers.
pub const PERSONAL_BYTES_MAX: usize = 16 * 1024;

/// The most characters of a status in a carrier's own spelling: 40 letters, and room for
/// separators.
pub const CARRIER_STATUS_MAX: usize = 100;

/// The most bytes of a shipment update's detail, as JSON.
pub const DETAIL_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of a row or a commit, as DynamoDB counts them. DynamoDB's own limit is 400 KB;
/// the rest is a reserve for new fields.
pub const ITEM_BYTES_MAX: usize = 350 * 1024;

/// Bytes of an order's row beside its items and attributes, as DynamoDB counts them: some twenty
/// names, dates and bounded texts (customer name, reason, source file).
pub const ROW_OVERHEAD_BYTES: usize = 12 * 1024;

/// The most hours that an update's `timestamp`, or an order's `placedAt`, may be later than its
/// arrival.
pub const CLOCK_AHEAD_HOURS: i64 = 24;

/// The most commits of an aggregate; a command beyond it fails with the code `history_full`.
pub const COMMITS_MAX: u32 = 20_000;
