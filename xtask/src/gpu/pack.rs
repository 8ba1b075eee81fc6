//! `xtask gpu pack`: one archive that another machine needs nothing else beside.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Programs; the last one runs the others.
const PROGRAMS: [&str; 3] = ["amago", "amago-bench", "xtask"];
/// What the programs read, and its place in the archive.
const FILES: [(&str, &str); 3] = [
    ("crates/amago-golden/cases", "cases"),
    ("configs/quickstart.toml", "quickstart.toml"),
    ("xtask/torch", "torch"),
];

/// Options of `gpu pack`.
#[derive(Debug, clap::Args)]
pub struct Pack {
    /// Backends to build with.
    #[arg(long, value_delimiter = ',', default_value = "cuda")]
    features: Vec<String>,
    /// Largest archive, in megabytes.
    #[arg(long, default_value_t = 60)]
    limit_mb: u64,
}

impl Pack {
    /// Builds and packs. The build has a target folder of its own: another set of features would compile Burn anew in the
    /// usual one.
    pub fn run(&self, root: &Path) -> Result<()> {
        let target = root.join("target/gpu");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--release", "--workspace", "--bins", "--target-dir"])
            .arg(&target)
            .current_dir(root);
        for feature in &self.features {
            cargo.arg("--features").arg(format!("amago/{feature},amago-bench/{feature}"));
        }
        // Names for a debugger are two thirds of such a program.
        cargo.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
        ensure!(cargo.status().context("cannot start cargo")?.success(), "the programs do not build");
        let folder = target.join("amago-gpu");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        for program in PROGRAMS {
            fs::copy(target.join("release").join(program), folder.join(program)).context(program)?;
        }
        for (from, to) in FILES {
            copy(&root.join(from), &folder.join(to)).with_context(|| from.to_owned())?;
        }
        let archive = target.join("amago-gpu.tar.xz");
        let tar =
            Command::new("tar").arg("-cJf").arg(&archive).arg("-C").arg(&target).arg("amago-gpu").status();
        ensure!(tar.context("cannot start tar")?.success(), "tar failed");
        let size = fs::metadata(&archive)?.len();
        ensure!(
            size <= self.limit_mb << 20,
            "{} has {} MB, more than {}",
            archive.display(),
            size >> 20,
            self.limit_mb
        );
        println!(
            "{}: {:.1} MB. There: tar -xJf {0}; cd amago-gpu; ./xtask gpu run",
            archive.display(),
            size as f64 / 1e6
        );
        Ok(())
    }
}

/// Copies a file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to)?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
