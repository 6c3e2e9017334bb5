//! Counts the requests to DynamoDB by operation and table, since the cost on AWS depends on them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use crate::limits::REQUESTS_COUNTED;

/// The numbers of requests since the start. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Requests(Arc<Mutex<BTreeMap<String, u64>>>);

impl Requests {
    /// Counts a request with this JSON body.
    pub fn count(&self, operation: &str, body: &[u8]) {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Named {
            table_name: Option<String>,
        }
        let named = serde_json::from_slice::<Named>(body).ok();
        let table = named.and_then(|named| named.table_name);
        let name = match table {
            Some(table) => format!("{operation} {table}"),
            None => operation.to_owned(),
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Otherwise requests for unknown tables could add any number of names.
        if counts.len() < REQUESTS_COUNTED || counts.contains_key(&name) {
            *counts.entry(name).or_default() += 1;
        }
    }

    /// Returns the numbers of requests by name: the operation, a space, and the table.
    pub fn all(&self) -> BTreeMap<String, u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_operation_and_table_up_to_a_number_of_names() {
        let requests = Requests::default();
        let body = br#"{"TableName":"t","Limit":1}"#;
        requests.count("Query", body);
        requests.count("Query", body);
        requests.count("ListTables", b"{}");
        requests.count("Query", b"no JSON");
        let all = requests.all();
        assert_eq!((all["Query t"], all["ListTables"], all["Query"]), (2, 1, 1));
        for number in 0..2 * REQUESTS_COUNTED {
            requests.count(&number.to_string(), b"{}");
        }
        assert_eq!(requests.all().len(), REQUESTS_COUNTED);
        requests.count("Query", body);
        assert_eq!(requests.all()["Query t"], 3);
    }
}
