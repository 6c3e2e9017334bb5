//! Queries of a shipment's log, page by page.

use domain::{Json, ShipmentId, Timestamp};
use lambda::http::{Problem, Request, Response};

use super::{
    parameters, past,
    problems::row_problem,
    shown::{bytes, page, shown},
};
use crate::{
    Projectors, cursor,
    limits::LIST_BYTES_MAX,
    ports::{Row, RowPage},
};

pub(super) async fn log(
    projectors: &Projectors,
    request: &Request,
    id: ShipmentId,
) -> Result<Response, Problem> {
    let why = "a log is not waited for; the shipment itself is";
    parameters::without(request, "minVersion", why)?;
    let at = parameters::at(request)?;
    let limit = parameters::limit(request)?;
    let query = query(&id, at);
    let after = parameters::cursor_position(request, &query)?;
    if after.as_deref().is_some_and(|entry| !is_entry(entry)) {
        return Err(cursor::foreign());
    }
    let found = match at {
        Some(at) => past::log(projectors, &id, at, after.as_deref(), limit).await?,
        None => {
            let read = projectors.rows.log(id.as_str(), after.as_deref(), limit);
            read.await.map_err(row_problem)?
        }
    };
    if found.rows.is_empty() && after.is_none() {
        return Err(Problem::not_found("there is no such shipment"));
    }
    let RowPage { rows, more } = fitting(found);
    let last = rows.last().and_then(|row| row.get("entry"));
    let next = match last.filter(|_| more) {
        Some(Json::String(entry)) => Some(cursor::encode(&query, entry)),
        _ => None,
    };
    Ok(page(rows.into_iter().map(shown).collect(), next))
}

fn query(id: &ShipmentId, at: Option<Timestamp>) -> String {
    match at {
        Some(at) => format!("log/{id}?at={at}"),
        None => format!("log/{id}"),
    }
}

/// Whether a text is a sort key of log rows, `<timestamp>#<sequence>`; any other position of a
/// cursor is refused.
fn is_entry(text: &str) -> bool {
    text.split_once('#').is_some_and(|(time, sequence)| {
        let written = time.parse().map(|at: Timestamp| at.to_string());
        let digits = sequence.bytes().all(|b| b.is_ascii_digit());
        written.as_deref() == Ok(time) && sequence.len() == 6 && digits
    })
}

/// As many rows of the page as an answer can hold, but at least one.
fn fitting(mut page: RowPage) -> RowPage {
    let mut held = 0;
    let fits = |row: &Row| {
        held += bytes(row);
        held <= LIST_BYTES_MAX
    };
    let fit = page.rows.iter().map(fits).take_while(|fits| *fits).count();
    if fit < page.rows.len() {
        page.rows.truncate(fit.max(1));
        page.more = true;
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ANSWER_BYTES_MAX;

    #[test]
    fn a_page_full_of_quotation_marks_fits_an_answer() {
        let row = |number: usize| {
            let quotes = "\"".repeat(100_000);
            Row::from([
                ("entry".to_owned(), number.to_string().into()),
                ("location".to_owned(), quotes.into()),
            ])
        };
        let rows = (0..100).map(row).collect();
        let fit = fitting(RowPage { rows, more: false });
        assert!(fit.more && fit.rows.len() > 10, "{}", fit.rows.len());
        let answer = page(fit.rows, None).to_payload().to_string();
        assert!(answer.len() <= ANSWER_BYTES_MAX, "{}", answer.len());
    }
}
