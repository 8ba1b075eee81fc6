//! A real browser shows a report without any network.

mod support;

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use amago_view::Run;
use amago_view::report::{Scene, html};

/// The browser of `AMAGO_TEST_BROWSER`, else the first of these that starts.
fn browser() -> String {
    let named = std::env::var("AMAGO_TEST_BROWSER").ok();
    let known = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let starts =
        |name: &String| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    named.into_iter().chain(known).find(starts).expect("a browser, or its name in AMAGO_TEST_BROWSER")
}

/// Pixels of a PNG: its width, its bytes per pixel, its rows.
fn pixels(png: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size that fits")];
    let frame = reader.next_frame(&mut pixels).expect("a whole picture");
    assert_eq!(frame.bit_depth, png::BitDepth::Eight);
    (frame.width as usize, frame.color_type.samples(), pixels)
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
#[ignore = "needs Chromium, or the browser that AMAGO_TEST_BROWSER names"]
fn a_browser_shows_the_report() {
    let browser = browser();
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
