//! Merges the shards of an index into one list.
//!
//! The whole list is ordered by the sort key. Entries with the same sort key are ordered by their
//! shard, and within a shard by the index itself. So the position of one entry, with its shard,
//! determines where every shard continues: no entry is lost or repeated, however many entries have
//! the same time.

use std::{collections::VecDeque, fmt};

use domain::{Json, Timestamp};

use super::shown::bytes;
use crate::{
    indexes::Index,
    limits::LIST_BYTES_MAX,
    ports::{Direction, Row, RowPage, Start},
};

/// The position of an entry in the whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// The number of the entry's shard.
    shard: usize,
    /// The entry's sort key.
    sort: String,
    /// The id of the entry's order or shipment.
    id: String,
}

impl Position {
    /// Where `shard` continues after this position.
    pub(super) fn start_in(&self, shard: usize) -> Start {
        let sort = self.sort.clone();
        match shard.cmp(&self.shard) {
            std::cmp::Ordering::Less => Start::Behind(sort),
            std::cmp::Ordering::Equal => Start::After {
                sort,
                id: self.id.clone(),
            },
            std::cmp::Ordering::Greater => Start::At(sort),
        }
    }

    /// Parses the position in a cursor; `None` where `index`, with this number of shards, cannot
    /// have such a position.
    pub(super) fn parse(text: &str, index: Index, shards: usize) -> Option<Self> {
        let mut parts = text.splitn(3, SEPARATOR);
        let shard = parts.next()?.parse().ok().filter(|shard| *shard < shards)?;
        let (sort, id) = (parts.next()?, parts.next()?);
        id.parse::<domain::OrderId>().ok()?;
        let sorts = match index {
            Index::ShipmentsByOrder => sort == id,
            _ => sort
                .parse()
                .is_ok_and(|at: Timestamp| at.to_string() == sort),
        };
        sorts.then(|| Self {
            shard,
            sort: sort.to_owned(),
            id: id.to_owned(),
        })
    }
}

/// The separator of a position's parts. Neither a time nor an id holds a control character.
const SEPARATOR: char = '\n';

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{SEPARATOR}{}{SEPARATOR}{}",
            self.shard, self.sort, self.id
        )
    }
}

/// A page of the whole list.
#[derive(Debug)]
pub(super) struct Merged {
    /// The entries, in order.
    pub rows: Vec<Row>,
    /// The position of the last entry; `None` where no more entries follow.
    pub next: Option<Position>,
}

/// The next entries of the whole list, at most `limit` of them and [`LIST_BYTES_MAX`] bytes, but at
/// least one if there is one. `pages` has one page of every shard, each with `limit` entries or all
/// that are left.
pub(super) fn merge(
    pages: Vec<RowPage>,
    index: Index,
    direction: Direction,
    limit: usize,
) -> Merged {
    let mut shards: Vec<(VecDeque<Row>, bool)> = pages
        .into_iter()
        .map(|page| (page.rows.into(), page.more))
        .collect();
    let (mut rows, mut last, mut held) = (Vec::<Row>::new(), None, 0);
    while rows.len() < limit {
        // The page of a shard may have been cut short. Its next entry is not known, so the list
        // ends here.
        if shards.iter().any(|(rows, more)| rows.is_empty() && *more) {
            break;
        }
        let Some(shard) = first(&shards, index, direction) else {
            break;
        };
        let Some(row) = shards[shard].0.front() else {
            break;
        };
        held += bytes(row);
        if held > LIST_BYTES_MAX && !rows.is_empty() {
            break;
        }
        let (sort, id) = (text(row, index.sort_key()), text(row, index.id()));
        // Found twice, the entry has moved to another partition meanwhile: the later one counts.
        let met = rows.iter().position(|met| text(met, index.id()) == id);
        last = Some(Position { shard, sort, id });
        let Some(row) = shards[shard].0.pop_front() else {
            break;
        };
        match met {
            Some(position) => rows[position] = row,
            None => rows.push(row),
        }
    }
    let more = shards.iter().any(|(rows, more)| !rows.is_empty() || *more);
    Merged {
        rows,
        next: last.filter(|_| more),
    }
}

/// The shard with the next entry.
fn first(shards: &[(VecDeque<Row>, bool)], index: Index, direction: Direction) -> Option<usize> {
    let heads = shards.iter().enumerate().filter_map(|(shard, (rows, _))| {
        let sort = text(rows.front()?, index.sort_key());
        Some((sort, shard))
    });
    // Of equal sort keys, both take the one of the first shard.
    let head = match direction {
        Direction::Up => heads.min(),
        Direction::Down => heads.min_by(|one, other| other.0.cmp(&one.0)),
    };
    head.map(|(_, shard)| shard)
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Json::String(text)) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: Index = Index::OrdersByStatus;

    fn page(ids: &[(&str, &str)], more: bool) -> RowPage {
        let row = |(at, id): &(&str, &str)| {
            Row::from([
                ("createdAt".to_owned(), (*at).into()),
                ("orderId".to_owned(), (*id).into()),
            ])
        };
        RowPage {
            rows: ids.iter().map(row).collect(),
            more,
        }
    }

    fn ids(merged: &Merged) -> String {
        let ids = merged.rows.iter().map(|row| text(row, "orderId"));
        ids.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn shards_are_merged_in_both_directions_and_the_first_one_wins_ties() {
        let up = || {
            vec![
                page(&[("1", "a"), ("3", "b")], false),
                page(&[("1", "c")], false),
            ]
        };
        assert_eq!(ids(&merge(up(), INDEX, Direction::Up, 9)), "a c b");
        let down = || {
            vec![
                page(&[("3", "b"), ("1", "a")], false),
                page(&[("3", "c")], false),
            ]
        };
        assert_eq!(ids(&merge(down(), INDEX, Direction::Down, 9)), "b c a");
        let cut = merge(down(), INDEX, Direction::Down, 2);
        let next = cut.next.map(|position| position.to_string());
        assert_eq!(next.as_deref(), Some("1\n3\nc"));
    }

    #[test]
    fn an_entry_that_is_met_twice_is_shown_once_where_it_is_now() {
        let mut pages = vec![
            page(&[("1", "a"), ("1", "b")], false),
            page(&[("1", "c"), ("1", "a")], false),
        ];
        pages[1].rows[1].insert("status".to_owned(), "PROCESSED".into());
        let merged = merge(pages, INDEX, Direction::Up, 9);
        assert_eq!(ids(&merged), "a b c");
        assert_eq!(text(&merged.rows[0], "status"), "PROCESSED");
    }

    /// DynamoDB ends a page at 1 MB: what comes next in that shard may come before the others.
    #[test]
    fn nothing_overtakes_a_shard_whose_page_was_cut_short() {
        let pages = vec![
            page(&[("1", "a")], true),
            page(&[("2", "b"), ("9", "c")], false),
        ];
        let merged = merge(pages, INDEX, Direction::Up, 9);
        assert_eq!(ids(&merged), "a");
        let next = merged.next.map(|position| position.to_string());
        assert_eq!(next.as_deref(), Some("0\n1\na"));
    }

    #[test]
    fn a_page_holds_no_more_bytes_than_an_answer() {
        let large = "x".repeat(LIST_BYTES_MAX / 2);
        let mut pages = vec![page(&[("1", "a"), ("2", "b"), ("3", "c")], false)];
        for row in &mut pages[0].rows {
            row.insert("location".to_owned(), large.clone().into());
        }
        let merged = merge(pages, INDEX, Direction::Up, 9);
        assert_eq!(ids(&merged), "a");
        assert!(merged.next.is_some());
    }

    #[test]
    fn a_place_is_read_only_where_there_can_be_one() {
        let time = "2024-01-15T10:30:00.000Z";
        let read = |text: &str, index| {
            Position::parse(text, index, 2).map(|position| position.to_string())
        };
        let good = format!("1\n{time}\nA 1#");
        assert_eq!(read(&good, INDEX), Some(good.clone()));
        let of_order = "0\nS 1\nS 1".to_owned();
        assert_eq!(
            read(&of_order, Index::ShipmentsByOrder),
            Some(of_order.clone())
        );
        for bad in [
            String::new(),
            format!("2\n{time}\nA-1"),
            format!("-1\n{time}\nA-1"),
            format!("1\n{time}"),
            format!("1\n{time}\n"),
            format!("1\n{time}\nA\n1"),
            "1 2024 A-1".to_owned(),
            of_order,
        ] {
            assert_eq!(read(&bad, INDEX), None, "{bad}");
        }
        assert_eq!(read("0 S-1 S-2", Index::ShipmentsByOrder), None);
    }
}
