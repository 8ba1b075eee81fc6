//! Configurations that cannot be built are refused by name.

mod support;

use amago_seqmodel::*;
use support::layout;

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

fn tstep(change: impl FnOnce(&mut FfTstepConfig)) -> ModelError {
    let mut config = FfTstepConfig::default();
    change(&mut config);
    let error = config.validate().expect_err("the change cannot be built");
    assert_eq!(TstepEncoderConfig::FeedForward(config).validate(), Err(error.clone()));
    error
}

fn cnn_tstep(change: impl FnOnce(&mut CnnTstepConfig)) -> ModelError {
    let mut config = CnnTstepConfig::default();
    change(&mut config);
    let error = config.validate().expect_err("the change cannot be built");
    assert_eq!(TstepEncoderConfig::Cnn(config).validate(), Err(error.clone()));
    error
}

#[test]
fn defaults_are_valid() {
    TrajEncoderConfig::default().validate().expect("the Transformer");
    let memory_free = FeedForwardConfig::default();
    TrajEncoderConfig::FeedForward(memory_free).validate().expect("the feed-forward encoder");
    TrajEncoderConfig::Gru(GruConfig::default()).validate().expect("the GRU");
    TrajEncoderConfig::Mamba(MambaConfig::default()).validate().expect("Mamba");
    TrajEncoderConfig::Identity {}.validate().expect("the identity");
    TstepEncoderConfig::default().validate().expect("the timestep encoder");
    TstepEncoderConfig::Cnn(CnnTstepConfig::default()).validate().expect("the CNN encoder");
}

#[test]
fn sizes_must_be_positive() {
    assert_eq!(transformer(|c| c.d_model = 0), ModelError::Zero("d_model"));
    assert_eq!(transformer(|c| c.n_heads = 0), ModelError::Zero("n_heads"));
    assert_eq!(transformer(|c| c.d_ff = 0), ModelError::Zero("d_ff"));
    assert_eq!(transformer(|c| c.n_layers = 0), ModelError::Zero("n_layers"));
    assert_eq!(feed_forward(|c| c.d_model = 0), ModelError::Zero("d_model"));
    assert_eq!(feed_forward(|c| c.d_ff = Some(0)), ModelError::Zero("d_ff"));
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
    let simple = NormKind::Simnorm;
    let set = |c: &mut TransformerConfig, d, ff| (c.norm, c.n_heads, c.d_model, c.d_ff) = (simple, 2, d, ff);
    let refused = |norm, width, d| ModelError::SimNorm { norm, width, d };
    assert_eq!(transformer(|c| set(c, 20, 64)), refused("norm", "d_model", 20));
    assert_eq!(transformer(|c| set(c, 16, 36)), refused("norm", "d_ff", 36));
    assert_eq!(feed_forward(|c| (c.norm, c.d_model) = (simple, 12)), refused("norm", "d_model", 12));
    assert_eq!(gru(|c| (c.norm, c.d_output) = (simple, 12)), refused("norm", "d_output", 12));
    assert_eq!(mamba(|c| (c.norm, c.d_model) = (simple, 12)), refused("norm", "d_model", 12));
    assert_eq!(tstep(|c| (c.norm, c.d_hidden) = (simple, 9)), refused("norm", "d_hidden", 9));
    assert_eq!(tstep(|c| (c.out_norm, c.d_output) = (simple, 10)), refused("out_norm", "d_output", 10));
}

fn some(keys: &[&str]) -> Option<Vec<String>> {
    Some(keys.iter().map(|key| (*key).to_owned()).collect())
}

fn goal(key: &str) -> GoalConfig {
    GoalConfig::FeedForward(FfGoalConfig { key: key.to_owned(), ..FfGoalConfig::default() })
}

#[test]
fn observation_keys_must_exist() {
    let observation = layout(&[("place", ObsKind::Vector(vec![9])), ("speed", ObsKind::Vector(vec![2]))]);
    let keys = |keys: &[&str]| {
        FfTstepConfig { obs_keys: some(keys), ..FfTstepConfig::default() }.validate_obs(&observation)
    };
    keys(&["speed"]).expect("a known key");
    FfTstepConfig::default().validate_obs(&observation).expect("all keys");
    let error = ModelError::ObsKey { setting: "obs_keys", key: "mass".into(), known: "place, speed".into() };
    assert_eq!(keys(&["speed", "mass"]), Err(error));
}

#[test]
fn every_observation_has_its_kind_of_encoder() {
    let image = ObsKind::Image([36, 36, 3]);
    let vector = ObsKind::Vector(vec![2]);
    let both = layout(&[("camera", image.clone()), ("place", vector.clone())]);
    let feed_forward = |obs_keys| FfTstepConfig { obs_keys, ..FfTstepConfig::default() }.validate_obs(&both);
    let cnn = |obs_keys| CnnTstepConfig { obs_keys, ..CnnTstepConfig::default() }.validate_obs(&both);
    let error = feed_forward(None).expect_err("an image");
    assert_eq!(error, ModelError::UnreadImage { key: "camera".into(), shape: [36, 36, 3] });
    for part in ["kind = \"feed_forward\"", "\"camera\"", "kind = \"cnn\"", "obs_keys"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    feed_forward(some(&["place"])).expect("the image is left out");
    cnn(None).expect("image and vector");
    cnn(some(&["camera"])).expect("the image alone");
    let error = cnn(some(&["place"])).expect_err("no image");
    assert_eq!(error, ModelError::NoImage("camera, place".into()));
    for part in ["kind = \"cnn\"", "kind = \"feed_forward\"", "obs_keys", "camera"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn images_must_be_large_enough() {
    let check = |cnn: CnnConfig, shape, channels_first| {
        let observation = layout(&[("camera", ObsKind::Image(shape))]);
        CnnTstepConfig { cnn, channels_first, ..CnnTstepConfig::default() }.validate_obs(&observation)
    };
    let nature = CnnConfig::default;
    check(nature(), [36, 36, 3], false).expect("one place is left");
    check(nature(), [3, 36, 40], true).expect("one row is left");
    check(CnnConfig::Drqv2 {}, [15, 15, 3], false).expect("one place is left");
    check(CnnConfig::Gridworld(GridworldConfig::default()), [4, 4, 1], false).expect("one place is left");
    check(CnnConfig::Impala(ImpalaConfig::default()), [15, 15, 1], false).expect("one place is left");
    for (cnn, shape) in [
        (nature(), [35, 36, 3]),
        (nature(), [36, 35, 3]),
        (nature(), [3, 36, 36]),
        (CnnConfig::Drqv2 {}, [14, 15, 3]),
        (CnnConfig::Gridworld(GridworldConfig::default()), [3, 4, 1]),
        (CnnConfig::Impala(ImpalaConfig::default()), [14, 15, 1]),
    ] {
        let error = check(cnn.clone(), shape, false).expect_err("too small");
        assert!(matches!(error, ModelError::SmallImage { .. }), "{cnn:?}: {error}");
    }
    let error = check(nature(), [3, 36, 36], false).expect_err("channels come first").to_string();
    for part in ["\"nature\"", "\"camera\"", "[3, 36, 36]", "channels_first = true"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn settings_of_images_are_checked() {
    assert_eq!(cnn_tstep(|c| c.img_features = 0), ModelError::Zero("img_features"));
    assert_eq!(cnn_tstep(|c| c.vector_features = 0), ModelError::Zero("vector_features"));
    assert_eq!(cnn_tstep(|c| c.rl2_features = 0), ModelError::Zero("rl2_features"));
    assert_eq!(cnn_tstep(|c| c.d_output = 0), ModelError::Zero("d_output"));
    let nature = NatureConfig { strides: [4, 0, 1], ..NatureConfig::default() };
    assert_eq!(cnn_tstep(|c| c.cnn = CnnConfig::Nature(nature)), ModelError::Zero("cnn.strides"));
    let impala = |depths: &[usize], group_norm| {
        let depths = depths.to_vec();
        move |c: &mut CnnTstepConfig| c.cnn = CnnConfig::Impala(ImpalaConfig { depths, group_norm })
    };
    assert_eq!(cnn_tstep(impala(&[], false)), ModelError::Empty("cnn.depths"));
    assert_eq!(cnn_tstep(impala(&[8, 0], false)), ModelError::Zero("cnn.depths"));
    assert_eq!(cnn_tstep(impala(&[8, 6], true)), ModelError::GroupNorm(6));
    let mut config = CnnTstepConfig::default();
    impala(&[8, 6], false)(&mut config);
    config.validate().expect("without a norm any depth will do");
    for share in [0.0, -0.1, 1.1, f64::NAN] {
        let shares = |c: &mut CnnTstepConfig| (c.drqv2_aug, c.aug_pct_of_batch) = (true, share);
        assert_eq!(cnn_tstep(shares), ModelError::AugmentedShare(share.to_string()));
    }
}

#[test]
fn goals_are_vectors_and_read_once() {
    let keys = layout(&[
        ("camera", ObsKind::Image([36, 36, 3])),
        ("goal", ObsKind::Vector(vec![2, 3])),
        ("place", ObsKind::Vector(vec![2])),
    ]);
    let check = |key, obs_keys: Option<Vec<String>>| {
        let goal = Some(goal(key));
        let cnn =
            CnnTstepConfig { obs_keys: obs_keys.clone(), goal: goal.clone(), ..CnnTstepConfig::default() };
        let plain = FfTstepConfig { obs_keys, goal, ..FfTstepConfig::default() };
        [cnn.validate_obs(&keys), plain.validate_obs(&keys)]
    };
    assert_eq!(check("goal", some(&["camera"]))[0], Ok(()));
    assert_eq!(check("goal", some(&["place"]))[1], Ok(()));
    for result in check("camera", None) {
        assert_eq!(result, Err(ModelError::GoalImage("camera".into())));
    }
    for result in check("goal", some(&["goal", "place"])) {
        assert_eq!(result, Err(ModelError::GoalTwice("goal".into())));
    }
    for result in check("aim", None) {
        assert!(matches!(&result, Err(ModelError::ObsKey { setting: "goal.key", .. })), "{result:?}");
    }
    let tokens = |change: fn(&mut TokenGoalConfig)| {
        let mut config = TokenGoalConfig::default();
        change(&mut config);
        let (mut plain, mut cnn) = (FfTstepConfig::default(), CnnTstepConfig::default());
        (plain.goal, cnn.goal) = (Some(GoalConfig::Token(config.clone())), Some(GoalConfig::Token(config)));
        assert_eq!(plain.validate(), cnn.validate());
        plain.validate()
    };
    assert_eq!(tokens(|_| {}), Ok(()));
    assert_eq!(tokens(|c| c.d_output = 1), Err(ModelError::GoalWidth(1)));
    assert_eq!(tokens(|c| c.d_hidden = 0), Err(ModelError::Zero("goal.d_hidden")));
    assert_eq!(tokens(|c| c.d_embedding = 0), Err(ModelError::Zero("goal.d_embedding")));
    assert_eq!(tokens(|c| c.min_token = 200), Err(ModelError::Tokens { min: 200, max: 128 }));
}

#[test]
fn a_width_that_follows_the_input_may_not_fit_the_simnorm() {
    let norms = |norm, out_norm| {
        move |c: &mut FfTstepConfig| (c.norm, c.out_norm, c.auto_scale) = (norm, out_norm, true)
    };
    assert_eq!(tstep(norms(NormKind::Simnorm, NormKind::None)), ModelError::AutoScale("norm"));
    assert_eq!(tstep(norms(NormKind::None, NormKind::Simnorm)), ModelError::AutoScale("out_norm"));
}
