//! Drawings of an environment for people: text on stdout, or image files.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use amago_env::film::Filmed;
use amago_env::render::Frame;
use amago_env::{Env, EnvError, Step};
use anyhow::{Context, Result, bail};

use crate::output::print;

/// Where drawings go.
enum Target {
    Text,
    Frames(PathBuf),
}

/// The environment, drawing each of its states to `text` or into an empty folder.
pub fn filmed(env: Box<dyn Env>, target: &str) -> Result<Box<dyn Env>> {
    let target = match target {
        "text" => Target::Text,
        folder => {
            let folder = PathBuf::from(folder);
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            if fs::read_dir(&folder).with_context(|| folder.display().to_string())?.next().is_some() {
                bail!("{} is not empty: choose another folder for the frames", folder.display());
            }
            Target::Frames(folder)
        }
    };
    let mut at = (0, 0);
    Ok(Box::new(Filmed::new(env, move |env, step| {
        at = if step.is_some() { (at.0, at.1 + 1) } else { (at.0 + 1, 0) };
        show(env, step, at, &target).map_err(|e| EnvError::Failed(format!("{e:#}")))
    })))
}

/// Draws one state; episodes are counted from 1.
fn show(env: &dyn Env, step: Option<Step>, (episode, t): (usize, usize), target: &Target) -> Result<()> {
    let cannot = || format!("{} cannot be drawn", env.task());
    match target {
        Target::Text => {
            let text = env.render_text().with_context(cannot)?;
            let reward = step.map_or(String::new(), |s| format!(", reward {}", s.reward));
            print(format_args!("{} episode {episode}, step {t}{reward}\n{text}\n", env.task()))
        }
        Target::Frames(folder) => {
            let frame = env.render().with_context(cannot)?;
            let path = folder.join(format!("episode-{episode:04}-step-{t:05}.png"));
            write_png(&path, &frame).with_context(|| path.display().to_string())
        }
    }
}

/// Writes an image file of 8-bit RGB.
fn write_png(path: &Path, frame: &Frame) -> Result<()> {
    let (width, height) = (u32::try_from(frame.width)?, u32::try_from(frame.height)?);
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&frame.rgb)?;
    Ok(writer.finish()?)
}
