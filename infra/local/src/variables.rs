//! The environment variables of a function, as its deployment would have set them.

use std::collections::BTreeMap;

use lambda::Settings;
use lambda::settings::RebuildSettings;

/// Returns the environment variables from which a deployed function would read these settings.
pub fn of(settings: &Settings) -> BTreeMap<String, String> {
    let Settings {
        names,
        alerts_arn,
        dead_letters_url,
        bucket,
        shards,
        read_models,
        rebuild,
        carrier_references,
        stalled_after,
    } = settings;
    let RebuildSettings {
        read_units,
        write_units,
        sweep_segments,
        sweep_minutes,
    } = rebuild;
    let mut variables = vec![
        ("WAYBILL_ENV", names.environment().to_owned()),
        ("WAYBILL_ALERTS_ARN", alerts_arn.clone()),
        ("WAYBILL_DEAD_LETTERS_URL", dead_letters_url.clone()),
        ("WAYBILL_BUCKET", bucket.clone()),
        ("WAYBILL_SHARDS", shards.count().to_string()),
        ("WAYBILL_READ_MODELS", read_models.to_string()),
        ("WAYBILL_SWEEP_SEGMENTS", sweep_segments.to_string()),
        ("WAYBILL_SWEEP_MINUTES", sweep_minutes.to_string()),
        ("WAYBILL_CARRIER_REFERENCES", carrier_references.join(",")),
        ("WAYBILL_STALLED_AFTER_HOURS", stalled_after.to_string()),
    ];
    let limits = [
        ("WAYBILL_REBUILD_READ_UNITS", read_units),
        ("WAYBILL_REBUILD_WRITE_UNITS", write_units),
    ];
    // A limit that is not set gets no variable.
    variables.extend(
        limits
            .into_iter()
            .filter_map(|(name, limit)| Some((name, limit.as_ref()?.to_string()))),
    );
    let variables = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    variables.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lambda::Names;

    use super::*;

    fn settings() -> Settings {
        Settings {
            names: Names::new("dev").unwrap(),
            alerts_arn: "arn".to_owned(),
            dead_letters_url: "url".to_owned(),
            bucket: "bucket".to_owned(),
            shards: "16".parse().unwrap(),
            read_models: "processed-orders,processed-orders-v2,shipment-log"
                .parse()
                .unwrap(),
            rebuild: RebuildSettings {
                read_units: Some(50),
                ..RebuildSettings::default()
            },
            carrier_references: vec!["shippo".to_owned(), "sendcloud".to_owned()],
            stalled_after: "IN_TRANSIT=1.5,CREATED=0".parse().unwrap(),
        }
    }

    #[test]
    fn a_function_reads_its_settings_from_the_variables_as_they_are_told() {
        let told = of(&settings());
        let read = Settings::read(|name| told.get(name).cloned());
        assert_eq!(read, Ok(settings()));
    }
}
