//! Spaces of Gymnasium as Minari writes them: JSON with the names of Python's infinities.

use amago_env::{BoxSpace, DictSpace, Dtype, Space};
use serde_json::Value;

/// Most choices of a discrete space. One-hot vectors of more would be larger than what they are made from.
const MAX_CHOICES: usize = 1 << 16;

/// A space without parts, and where its values are.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Key of its observation column: the names on the way to it with `/` between them.
    pub key: String,
    /// Names of the groups or structs on the way to it.
    pub path: Vec<Step>,
    /// The space.
    pub space: Space,
    /// The first choice of each discrete component; Gymnasium may begin elsewhere than at zero.
    pub starts: Vec<i64>,
    /// Whether its values are JPEG files.
    pub jpeg: bool,
}

/// One step on the way to a leaf.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A key of a dictionary.
    Key(String),
    /// A place in a tuple, which both formats name in ways of their own.
    Index(usize),
}

/// The space without parts that a text describes.
pub(super) fn leaf(text: &str) -> Result<Leaf, String> {
    let json = parse(text)?;
    match kind(&json)? {
        "Dict" | "Tuple" => Err("a space of several spaces, which no policy here acts in".to_owned()),
        _ => plain(&json, Vec::new(), DictSpace::SINGLE.to_owned(), false),
    }
}

/// All spaces without parts in the one that a text describes.
pub(super) fn leaves(text: &str, jpeg: bool) -> Result<Vec<Leaf>, String> {
    let mut found = Vec::new();
    walk(&parse(text)?, &mut Vec::new(), jpeg, &mut found)?;
    Ok(found)
}

/// The parser's limit of 128 levels also bounds this walk.
fn walk(json: &Value, path: &mut Vec<Step>, jpeg: bool, found: &mut Vec<Leaf>) -> Result<(), String> {
    let parts: Vec<(Step, &Value)> = match (kind(json)?, &json["subspaces"]) {
        ("Dict", Value::Object(all)) => all.iter().map(|(key, v)| (Step::Key(key.clone()), v)).collect(),
        ("Tuple", Value::Array(all)) => all.iter().enumerate().map(|(i, v)| (Step::Index(i), v)).collect(),
        ("Dict" | "Tuple", _) => return Err("\"subspaces\" is missing".to_owned()),
        _ => {
            let leaf =
                plain(json, path.clone(), key(path), jpeg).map_err(|e| format!("\"{}\": {e}", key(path)))?;
            found.push(leaf);
            return Ok(());
        }
    };
    for (step, part) in parts {
        path.push(step);
        walk(part, path, jpeg, found)?;
        path.pop();
    }
    Ok(())
}

fn key(path: &[Step]) -> String {
    let name = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Index(i) => i.to_string(),
    };
    match path.is_empty() {
        true => DictSpace::SINGLE.to_owned(),
        false => path.iter().map(name).collect::<Vec<_>>().join("/"),
    }
}

fn kind(json: &Value) -> Result<&str, String> {
    json["type"].as_str().ok_or_else(|| "\"type\" is missing".to_owned())
}

fn plain(json: &Value, path: Vec<Step>, key: String, jpeg: bool) -> Result<Leaf, String> {
    let (space, starts) = match kind(json)? {
        "Discrete" => {
            let n = choices(&json["n"])?;
            (Space::Discrete { n }, vec![json["start"].as_i64().unwrap_or(0)])
        }
        "MultiDiscrete" => multi_discrete(json)?,
        "MultiBinary" => (Space::MultiBinary { n: count(&json["n"])? }, Vec::new()),
        "Box" => (Space::Box(bounds(json)?), Vec::new()),
        other => {
            return Err(format!(
                "a space of the type {other}: Box, Discrete, MultiDiscrete and MultiBinary, and for \
                                observations Dict and Tuple of them, can be used"
            ));
        }
    };
    if space.width() > MAX_CHOICES && !matches!(space, Space::Box(_)) {
        return Err(format!("a discrete space with more than {MAX_CHOICES} choices"));
    }
    space.validate().map_err(|e| e.to_string())?;
    let jpeg = jpeg && is_image(&space);
    Ok(Leaf { key, path, space, starts, jpeg })
}

fn choices(json: &Value) -> Result<usize, String> {
    let n = json.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= MAX_CHOICES);
    n.ok_or_else(|| format!("\"n\" is {json}, not a number of choices up to {MAX_CHOICES}"))
}

/// Entries of bits, which have a shape instead of a number in some datasets.
fn count(json: &Value) -> Result<usize, String> {
    match json {
        Value::Array(shape) => {
            let sizes: Vec<usize> = shape.iter().map(choices).collect::<Result<_, _>>()?;
            let n = sizes.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
            n.filter(|n| *n <= MAX_CHOICES).ok_or_else(|| "too many bits".to_owned())
        }
        n => choices(n),
    }
}

fn multi_discrete(json: &Value) -> Result<(Space, Vec<i64>), String> {
    let nvec = flat(&json["nvec"])?;
    let whole = |x: &f64| (*x >= 0.0 && *x <= MAX_CHOICES as f64 && x.fract() == 0.0).then_some(*x as usize);
    let nvec: Option<Vec<usize>> = nvec.iter().map(whole).collect();
    let nvec = nvec.ok_or_else(|| "\"nvec\" holds something else than numbers of choices".to_owned())?;
    let starts: Vec<i64> = match &json["start"] {
        Value::Null => vec![0; nvec.len()],
        start => flat(start)?.into_iter().map(|x| x as i64).collect(),
    };
    if starts.len() != nvec.len() {
        return Err("\"start\" and \"nvec\" have different lengths".to_owned());
    }
    Ok((Space::MultiDiscrete { nvec }, starts))
}

fn bounds(json: &Value) -> Result<BoxSpace, String> {
    let shape = json["shape"].as_array().ok_or("\"shape\" is missing")?;
    let size = |d: &Value| d.as_u64().and_then(|d| usize::try_from(d).ok());
    let mut shape: Vec<usize> =
        shape.iter().map(size).collect::<Option<_>>().ok_or("\"shape\" holds something else than sizes")?;
    if shape.is_empty() {
        // One number.
        shape.push(1);
    }
    let floats = |name: &str| Ok::<_, String>(flat(&json[name])?.into_iter().map(|x| x as f32).collect());
    let (low, high): (Vec<f32>, Vec<f32>) = (floats("low")?, floats("high")?);
    // Before anything multiplies the sizes again.
    let width = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
    if width != Some(low.len()) || width != Some(high.len()) {
        return Err(format!(
            "the bounds have {} and {} numbers, the shape is {shape:?}",
            low.len(),
            high.len()
        ));
    }
    let dtype = if json["dtype"] == "uint8" { Dtype::U8 } else { Dtype::F32 };
    Ok(BoxSpace { shape, low, high, dtype })
}

/// Which spaces Minari takes for images, and packs.
fn is_image(space: &Space) -> bool {
    let Space::Box(b) = space else { return false };
    let sizes = matches!(b.shape[..], [x, y] | [x, y, _] if x >= 32 && y >= 32);
    sizes && b.dtype == Dtype::U8 && b.low.iter().all(|x| *x == 0.0) && b.high.iter().all(|x| *x == 255.0)
}

/// The numbers of nested lists, row-major.
fn flat(json: &Value) -> Result<Vec<f64>, String> {
    fn gather(json: &Value, numbers: &mut Vec<f64>) -> Option<()> {
        match json {
            Value::Array(parts) => parts.iter().try_for_each(|part| gather(part, numbers)),
            Value::Bool(bit) => {
                numbers.push(f64::from(u8::from(*bit)));
                Some(())
            }
            Value::String(name) => {
                numbers.push(INFINITIES.iter().find(|(text, _)| text == name)?.1);
                Some(())
            }
            number => {
                numbers.push(number.as_f64()?);
                Some(())
            }
        }
    }
    let mut numbers = Vec::new();
    gather(json, &mut numbers).ok_or_else(|| format!("{json} is not a list of numbers"))?;
    Ok(numbers)
}

/// Numbers of Python's JSON that JSON does not have.
const INFINITIES: [(&str, f64); 3] =
    [("-Infinity", f64::NEG_INFINITY), ("Infinity", f64::INFINITY), ("NaN", f64::NAN)];

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(&quoted(text)).map_err(|e| format!("not the description of a space: {e}"))
}

/// The text with the names of those numbers in quotes; what is in quotes already stays.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    let mut inside = false;
    while let Some(c) = rest.chars().next() {
        let name = INFINITIES.iter().map(|(name, _)| *name).find(|name| !inside && rest.starts_with(name));
        if let Some(name) = name {
            out.extend(["\"", name, "\""]);
            rest = &rest[name.len()..];
            continue;
        }
        let len = match (inside, c) {
            (true, '\\') => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => c.len_utf8(),
        };
        inside ^= c == '"';
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_are_read_and_keys_stay() {
        let text = r#"{"type": "Dict", "subspaces": {"a\"Infinity": {"type": "Box", "dtype": "float32",
            "shape": [2], "low": [-Infinity, -1.5], "high": [Infinity, 2]}}}"#;
        let found = leaves(text, false).expect("a space");
        assert_eq!(found[0].key, "a\"Infinity");
        let Space::Box(b) = &found[0].space else { panic!("no box") };
        assert_eq!((&b.low[..], &b.high[..]), (&[f32::NEG_INFINITY, -1.5][..], &[f32::INFINITY, 2.0][..]));
    }

    #[test]
    fn what_no_dataset_should_say_is_refused() {
        for (text, expected) in [
            ("", "not the description"),
            ("{}", "\"type\" is missing"),
            (r#"{"type": "Text"}"#, "type Text"),
            (r#"{"type": "Dict"}"#, "\"subspaces\" is missing"),
            (r#"{"type": "Discrete", "n": 1000000000000}"#, "number of choices"),
            (r#"{"type": "Discrete", "n": 0}"#, "no values"),
            (r#"{"type": "MultiDiscrete", "nvec": [60000, 60000]}"#, "more than 65536"),
            (r#"{"type": "MultiDiscrete", "nvec": [2, -1]}"#, "numbers of choices"),
            (r#"{"type": "MultiDiscrete", "nvec": [2], "start": [0, 1]}"#, "different lengths"),
            (r#"{"type": "MultiBinary", "n": [60000, 60000]}"#, "too many bits"),
            (r#"{"type": "Box", "shape": [4294967296, 4294967296], "low": 0, "high": 1}"#, "the shape is"),
            (r#"{"type": "Box", "shape": [1], "low": [NaN], "high": [1]}"#, "NaN"),
            (r#"{"type": "Box", "shape": [1], "low": ["a"], "high": [1]}"#, "not a list"),
        ] {
            let error = leaves(text, true).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(leaves(&deep, true).is_err());
        assert!(leaf(r#"{"type": "Dict", "subspaces": {}}"#).is_err_and(|e| e.contains("several spaces")));
    }
}
