//! `waybill dead-letters`: lists the dead letters.

use operator::{
    dead_letters::{self, DeadLetter, LetterId},
    limits::{LISTED_OBJECTS_MAX, PEEKED_MESSAGES_MAX},
};
use serde_json::json;

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

Examples:
  waybill dead-letters --local
  waybill dead-letters --payload 5f0c2d0e-… --env prod

Ends with 0 where there are none, or a payload is printed; 3 where there are any; 1 where they could not
be read.")]
pub(crate) struct DeadLettersArgs {
    /// Print the content of one dead letter, by an object's key or a message's id
    #[arg(long, value_name = "NAME")]
    payload: Option<String>,

    #[command(flatten)]
    target: Target,
}

/// Lists the dead letters, or prints the content of one.
pub(super) async fn run(args: DeadLettersArgs) -> Result<Outcome, Failed> {
    let (environment, json) = (args.target.reach().await?, args.target.json);
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
    let why = letter.why();
    format!(
        "{place:<7}  {role:<8}  {:>10} ago  {name}\n         about {about}{more}: {why}",
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
            from: None,
            about: vec!["shipment#S-1".to_owned()],
            about_more: false,
            bytes: 7,
        });
        assert!(told.contains("2 hours ago  m-1"), "{told}");
        assert!(
            told.ends_with("about shipment#S-1: invalid_field at status: it is required"),
            "{told}"
        );
    }
}
