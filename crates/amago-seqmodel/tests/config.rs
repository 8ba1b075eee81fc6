//! Configurations that cannot be built are refused by name.

use amago_seqmodel::{
    FeedForwardConfig, GruConfig, MambaConfig, ModelError, NormKind, PositionKind, TrajEncoderConfig,
    TransformerConfig, TstepEncoderConfig,
};

fn transformer(change: impl FnOnce(&mut TransformerConfig)) -> ModelError {
    let mut config = TransformerConfig::default();
    change(&mut config);
    let error = config.validate().expect_err("the change cannot be built");
    assert_eq!(TrajEncoderConfig::Transformer(config).validate(), Err(error.clone()));
    error
}

fn feed_forward(change: impl FnOnce(&mut FeedForwardConfig)) -> ModelError {
    let mut config = FeedForwardConfig::default();
    change(&mut config);
    let error = config.validate().expect_err("the change cannot be built");
    assert_eq!(TrajEncoderConfig::FeedForward(config).validate(), Err(error.clone()));
    error
}

fn gru(change: impl FnOnce(&mut GruConfig)) -> ModelError {
    let mut config = GruConfig::default();
    change(&mut config);
    TrajEncoderConfig::Gru(config).validate().expect_err("the change cannot be built")
}

fn mamba(change: impl FnOnce(&mut MambaConfig)) -> ModelError {
    let mut config = MambaConfig::default();
    change(&mut config);
    TrajEncoderConfig::Mamba(config).validate().expect_err("the change cannot be built")
}

fn tstep(change: impl FnOnce(&mut TstepEncoderConfig)) -> ModelError {
    let mut config = TstepEncoderConfig::default();
    change(&mut config);
    config.validate().expect_err("the change cannot be built")
}

#[test]
fn defaults_are_valid() {
    TrajEncoderConfig::default().validate().expect("the Transformer");
    TrajEncoderConfig::FeedForward(FeedForwardConfig::default())
        .validate()
        .expect("the feed-forward encoder");
    TrajEncoderConfig::Gru(GruConfig::default()).validate().expect("the GRU");
    TrajEncoderConfig::Mamba(MambaConfig::default()).validate().expect("Mamba");
    TrajEncoderConfig::Identity {}.validate().expect("the identity");
    TstepEncoderConfig::default().validate().expect("the timestep encoder");
}

#[test]
fn sizes_must_be_positive() {
    assert_eq!(transformer(|c| c.d_model = 0), ModelError::Zero("d_model"));
    assert_eq!(transformer(|c| c.n_heads = 0), ModelError::Zero("n_heads"));
    assert_eq!(transformer(|c| c.d_ff = 0), ModelError::Zero("d_ff"));
    assert_eq!(transformer(|c| c.n_layers = 0), ModelError::Zero("n_layers"));
    assert_eq!(feed_forward(|c| c.d_model = 0), ModelError::Zero("d_model"));
    assert_eq!(feed_forward(|c| c.d_ff = 0), ModelError::Zero("d_ff"));
    assert_eq!(feed_forward(|c| c.n_layers = 0), ModelError::Zero("n_layers"));
    assert_eq!(transformer(|c| c.max_time = 0), ModelError::Zero("max_time"));
    assert_eq!(gru(|c| c.d_hidden = 0), ModelError::Zero("d_hidden"));
    assert_eq!(gru(|c| c.n_layers = 0), ModelError::Zero("n_layers"));
    assert_eq!(gru(|c| c.d_output = 0), ModelError::Zero("d_output"));
    assert_eq!(mamba(|c| c.d_model = 0), ModelError::Zero("d_model"));
    assert_eq!(mamba(|c| c.d_state = 0), ModelError::Zero("d_state"));
    assert_eq!(mamba(|c| c.d_conv = 0), ModelError::Zero("d_conv"));
    assert_eq!(mamba(|c| c.expand = 0), ModelError::Zero("expand"));
    assert_eq!(mamba(|c| c.n_layers = 0), ModelError::Zero("n_layers"));
    assert_eq!(tstep(|c| c.n_layers = 0), ModelError::Zero("n_layers"));
    assert_eq!(tstep(|c| c.d_hidden = 0), ModelError::Zero("d_hidden"));
    assert_eq!(tstep(|c| c.d_output = 0), ModelError::Zero("d_output"));
}

#[test]
fn heads_must_divide_the_width() {
    let error = transformer(|c| (c.d_model, c.n_heads) = (20, 8));
    assert_eq!(error, ModelError::Heads { n_heads: 8, d_model: 20 });
    assert_eq!(error.to_string(), "n_heads = 8 does not divide d_model = 20");
}

#[test]
fn fixed_positions_need_an_even_width() {
    assert_eq!(transformer(|c| (c.d_model, c.n_heads) = (15, 5)), ModelError::OddWidth(15));
}

#[test]
fn rotary_positions_need_heads_of_an_even_size() {
    let rope = |c: &mut TransformerConfig, d_model, n_heads| {
        (c.pos_emb, c.d_model, c.n_heads) = (PositionKind::Rope, d_model, n_heads);
    };
    let error = transformer(|c| rope(c, 15, 5));
    assert_eq!(error, ModelError::OddHead { n_heads: 5, d_model: 15 });
    let text = error.to_string();
    assert!(text.contains("d_model = 15") && text.contains("n_heads = 5") && text.contains("rope"), "{text}");
    let mut even = TransformerConfig::default();
    rope(&mut even, 30, 5);
    even.validate().expect("heads of six");
    let mut learned = TransformerConfig { pos_emb: PositionKind::Learned, ..TransformerConfig::default() };
    (learned.d_model, learned.n_heads) = (15, 5);
    learned.validate().expect("a table has any width");
}

#[test]
fn sinks_need_a_window_and_scores_numbers() {
    assert_eq!(transformer(|c| c.sink_size = 4), ModelError::SinksWithoutWindow(4));
    assert_eq!(
        transformer(|c| (c.window_size, c.sink_bias) = (3, 0.5)),
        ModelError::BiasWithoutSinks("0.5".into())
    );
    let score = |name, value: f64| ModelError::Score { name, value: value.to_string() };
    for value in [f64::NAN, f64::INFINITY] {
        let bias = transformer(|c| (c.window_size, c.sink_size, c.sink_bias) = (3, 1, value));
        assert_eq!(bias, score("sink_bias", value));
    }
    for value in [f64::NAN, f64::INFINITY, -1.0] {
        assert_eq!(transformer(|c| c.logit_clip = value), score("logit_clip", value));
    }
}

#[test]
fn dropout_must_leave_something() {
    for value in [-0.1, 1.0, 1.5, f64::NAN] {
        let error = |name| ModelError::Dropout { name, value: value.to_string() };
        assert_eq!(transformer(|c| c.dropout_ff = value), error("dropout_ff"));
        assert_eq!(transformer(|c| c.dropout_emb = value), error("dropout_emb"));
        assert_eq!(transformer(|c| c.dropout_attn = value), error("dropout_attn"));
        assert_eq!(transformer(|c| c.dropout_qkv = value), error("dropout_qkv"));
    }
}

#[test]
fn simnorm_needs_whole_groups() {
    let simnorm = |c: &mut TransformerConfig, d_model, d_ff| {
        (c.norm, c.n_heads, c.d_model, c.d_ff) = (NormKind::Simnorm, 2, d_model, d_ff);
    };
    assert_eq!(transformer(|c| simnorm(c, 20, 64)), ModelError::SimNorm(20));
    assert_eq!(transformer(|c| simnorm(c, 16, 36)), ModelError::SimNorm(36));
    assert_eq!(feed_forward(|c| (c.norm, c.d_model) = (NormKind::Simnorm, 12)), ModelError::SimNorm(12));
    assert_eq!(gru(|c| (c.norm, c.d_output) = (NormKind::Simnorm, 12)), ModelError::SimNorm(12));
    assert_eq!(mamba(|c| (c.norm, c.d_model) = (NormKind::Simnorm, 12)), ModelError::SimNorm(12));
    assert_eq!(tstep(|c| (c.norm, c.d_hidden) = (NormKind::Simnorm, 9)), ModelError::SimNorm(9));
    assert_eq!(tstep(|c| (c.out_norm, c.d_output) = (NormKind::Simnorm, 10)), ModelError::SimNorm(10));
}

#[test]
fn observation_keys_must_exist() {
    let observation = [("image".to_owned(), 9), ("position".to_owned(), 2)];
    let keys = |keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        TstepEncoderConfig { obs_keys: Some(keys), ..TstepEncoderConfig::default() }
            .validate_keys(&observation)
    };
    keys(&["position"]).expect("a known key");
    TstepEncoderConfig::default().validate_keys(&observation).expect("all keys");
    let error = ModelError::ObsKey { key: "velocity".into(), known: "image, position".into() };
    assert_eq!(keys(&["position", "velocity"]), Err(error));
}
