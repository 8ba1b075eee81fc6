//! A real browser shows a report without any network. Skips aloud where there is none.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use amago_view::report::{Scene, html};
use amago_view::{Run, picture_size};
use flate2::read::ZlibDecoder;

/// The browser of `AMAGO_TEST_BROWSER`, else the first of these that starts.
fn browser() -> Option<String> {
    let named = std::env::var("AMAGO_TEST_BROWSER").ok();
    let known = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let starts =
        |name: &String| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let found = named.into_iter().chain(known).find(starts);
    if found.is_none() {
        // Not through the macros, whose output the harness keeps to itself.
        let message = b"SKIPPED: no chromium that could show the report (AMAGO_TEST_BROWSER)\n";
        std::io::stderr().write_all(message).expect("stderr");
    }
    found
}

/// Pixels of a PNG of eight bits per channel, not interlaced: its width, its bytes per pixel, its rows.
fn pixels(png: &[u8]) -> (usize, usize, Vec<u8>) {
    let [width, height] = picture_size(png).expect("a PNG").map(|x| x as usize);
    let deep = match png[24..29] {
        [8, 2, 0, 0, 0] => 3,
        [8, 6, 0, 0, 0] => 4,
        ref other => panic!("another kind of PNG: {other:?}"),
    };
    let (mut rest, mut packed) = (&png[8..], Vec::new());
    while rest.len() >= 12 {
        let len = u32::from_be_bytes(rest[..4].try_into().expect("four bytes")) as usize;
        if &rest[4..8] == b"IDAT" {
            packed.extend_from_slice(&rest[8..8 + len]);
        }
        rest = &rest[12 + len..];
    }
    let mut raw = Vec::new();
    ZlibDecoder::new(&packed[..]).read_to_end(&mut raw).expect("whole data");
    let stride = width * deep;
    let mut out = vec![0u8; stride * height];
    for y in 0..height {
        let (filter, line) = (raw[y * (stride + 1)], y * (stride + 1) + 1);
        for x in 0..stride {
            let back = |dx: usize, dy: usize| {
                if x < dx || y < dy { 0 } else { i32::from(out[(y - dy) * stride + x - dx]) }
            };
            let (a, b, c) = (back(deep, 0), back(0, 1), if x < deep { 0 } else { back(deep, 1) });
            let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
            let guess = match filter {
                0 => 0,
                1 => a,
                2 => b,
                3 => (a + b) / 2,
                _ if pa <= pb && pa <= pc => a,
                _ if pb <= pc => b,
                _ => c,
            };
            out[y * stride + x] = raw[line + x].wrapping_add(guess as u8);
        }
    }
    (width, deep, out)
}

/// A picture of a page, as high as asked for.
fn screenshot(browser: &str, page: &Path, height: u32) -> Vec<u8> {
    let dir = page.parent().expect("a folder");
    let picture = dir.join("page.png");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
        ])
        // Every name is unknown: whatever the page wanted to fetch would be missing.
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", &format!("--window-size=1100,{height}")])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("it started before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(&picture).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_browser_shows_the_report() {
    let Some(browser) = browser() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let make = |i: u64| Run::open(&support::run(dir.path(), &format!("r{i}"), i, 0.9, 1.0 + i as f64));
    let runs: Vec<_> = (0..3).map(|i| make(i).expect("a run")).collect();
    let scene = Scene {
        attention: vec![vec![1.0, 0.0, 0.5, 0.5]],
        attended: 2,
        rewards: vec![0.0; 4],
        attempts: vec![Some(0); 4],
        values: vec![0.5; 3],
        ..Scene::default()
    };
    let page = dir.path().join("report.html");
    fs::write(&page, html(&runs, Ok(&scene)).expect("a page")).expect("written");
    let png = screenshot(&browser, &page, 2600);
    let (width, deep, pixels) = pixels(&png);
    assert_eq!((width, pixels.len()), (1100, 1100 * 2600 * deep));
    let count = |color: [u8; 3]| pixels.chunks(deep).filter(|p| p[..3] == color).count();
    // Curves, and the darkest square of an attention map: vector graphics and pictures are both there.
    let (curves, squares) = (count([0, 0x72, 0xb2]), count([8, 48, 107]));
    assert!(curves > 500 && squares > 2000, "{curves} pixels of curves, {squares} of attention");
    let paper = count([255, 255, 255]) * 100 / (1100 * 2600);
    assert!((40..98).contains(&paper), "{paper} % are white");
}
