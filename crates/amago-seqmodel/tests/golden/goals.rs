//! Encoders of goals.

use amago_golden::modules;
use amago_golden::{Case, Report};
use amago_seqmodel::*;

use super::{device, forward_backward};

pub fn feed_forward(case: &Case, report: &mut Report) {
    let config = FfGoalConfig { d_output: case.need("d_output"), ..FfGoalConfig::default() };
    check((case, report), &GoalConfig::FeedForward(config));
}

pub fn token(case: &Case, report: &mut Report) {
    let config = TokenGoalConfig {
        min_token: case.need("min_token"),
        max_token: case.need("max_token"),
        d_embedding: case.need("d_embedding"),
        d_hidden: case.need("d_hidden"),
        d_output: case.need("d_output"),
        ..TokenGoalConfig::default()
    };
    check((case, report), &GoalConfig::Token(config));
}

/// Goals were recorded as `[B, L, goals, width]`; an observation holds them as one vector.
fn check((case, report): (&Case, &mut Report), config: &GoalConfig) {
    config.validate().expect("a recorded configuration is legal");
    let shape = vec![case.need("goal_length"), case.need("goal_dim")];
    let layout = ObsLayout(vec![(config.key().to_owned(), ObsKind::Vector(shape))]);
    let module = modules::load(config.init(&layout, &device()), case, &["param."]);
    forward_backward::<_, 4, 3>(&module, (case, report), "goals", |m, goals| {
        let [b, l, length, width] = goals.dims();
        m.forward(&goals.reshape([b, l, length * width]).into())
    });
}
