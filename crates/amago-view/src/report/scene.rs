//! One episode, looked at closely.

use amago_env::render::Frame;

use super::page::{figure, grid, image, section as headed};
use crate::ViewError;
use crate::film::encode;
use crate::svg::{Chart, Curve};

/// What one agent did and thought in one episode.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scene {
    /// Who plays what.
    pub title: String,
    /// Films with their titles, as GIF files.
    pub films: Vec<(String, Vec<u8>)>,
    /// Reward of the step that led to each state; zero for the first one.
    pub rewards: Vec<f64>,
    /// Attempt that each state belongs to, from 0, where the environment counts them.
    pub attempts: Vec<Option<usize>>,
    /// Value of each state that was acted on; empty without critics.
    pub values: Vec<f64>,
    /// How much each timestep attends to each, a square per layer, row by row; empty without attention.
    pub attention: Vec<Vec<f32>>,
    /// Length of a row of `attention`.
    pub attended: usize,
}

/// The section of the page.
pub(super) fn section(scene: &Scene) -> Result<String, ViewError> {
    let films = scene.films.iter().map(|(title, gif)| figure(&image(gif, "f", title), title));
    let mut parts = vec![format!("<p class=\"n\">{}</p>", crate::svg::escape(&scene.title))];
    parts.push(grid(&films.collect::<Vec<_>>()));
    parts.push(trace(scene));
    let mut maps = Vec::new();
    for (layer, weights) in scene.attention.iter().enumerate() {
        let Some(map) = heat(weights, scene.attended) else { continue };
        let gif = encode(&[map], &[0])?;
        let caption = format!(
            "Layer {} of {}: what each step (down) attends to (across), mean over the heads; darker is more.",
            layer + 1,
            scene.attention.len()
        );
        maps.push(figure(&image(&gif, "p", "attention"), &caption));
    }
    parts.push(grid(&maps));
    Ok(headed("One episode", &parts))
}

/// Value of the states, rewards, and where attempts begin.
fn trace(scene: &Scene) -> String {
    if scene.values.is_empty() {
        return String::new();
    }
    let values = scene.values.iter().enumerate().map(|(t, v)| (t as f64, *v, 0.0));
    let mut sum = 0.0;
    let paid = scene.rewards.iter().enumerate().map(|(t, r)| {
        sum += r;
        (t as f64, sum, 0.0)
    });
    let mut marks = Vec::new();
    let mut before = None;
    for (t, attempt) in scene.attempts.iter().enumerate() {
        if *attempt != before {
            marks.extend(attempt.map(|a| (t as f64, format!("attempt {}", a + 1))));
        }
        before = *attempt;
    }
    let chart = |title: &str, color, points, height| {
        let curve = Curve { color, points, ..Curve::default() };
        let chart = Chart {
            title: title.to_owned(),
            x_title: "step".to_owned(),
            curves: vec![curve],
            marks: marks.clone(),
            ..Chart::default()
        };
        chart.svg(980.0, height)
    };
    let charts = [
        chart("value V(s) of each state", 0, values.collect(), 220.0),
        chart("return so far", 1, paid.collect(), 160.0),
    ];
    let caption = "V(s) is the critics' estimate of the discounted return that is still to come, in units of the \
        environment's reward, for the discount that acts.";
    figure(&charts.concat(), caption)
}

/// A square of weights as a picture: each row relative to its largest weight, in 64 shades.
fn heat(weights: &[f32], size: usize) -> Option<Frame> {
    if size == 0 || weights.len() != size * size {
        return None;
    }
    let mut rgb = Vec::with_capacity(3 * weights.len());
    for row in weights.chunks(size) {
        let largest = row.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        for weight in row {
            // The root shows small weights, too.
            let shade = ((weight / largest).clamp(0.0, 1.0).sqrt() * 63.0).round() / 63.0;
            rgb.extend(
                [[250.0, 8.0], [251.0, 48.0], [255.0, 107.0]].map(|[a, b]| (a + (b - a) * shade) as u8),
            );
        }
    }
    Some(Frame { width: size, height: size, rgb })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_weight_of_a_row_is_the_darkest() {
        let map = heat(&[1.0, 0.0, 0.25, 0.5], 2).expect("a square");
        assert_eq!(map.rgb[..3], [8, 48, 107]);
        assert_eq!(map.rgb[3..6], [250, 251, 255]);
        assert_eq!(map.rgb[9..], [8, 48, 107]);
        assert!(map.rgb[6] > 8 && map.rgb[6] < 250);
        assert_eq!(heat(&[1.0], 2), None);
    }

    #[test]
    fn attempts_are_marked_where_they_begin() {
        let scene = Scene {
            rewards: vec![0.0, 1.0, 0.0],
            attempts: vec![Some(0), Some(1), Some(1)],
            values: vec![0.5, 0.7],
            ..Scene::default()
        };
        let svg = trace(&scene);
        assert_eq!(svg.matches("class=\"m\"").count(), 4, "two marks in two charts");
        assert!(svg.contains("attempt 2") && svg.contains("return so far"), "{svg}");
    }
}
