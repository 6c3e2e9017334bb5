//! The check of a definition before the emulator starts.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use axum::routing::MethodFilter;

use super::{DEFAULT_BUS, Definition, HttpApi};
use crate::limits::{MEASURED_MINUTES, STREAM_READERS};

/// The reason why a definition is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDefinition {
    /// Two items of one kind have the same name or id.
    #[error("two {kind} are called {name}")]
    Duplicate {
        /// The kind of item.
        kind: &'static str,
        /// The name or id.
        name: String,
    },
    /// An item refers to another one that is not defined.
    #[error("{by} refers to {kind} {name}, which is not defined")]
    Unknown {
        /// The kind of the missing item.
        kind: &'static str,
        /// The name or id of the missing item.
        name: String,
        /// The item that refers to it.
        by: String,
    },
    /// An item has a value that is not allowed.
    #[error("{what}: {why}")]
    Value {
        /// The item.
        what: String,
        /// The rule that the value breaks.
        why: &'static str,
    },
}

impl Definition {
    /// Checks the definition, so that nothing of an invalid one starts.
    pub fn check(&self) -> Result<(), InvalidDefinition> {
        self.check_names()?;
        self.check_functions()?;
        self.check_streams()?;
        self.check_alarms()?;
        self.check_kms_keys()?;
        for rule in &self.rules {
            if rule.bus != DEFAULT_BUS && !self.buses.contains(&rule.bus) {
                return Err(unknown("bus", &rule.bus, format!("the rule {}", rule.name)));
            }
        }
        check_routes(&self.http_api)
    }

    fn check_names(&self) -> Result<(), InvalidDefinition> {
        let functions = &self.functions;
        check_unique("functions", functions.iter().map(|one| one.id.as_str()))?;
        check_unique("functions", functions.iter().map(|one| one.name.as_str()))?;
        check_unique("tables", self.tables.iter().map(|one| one.name.as_str()))?;
        check_unique("buckets", self.buckets.iter().map(|one| one.id.as_str()))?;
        check_unique("buckets", self.buckets.iter().map(|one| one.name.as_str()))?;
        let consumers = self.stream_consumers.iter();
        check_unique(
            "stream consumers",
            consumers.map(|one| one.function.as_str()),
        )
    }

    /// Checks that each invoked function is defined, and that its limits are not zero.
    fn check_functions(&self) -> Result<(), InvalidDefinition> {
        let rules = self.rules.iter();
        let rules = rules.map(|rule| (&rule.target, format!("the rule {}", rule.name)));
        let consumers = self.stream_consumers.iter();
        let consumers = consumers.map(|one| (&one.function, format!("a reader of {}", one.table)));
        let schedules = self.schedules.iter();
        let schedules = schedules.map(|one| (&one.function, "a schedule".to_owned()));
        let api = &self.http_api;
        let routes = api.routes.iter();
        let routes = routes.map(|one| (&one.function, format!("the route {}", one.path)));
        let default = api.default_function.iter();
        let default = default.map(|function| (function, "the route $default".to_owned()));
        let all = rules.chain(consumers).chain(schedules).chain(routes);
        for (function, by) in all.chain(default) {
            if self.function(function).is_none() {
                return Err(unknown("function", function, by));
            }
        }
        for function in &self.functions {
            if function.reserved_concurrency == Some(0) || function.timeout.is_zero() {
                let why = "its time-out and its reserved concurrency must be at least 1";
                return Err(value(format!("the function {}", function.id), why));
            }
        }
        match self.schedules.iter().find(|one| one.every.is_zero()) {
            Some(one) => Err(value(
                format!("the schedule of {}", one.function),
                "its interval must be longer than zero",
            )),
            None => Ok(()),
        }
    }

    fn check_alarms(&self) -> Result<(), InvalidDefinition> {
        check_unique("alarms", self.alarms.iter().map(|one| one.name.as_str()))?;
        for alarm in &self.alarms {
            let by = || format!("the alarm {}", alarm.name);
            if let Some(topic) = alarm.topic.as_ref().filter(|it| !self.topics.contains(it)) {
                return Err(unknown("topic", topic, by()));
            }
            let seconds = alarm.period.as_secs();
            let kept = MEASURED_MINUTES as u64;
            let minutes = (seconds / 60).saturating_mul(u64::from(alarm.periods));
            if seconds % 60 != 0 || minutes == 0 || minutes > kept {
                let why = "its periods must be whole minutes, together no more than are kept";
                return Err(value(by(), why));
            }
        }
        Ok(())
    }

    fn check_kms_keys(&self) -> Result<(), InvalidDefinition> {
        let keys = || self.kms_keys.iter();
        check_unique("KMS keys", keys().map(|key| key.alias.as_str()))?;
        let files: Vec<_> = keys().map(|key| key.file.to_string_lossy()).collect();
        check_unique("files of KMS keys", files.iter().map(|file| &**file))?;
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
        let wrong = keys().find(|key| match key.alias.strip_prefix("alias/") {
            Some(name) => name.is_empty() || name.starts_with("aws/") || !name.bytes().all(valid),
            None => true,
        });
        match wrong {
            Some(key) => Err(value(
                format!("the KMS key {:?}", key.alias),
                "an alias is alias/ and a name of letters, digits, / _ -, which is not AWS's own",
            )),
            None => Ok(()),
        }
    }

    fn check_streams(&self) -> Result<(), InvalidDefinition> {
        let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
        for consumer in &self.stream_consumers {
            let by = || format!("the stream's reader {}", consumer.function);
            let mut tables = self.tables.iter();
            if !tables.any(|table| table.name == consumer.table && table.stream.is_some()) {
                return Err(unknown("stream of the table", &consumer.table, by()));
            }
            let bucket = &consumer.failure_bucket;
            if !self.buckets.iter().any(|one| one.id == *bucket) {
                return Err(unknown("bucket", bucket, by()));
            }
            if consumer.batch_size == 0 || consumer.attempts == 0 {
                return Err(value(
                    by(),
                    "its batch size and its attempts must be at least 1",
                ));
            }
            let readers = readers.entry(&consumer.table).or_default();
            *readers += 1;
            if *readers > STREAM_READERS {
                return Err(value(by(), "a stream has at most two readers"));
            }
        }
        Ok(())
    }
}

/// Checks that the routes are valid and do not overlap.
fn check_routes(api: &HttpApi) -> Result<(), InvalidDefinition> {
    let stage = &api.stage;
    if stage.contains('/') || shape(stage) != Some(stage) {
        return Err(value(
            format!("the stage {stage:?}"),
            "a stage is one plain segment",
        ));
    }
    // The emulator itself handles this path.
    let mut taken = BTreeSet::from([("GET", "/health".to_owned())]);
    let mut spelled: BTreeMap<String, String> = BTreeMap::new();
    for (method, path) in api.paths() {
        let what = || format!("the route {method} {path}");
        if method_filter(method).is_none() {
            return Err(value(what(), "there is no such method"));
        }
        let Some(shape) = shape_of_path(&path) else {
            let why = "a path is /plain/{parameter}, a parameter being a whole segment";
            return Err(value(what(), why));
        };
        if *spelled.entry(shape.clone()).or_insert(path.clone()) != path {
            let why = "a path has one name for each of its parameters, whatever the method";
            return Err(value(what(), why));
        }
        if !taken.insert((method, shape)) {
            return Err(value(what(), "another route matches the same requests"));
        }
    }
    Ok(())
}

/// Returns the router's filter for a method; `None` where there is no such method.
pub(crate) fn method_filter(method: &str) -> Option<MethodFilter> {
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    MethodFilter::try_from(method).ok()
}

/// Returns a path without the names of its parameters; `None` where it is not a valid path.
fn shape_of_path(path: &str) -> Option<String> {
    let segments = path.strip_prefix('/')?.split('/').map(shape);
    let shapes: Option<Vec<&str>> = segments.collect();
    Some(format!("/{}", shapes?.join("/")))
}

/// Returns a segment of a path without the name of its parameter; `None` where it is not valid.
fn shape(segment: &str) -> Option<&str> {
    let inner = segment
        .strip_prefix('{')
        .and_then(|it| it.strip_suffix('}'));
    let plain = |text: &str| !text.is_empty() && !text.contains(['{', '}', '*', ':']);
    match inner {
        Some(name) => plain(name).then_some("{}"),
        None => (segment.is_empty() || plain(segment)).then_some(segment),
    }
}

fn check_unique<'a>(
    kind: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), InvalidDefinition> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            let name = name.to_owned();
            return Err(InvalidDefinition::Duplicate { kind, name });
        }
    }
    Ok(())
}

fn unknown(kind: &'static str, name: &str, by: String) -> InvalidDefinition {
    InvalidDefinition::Unknown {
        kind,
        name: name.to_owned(),
        by,
    }
}

fn value(what: String, why: &'static str) -> InvalidDefinition {
    InvalidDefinition::Value { what, why }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::super::{KmsKey, Route, toy};
    use super::*;

    fn refused(change: impl FnOnce(&mut Definition)) -> String {
        let mut definition = toy::library();
        change(&mut definition);
        definition.check().unwrap_err().to_string()
    }

    fn with_route(method: &str, path: &str) -> Result<(), InvalidDefinition> {
        let mut definition = toy::library();
        definition.http_api.routes.push(Route {
            method: method.to_owned(),
            path: path.to_owned(),
            function: "desk".to_owned(),
        });
        definition.check()
    }

    #[test]
    fn a_definition_names_only_what_it_has() {
        assert_eq!(toy::library().check(), Ok(()));
        assert_eq!(Definition::default().check(), Ok(()));
        let told = refused(|it| it.rules[0].target = "nobody".to_owned());
        assert_eq!(
            told,
            "the rule loans refers to function nobody, which is not defined"
        );
        for told in [
            refused(|it| it.rules[0].bus = "nowhere".to_owned()),
            refused(|it| it.stream_consumers[0].table = "toy-nothing".to_owned()),
            refused(|it| it.tables[0].stream = None),
            refused(|it| it.stream_consumers[0].failure_bucket = "none".to_owned()),
            refused(|it| it.alarms[0].topic = Some("nothing".to_owned())),
            refused(|it| it.http_api.default_function = Some("nobody".to_owned())),
        ] {
            assert!(told.ends_with("which is not defined"), "{told}");
        }
    }

    #[test]
    fn a_definition_has_only_what_aws_would_take() {
        let told = refused(|it| it.functions[1].id = it.functions[0].id.clone());
        assert_eq!(told, "two functions are called shelve");
        for told in [
            refused(|it| it.functions[0].reserved_concurrency = Some(0)),
            refused(|it| it.stream_consumers[0].batch_size = 0),
        ] {
            assert!(told.ends_with("at least 1"), "{told}");
        }
        for change in [
            |it: &mut Definition| it.alarms[0].periods = 0,
            |it: &mut Definition| it.alarms[0].periods = 181,
            |it: &mut Definition| it.alarms[0].period = Duration::from_secs(90),
        ] {
            let told = refused(change);
            assert!(told.contains("whole minutes"), "{told}");
        }
        for alias in ["books", "alias/", "alias/aws/books", "alias/two books"] {
            let told = refused(|it| it.kms_keys[0].alias = alias.to_owned());
            assert!(told.contains("an alias is alias/ and a name"), "{told}");
        }
        let told = refused(|it| {
            let alias = "alias/another".to_owned();
            let file = it.kms_keys[0].file.clone();
            it.kms_keys.push(KmsKey { alias, file });
        });
        assert_eq!(told, "two files of KMS keys are called toy-readers.keys");
        let told = refused(|it| it.schedules[0].every = Duration::ZERO);
        assert!(told.ends_with("longer than zero"), "{told}");
        let told = refused(|it| {
            for function in ["lend", "desk"] {
                let mut another = it.stream_consumers[0].clone();
                another.function = function.to_owned();
                it.stream_consumers.push(another);
            }
        });
        assert!(told.ends_with("at most two readers"), "{told}");
    }

    #[test]
    fn routes_stand_beside_each_other() {
        assert_eq!(with_route("POST", "/books/{isbn}"), Ok(()));
        assert_eq!(with_route("POST", "/books/{isbn}/loans"), Ok(()));
        for (method, path) in [
            ("GET", "/books/{isbn}"),
            ("POST", "/books/{id}"),
            ("GET", "books"),
            ("GET", "/books/{isbn"),
            ("GET", "/books/{*rest}"),
            ("GET", "/books/a{isbn}"),
            ("GET", "/toy/books/{isbn}"),
            ("GET", "/health"),
            ("FETCH", "/books"),
        ] {
            assert!(with_route(method, path).is_err(), "{method} {path}");
        }
    }
}
