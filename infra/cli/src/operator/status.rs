//! `waybill status`: the tables, what is parked, the dead letters, the alarms and unfinished runs.

use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use operator::{
    alarms::Alarm,
    folder::{STATE_FOLDER, Unfinished},
    status::{DeadLetterCounts, ParkedOf, Status, TableSize, status},
};

use super::{
    Failed, Outcome,
    print::{number_of, print_json, print_line},
    target::Target,
};

/// The environment whose status is shown
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Tables: items and bytes as DynamoDB counts them, on AWS some hours late. Unfinished runs are those of
`rebuild`, `verify` and `announce` that were stopped, in the folder `.waybill` under the present one.
Messages: an approximate number, up to a minute late; it counts every copy of a message, which `retry`
counts as one. Alarms: those of CloudWatch that are in the state ALARM. An alarm may stay in it for some
minutes after its cause is repaired, and has no influence on the exit code.

Examples:
  waybill status --local
  waybill status --env prod --json | jq .parked

Ends with 0 where nothing is parked and there are no dead letters, else with 3; with 1 where the status
could not be read.")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    target: Target,
}

/// Prints the status of an environment.
pub(super) async fn run(args: StatusArgs) -> Result<Outcome, Failed> {
    let environment = args.target.reach().await?;
    let status = status(&environment, Path::new(STATE_FOLDER)).await?;
    match args.target.json {
        true => print_json(&status)?,
        false => lines(&status).iter().for_each(|line| print_line(line)),
    }
    Ok(Outcome::wrong_if(status.is_wrong()))
}

fn lines(status: &Status) -> Vec<String> {
    let mut lines = vec!["tables".to_owned()];
    for TableSize { table, size } in &status.tables {
        let (items, bytes) = (
            HumanCount(size.items).to_string(),
            HumanBytes(size.bytes).to_string(),
        );
        lines.push(format!("  {table:<40} {items:>12} items {bytes:>12}"));
    }
    lines.push("parked".to_owned());
    for one in &status.parked {
        let ParkedOf {
            consumer,
            aggregates,
            since,
        } = one;
        lines.push(format!(
            "  {consumer:<7} {aggregates}, the oldest since {since}"
        ));
    }
    if status.parked.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.push("dead letters".to_owned());
    let DeadLetterCounts {
        messages,
        messages_in_flight,
        objects,
        more_objects,
    } = status.dead_letters;
    lines.push(format!(
        "  of the bus and of files  {}, and {messages_in_flight} that somebody has taken",
        number_of(messages, "message")
    ));
    let or_more = if more_objects { " or more" } else { "" };
    let objects = number_of(objects, "object");
    lines.push(format!("  of the stream            {objects}{or_more}"));
    lines.push("alarms".to_owned());
    for Alarm {
        name, says, since, ..
    } in &status.ringing
    {
        let since = since.map_or(String::new(), |since| format!(" since {since}"));
        lines.push(format!("  {name} rings{since}: {says}"));
    }
    match &status.alarms_unknown {
        Some(why) => lines.push(format!("  not known: {why}")),
        None if status.ringing.is_empty() => lines.push("  none rings".to_owned()),
        None => {}
    }
    for Unfinished { command, begun } in &status.unfinished {
        lines.push(format!(
            "unfinished\n  {command}, begun at {begun}: the same command goes on with it"
        ));
    }
    if status.is_wrong() {
        lines.push(
            "`waybill parked` and `waybill dead-letters` say more, `waybill retry` retries them all"
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use operator::cost::Size;

    use super::*;

    #[test]
    fn what_is_wrong_says_what_helps() {
        let mut status = Status {
            environment: "dev".to_owned(),
            tables: vec![TableSize {
                table: "waybill-dev-events".to_owned(),
                size: Size {
                    items: 1_234,
                    bytes: 2_048,
                },
            }],
            parked: Vec::new(),
            dead_letters: DeadLetterCounts::default(),
            ringing: Vec::new(),
            alarms_unknown: None,
            unfinished: Vec::new(),
        };
        let well = lines(&status).join("\n");
        assert!(
            well.contains("1,234 items") && well.contains("2.00 KiB"),
            "{well}"
        );
        assert!(
            well.contains("nothing") && !well.contains("retry"),
            "{well}"
        );
        assert!(well.contains("alarms\n  none rings"), "{well}");
        status.dead_letters.objects = 1;
        status.dead_letters.more_objects = true;
        let wrong = lines(&status).join("\n");
        assert!(wrong.contains("1 object or more"), "{wrong}");
        assert!(wrong.contains("waybill retry"), "{wrong}");
        status.alarms_unknown = Some("CloudWatch: answered AccessDenied".to_owned());
        let unknown = lines(&status).join("\n");
        assert!(unknown.contains("not known: CloudWatch") && !unknown.contains("none rings"));
        status.alarms_unknown = None;
        status.ringing.push(Alarm {
            name: "failures".to_owned(),
            says: "A command could not be carried out.".to_owned(),
            state: operator::alarms::State::InAlarm,
            reason: String::new(),
            since: None,
        });
        let rings = lines(&status).join("\n");
        assert!(rings.contains("failures rings: A command"), "{rings}");
    }
}
