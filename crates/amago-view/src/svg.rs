//! Small charts as inline SVG.

use std::fmt::Write;

use crate::series::limits;
use crate::text::number;

/// Colours of curves on white, told apart by most people with a colour vision deficiency (Okabe and Ito,
/// 2008).
pub(crate) const COLORS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];

/// A curve, with a band around it where it has a spread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Curve {
    /// What the legend says; none where it is empty.
    pub name: String,
    /// Number of its colour.
    pub color: usize,
    /// Place, value, and half the width of the band.
    pub points: Vec<(f64, f64, f64)>,
    /// Dots at the points.
    pub dots: bool,
}

/// A chart of curves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chart {
    /// What stands above it.
    pub title: String,
    /// What stands below it.
    pub x_title: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// Places of vertical lines, with what stands beside them.
    pub marks: Vec<(f64, String)>,
    /// Smallest and largest value that is shown in any case.
    pub include: Vec<f64>,
    /// Whether places are whole numbers.
    pub whole: bool,
}

/// Space above the legend, right, below and left of the curves.
const MARGINS: [f64; 4] = [26.0, 10.0, 36.0, 52.0];
/// Height of a line of the legend.
const LINE: f64 = 14.0;

/// Where the curves are: pixels of the edges, and what they stand for.
struct Area {
    /// Left and right.
    x: [f64; 2],
    /// Upper and lower.
    y: [f64; 2],
    places: (f64, f64),
    values: (f64, f64),
}

impl Area {
    fn px(&self, x: f64) -> f64 {
        let (low, high) = self.places;
        self.x[0] + (x - low) / (high - low) * (self.x[1] - self.x[0])
    }

    fn py(&self, y: f64) -> f64 {
        let (low, high) = self.values;
        self.y[1] - (y - low) / (high - low) * (self.y[1] - self.y[0])
    }
}

impl Chart {
    /// The picture, so many pixels wide and high.
    pub fn svg(&self, width: f64, height: f64) -> String {
        let [top, right, bottom, left] = MARGINS;
        let legend = self.legend(width);
        let points = || self.curves.iter().flat_map(|c| &c.points);
        let values = points().flat_map(|p| [p.1 - p.2, p.1 + p.2]).chain(self.include.iter().copied());
        let area = Area {
            x: [left, width - right],
            y: [top + LINE * legend.last().map_or(0.0, |(row, ..)| row + 1.0), height - bottom],
            places: limits(points().map(|p| p.0).chain(self.marks.iter().map(|m| m.0))),
            values: limits(values),
        };
        let mut out = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{0}\">\
             <text x=\"{left}\" y=\"14\" class=\"t\">{0}</text>",
            escape(&self.title)
        );
        self.axes(&mut out, &area);
        self.lines(&mut out, &area);
        for (row, x, curve) in legend {
            let (y, color) = (top + 10.0 + LINE * row, COLORS[curve.color % COLORS.len()]);
            let (mark, text, name) = (y - 5.0, x + 14.0, escape(&curve.name));
            let _ = write!(
                out,
                "<rect x=\"{x:.1}\" y=\"{mark:.1}\" width=\"10\" height=\"3\" fill=\"{color}\"/>\
                 <text x=\"{text:.1}\" y=\"{y:.1}\">{name}</text>"
            );
        }
        self.curves.iter().for_each(|curve| draw(&mut out, curve, &area));
        out + "</svg>"
    }

    fn axes(&self, out: &mut String, area: &Area) {
        let ([left, right], (x0, x1), (y0, y1)) = (area.x, area.places, area.values);
        for (tick, text) in ticks(y0, y1, 5) {
            let (line, letters) = (area.py(tick), area.py(tick) + 4.0);
            let _ = write!(
                out,
                "<path class=\"g\" d=\"M{left} {line:.1}H{right:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{letters:.1}\" class=\"y\">{text}</text>",
                left - 5.0
            );
        }
        let wanted = if self.whole { (x1 - x0 + 1.0).min(10.0) as usize } else { 5 };
        let places = ticks(x0, x1, wanted).into_iter().map(|(tick, text)| (area.px(tick), 15.0, tick, text));
        let title = ((left + right) / 2.0, MARGINS[2] - 5.0, 0.0, escape(&self.x_title));
        for (x, below, tick, text) in places.chain([title]) {
            if !self.whole || tick.fract() == 0.0 {
                let y = area.y[1] + below;
                let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"x\">{text}</text>");
            }
        }
    }

    /// The vertical lines. Where there is no room for the whole text, its last word must do.
    fn lines(&self, out: &mut String, area: &Area) {
        let [top, bottom] = area.y;
        for (i, (place, text)) in self.marks.iter().enumerate() {
            let (x, letters) = (area.px(*place), text.chars().count() as f64);
            let room = self.marks.get(i + 1).map_or(area.x[1], |next| area.px(next.0)) - x;
            let last = text.rsplit(' ').next().unwrap_or(text);
            let text = escape(if room > 6.0 * letters + 6.0 { text } else { last });
            let _ = write!(
                out,
                "<path class=\"m\" d=\"M{x:.1} {top}V{bottom:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" class=\"l\">{text}</text>",
                x + 3.0,
                top + 9.0
            );
        }
    }

    /// Row and left edge of each name; nothing for a single curve.
    fn legend(&self, width: f64) -> Vec<(f64, f64, &Curve)> {
        let named: Vec<_> = self.curves.iter().filter(|c| !c.name.is_empty()).collect();
        let [_, right, _, left] = MARGINS;
        let (mut row, mut x, mut places) = (0.0, left, Vec::new());
        for curve in named.iter().filter(|_| named.len() > 1) {
            let wide = 6.5 * curve.name.chars().count() as f64 + 28.0;
            if x + wide > width - right && x > left {
                (row, x) = (row + 1.0, left);
            }
            places.push((row, x, *curve));
            x += wide;
        }
        places
    }
}

fn draw(out: &mut String, curve: &Curve, area: &Area) {
    let (px, py) = (|x| area.px(x), |y| area.py(y));
    let color = COLORS[curve.color % COLORS.len()];
    let finite: Vec<_> = curve.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
    if finite.iter().any(|p| p.2 > 0.0) {
        let upper = finite.iter().map(|p| format!("{:.1} {:.1}", px(p.0), py(p.1 + p.2)));
        let lower = finite.iter().rev().map(|p| format!("{:.1} {:.1}", px(p.0), py(p.1 - p.2)));
        let path = upper.chain(lower).collect::<Vec<_>>().join("L");
        let _ = write!(out, "<path d=\"M{path}Z\" fill=\"{color}\" opacity=\"0.2\"/>");
    }
    let path: Vec<_> = finite.iter().map(|p| format!("{:.1} {:.1}", px(p.0), py(p.1))).collect();
    if path.len() > 1 {
        let _ = write!(out, "<path class=\"c\" stroke=\"{color}\" d=\"M{}\"/>", path.join("L"));
    }
    if curve.dots || path.len() == 1 {
        for p in finite {
            let (x, y) = (px(p.0), py(p.1));
            let _ = write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
        }
    }
}

/// Name of a row of bars, and for each series its value with half the width of a whisker.
pub(crate) type Row = (String, Vec<Option<(f64, f64)>>);

/// Horizontal bars from zero.
pub(crate) fn bars(title: &str, series: &[&str], rows: &[Row]) -> String {
    let (width, left, right, thick) = (640.0, 220.0, 60.0, 14.0);
    let values = || rows.iter().flat_map(|(_, row)| row.iter().flatten());
    let (low, high) = limits(values().flat_map(|(x, w)| [x - w, x + w]).chain([0.0]));
    let px = |x: f64| left + (x - low) / (high - low) * (width - left - right);
    let step = thick * series.len().max(1) as f64 + 8.0;
    let height = 26.0 + step * rows.len() as f64;
    let mut out = format!(
        "<svg viewBox=\"0 0 {width} {height}\" style=\"max-width:{width}px\" role=\"img\" aria-label=\"{0}\">\
         <text x=\"8\" y=\"14\" class=\"t\">{0}</text>",
        escape(title)
    );
    for (i, (name, row)) in rows.iter().enumerate() {
        let top = 22.0 + step * i as f64;
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{}\" class=\"y\">{}</text>",
            left - 6.0,
            top + 12.0,
            escape(name)
        );
        for (j, (value, whisker)) in row.iter().enumerate().filter_map(|(j, cell)| Some((j, (*cell)?))) {
            let (y, from, to) = (top + thick * j as f64, px(value.min(0.0)), px(value.max(0.0)));
            let (color, middle) = (COLORS[j % COLORS.len()], y + thick / 2.0);
            let (a, b) = (px(value - whisker), px(value + whisker));
            let _ = write!(
                out,
                "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{color}\">\
                 <title>{}</title></rect>\
                 <path class=\"w\" d=\"M{a:.1} {middle:.1}H{b:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" class=\"l\">{}</text>",
                (to - from).max(1.0),
                thick - 2.0,
                escape(series.get(j).copied().unwrap_or_default()),
                b.max(to) + 4.0,
                middle + 3.0,
                number(value)
            );
        }
    }
    out + "</svg>"
}

/// Round numbers between two with their text, about `wanted` of them: steps are 1, 2 or 5 times a power of
/// ten.
fn ticks(low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / wanted.max(1) as f64;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|f| f * power).into_iter().find(|s| *s >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let first = (low / step - 1e-9).ceil() as i64;
    let digits = (-step.log10()).ceil().clamp(0.0, 12.0) as usize;
    let text = |x: f64| match step {
        _ if x.abs() < step / 2.0 => "0".to_owned(),
        s if s >= 1e5 => format!("{} M", (x / 1e4).round() / 100.0),
        s if s >= 1e3 => format!("{} k", (x / 100.0).round() / 10.0),
        s if s < 1e-4 => format!("{x:.0e}"),
        _ => format!("{x:.digits$}"),
    };
    // Multiples, so that errors do not add up.
    let places = (first..).map(|i| i as f64 * step).take_while(|t| *t <= high + step * 1e-9);
    places.map(|x| (x, text(x))).collect()
}

/// Text without the signs of XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_constant_has_ticks() {
        let (low, high) = crate::series::limits([1e17].into_iter());
        assert!((1..20).contains(&ticks(low, high, 5).len()), "{low} to {high}");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let texts = |low, high, n| ticks(low, high, n).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(0.0, 1.0, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(-3.0, 57_600.0, 5), ["0", "20 k", "40 k"]);
        assert_eq!(texts(1.0, 6.0, 6), ["1", "2", "3", "4", "5", "6"]);
        assert_eq!(texts(-0.021, 0.01, 3), ["-0.02", "0",]);
        assert_eq!(texts(0.0, 2.5e6, 5), ["0", "0.5 M", "1 M", "1.5 M", "2 M", "2.5 M"]);
    }

    #[test]
    fn a_curve_goes_through_its_points() {
        let points = vec![(0.0, 0.0, 0.0), (1.0, 1.0, 0.5)];
        let curve = Curve { name: "a<b".to_owned(), points, ..Curve::default() };
        let other = Curve { name: "c".to_owned(), color: 1, points: vec![(0.5, 1.5, 0.0)], dots: false };
        let chart = Chart { title: "x & y".to_owned(), curves: vec![curve, other], ..Chart::default() };
        let svg = chart.svg(300.0, 200.0);
        // The lowest value is 0 and the highest 1.5, at the lower margin and the upper one below the legend.
        assert!(svg.contains("M52.0 164.0L290.0 81.3\""), "{svg}");
        assert!(svg.contains("x &amp; y") && svg.contains("a&lt;b") && svg.contains("<circle"), "{svg}");
    }

    #[test]
    fn bars_begin_at_zero() {
        let rows = [("a".to_owned(), vec![Some((2.0, 0.0))]), ("b".to_owned(), vec![Some((-2.0, 0.0))])];
        let svg = bars("tasks", &["one"], &rows);
        for rect in ["x=\"400.0\" y=\"22.0\" width=\"180.0\"", "x=\"220.0\" y=\"44.0\" width=\"180.0\""] {
            assert!(svg.contains(rect), "{rect}: {svg}");
        }
    }
}
