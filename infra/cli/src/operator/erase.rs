//! `waybill erase`: the permanent erasure of a person's personal data.

use std::io::{IsTerminal as _, Write as _};

use clap::Subcommand;
use domain::{OrderId, personal::Owner};
use operator::{
    Environment,
    erase::{
        Key, Orders, Plan, Report, erase,
        files::{Expiry, FileState, OrderFile},
        letters::Letters,
        plan,
    },
};

use super::{
    Failed, Outcome,
    bars::Bars,
    print::{number_of, print_json, print_line},
    target::Target,
};

/// Whose personal data are erased
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Destroys the key with which the personal data of a customer's orders are stored (`customerName` and
`personal`). From then on every event, row and answer says `[erased]` in their place; totals, statuses
and ids stay. It cannot be undone. A new order of the same customer gets a key of its own.

It first prints what there is, what it will remove, and what contains copies until which day: order files
with others' orders, dead letters, backups. It never prints personal data. To erase twice is no error, and
after a stop the same command continues.

Examples:
  waybill erase customer C-1042 --dry-run --env prod
  waybill erase customer C-1042 --env prod
  waybill erase order ORD-1 --yes --local

Ends with 0 where no copy is left but backups; 3 where another copy is left, which is named with the day
on which it is removed; 1 where nothing is known of the customer or order, or it was not carried out.")]
pub(crate) struct EraseArgs {
    #[command(subcommand)]
    whose: Whose,
}

/// Whose personal data are erased.
#[derive(Debug, Subcommand)]
enum Whose {
    /// Erases the personal data of all orders of a customer
    Customer {
        /// The customer's id, as orders contain it
        #[arg(value_name = "CUSTOMER", value_parser = customer)]
        id: Owner,
        #[command(flatten)]
        how: How,
    },
    /// Erases the personal data of one order that names no customer
    Order {
        /// The order's id, as the order contains it
        #[arg(value_name = "ORDER", value_parser = order)]
        id: Owner,
        #[command(flatten)]
        how: How,
    },
}

/// How they are erased
#[derive(Debug, clap::Args)]
struct How {
    /// Print what there is and what would be done, do nothing, and end with 0
    #[arg(long)]
    dry_run: bool,

    /// Do not ask for the id again as a confirmation
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    target: Target,
}

fn customer(text: &str) -> Result<Owner, String> {
    let owner = format!("customer#{text}").parse();
    owner.map_err(|_| "that is no customer's id".to_owned())
}

fn order(text: &str) -> Result<Owner, String> {
    let id: Result<OrderId, _> = text.parse();
    id.map(Owner::Order)
        .map_err(|_| "that is no order's id".to_owned())
}

/// Erases the personal data of a customer or an order.
pub(super) async fn run(args: EraseArgs) -> Result<Outcome, Failed> {
    let (Whose::Customer { id: owner, how } | Whose::Order { id: owner, how }) = args.whose;
    let json = how.target.json;
    let environment = how.target.reach().await?;
    let bars = Bars::default();
    let plan = plan(&environment, &owner, &bars).await?;
    if how.dry_run && json {
        print_json(&plan)?;
        return Ok(Outcome::Well);
    }
    for line in planned(&environment, &plan) {
        match how.dry_run {
            true => print_line(&line),
            false => eprintln!("{line}"),
        }
    }
    if how.dry_run {
        return Ok(Outcome::Well);
    }
    if !how.yes {
        confirm(id_of(&owner))?;
    }
    let report = erase(&environment, plan, &bars).await?;
    match json {
        true => print_json(&report)?,
        false => reported(&report).iter().for_each(|line| print_line(line)),
    }
    Ok(Outcome::wrong_if(report.is_left()))
}

/// Asks for the id again, even without a terminal, since an erasure cannot be undone.
fn confirm(id: &str) -> Result<(), Failed> {
    if std::io::stdin().is_terminal() {
        eprint!("This cannot be undone. Type {id} to go on: ");
        std::io::stderr().flush()?;
    }
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() == id {
        true => Ok(()),
        false => {
            let text = format!("nothing was done: {id} was not typed, nor was there --yes");
            Err(Failed::Nothing(text))
        }
    }
}

fn id_of(owner: &Owner) -> &str {
    match owner {
        Owner::Customer(id) => id,
        Owner::Order(id) => id.as_str(),
    }
}

/// The plan of an erasure as lines for a person.
fn planned(environment: &Environment, plan: &Plan) -> Vec<String> {
    let key = match plan.key {
        Key::None => "no key: nothing was ever stored encrypted for it".to_owned(),
        Key::Present { version, .. } => {
            format!("a key is there (version {version}): it is destroyed")
        }
        Key::Destroyed { erased_at } => format!("its key was destroyed before, at {erased_at}"),
    };
    let mut lines = vec![format!("{}: {key}", plan.owner)];
    lines.extend(orders(&plan.orders));
    lines.extend(plan.files.iter().map(file));
    lines.extend(letters(&plan.dead_letters));
    lines.push(backups(&plan.backups_until));
    if environment.endpoint().is_none() {
        lines.push(ARCHIVE.to_owned());
    }
    lines
}

const ARCHIVE: &str = "the archive of the bus keeps commands as they were sent, for as long as \
                       `archive_days` of the environment says";

fn orders(orders: &Orders) -> Vec<String> {
    let more = if orders.more { " or more" } else { "" };
    let since = orders
        .since
        .map_or(String::new(), |at| format!(" since {at}"));
    let mut lines = vec![format!(
        "{}{more}{since}, {} with personal data",
        number_of(orders.number, "order"),
        number_of(orders.rows, "row"),
    )];
    if orders.stored_openly > 0 {
        lines.push(format!(
            "{} stored unencrypted by an older build: answers say [erased], but the event keeps them until \
             somebody rewrites it (infra/operator/ERASING.md)",
            number_of(orders.stored_openly, "order"),
        ));
    }
    if orders.unreadable > 0 {
        let unreadable = number_of(orders.unreadable, "order");
        lines.push(format!(
            "{unreadable} cannot be read: `waybill history` says why"
        ));
    }
    lines
}

fn file(file: &OrderFile) -> String {
    let name = &file.file;
    match file.state {
        FileState::ToBeRemoved => format!("{name} holds nobody else's orders: it is removed"),
        FileState::Removed => format!("{name} is removed, with all its versions"),
        FileState::Gone => format!("{name} is not there any more"),
        FileState::Elsewhere => format!("{name} is in another bucket: check it yourself"),
        FileState::Shared => {
            let until = file.versions.iter().map(|version| match &version.expiry {
                Expiry::On(day) => format!("until {day}"),
                Expiry::Never => {
                    "until somebody removes it: no rule of the bucket ends it".to_owned()
                }
                Expiry::Unknown => "for as long as the bucket's rules say".to_owned(),
            });
            let until: Vec<String> = until.collect();
            let until = until.join("; an earlier version ");
            format!("{name} holds orders of others, too, and stays {until}")
        }
    }
}

fn letters(letters: &Letters) -> Vec<String> {
    let found = letters.found.iter();
    let found = found.map(|one| match &one.id {
        operator::dead_letters::LetterId::Message(id)
        | operator::dead_letters::LetterId::Stream(id) => {
            format!("the dead letter {id} is about it, until {}", one.gone_on)
        }
    });
    let mut lines: Vec<String> = found.collect();
    if letters.more {
        lines.push(format!(
            "not all dead letters were looked at; what is there now is gone on {}",
            letters.all_gone_on
        ));
    }
    if let Some(reason) = &letters.not_looked_at {
        lines.push(format!(
            "dead letters were not looked at ({reason}); what is there now is gone on {}",
            letters.all_gone_on
        ));
    }
    lines
}

fn backups(until: &str) -> String {
    format!("backups of the tables hold copies until {until}")
}

/// The result of an erasure as lines for a person.
fn reported(report: &Report) -> Vec<String> {
    let at = report.erased_at;
    let mut lines = vec![match report.was_erased_before {
        true => format!("{} was erased before, at {at}", report.owner),
        false => format!("{} is erased, at {at}", report.owner),
    }];
    lines.push(match report.rows_left {
        0 => format!("{} rewritten", number_of(report.rows_rewritten, "row")),
        left => format!(
            "{} rewritten, {left} not yet: `waybill parked` says whether they are stuck",
            number_of(report.rows_rewritten, "row"),
        ),
    });
    lines.extend(report.files.iter().map(file));
    lines.extend(letters(&report.dead_letters));
    lines.push(backups(&report.backups_until));
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_that_of_a_customer_or_of_an_order() {
        assert_eq!(customer("a/b").unwrap().to_string(), "customer#a/b");
        assert_eq!(order("O-1").unwrap().to_string(), "order#O-1");
        assert!(order("a/b").is_err());
        assert!(customer("").is_err());
    }
}
