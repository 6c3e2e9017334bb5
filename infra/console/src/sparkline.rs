//! A number for each minute, drawn as a line in a small picture.

use operator::activity::MinuteSeries;

/// The height of the picture, in its own units. Each minute is one unit wide.
const HEIGHT: u64 = 20;

/// Returns the points of a line through the numbers, for `points` of an SVG `polyline`: the highest
/// number is at the top, zero at the bottom. A missing number counts as zero.
pub fn points(line: &MinuteSeries) -> String {
    let most = line.0.iter().flatten().copied().max().unwrap_or(0).max(1);
    let point = |(minute, value): (usize, &Option<u64>)| {
        let value = u128::from(value.unwrap_or(0)) * u128::from(HEIGHT) / u128::from(most);
        format!("{minute},{}", u128::from(HEIGHT) - value)
    };
    let points: Vec<String> = line.0.iter().enumerate().map(point).collect();
    points.join(" ")
}

/// Adds two lines minute by minute.
pub fn sum(one: &MinuteSeries, other: &MinuteSeries) -> MinuteSeries {
    let sum = |(one, other): (&Option<u64>, &Option<u64>)| match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    };
    MinuteSeries(one.0.iter().zip(&other.0).map(sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_stands_at_the_top() {
        let line = MinuteSeries(vec![Some(0), None, Some(5), Some(10)]);
        assert_eq!(points(&line), "0,20 1,20 2,10 3,0");
        assert_eq!(
            points(&MinuteSeries(vec![None, Some(u64::MAX)])),
            "0,20 1,0"
        );
        assert_eq!(points(&MinuteSeries::default()), "");
    }

    #[test]
    fn two_lines_are_added_minute_by_minute() {
        let (one, other) = (vec![None, Some(1), None], vec![None, Some(2), Some(3)]);
        let expected = MinuteSeries(vec![None, Some(3), Some(3)]);
        assert_eq!(sum(&MinuteSeries(one), &MinuteSeries(other)), expected);
    }
}
