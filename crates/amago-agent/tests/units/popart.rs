//! Settings of the return statistics.

use amago_agent::{AgentConfig, PopArt};
use amago_golden::modules::{device, values};
use burn::tensor::Tensor;

use super::assert_close;

/// After one update with step size `β/(1 − (1−β)²) = 1/(2 − β)`: `σ² = ν − μ²` of the moved moments.
#[test]
fn step_size_and_start_are_settings() {
    for (popart_beta, popart_init_nu) in [(5e-4, 100.0), (0.5, 9.0)] {
        let config =
            AgentConfig { popart_beta, popart_init_nu, multi_gammas: Vec::new(), ..AgentConfig::amago() };
        let mut popart = PopArt::new(&config, &device());
        assert_close(&values(&popart.sigma()), &[popart_init_nu.sqrt()], 1e-5);
        popart.update(Tensor::full([1, 3, 1], 2.0, &device()), Tensor::ones([1, 3, 1], &device()));
        let rate = 1.0 / (2.0 - popart_beta as f32);
        let (mu, nu) = (rate * 2.0, (1.0 - rate) * popart_init_nu + rate * 4.0);
        assert_close(&values(&popart.sigma()), &[(nu - mu * mu).sqrt()], 1e-3);
    }
}
