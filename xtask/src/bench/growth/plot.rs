//! Small charts of how cost grows, both axes logarithmic.

use std::fmt::Write;

use super::{Grown, Point};

/// Width and height of a chart with its letters.
const CELL: [f64; 2] = [230.0, 210.0];
/// Space above, right, below and left of the curves.
const MARGINS: [f64; 4] = [46.0, 12.0, 28.0, 34.0];
const COLUMNS: usize = 4;
/// Colours of time and memory, told apart with a colour vision deficiency (Okabe and Ito, 2008).
const COLORS: [&str; 2] = ["#0072b2", "#d55e00"];

/// One chart per series: time and memory as multiples of those at the smallest size, and a dashed line of
/// what is proportional to the size.
pub fn svg(results: &[Grown]) -> String {
    let rows = results.len().div_ceil(COLUMNS);
    let (width, height) = (CELL[0] * results.len().min(COLUMNS) as f64, CELL[1] * rows as f64);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"10\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (i, grown) in results.iter().enumerate() {
        let (x, y) = (CELL[0] * (i % COLUMNS) as f64, CELL[1] * (i / COLUMNS) as f64);
        let _ = writeln!(out, "<g transform=\"translate({x} {y})\">");
        chart(&mut out, grown);
        out.push_str("</g>\n");
    }
    out + "</svg>\n"
}

fn chart(out: &mut String, grown: &Grown) {
    let first = grown.points.first().map_or(1.0, |p| f64::from(p.size));
    let curve = |cost: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        let start = grown.points.first().map_or(1.0, cost);
        grown.points.iter().map(|p| (f64::from(p.size) / first, cost(p) / start)).collect()
    };
    let curves = [curve(|p| p.milliseconds.median), curve(|p| p.memory_mb)];
    let all = || curves.iter().flatten();
    let right = all().map(|p| p.0).fold(2.0, f64::max);
    let top = all().map(|p| p.1).fold(right, f64::max);
    let bottom = all().map(|p| p.1).fold(1.0, f64::min);
    let px = |x: f64| MARGINS[3] + x.ln() / right.ln() * (CELL[0] - MARGINS[1] - MARGINS[3]);
    let py = |y: f64| {
        CELL[1] - MARGINS[2] - (y / bottom).ln() / (top / bottom).ln() * (CELL[1] - MARGINS[0] - MARGINS[2])
    };
    let (left, edge) = (px(1.0), px(right));
    let _ = writeln!(out, "<text x=\"{left}\" y=\"14\" font-weight=\"bold\">{}</text>", grown.series);
    for value in std::iter::successors(Some(1.0), |v| Some(v * 10.0)).take_while(|v| *v <= top) {
        let y = py(value);
        let _ = writeln!(
            out,
            "<path d=\"M{left:.1} {y:.1}H{edge:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}×</text>",
            left - 4.0,
            y + 3.0
        );
    }
    let names = grown.points.iter().map(|p| (px(f64::from(p.size) / first), short(p.size)));
    for (x, name) in names {
        let y = CELL[1] - MARGINS[2] + 14.0;
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{name}</text>");
    }
    let line = |points: &[(f64, f64)]| {
        points.iter().map(|p| format!("{:.1} {:.1}", px(p.0), py(p.1))).collect::<Vec<_>>().join("L")
    };
    let _ = writeln!(
        out,
        "<path d=\"M{}\" fill=\"none\" stroke=\"#999\" stroke-dasharray=\"3 3\"/>",
        line(&[(1.0, 1.0), (right, right)])
    );
    let legend = [("time", grown.time_exponent), ("memory", grown.memory_exponent)];
    for (i, ((points, color), (name, exponent))) in curves.iter().zip(COLORS).zip(legend).enumerate() {
        let (x, y) = (left + 84.0 * i as f64, 30.0);
        let _ = writeln!(
            out,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\
             <text x=\"{x:.1}\" y=\"{y}\" fill=\"{color}\">{name} ~ n^{exponent:.2}</text>",
            line(points)
        );
        for p in points {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{color}\"/>",
                px(p.0),
                py(p.1)
            );
        }
    }
}

/// A number with few digits.
fn short(size: u32) -> String {
    match size {
        s if s >= 10_000 && s.is_multiple_of(1000) => format!("{}k", s / 1000),
        s => s.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Spread;
    use super::super::{Point, grown};
    use super::svg;

    #[test]
    fn a_power_law_is_a_straight_line() {
        let point = |size: u32, milliseconds: f64| Point {
            size,
            milliseconds: Spread { median: milliseconds, min: milliseconds, max: milliseconds },
            memory_mb: 50.0,
        };
        let points = vec![point(1, 2.0), point(10, 20.0), point(100, 200.0)];
        let text = svg(&[grown("batch", String::new(), points)]);
        // From the lower left corner to the upper right one, as the dashed line; memory stays below.
        let line = |end: &str| format!("<path d=\"M34.0 182.0{end}\" fill=\"none\"");
        assert!(text.contains(&line("L126.0 114.0L218.0 46.0")), "{text}");
        assert!(text.contains(&line("L126.0 182.0L218.0 182.0")), "{text}");
        assert!(text.contains("time ~ n^1.00") && text.contains("memory ~ n^0.00"), "{text}");
    }
}
