//! `xtask parity`: runs the golden cases and writes the table of `docs/parity.md`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

const TABLE: &str = "docs/parity.md";
const FIGURES: &str = "docs/parity.json";
const BEGIN: &str = "<!-- table: written by `cargo xtask parity` -->";
const END: &str = "<!-- end of table -->";

/// Command line.
#[derive(Debug, Args)]
pub struct Parity {
    /// Where to compute: cpu or wgpu. The figures of other devices stay as they were measured.
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Worst relative errors of a case or of a family, as the golden tests report them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Errors {
    #[serde(skip_serializing_if = "Option::is_none")]
    forward: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gradient: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_update: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_updates: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Line {
    family: String,
    #[serde(flatten)]
    errors: Errors,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Row {
    cases: usize,
    #[serde(flatten)]
    errors: Errors,
}

/// Families by device.
type Figures = BTreeMap<String, BTreeMap<String, Row>>;

impl Errors {
    fn stages(self) -> [Option<f64>; 4] {
        [self.forward, self.gradient, self.one_update, self.more_updates]
    }

    fn worst(self) -> Option<f64> {
        self.stages().into_iter().flatten().reduce(f64::max)
    }

    /// The worse of both, stage by stage.
    fn join(self, other: Self) -> Self {
        let worse = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        Self {
            forward: worse(self.forward, other.forward),
            gradient: worse(self.gradient, other.gradient),
            one_update: worse(self.one_update, other.one_update),
            more_updates: worse(self.more_updates, other.more_updates),
        }
    }
}

impl Parity {
    /// Measures on the device and rewrites figures and table.
    pub fn run(&self, root: &Path) -> Result<()> {
        let path = root.join(FIGURES);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut figures: Figures = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        figures.insert(self.device.clone(), self.measure(root)?);
        fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&figures)?))?;
        let path = root.join(TABLE);
        let page = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        fs::write(&path, with_table(&page, &table(&figures)).context("docs/parity.md has no table marks")?)?;
        Ok(())
    }

    /// Runs the golden tests of all crates; a failing case is an error.
    fn measure(&self, root: &Path) -> Result<BTreeMap<String, Row>> {
        // There is no such folder yet where `CARGO_TARGET_DIR` names another one.
        fs::create_dir_all(root.join("target"))?;
        let lines = root.join("target/parity.jsonl");
        if lines.exists() {
            fs::remove_file(&lines)?;
        }
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--release", "--workspace", "--test", "golden"]);
        if self.device != "cpu" {
            cargo.args(["--features", &self.device]);
        }
        cargo.env("AMAGO_TEST_DEVICE", &self.device).env("AMAGO_PARITY", &lines).current_dir(root);
        if !cargo.status().context("cannot start cargo test")?.success() {
            bail!("the golden tests fail");
        }
        let text = fs::read_to_string(&lines).context("no case was checked")?;
        families(&text)
    }
}

fn families(lines: &str) -> Result<BTreeMap<String, Row>> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for line in lines.lines() {
        let Line { family, errors } = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let row = rows.entry(family).or_default();
        row.cases += 1;
        row.errors = row.errors.join(errors);
    }
    Ok(rows)
}

fn table(figures: &Figures) -> String {
    let none = BTreeMap::new();
    let [cpu, wgpu] = ["cpu", "wgpu"].map(|device| figures.get(device).unwrap_or(&none));
    let mut out = "| family | cases | forward | gradient | 1 update | 2 or more | wgpu, all |\n".to_owned();
    out += "|---|---|---|---|---|---|---|\n";
    for (family, row) in cpu {
        let stages = row.errors.stages().map(cell).join(" | ");
        let stages = if row.errors.worst().is_none() { "equal | – | – | –".to_owned() } else { stages };
        let other = wgpu.get(family).map_or("–".to_owned(), |row| cell(row.errors.worst()));
        out += &format!("| `{family}` | {} | {stages} | {other} |\n", row.cases);
    }
    out
}

fn cell(error: Option<f64>) -> String {
    match error {
        None => "–".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(error) => format!("{error:.0e}"),
    }
}

/// The page with another table between the marks.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = concat!(
        r#"{"case":"norm_a","family":"norm","compared":3,"forward":1e-7,"gradient":2e-6}"#,
        "\n",
        r#"{"case":"norm_b","family":"norm","compared":3,"forward":3e-7}"#,
        "\n",
        r#"{"case":"slices","family":"slices","compared":2}"#,
        "\n",
    );

    #[test]
    fn a_family_has_the_worst_of_its_cases() {
        let rows = families(LINES).expect("lines of the golden tests");
        let errors = Errors { forward: Some(3e-7), gradient: Some(2e-6), ..Errors::default() };
        assert_eq!(rows["norm"], Row { cases: 2, errors });
        let text = table(&BTreeMap::from([("cpu".to_owned(), rows)]));
        assert!(text.contains("| `norm` | 2 | 3e-7 | 2e-6 | – | – | – |\n"), "{text}");
        assert!(text.contains("| `slices` | 1 | equal | – | – | – | – |\n"), "{text}");
    }

    #[test]
    fn only_the_table_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let expected = format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n");
        assert_eq!(with_table(&page, "new\n"), Some(expected));
        assert_eq!(with_table("no marks", "new\n"), None);
    }
}
