//! Progress bars on a terminal, a line per epoch everywhere.

use std::time::Duration;

use amago_trainer::{EpochRecord, EvalReport, Event, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{complain, is_quiet, tell};
use crate::summary::count;

/// Shows a run on stderr.
pub struct Progress {
    bar: ProgressBar,
    phase: &'static str,
}

impl Progress {
    /// A hidden bar until the first event; it stays hidden where stderr is no terminal or quiet is wanted.
    pub fn new() -> Self {
        let target = match is_quiet() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("{msg:>10} [{bar:30}] {pos}/{len} {per_sec:>9} eta {eta}")
            .expect("the template is constant")
            .progress_chars("=> ");
        bar.set_style(style);
        Self { bar, phase: "" }
    }

    fn tick(&mut self, phase: &'static str, done: usize, total: usize) {
        if self.phase != phase || done <= 1 {
            self.phase = phase;
            self.bar.reset();
            self.bar.set_length(total as u64);
            self.bar.set_message(phase);
            self.bar.enable_steady_tick(Duration::from_millis(500));
        }
        self.bar.set_position(done as u64);
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| tell(text));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Collect { done, total } => self.tick("collecting", done, total),
            Event::Learn { done, total, .. } => self.tick("learning", done, total),
            Event::Evaluate { done, total } => self.tick("evaluating", done, total),
            Event::Evaluated { epoch, report } => self.line(&eval_line(epoch, report)),
            Event::Epoch(record) => self.line(&epoch_line(record)),
            Event::Checkpoint(path) => self.line(&format!("saved {}", path.display())),
            Event::Warning(text) => self.bar.suspend(|| complain(format_args!("warning: {text}"))),
        }
    }
}

fn percent(x: Option<f64>) -> String {
    x.map_or_else(|| "-".to_owned(), |x| format!("{:.0}%", 100.0 * x))
}

/// One epoch in a line.
pub fn epoch_line(r: &EpochRecord) -> String {
    let ret = r.rollout.return_mean.map_or_else(|| "-".to_owned(), |x| format!("{x:.2}"));
    let (loss, entropy) = match &r.train {
        Some(t) => (format!("{:.3}", t.loss), format!("{:.2}", t.parts.entropy)),
        None => ("-".to_owned(), "-".to_owned()),
    };
    format!(
        "epoch {:>4}  {:>6.0}s  {:>8} steps  {:>6} updates ({:.1}/s)  return {ret} success {}  eps {:.2}  \
         loss {loss}  entropy {entropy}",
        r.epoch,
        r.time.wall,
        r.env_steps,
        r.updates,
        r.time.updates_per_second,
        percent(r.rollout.success),
        r.rollout.epsilon,
    )
}

/// One evaluation in a line.
pub fn eval_line(epoch: usize, report: &EvalReport) -> String {
    let success = percent(report.success);
    let n = count(report.returns.len(), "episode");
    format!(
        "eval  {epoch:>4}  return {:.3} +- {:.3}  success {success}  ({n})",
        report.return_mean, report.return_std
    )
}
