//! Drawings of episodes, as text and as files.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use crate::support::{Place, list};

#[test]
fn text_shows_every_state_of_the_episodes() {
    let place = Place::new();
    let args = ["rollout", "tmaze-passive", "--set", "corridor_length=4", "--render", "text"];
    let ended = place.amago(&args).ok();
    let titles: Vec<_> = ended.out.lines().filter(|l| l.contains(" episode ")).collect();
    // An episode has five steps.
    assert_eq!(titles.len(), 6, "{ended:?}");
    assert!(titles[0].ends_with("episode 1, step 0") && titles[5].contains("step 5, reward "), "{titles:?}");
    assert_eq!(ended.out.matches('A').count(), 6, "{ended:?}");
    assert!(ended.out.contains("1 episode,"), "{ended:?}");
    let ended = place.amago(&[&args[..], &["--episodes", "3"]].concat()).ok();
    assert_eq!(ended.out.matches(" episode ").count(), 18, "{ended:?}");
    assert!(ended.out.contains("episode 3, step 5"), "{ended:?}");
}

/// Width, height and pixels of an RGB image.
fn image(path: &Path) -> (usize, usize, Vec<u8>) {
    let file = BufReader::new(File::open(path).expect("a file"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size that fits")];
    let frame = reader.next_frame(&mut pixels).expect("a whole picture");
    assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    (frame.width as usize, frame.height as usize, pixels)
}

#[test]
fn frames_are_files_in_order() {
    let place = Place::new();
    let set = ["--set", "corridor_length=4", "--seed", "3"];
    let args = [&["rollout", "tmaze-passive", "--render", "frames", "--episodes", "2"], &set[..]].concat();
    place.amago(&args).ok();
    let files = list(&place.path("frames"));
    let names: Vec<_> = files.iter().map(|f| f.file_name().expect("a name").to_string_lossy()).collect();
    assert_eq!(names.len(), 12);
    assert_eq!((&*names[0], &*names[11]), ("episode-0001-step-00000.png", "episode-0002-step-00005.png"));
    let images: Vec<_> = files.iter().map(|f| image(f)).collect();
    assert!(images.iter().all(|i| (i.0, i.1) == (images[0].0, images[0].1) && i.1 == 3 * 8));
    assert!(images[0].2.chunks(3).any(|pixel| *pixel != images[0].2[..3]), "one colour");
    assert!(images.iter().any(|i| *i != images[0]), "nothing moves");
    place.amago(&args).check_error("a folder in use", &["frames", "not empty"]);
    fs::write(place.path("file"), "").expect("writable");
    let args = ["rollout", "tmaze-passive", "--render", "file"];
    place.amago(&args).check_error("no folder", &["file", "exists"]);
    let both = place.amago(&["rollout", "tmaze-passive", "--render", "text", "--json"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn a_trained_policy_is_drawn_too() {
    let place = Place::new();
    place.train("run", &[]).ok();
    let args = ["rollout", "tmaze-passive", "--set", "corridor_length=3", "--policy", "run"];
    let ended = place.amago(&[&args[..], &["--render", "text"]].concat()).ok();
    assert_eq!(ended.out.matches(" episode ").count(), 5, "{ended:?}");
}

#[test]
fn what_is_refused_makes_no_folder() {
    let place = Place::new();
    place.train("run", &[]).ok();
    let args = ["rollout", "mazerunner", "--policy", "run", "--render", "frames"];
    place.amago(&args).check_error("another task", &["trained on", "mazerunner"]);
    assert!(!place.path("frames").exists(), "nothing is drawn");
    let nowhere = place.amago(&["rollout", "tmaze-passive", "--render", ""]);
    assert_eq!((nowhere.code, nowhere.out.as_str()), (Some(2), ""), "{nowhere:?}");
}
