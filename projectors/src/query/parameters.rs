//! Reads the parameters of a path and of a query string.

use domain::{Timestamp, time::SentTime};
use lambda::http::{Problem, Request};

use crate::{
    cursor,
    limits::{LIST_MAX, VERSION_MAX},
    ports::Direction,
};

/// The problem of an invalid parameter.
pub(super) fn wrong(name: &str, message: impl Into<String>) -> Problem {
    Problem::invalid("invalid_field", name, message)
}

/// The value of `text`, a parameter of the path or of the query string; a problem that names
/// `field` where it is none.
pub(super) fn parsed<T: std::str::FromStr<Err: ToString>>(
    field: &str,
    text: &str,
) -> Result<T, Problem> {
    text.parse()
        .map_err(|error: T::Err| wrong(field, error.to_string()))
}

/// The parameter `limit`: 1 to 100; 100 by default.
pub(super) fn limit(request: &Request) -> Result<u32, Problem> {
    let Some(text) = request.parameter("limit") else {
        return Ok(LIST_MAX);
    };
    let limit = text.parse().ok();
    limit
        .filter(|limit| (1..=LIST_MAX).contains(limit))
        .ok_or_else(|| {
            wrong(
                "limit",
                format!("a number from 1 to {LIST_MAX} was expected"),
            )
        })
}

/// The parameter `cursor`: the position in it; refused where it does not belong to `query`.
pub(super) fn cursor_position(request: &Request, query: &str) -> Result<Option<String>, Problem> {
    let cursor = request.parameter("cursor");
    cursor.map(|text| cursor::decode(query, &text)).transpose()
}

/// The parameter `at`: a time in the formats of a [`SentTime`].
pub(super) fn at(request: &Request) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = request.parameter("at") else {
        return Ok(None);
    };
    match SentTime::parse(&text) {
        Ok(sent) => Ok(Some(sent.at)),
        Err(error) => Err(wrong(
            "at",
            format!("{error}; in a query, + is written %2B"),
        )),
    }
}

/// The parameter `minVersion`: 1 to [`VERSION_MAX`].
pub(super) fn min_version(request: &Request) -> Result<Option<u64>, Problem> {
    let Some(text) = request.parameter("minVersion") else {
        return Ok(None);
    };
    let version = text.parse().ok();
    let version = version.filter(|version| (1..=VERSION_MAX).contains(version));
    let expected = || format!("a number from 1 to {VERSION_MAX} was expected");
    version
        .map(Some)
        .ok_or_else(|| wrong("minVersion", expected()))
}

/// The parameter `sort`: `oldest` first (the default), or `newest`.
pub(super) fn direction(request: &Request) -> Result<Direction, Problem> {
    match request.parameter("sort").as_deref() {
        None | Some("oldest") => Ok(Direction::Up),
        Some("newest") => Ok(Direction::Down),
        Some(_) => Err(wrong("sort", "oldest or newest was expected")),
    }
}

/// The one of these parameters that is given; a problem where none or several are.
pub(super) fn one_of(
    request: &Request,
    names: &[&'static str],
) -> Result<(&'static str, String), Problem> {
    at_most_one_of(request, names)?.ok_or_else(|| not_one("exactly", names))
}

/// The one of these parameters that is given, if any; a problem where several are.
pub(super) fn at_most_one_of(
    request: &Request,
    names: &[&'static str],
) -> Result<Option<(&'static str, String)>, Problem> {
    let mut given = names
        .iter()
        .filter_map(|name| Some((*name, request.parameter(name)?)));
    match (given.next(), given.next()) {
        (one, None) => Ok(one),
        (_, Some(_)) => Err(not_one("at most", names)),
    }
}

fn not_one(how_many: &str, names: &[&str]) -> Problem {
    let message = format!("{how_many} one of {} was expected", names.join(", "));
    Problem::new(400, "invalid_query", message)
}

/// Refuses a parameter that this query does not have.
pub(super) fn without(request: &Request, name: &str, why: &str) -> Result<(), Problem> {
    match request.parameter(name) {
        None => Ok(()),
        Some(_) => Err(wrong(name, why)),
    }
}
