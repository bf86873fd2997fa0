//! The drawing of a role's activity: uses of each day, and the curve of newly seen permissions, over one axis of time.
//!
//! Geometry only; the template draws it.

use serde::Serialize;

use super::report::Report;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 10.0;
const CURVE_TOP: f64 = 14.0;
const CURVE_BOTTOM: f64 = 150.0;
const BARS_TOP: f64 = 178.0;
const BARS_BOTTOM: f64 = 232.0;
const WIDEST: f64 = 40.0;
const DAY: i64 = 86_400;
/// More bars than this are not told apart; several days share one.
const MOST_BARS: i64 = 90;

/// A drawing 720 wide and 256 high.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Days, or groups of days.
    pub bars: Vec<Bar>,
    /// The path of the curve.
    pub curve: String,
    /// The same, closed, for filling.
    pub area: String,
    /// A point for each time at which something new was seen.
    pub points: Vec<Point>,
    /// Labels below: where, and what.
    pub dates: Vec<Label>,
    /// Labels at the left of the curve, with their line.
    pub levels: Vec<Label>,
    /// The number of uses of the highest bar.
    pub most: u64,
    /// How many days one bar stands for.
    pub step: i64,
}

/// One bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// The day, or the first of its days.
    pub date: String,
    /// How many uses.
    pub uses: u64,
    /// Whether there may have been more.
    pub at_least: bool,
}

/// A point of the curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Across.
    pub x: f64,
    /// Down.
    pub y: f64,
    /// The time.
    pub time: String,
    /// How many permissions had been seen by then.
    pub total: usize,
    /// What was new.
    pub what: Vec<String>,
}

/// A word at an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// Across or down.
    pub at: f64,
    /// The word.
    pub text: String,
}

impl Figure {
    /// Draws a report's activity; nothing where nothing was seen or times cannot be read.
    #[must_use]
    pub fn of(report: &Report) -> Option<Self> {
        let window = report.window.as_ref()?;
        let first = midnight(seconds(&window.first)?);
        let days = (midnight(seconds(&window.last)?) - first) / DAY + 1;
        let axis = Axis { first, span: days * DAY };
        let points = points(report, &axis)?;
        let step = (days + MOST_BARS - 1) / MOST_BARS;
        let (bars, most) = bars(report, &axis, step)?;
        let total = points.last()?.total;
        let (curve, area) = paths(&points);
        Some(Self { bars, curve, area, dates: dates(&axis, days), levels: levels(total), points, most, step })
    }
}

struct Axis {
    first: i64,
    span: i64,
}

impl Axis {
    fn x(&self, at: i64) -> f64 {
        round(LEFT + (at - self.first) as f64 / self.span as f64 * (WIDTH - LEFT - RIGHT))
    }
}

fn points(report: &Report, axis: &Axis) -> Option<Vec<Point>> {
    let seen = &report.activity.first_seen;
    let mut points: Vec<Point> = Vec::new();
    for (n, new) in seen.iter().enumerate() {
        let what = format!("{} on {}", new.action, new.resource);
        let (x, y) = (axis.x(seconds(&new.time)?), height(n + 1, seen.len()));
        match points.last_mut().filter(|p| p.time == new.time) {
            Some(same) => {
                (same.y, same.total) = (y, n + 1);
                same.what.push(what);
            }
            None => points.push(Point { x, y, time: new.time.clone(), total: n + 1, what: vec![what] }),
        }
    }
    Some(points)
}

fn height(n: usize, of: usize) -> f64 {
    round(CURVE_BOTTOM - n as f64 / of.max(1) as f64 * (CURVE_BOTTOM - CURVE_TOP))
}

/// A step at each point, from the axis to the end of the window.
fn paths(points: &[Point]) -> (String, String) {
    let start = points.first().map_or(LEFT, |p| p.x);
    let mut curve = format!("M{start} {CURVE_BOTTOM}");
    for point in points {
        curve.push_str(&format!("H{}V{}", point.x, point.y));
    }
    let end = WIDTH - RIGHT;
    curve.push_str(&format!("H{end}"));
    let area = format!("{curve}V{CURVE_BOTTOM}H{start}Z");
    (curve, area)
}

fn bars(report: &Report, axis: &Axis, step: i64) -> Option<(Vec<Bar>, u64)> {
    let width = axis.x(axis.first + step * DAY) - LEFT;
    let gap = if width > 6.0 { 2.0 } else { 0.5 };
    let drawn = round((width - gap).min(WIDEST));
    let mut bars: Vec<(i64, Bar)> = Vec::new();
    for day in &report.activity.days {
        let place = (seconds(&format!("{}T00:00:00Z", day.date))? - axis.first) / DAY / step;
        match bars.last_mut().filter(|(at, _)| *at == place) {
            Some((_, bar)) => {
                bar.uses += day.uses;
                bar.at_least |= day.at_least;
            }
            None => {
                let x = round(axis.x(axis.first + place * step * DAY) + gap / 2.0);
                let (date, uses, at_least) = (day.date.clone(), day.uses, day.at_least);
                bars.push((place, Bar { x, y: 0.0, width: drawn, height: 0.0, date, uses, at_least }));
            }
        }
    }
    let most = bars.iter().map(|(_, b)| b.uses).max()?;
    for (_, bar) in &mut bars {
        bar.height = round((bar.uses as f64 / most.max(1) as f64 * (BARS_BOTTOM - BARS_TOP)).max(1.0));
        bar.y = round(BARS_BOTTOM - bar.height);
    }
    Some((bars.into_iter().map(|(_, b)| b).collect(), most))
}

/// Up to six dates below the axis, on days at equal distances.
fn dates(axis: &Axis, days: i64) -> Vec<Label> {
    let step = (days + 5) / 6;
    let label = |n: i64| {
        let at = axis.first + n * step * DAY;
        let text = jiff::Timestamp::from_second(at).map(|t| t.to_string()).unwrap_or_default();
        Label { at: axis.x(at), text: text.get(..10).unwrap_or_default().to_owned() }
    };
    (0..(days + step - 1) / step).map(label).collect()
}

/// Up to four round numbers beside the curve.
fn levels(total: usize) -> Vec<Label> {
    let step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].into_iter().find(|s| total / s <= 4).unwrap_or(total.max(1));
    (0..=total / step).map(|n| Label { at: height(n * step, total), text: (n * step).to_string() }).collect()
}

/// Where a span of time begins in a window and how much of it it takes, in per cent; at least two, to be seen.
#[must_use]
pub fn span((first, last): (&str, &str), (from, to): (&str, &str)) -> Option<(f64, f64)> {
    const LEAST: f64 = 2.0;
    let (start, end) = (seconds(from)?, seconds(to)?);
    let share = |at: i64| (at - start) as f64 * 100.0 / (end - start).max(1) as f64;
    let (left, right) = (share(seconds(first)?), share(seconds(last)?));
    let width = (right - left).max(LEAST);
    Some((round(left.min(100.0 - width)), round(width)))
}

fn seconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

fn midnight(at: i64) -> i64 {
    at.div_euclid(DAY) * DAY
}

fn round(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}
