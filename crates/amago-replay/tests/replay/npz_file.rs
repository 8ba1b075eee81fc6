//! Writes trajectories as the original does.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use amago_env::Column;
use amago_replay::Trajectory;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// One array: type, shape, bytes.
pub type Npy = (&'static str, String, Vec<u8>);

pub fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Writes arrays by name.
pub fn write(path: &Path, arrays: &[(String, Npy)], method: CompressionMethod) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, (descr, shape, bytes)) in arrays {
        zip.start_file(format!("{name}.npy"), options).unwrap();
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// The arrays of one of our trajectories.
pub fn arrays(trajectory: &Trajectory) -> Vec<(String, Npy)> {
    let (c, layout) = (trajectory.columns(), trajectory.layout());
    let (t, a) = (trajectory.len(), layout.action_width);
    let mut rl2s = c.first_prev.clone();
    for (reward, action) in c.rewards.iter().zip(c.actions.chunks(a)) {
        rl2s.push(*reward);
        rl2s.extend_from_slice(action);
    }
    let times = (c.start_time..).take(t + 1).flat_map(i64::to_le_bytes).collect();
    let dones = c.terminals.iter().map(|d| u8::from(*d)).collect();
    let mut all = vec![
        ("rl2s".to_owned(), ("<f4", format!("({}, {})", t + 1, a + 1), floats(&rl2s))),
        ("time_idxs".to_owned(), ("<i8", format!("({}, 1)", t + 1), times)),
        ("rews".to_owned(), ("<f4", format!("({t}, 1)"), floats(&c.rewards))),
        ("dones".to_owned(), ("|b1", format!("({t}, 1)"), dones)),
        ("actions".to_owned(), ("<f4", format!("({t}, {a})"), floats(&c.actions))),
    ];
    for (spec, column) in layout.columns.iter().zip(&c.obs) {
        let dims: Vec<String> = spec.shape.iter().map(ToString::to_string).collect();
        let shape = format!("({}, {})", t + 1, dims.join(", "));
        let npy = match column {
            Column::F32(values) => ("<f4", shape, floats(values)),
            Column::U8(bytes) => ("|u1", shape, bytes.clone()),
        };
        all.push((format!("_OBS_KEY_{}", spec.key), npy));
    }
    all
}

/// Writes one of our trajectories.
pub fn save(path: &Path, trajectory: &Trajectory) {
    write(path, &arrays(trajectory), CompressionMethod::Stored);
}
