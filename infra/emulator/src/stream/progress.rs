//! The course of a batch, attempt by attempt, by the rules of an event source mapping with partial
//! batch responses and bisecting. This is only arithmetic on positions.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use crate::function::Answer;

/// The result of one attempt, read from the function's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All records are done.
    Done,
    /// The records before this position, counted from the first one of the attempt, are done; the
    /// others are not.
    FailedFrom(usize),
    /// No record is known to be done.
    Failed,
}

/// Reads the answer to an attempt at records with these sequence numbers, in ascending order.
///
/// The rules are Lambda's: an answer without failures, `null` or an empty list is success. After
/// failures, the batch continues at the lowest sequence number that is named. An identifier that is
/// empty, missing or not of this batch makes the whole batch a failure, and so does an answer of
/// another form.
pub fn outcome(answer: &Answer, sequences: &[&str]) -> Outcome {
    let Ok(answer) = answer else {
        return Outcome::Failed;
    };
    let failures = match answer {
        Value::Null => return Outcome::Done,
        Value::Object(fields) => fields.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return Outcome::Failed,
    };
    let failures = match failures {
        Value::Null => return Outcome::Done,
        Value::Array(failures) => failures,
        _ => return Outcome::Failed,
    };
    let positions: HashMap<&str, usize> = sequences
        .iter()
        .enumerate()
        .map(|(position, sequence)| (*sequence, position))
        .collect();
    let mut lowest = sequences.len();
    for failure in failures {
        let identifier = failure
            .get("itemIdentifier")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some(position) = positions.get(identifier) else {
            return Outcome::Failed;
        };
        lowest = lowest.min(*position);
    }
    if failures.is_empty() {
        Outcome::Done
    } else {
        Outcome::FailedFrom(lowest)
    }
}

/// The course of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The parts that still have to be delivered, the next part last.
    parts: Vec<Part>,
    /// The number of attempts at one record, the first included.
    allowed: u32,
}

/// Consecutive records that are delivered together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    records: Range<usize>,
    /// The number of failed attempts at the first of the records.
    attempts: u32,
}

/// The result of an attempt for the batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// The position of the last record that needs no further attempt, where that has changed.
    pub last_finished: Option<usize>,
    /// Whether that record was given up after all its attempts.
    pub given_up: bool,
    /// Whether the consumer must wait before the next attempt.
    pub wait: bool,
}

impl Progress {
    /// Starts a batch with this number of records. Each record is given up after `allowed` failed
    /// attempts.
    pub fn new(records: usize, allowed: u32) -> Self {
        let parts = if records == 0 {
            Vec::new()
        } else {
            vec![Part {
                records: 0..records,
                attempts: 0,
            }]
        };
        Self { parts, allowed }
    }

    /// Returns the positions of the records of the next attempt; `None` where the batch is
    /// finished.
    pub fn next(&self) -> Option<Range<usize>> {
        self.parts.last().map(|part| part.records.clone())
    }

    /// Updates the course with the result of the attempt at [`Self::next`].
    pub fn advance(&mut self, outcome: Outcome) -> Step {
        let Some(Part { records, attempts }) = self.parts.pop() else {
            return Step::default();
        };
        match outcome {
            Outcome::Done => Step {
                last_finished: records.clone().last(),
                ..Step::default()
            },
            Outcome::FailedFrom(done) if done > 0 => {
                let resume = records.end.min(records.start + done);
                // The named record has failed once.
                self.push(resume..records.end, 1);
                Step {
                    last_finished: resume.checked_sub(1),
                    given_up: false,
                    wait: true,
                }
            }
            Outcome::FailedFrom(_) => self.failed_at_first(records, attempts + 1),
            Outcome::Failed if records.len() > 1 => {
                // A split does not count as an attempt: it is not known which record has failed.
                let middle = records.start + records.len() / 2;
                self.push(middle..records.end, 0);
                self.push(records.start..middle, attempts);
                Step {
                    wait: true,
                    ..Step::default()
                }
            }
            Outcome::Failed => self.failed_at_first(records, attempts + 1),
        }
    }

    /// The first of the records has failed, now for the time number `attempts`.
    fn failed_at_first(&mut self, records: Range<usize>, attempts: u32) -> Step {
        if attempts < self.allowed {
            self.push(records, attempts);
            return Step {
                wait: true,
                ..Step::default()
            };
        }
        self.push(records.start + 1..records.end, 0);
        Step {
            last_finished: Some(records.start),
            given_up: true,
            wait: false,
        }
    }

    fn push(&mut self, records: Range<usize>, attempts: u32) {
        if !records.is_empty() {
            self.parts.push(Part { records, attempts });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::function::FunctionError;

    const RECORD_ATTEMPTS: u32 = 10;

    const SEQUENCES: [&str; 4] = ["10", "11", "12", "13"];

    fn named(identifiers: &[&str]) -> Answer {
        let failures: Vec<Value> = identifiers
            .iter()
            .map(|id| json!({ "itemIdentifier": id }))
            .collect();
        Ok(json!({ "batchItemFailures": failures }))
    }

    #[test]
    fn no_failure_named_is_success() {
        for answer in [json!(null), json!({}), json!({ "batchItemFailures": null })] {
            assert_eq!(outcome(&Ok(answer), &SEQUENCES), Outcome::Done);
        }
        assert_eq!(outcome(&named(&[]), &SEQUENCES), Outcome::Done);
    }

    #[test]
    fn the_lowest_sequence_number_named_counts() {
        assert_eq!(
            outcome(&named(&["13", "11", "12"]), &SEQUENCES),
            Outcome::FailedFrom(1)
        );
        assert_eq!(outcome(&named(&["10"]), &SEQUENCES), Outcome::FailedFrom(0));
    }

    #[test]
    fn an_answer_that_makes_no_sense_fails_the_whole_batch() {
        assert_eq!(outcome(&named(&["11", "99"]), &SEQUENCES), Outcome::Failed);
        assert_eq!(outcome(&named(&["11", ""]), &SEQUENCES), Outcome::Failed);
        for answer in [
            json!("ok"),
            json!({ "batchItemFailures": "11" }),
            json!({ "batchItemFailures": [{ "itemIdentifier": null }] }),
            json!({ "batchItemFailures": [{ "id": "11" }] }),
        ] {
            assert_eq!(outcome(&Ok(answer), &SEQUENCES), Outcome::Failed);
        }
        assert_eq!(
            outcome(&Err(FunctionError("x".to_owned())), &SEQUENCES),
            Outcome::Failed
        );
    }

    /// Runs a batch with a function. Returns the positions that are done, those that were given up,
    /// and the number of attempts.
    fn run(
        records: usize,
        mut function: impl FnMut(Range<usize>) -> Outcome,
    ) -> (Vec<usize>, Vec<usize>, usize) {
        let mut progress = Progress::new(records, RECORD_ATTEMPTS);
        let (mut done, mut given_up, mut attempts) = (Vec::new(), Vec::new(), 0);
        let mut position = 0;
        while let Some(range) = progress.next() {
            assert_eq!(
                range.start, position,
                "no record is skipped, none comes twice when done"
            );
            attempts += 1;
            assert!(attempts < 10_000, "it ends");
            let step = progress.advance(function(range));
            let Some(last_finished) = step.last_finished else {
                continue;
            };
            if step.given_up {
                assert_eq!(last_finished, position);
                given_up.push(last_finished);
            } else {
                done.extend(position..=last_finished);
            }
            position = last_finished + 1;
        }
        assert_eq!(position, records, "every record is done or given up");
        (done, given_up, attempts)
    }

    #[test]
    fn a_good_batch_takes_one_attempt() {
        assert_eq!(run(4, |_| Outcome::Done), (vec![0, 1, 2, 3], vec![], 1));
        assert_eq!(run(0, |_| Outcome::Done), (vec![], vec![], 0));
    }

    #[test]
    fn a_partial_failure_resumes_at_the_record_named() {
        let mut seen = Vec::new();
        let (done, given_up, _) = run(5, |range| {
            seen.push(range.clone());
            if seen.len() == 1 {
                Outcome::FailedFrom(2)
            } else {
                Outcome::Done
            }
        });
        assert_eq!(seen, [0..5, 2..5]);
        assert_eq!((done, given_up), (vec![0, 1, 2, 3, 4], vec![]));
    }

    #[test]
    fn a_record_named_again_and_again_is_given_up_and_the_rest_goes_on() {
        let poison = 3;
        let (done, given_up, attempts) = run(8, |range| {
            if range.contains(&poison) {
                Outcome::FailedFrom(poison - range.start)
            } else {
                Outcome::Done
            }
        });
        assert_eq!(done, [0, 1, 2, 4, 5, 6, 7]);
        assert_eq!(given_up, [poison]);
        assert_eq!(
            attempts,
            10 + 1,
            "ten at the record, one for what comes after it"
        );
    }

    #[test]
    fn a_failing_function_is_bisected_down_to_the_record_at_fault() {
        for poison in 0..100 {
            let (done, given_up, _) = run(100, |range| {
                if range.contains(&poison) {
                    Outcome::Failed
                } else {
                    Outcome::Done
                }
            });
            assert_eq!(given_up, [poison]);
            assert_eq!(done.len(), 99);
        }
    }

    #[test]
    fn a_function_that_always_fails_gives_every_record_its_attempts() {
        let mut singles = 0;
        let (done, given_up, _) = run(3, |range| {
            singles += u32::from(range.len() == 1);
            Outcome::Failed
        });
        assert_eq!((done, given_up), (vec![], vec![0, 1, 2]));
        assert_eq!(singles, 3 * RECORD_ATTEMPTS);
    }

    #[test]
    fn an_outage_that_ends_in_time_gives_nothing_up() {
        let mut attempts = 0;
        let (done, given_up, _) = run(4, |_| {
            attempts += 1;
            if attempts < 8 {
                Outcome::Failed
            } else {
                Outcome::Done
            }
        });
        assert_eq!((done, given_up), (vec![0, 1, 2, 3], vec![]));
    }
}
