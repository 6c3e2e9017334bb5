//! The faults that are switched on deliberately, in the emulator's JSON.

use serde::{Deserialize, Serialize};

/// The faults that are switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Faults {
    /// The consumers of the stream that are held back.
    pub held_consumers: Vec<String>,
    /// The number of next commands over HTTP that get no answer.
    pub lost_answers: u32,
    /// For how many more seconds everything is delivered twice.
    pub twice_for_seconds: u64,
}

impl Faults {
    /// Whether no fault is on.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this consumer is held back.
    pub fn holds(&self, consumer: &str) -> bool {
        self.held_consumers.iter().any(|held| held == consumer)
    }

    /// Returns these faults with this consumer held back.
    pub fn holding(mut self, consumer: &str) -> Self {
        if !self.holds(consumer) {
            self.held_consumers.push(consumer.to_owned());
        }
        self
    }

    /// Returns these faults with this consumer released.
    pub fn releasing(mut self, consumer: &str) -> Self {
        self.held_consumers.retain(|held| held != consumer);
        self
    }

    /// Returns the faults as sentences for a person.
    pub fn sentences(&self) -> Vec<String> {
        let mut said: Vec<String> = self
            .held_consumers
            .iter()
            .map(|consumer| format!("{consumer} is held back"))
            .collect();
        match self.lost_answers {
            0 => {}
            1 => said.push("the next answer to a command over HTTP is lost".to_owned()),
            n => said.push(format!(
                "the next {n} answers to commands over HTTP are lost"
            )),
        }
        if self.twice_for_seconds > 0 {
            let seconds = self.twice_for_seconds;
            said.push(format!(
                "everything is delivered twice, for {seconds} s more"
            ));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_is_said_and_what_is_off_is_not() {
        assert!(Faults::default().is_off() && Faults::default().sentences().is_empty());
        let on = Faults {
            lost_answers: 1,
            ..Faults::default().holding("project").holding("project")
        };
        let said = [
            "project is held back",
            "the next answer to a command over HTTP is lost",
        ];
        assert_eq!(on.sentences(), said);
        assert!(on.holds("project") && !on.is_off());
        assert!(!on.releasing("project").holds("project"));
    }
}
