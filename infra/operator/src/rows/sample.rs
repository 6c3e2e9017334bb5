//! Verifying a random part of the store.

use std::time::Duration;

use projectors::rebuild::{
    finding::{Difference, Finding},
    sweep::Sweep,
};

use super::{drive::FindingCollector, summary::Summary};
use crate::{
    cost::{Cost, size},
    environment::{CapacityLimits, Environment},
    error::OperatorError,
    progress::Progress,
};

/// The highest cost of verifying one of `parts` parts of the store.
pub async fn sample_price(environment: &Environment, parts: u32) -> Result<Cost, OperatorError> {
    let names = &environment.names;
    let mut units = 0;
    for table in [
        names.events(),
        names.processed_orders(),
        names.shipment_log(),
    ] {
        let size = size(environment, &table).await?;
        // In addition, each aggregate's rows are looked up: at most two units for each.
        units += (size.scan_units() + 2 * size.items).div_ceil(u64::from(parts.max(1)));
    }
    Ok(Cost::of(units))
}

/// Verifies one of `parts` parts of the store, which is chosen at random. At most `max_differences`
/// findings are returned with both rows.
pub async fn verify_sample(
    environment: &Environment,
    parts: u32,
    limits: CapacityLimits,
    max_differences: usize,
    progress: &dyn Progress,
) -> Result<Summary, OperatorError> {
    let projectors = environment.limited_projectors(None, limits, None)?;
    let parts = parts.max(1);
    let most = Duration::from_millis(u64::from(parts) - 1);
    let chance = projectors.clock.jitter(most);
    let segment = u32::try_from(chance.as_millis()).unwrap_or_default();
    let mut sweep = Sweep::new(segment, parts, false);
    let kept = FindingCollector::new(0, 0, max_differences);
    let (mut findings, mut differences): (Vec<Finding>, Vec<Difference>) = Default::default();
    // A step ends early where a service cannot be reached. Where the next step then makes no
    // progress either, it is an error, so there are no more steps than pages.
    while !sweep.done {
        if progress.stopped() {
            return Err(OperatorError::Stopped);
        }
        let mut on_difference =
            |difference| kept.difference(difference, &mut differences, progress);
        let stopped = || progress.stopped();
        let found = sweep
            .step_reporting(&projectors, stopped, &mut on_difference)
            .await?;
        kept.findings(found, &mut findings, progress);
    }
    Ok(Summary {
        counted: sweep.counted,
        examined_read_units: sweep.counted.half_units.div_ceil(2),
        findings,
        differences,
        ..Summary::default()
    })
}
