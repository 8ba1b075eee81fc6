//! Commands that look at runs: `watch`, `export` and `compare`.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use amago_view::dashboard::{Dashboard, snapshot};
use amago_view::tensorboard::EventFile;
use amago_view::{Comparison, Run, Selection, ViewError, csv, picture_size};
use anyhow::{Context, Result, bail};

use crate::commands::Ending;
use crate::output::{is_colored, is_gone, print, print_raw, tell};
use crate::summary::align;
use crate::view_args::{CompareArgs, ExportArgs, WatchArgs};

/// `amago watch`.
pub fn watch(args: &WatchArgs) -> Result<Ending> {
    let dashboard = Dashboard::open(&args.runs, args.axis.into())?;
    if args.once {
        print(snapshot(&dashboard, 80, 24))?;
        return Ok(Ending::Done);
    }
    if !std::io::stdout().is_terminal() {
        bail!("the dashboard needs a terminal; --once prints one picture, `amago export` writes tables");
    }
    dashboard.show().context("cannot use the terminal")?;
    Ok(Ending::Done)
}

/// Opens several runs. Folders of the same name are told apart by their paths.
pub fn open(paths: &[PathBuf]) -> Result<Vec<Run>> {
    let mut runs = paths.iter().map(|path| Run::open(path)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    for run in &mut runs {
        if names.iter().filter(|name| **name == run.name).count() > 1 {
            run.name = run.path.display().to_string().trim_matches('/').replace(['/', '\\'], "-");
        }
    }
    Ok(runs)
}

/// `amago export`.
pub fn export(args: &ExportArgs) -> Result<Ending> {
    let runs = open(&args.runs)?;
    if let Some(path) = &args.csv {
        let selection = Selection::new(&args.metrics);
        if path.as_os_str() == "-" {
            match csv(&runs, &selection, std::io::stdout().lock()) {
                Err(ViewError::Io { cause, .. }) if is_gone(&cause) => {}
                other => other?,
            }
        } else {
            // What cannot be selected must not leave an empty file.
            selection.of(&runs)?;
            let file = File::create(path).with_context(|| path.display().to_string())?;
            let mut out = BufWriter::new(file);
            csv(&runs, &selection, &mut out)?;
            out.flush().with_context(|| path.display().to_string())?;
        }
    }
    let Some(folder) = &args.tensorboard else { return Ok(Ending::Done) };
    let images = args.images.iter().map(|text| read_image(text)).collect::<Result<Vec<_>>>()?;
    for run in &runs {
        let path = event_file(run, &folder.join(&run.name), args, &images)?;
        tell(format_args!("wrote {}", path.display()));
    }
    Ok(Ending::Done)
}

/// Everything of a run in one event file.
fn event_file(run: &Run, dir: &Path, args: &ExportArgs, images: &[Image]) -> Result<PathBuf> {
    let mut file = EventFile::export(dir, args.axis.into())?;
    file.begin(run, run.machine.started, None)?;
    for record in &run.records {
        file.record(record)?;
    }
    for image in images {
        file.picture(&image.name, run.records.last(), image.size, &image.bytes)?;
    }
    Ok(file.finish()?)
}

struct Image {
    name: String,
    size: [u32; 2],
    bytes: Vec<u8>,
}

fn read_image(text: &str) -> Result<Image> {
    let (name, path) = text.split_once('=').with_context(|| format!("--image {text}: expected NAME=FILE"))?;
    let bytes = std::fs::read(path).with_context(|| path.to_owned())?;
    let size = picture_size(&bytes).with_context(|| format!("{path} is neither a GIF nor a PNG file"))?;
    Ok(Image { name: name.to_owned(), size, bytes })
}

/// `amago compare`.
pub fn compare(args: &CompareArgs) -> Result<Ending> {
    let runs = open(&args.runs)?;
    for metric in &args.metrics {
        let found = Comparison::new(&runs, metric, args.axis.into())?;
        if args.json {
            print(format_args!("{}\n", found.json(&runs)))?;
        } else {
            print(format_args!("{}\n", align(&found.table())))?;
            // Signs and numbers, no names.
            print_raw(format_args!("{}\n", found.plot([78, 16], is_colored())))?;
        }
    }
    Ok(Ending::Done)
}
