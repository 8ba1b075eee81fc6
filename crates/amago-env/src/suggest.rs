//! Names that a misspelt one may have meant.

/// Likeness (Jaro-Winkler, 0 to 1) from which on a name is taken for a slip of another one.
const LIKE: f64 = 0.85;
/// Suggestions at most.
const MOST: usize = 3;

/// Continues a message about a name that is not known: `; did you mean "a" or "b"?`. Absent where no known name is like
/// it or contains it.
///
/// ```
/// let known = ["epochs", "batch_size"];
/// assert_eq!(amago_env::did_you_mean("epohcs", known).unwrap(), "; did you mean \"epochs\"?");
/// assert_eq!(amago_env::did_you_mean("size", known).unwrap(), "; did you mean \"batch_size\"?");
/// assert_eq!(amago_env::did_you_mean("wind", known), None);
/// ```
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wrong = name.to_lowercase();
    let likeness = |known: &'a str| {
        let right = known.to_lowercase();
        // Part of a name is worth a suggestion, but the nearest spelling comes first.
        let part = wrong.len() > 2 && right.contains(&wrong);
        let like = strsim::jaro_winkler(&wrong, &right);
        (part || like >= LIKE).then_some((like, known))
    };
    let mut found: Vec<_> = known.into_iter().filter_map(likeness).collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let names: Vec<_> = found.iter().take(MOST).map(|(_, name)| format!("\"{name}\"")).collect();
    Some(match names.split_last()? {
        (only, []) => format!("; did you mean {only}?"),
        (last, others) => format!("; did you mean {} or {last}?", others.join(", ")),
    })
}
