//! The question before an operation that costs money.

use std::io::{IsTerminal as _, Write as _};

use operator::cost::Cost;

use super::Failed;

/// Whether to ask before an operation that costs money
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Confirmation {
    /// Print the cost, do nothing, and end with 0
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do not ask for confirmation; without a terminal there is no question in any case
    #[arg(long, short)]
    yes: bool,
}

/// Read units with their price: `about 1200 read units ($0.0002 on demand in us-east-1)`.
pub(super) fn priced(cost: &Cost) -> String {
    let Cost {
        read_units,
        dollars,
    } = cost;
    format!("about {read_units} read units (${dollars} on demand in us-east-1)")
}

/// Prints what is about to be done with its cost, and returns whether to do it: `false` for a dry
/// run. Fails with [`Failed::Nothing`] where a person is asked and refuses: a command that has
/// compared nothing must not end like one that has found everything correct.
pub(super) fn confirmed(asking: Confirmation, cost: &str) -> Result<bool, Failed> {
    eprintln!("{cost}");
    if asking.dry_run {
        return Ok(false);
    }
    if asking.yes || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    eprint!("Go on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(true),
        _ => Err(Failed::Nothing("nothing was done".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_told_with_its_units() {
        let told = priced(&Cost::of(1_200));
        assert_eq!(
            told,
            "about 1200 read units ($0.0002 on demand in us-east-1)"
        );
    }
}
