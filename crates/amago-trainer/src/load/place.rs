//! Where a setting stands in the text of a config.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in a text, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

/// Where TOML text gives a value to a key such as `agent.multi_gammas[1]`.
pub(super) fn locate(text: &str, key: &str) -> Option<Position> {
    let document = DeTable::parse(text).ok()?;
    let (mut table, mut span) = (document.get_ref(), None);
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let (name, index) = part.split_once('[').unwrap_or((part, ""));
        let (known, value) = table.iter().find(|(known, _)| known.get_ref() == name)?;
        let item = index.trim_end_matches(']').parse::<usize>().ok();
        let item = item.and_then(|i| value.get_ref().get(i)).map(Spanned::span);
        span = Some(item.unwrap_or_else(|| known.span()));
        if parts.peek().is_some() {
            let DeValue::Table(inner) = value.get_ref() else { return None };
            table = inner;
        }
    }
    let before = text.get(..span?.start)?;
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some(Position { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_in_the_text() {
        let text = "seed = 1\n[agent]\n  gamma = 0.9\nmulti_gammas = [0.1,\n  \"ä\", 0.2]\nactor.d_hidden = 3\n[train]\n";
        for (key, place) in [
            ("seed", Some((1, 1))),
            ("agent.gamma", Some((3, 3))),
            ("agent.multi_gammas", Some((4, 1))),
            ("agent.multi_gammas[2]", Some((5, 8))),
            ("agent.actor.d_hidden", Some((6, 7))),
            ("train", Some((7, 2))),
            ("agent.critic.d_hidden", None),
            ("seed.deep", None),
        ] {
            let place = place.map(|(line, column)| Position { line, column });
            assert_eq!(locate(text, key), place, "{key}");
        }
        assert_eq!(locate("seed = [", "seed"), None);
    }
}
