//! Spaces and networks by their recorded names and shapes.

use amago_env::Space;
use amago_golden::{Case, Values};
use amago_seqmodel::{ObsKind, ObsLayout};

use super::options::{Refusal, unsupported};

/// From the original's text, as `Discrete(5)`, `MultiBinary(4)` or `Box(-1.0, 1.0, (3,), float32)`.
pub fn action_space(text: &str) -> Result<Space, Refusal> {
    let (kind, rest) = text.split_once('(').unwrap_or((text, ""));
    let number = |text: &str| text.trim_matches([' ', '(', ')', ',']).parse::<usize>();
    let shape = rest.split(", ").nth(2).unwrap_or_default();
    match (kind, number(rest), number(shape)) {
        ("Discrete", Ok(n), _) => Ok(Space::Discrete { n }),
        ("MultiBinary", Ok(n), _) => Ok(Space::MultiBinary { n }),
        // The recorded actions are scaled to [-1, 1], whatever the bounds.
        ("Box", _, Ok(width)) => Ok(Space::box_f32(&[width], -1.0, 1.0)),
        _ => unsupported(format!("actions of the space {text}")),
    }
}

/// Shapes of the recorded observation keys. Images are bytes with three dimensions.
pub fn observations(start: &Case) -> ObsLayout {
    let keys = start.names().filter_map(|name| {
        let key = name.strip_prefix("in.batch1.obs.")?;
        let array = start.get(name);
        let kind = match (&array.values, &array.shape[2..]) {
            (Values::Int(_), [x, y, z]) => ObsKind::Image([*x, *y, *z]),
            (_, shape) => ObsKind::Vector(shape.to_vec()),
        };
        Some((key.to_owned(), kind))
    });
    ObsLayout(keys.collect())
}

/// Whether the agent of a case reads images.
pub fn reads_images(start: &Case) -> bool {
    start.names().any(|name| name.starts_with("param.tstep_encoder.cnn."))
}

/// Our name for a class of the original's CNNs.
pub fn cnn_kind(class: &str) -> Result<&'static str, Refusal> {
    match class {
        "NatureishCNN" => Ok("nature"),
        "DrQCNN" => Ok("drqv2"),
        "GridworldCNN" => Ok("gridworld"),
        "IMPALAishCNN" => Ok("impala"),
        other => unsupported(format!("the network {other}")),
    }
}
