//! Writes tensors as `torch.save(state_dict)` does: a zip of a pickle and one file per storage.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::Array;

/// Writes an `OrderedDict` of float32 tensors by name.
///
/// # Panics
/// When the file cannot be written.
pub fn save<'a>(path: &Path, tensors: impl IntoIterator<Item = (&'a str, &'a Array)>) {
    let tensors: Vec<_> = tensors.into_iter().collect();
    let mut zip = ZipWriter::new(File::create(path).expect("writable"));
    let mut put = |name: &str, bytes: &[u8]| {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(format!("archive/{name}"), options).expect("writable");
        zip.write_all(bytes).expect("writable");
    };
    put("data.pkl", &pickle(&tensors));
    put("byteorder", b"little");
    for (i, (_, array)) in tensors.iter().enumerate() {
        let bytes: Vec<u8> = array.f32().iter().flat_map(|x| x.to_le_bytes()).collect();
        put(&format!("data/{i}"), &bytes);
    }
    put("version", b"3\n");
    zip.finish().expect("writable");
}

/// Protocol 2. Every tensor is `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`
/// with the storage as a persistent id.
fn pickle(tensors: &[(&str, &Array)]) -> Vec<u8> {
    const EMPTY_DICT: &[u8] = b"ccollections\nOrderedDict\n)R";
    let mut out = b"\x80\x02".to_vec();
    out.extend(EMPTY_DICT);
    out.extend(b"(");
    for (i, (name, array)) in tensors.iter().enumerate() {
        text(&mut out, name);
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(b"ctorch\nFloatStorage\n");
        text(&mut out, &i.to_string());
        text(&mut out, "cpu");
        number(&mut out, array.shape.iter().product());
        out.extend(b"tQ");
        number(&mut out, 0);
        let strides = (0..array.shape.len()).map(|d| array.shape[d + 1..].iter().product());
        tuple(&mut out, array.shape.iter().copied());
        tuple(&mut out, strides);
        out.extend(b"\x89");
        out.extend(EMPTY_DICT);
        out.extend(b"tR");
    }
    out.extend(b"u.");
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn number(out: &mut Vec<u8>, number: usize) {
    out.push(b'J');
    out.extend(i32::try_from(number).expect("a small number").to_le_bytes());
}

fn tuple(out: &mut Vec<u8>, numbers: impl Iterator<Item = usize>) {
    out.push(b'(');
    numbers.for_each(|n| number(out, n));
    out.push(b't');
}
