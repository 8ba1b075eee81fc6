//! What can be wrong with a model configuration.
//!
//! Every message begins with the setting at fault, by its path from the config that was checked: whoever holds that
//! config puts its own path and a dot before it.

/// A configuration that no model can be built from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A size that must be positive is zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// The width cannot be split over the heads.
    #[error("n_heads = {n_heads} does not divide d_model = {d_model}")]
    Heads {
        /// Number of attention heads.
        n_heads: usize,
        /// Width of the model.
        d_model: usize,
    },
    /// Sinusoid positions fill sine and cosine pairs.
    #[error("d_model = {0} must be even for fixed positions")]
    OddWidth(usize),
    /// Rotary positions turn pairs of features of a head.
    #[error(
        "pos_emb = \"rope\" needs heads of an even size, not {d_model} / {n_heads}: change d_model = {d_model} or \
         n_heads = {n_heads}"
    )]
    OddHead {
        /// Number of attention heads.
        n_heads: usize,
        /// Width of the model.
        d_model: usize,
    },
    /// Without a window every key is visible anyway.
    #[error("sink_size = {0} has no meaning with window_size = 0: every timestep is visible")]
    SinksWithoutWindow(usize),
    /// There is nothing to add the bias to.
    #[error("sink_bias = {0} has no meaning with sink_size = 0")]
    BiasWithoutSinks(String),
    /// A bound or bias of attention scores that is no number, or negative where it must not be.
    #[error("{name} = {value} must be a finite number, and logit_clip not below 0")]
    Score {
        /// Setting.
        name: &'static str,
        /// Its value, as text so that the error can be compared.
        value: String,
    },
    /// A list that must have entries has none.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// Groups of eight.
    #[error("{norm} = \"simnorm\" needs {width} = {d} to be a multiple of 8")]
    SimNorm {
        /// The norm's setting.
        norm: &'static str,
        /// The setting of its width.
        width: &'static str,
        /// The width.
        d: usize,
    },
    /// A key that the observation does not have.
    #[error("{setting} names \"{key}\", but the observation has {known}")]
    ObsKey {
        /// Setting.
        setting: &'static str,
        /// The unknown key.
        key: String,
        /// All keys of the observation.
        known: String,
    },
    /// An image in front of an encoder without a CNN.
    #[error(
        "kind = \"feed_forward\" cannot read the image \"{key}\" of shape {shape:?}: set kind = \"cnn\", or name \
         other keys in obs_keys"
    )]
    UnreadImage {
        /// Key of the image.
        key: String,
        /// Its shape.
        shape: [usize; 3],
    },
    /// A CNN without an image.
    #[error(
        "kind = \"cnn\" needs an image, which is a box of bytes with three dimensions, but none is chosen from the \
         observation's keys {0}: set kind = \"feed_forward\", or name an image in obs_keys"
    )]
    NoImage(String),
    /// An image that a CNN shrinks to nothing.
    #[error(
        "cnn.kind = \"{cnn}\" shrinks the image \"{key}\" of shape {shape:?} (channels_first = {channels_first}) to \
         nothing: set another cnn.kind, smaller kernels and strides, or channels_first = {}", !channels_first
    )]
    SmallImage {
        /// Key of the image.
        key: String,
        /// Its shape.
        shape: [usize; 3],
        /// Kind of network.
        cnn: &'static str,
        /// How the shape is read.
        channels_first: bool,
    },
    /// Channels that the group norm cannot split.
    #[error("cnn.depths = {0} must be a multiple of 4 with cnn.group_norm = true")]
    GroupNorm(usize),
    /// Augmentation of no or too many sequences.
    #[error(
        "aug_pct_of_batch = {0} must be above 0 and at most 1; to shift no images, set drqv2_aug = false"
    )]
    AugmentedShare(String),
    /// A width that follows the input, with a norm that needs groups of eight.
    #[error("auto_scale = true widens to the input's width, which {0} = \"simnorm\" may not divide by 8")]
    AutoScale(&'static str),
    /// A goal that is an image.
    #[error("goal.key = \"{0}\" is an image; goals are vectors")]
    GoalImage(String),
    /// A goal that is also read as a plain vector.
    #[error("obs_keys and goal.key both name \"{0}\": leave it out of obs_keys")]
    GoalTwice(String),
    /// A goal encoded as a single number, which the norm makes a constant.
    #[error("goal.d_output = {0} must be at least 2")]
    GoalWidth(usize),
    /// No tokens.
    #[error("goal.min_token = {min} is above goal.max_token = {max}")]
    Tokens {
        /// Smallest token.
        min: i32,
        /// Largest token.
        max: i32,
    },
    /// A number outside its range.
    #[error("{name} = {value} must be {range}")]
    Range {
        /// Setting.
        name: &'static str,
        /// Its value, as text so that the error can be compared.
        value: String,
        /// The legal range in words.
        range: &'static str,
    },
    /// A dropout probability outside `[0, 1)`.
    #[error("{name} = {value} must be at least 0 and below 1")]
    Dropout {
        /// Setting.
        name: &'static str,
        /// Its value, as text so that the error can be compared.
        value: String,
    },
}

/// Refuses zero sizes.
pub(crate) fn positive(sizes: &[(&'static str, usize)]) -> Result<(), ModelError> {
    match sizes.iter().find(|(_, n)| *n == 0) {
        Some((name, _)) => Err(ModelError::Zero(name)),
        None => Ok(()),
    }
}

/// Refuses probabilities that would drop everything or nothing sensible.
pub(crate) fn dropout(settings: &[(&'static str, f64)]) -> Result<(), ModelError> {
    match settings.iter().find(|(_, p)| !(0.0..1.0).contains(p)) {
        Some((name, p)) => Err(ModelError::Dropout { name, value: p.to_string() }),
        None => Ok(()),
    }
}
