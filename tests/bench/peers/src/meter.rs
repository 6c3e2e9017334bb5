//! What work takes: counted off every call of the SDK, and the processor time of this process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use aws_sdk_dynamodb::{
    operation::{
        batch_get_item::{BatchGetItemInput, BatchGetItemOutput},
        get_item::{GetItemInput, GetItemOutput},
        put_item::{PutItemInput, PutItemOutput},
        query::{QueryInput, QueryOutput},
        transact_get_items::{TransactGetItemsInput, TransactGetItemsOutput},
        transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput},
    },
    types::{ConsumedCapacity, ReturnConsumedCapacity},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
                FinalizerInterceptorContextRef,
            },
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

/// What a command of a round took.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Requests, the SDK's own repeats included.
    pub requests: f64,
    /// Write units, as DynamoDB reported them.
    pub write_units: f64,
    /// Read units, as DynamoDB reported them.
    pub read_units: f64,
    /// Milliseconds of this process's processor time.
    pub cpu_millis: f64,
    /// Commands a second, by the clock.
    pub per_second: f64,
    /// Was every aggregate afterwards what it should be?
    pub right: bool,
}

/// Counts what goes through a client.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    /// In halves of a unit.
    reads: AtomicU64,
    writes: AtomicU64,
}

/// Requests, write units and read units.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    /// Requests.
    pub requests: f64,
    /// Write units.
    pub write_units: f64,
    /// Read units.
    pub read_units: f64,
}

impl Meter {
    /// What has been counted since the last time that this was asked.
    pub fn take(&self) -> Count {
        let take = |count: &AtomicU64| count.swap(0, Relaxed) as f64;
        Count {
            requests: take(&self.0.requests),
            write_units: take(&self.0.writes) / 2.0,
            read_units: take(&self.0.reads) / 2.0,
        }
    }
}

/// Asks for the consumed capacity, where the input is one of `$input`.
macro_rules! ask {
    ($context:ident, $($input:ty),*) => {
        $(if let Some(input) = $context.input_mut().downcast_mut::<$input>() {
            input.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
        })*
    };
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        ask!(
            context,
            PutItemInput,
            QueryInput,
            GetItemInput,
            BatchGetItemInput,
            TransactWriteItemsInput,
            TransactGetItemsInput
        );
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.requests.fetch_add(1, Relaxed);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Ok(output)) = context.output_or_error() else {
            return Ok(());
        };
        let read = |capacity: &[ConsumedCapacity]| add(&self.0.reads, capacity);
        let written = |capacity: &[ConsumedCapacity]| add(&self.0.writes, capacity);
        if let Some(output) = output.downcast_ref::<PutItemOutput>() {
            written(output.consumed_capacity.as_slice());
        } else if let Some(output) = output.downcast_ref::<TransactWriteItemsOutput>() {
            written(output.consumed_capacity());
        } else if let Some(output) = output.downcast_ref::<QueryOutput>() {
            read(output.consumed_capacity.as_slice());
        } else if let Some(output) = output.downcast_ref::<GetItemOutput>() {
            read(output.consumed_capacity.as_slice());
        } else if let Some(output) = output.downcast_ref::<BatchGetItemOutput>() {
            read(output.consumed_capacity());
        } else if let Some(output) = output.downcast_ref::<TransactGetItemsOutput>() {
            read(output.consumed_capacity());
        }
        Ok(())
    }
}

fn add(count: &AtomicU64, capacity: &[ConsumedCapacity]) {
    let units: f64 = capacity.iter().filter_map(|each| each.capacity_units).sum();
    count.fetch_add((units * 2.0).round() as u64, Relaxed);
}

/// The middle one of several figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
