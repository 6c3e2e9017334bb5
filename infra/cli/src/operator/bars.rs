//! The progress of a command, as a bar on standard error where that is a terminal.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use operator::{
    Progress, Stage,
    folder::Start,
    limits::RESUMED_WITHIN,
    retry::{Retried, RetriedKind},
};

use super::print::{duration_text, print_line};

/// Shows the progress of a command.
#[derive(Default)]
pub(super) struct Bars {
    bar: Mutex<Option<ProgressBar>>,
    /// Whether each result of a retry is printed at once.
    prints_results: bool,
}

impl Bars {
    /// Bars that also print each result of a retry at once, where `prints_results` is set.
    pub(super) fn printing_results(prints_results: bool) -> Self {
        Self {
            prints_results,
            ..Self::default()
        }
    }

    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        act(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bars {
    fn begins(&self, stage: Stage, done: u64, total: u64) {
        let Some(template) = template(stage) else {
            return;
        };
        let bar = ProgressBar::new(total);
        // With a template that cannot be read, the bar would only look different.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_position(done);
        bar.reset_eta();
        self.with(|now| *now = Some(bar));
    }

    fn advances(&self, by: u64) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.inc(by);
            }
        });
    }

    fn ends(&self) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn retries(&self, retried: &Retried) {
        if self.prints_results {
            print_line(&retried_line(retried));
        }
    }
}

fn template(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Gathering => {
            Some("gathering {wide_bar} {human_pos} of {human_len} items, {per_sec}, {eta} left")
        }
        Stage::Comparing => {
            Some("comparing {wide_bar} {human_pos} of {human_len} buckets, {eta} left")
        }
        Stage::Announcing => {
            Some("reading {wide_bar} {human_pos} of {human_len} commits, {per_sec}, {eta} left")
        }
        Stage::Retrying => Some("dead letters {wide_bar} {human_pos} of {human_len}, {eta} left"),
        Stage::ReadingOrders => Some("looking for orders: {human_pos}"),
        Stage::ReadingFiles => Some("order files {wide_bar} {human_pos} of {human_len}"),
        Stage::AwaitingRows => Some("waiting for rows {wide_bar} {human_pos} of {human_len}"),
        // Each result is printed as a line of its own.
        Stage::Resuming => None,
    }
}

/// The result of one retry as a line.
fn retried_line(retried: &Retried) -> String {
    let Retried {
        kind,
        name,
        about,
        reason,
        ..
    } = retried;
    // The name of what is parked says it already.
    let about = match about.is_empty() || *kind == RetriedKind::Parked {
        true => String::new(),
        false => format!(" about {}", about.join(", ")),
    };
    match reason {
        None => format!("done   {kind:<7} {name}{about}"),
        Some(reason) => format!("stays  {kind:<7} {name}{about}: {reason}"),
    }
}

/// Prints that a run is resumed, or why an unfinished run is not resumed.
pub(super) fn print_start(start: Start) {
    match start {
        Start::Anew => {}
        Start::Resumed { begun, seconds } => {
            let ago = duration_text(seconds);
            eprintln!("going on with what was begun at {begun} ({ago} ago)");
        }
        Start::TooOld { begun, seconds } => {
            let (ago, within) = (duration_text(seconds), RESUMED_WITHIN.as_secs() / 3_600);
            eprintln!(
                "the run that was begun at {begun} ({ago} ago) is not resumed: what it had read is too \
                 old after {within} hours; this run begins from the start"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_a_retry_is_a_line() {
        let retried = |reason: Option<&str>| Retried {
            kind: RetriedKind::Parked,
            name: "notify order#1".to_owned(),
            about: vec!["order#1".to_owned()],
            done: reason.is_none(),
            reason: reason.map(str::to_owned),
            result: None,
        };
        assert_eq!(
            retried_line(&retried(None)),
            "done   parked  notify order#1"
        );
        let stays = retried_line(&retried(Some("damaged")));
        assert_eq!(stays, "stays  parked  notify order#1: damaged");
        let message = retried_line(&Retried {
            kind: RetriedKind::Message,
            name: "m-1".to_owned(),
            ..retried(Some("damaged"))
        });
        assert_eq!(message, "stays  message m-1 about order#1: damaged");
    }
}
