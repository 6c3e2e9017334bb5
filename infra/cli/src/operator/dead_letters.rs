//! `waybill dead-letters`: lists the dead letters.

use std::io::{IsTerminal as _, Write as _};

use operator::{
    Environment,
    dead_letters::{self, DeadLetter, LetterId},
    limits::{LISTED_OBJECTS_MAX, PEEKED_MESSAGES_MAX},
};
use serde_json::json;

use crate::logs;

use super::{
    Failed, Outcome,
    print::{duration_text, number_of, print_json, print_line},
    target::Target,
};

/// Which dead letters
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Lists the first dead letters in the bucket (`stream`: batches that a consumer of the stream has failed
to handle) and in the queue (`message`: events, orders and files that a function has failed to handle).
To read a message is to receive it and return it, so for a moment it is hidden from others. Only
--payload prints what customers have sent.
One that cannot succeed as it is (its content is invalid, its id was used, its order is closed) is
refused each time that it is retried. --discard deletes such a message with its content. It leaves a
message that may succeed when it is tried again, and the dead letters of the stream.

Examples:
  waybill dead-letters --local
  waybill dead-letters --payload 5f0c2d0e-… --env prod
  waybill dead-letters --discard 5f0c2d0e-… --env prod

Ends with 0 where there are none, a payload is printed or a message is discarded; 3 where there are any;
1 where it could not be carried out.")]
pub(crate) struct DeadLettersArgs {
    /// Print the content of one dead letter, by an object's key or a message's id
    #[arg(long, value_name = "NAME")]
    payload: Option<String>,

    /// Delete one message that cannot succeed as it is, by its id
    #[arg(long, value_name = "ID", conflicts_with = "payload")]
    discard: Option<String>,

    /// Do not ask before a message is discarded
    #[arg(long, short, requires = "discard")]
    yes: bool,

    #[command(flatten)]
    target: Target,
}

/// Lists the dead letters, prints the content of one, or discards one.
pub(super) async fn run(args: DeadLettersArgs) -> Result<Outcome, Failed> {
    let (environment, json) = (args.target.reach().await?, args.target.json);
    if let Some(id) = args.discard {
        return discard(&environment, id, args.yes, json).await;
    }
    if let Some(name) = args.payload {
        // An object's key contains folders, a message's id does not.
        let id = match name.contains('/') {
            true => LetterId::Stream(name),
            false => LetterId::Message(name),
        };
        let payload = dead_letters::payload(&environment, &id).await?;
        match json {
            true => print_json(&json!({ "id": id, "payload": payload }))?,
            false => print_line(&payload),
        }
        return Ok(Outcome::Well);
    }
    let stream = dead_letters::stream_page(&environment, None, LISTED_OBJECTS_MAX).await?;
    let queue = dead_letters::queue(&environment, PEEKED_MESSAGES_MAX).await?;
    let any = !stream.letters.is_empty() || !queue.letters.is_empty() || queue.hidden > 0;
    match json {
        true => print_json(&json!({ "stream": stream, "queue": queue }))?,
        false => {
            let letters = stream.letters.iter().chain(&queue.letters);
            letters.clone().for_each(|letter| print_line(&line(letter)));
            let more = stream.next.is_some() || queue.more;
            let or_more = if more { " or more" } else { "" };
            let number = number_of(letters.count() as u64, "dead letter");
            let hidden = queue.hidden;
            print_line(&format!(
                "{number}{or_more}, and {hidden} that somebody has taken"
            ));
        }
    }
    Ok(Outcome::wrong_if(any))
}

async fn discard(
    environment: &Environment,
    id: String,
    yes: bool,
    json: bool,
) -> Result<Outcome, Failed> {
    logs::start();
    if !yes {
        let wanted = LetterId::Message(id.clone());
        let letter = dead_letters::letter(environment, &wanted).await?;
        eprintln!("{}", line(&letter));
        let content = number_of(letter.bytes, "byte");
        confirm(&id, &content)?;
    }
    let letter = operator::discard(environment, &id).await?;
    match json {
        true => print_json(&json!({ "discarded": letter }))?,
        false => print_line(&format!("discarded {id}")),
    }
    Ok(Outcome::Well)
}

/// Asks before a message is removed, also where nobody sits at a terminal: this cannot be undone.
fn confirm(id: &str, content: &str) -> Result<(), Failed> {
    eprintln!(
        "its content, {content}, is lost for ever: `waybill dead-letters --payload {id}` prints it"
    );
    if std::io::stdin().is_terminal() {
        eprint!("This cannot be undone. Discard it? [y/N] ");
        std::io::stderr().flush()?;
    }
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failed::Nothing(
            "nothing was done: nobody said yes, nor was there --yes".to_owned(),
        )),
    }
}

fn line(letter: &DeadLetter) -> String {
    let (place, name) = match &letter.id {
        LetterId::Stream(key) => ("stream", key),
        LetterId::Message(id) => ("message", id),
    };
    let about = match letter.about.is_empty() {
        true => "an unknown subject".to_owned(),
        false => letter.about.join(", "),
    };
    let more = if letter.about_more { ", …" } else { "" };
    let role = letter.role.as_deref().unwrap_or("?");
    let (why, prospect) = (letter.why(), letter.prospect());
    format!(
        "{place:<7}  {role:<8}  {:>10} ago  {name}\n         about {about}{more}: {why}\n         \
         {prospect}",
        duration_text(letter.age_seconds),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_is_told_with_its_age_and_what_it_is_about() {
        let told = line(&DeadLetter {
            id: LetterId::Message("m-1".to_owned()),
            at: None,
            age_seconds: 7_200,
            role: Some("bus".to_owned()),
            reason: Some("invalid_field".to_owned()),
            field: Some("status".to_owned()),
            message: Some("it is required".to_owned()),
            may_succeed: false,
            from: None,
            about: vec!["shipment#S-1".to_owned()],
            about_more: false,
            bytes: 7,
        });
        assert!(told.contains("2 hours ago  m-1"), "{told}");
        let (_, about) = told.split_once('\n').unwrap_or_default();
        assert_eq!(
            about,
            "         about shipment#S-1: invalid_field at status: it is required\n         cannot \
             succeed as it is"
        );
    }
}
