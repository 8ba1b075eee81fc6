//! From host data to tensors.

use std::collections::BTreeMap;

use amago_agent::{ObsSpec, TrainBatch};
use amago_env::{Column, DictSpace, Space};
use amago_replay::Batch;
use amago_seqmodel::{ObsKind, ObsLayout, ObsTensors};
use burn::tensor::{DType, Device, IntDType, Tensor, TensorCreationOptions, TensorData};

/// What the agent must know of the environment's spaces.
pub fn obs_spec(observation: &DictSpace, action: &Space) -> ObsSpec {
    ObsSpec { obs: obs_layout(observation), action: action.clone() }
}

/// Which keys of an observation are images and which are vectors.
pub fn obs_layout(observation: &DictSpace) -> ObsLayout {
    let kind = |space: &Space| match space.image_shape() {
        Some(shape) => ObsKind::Image(shape),
        None => ObsKind::Vector(space.shape()),
    };
    ObsLayout(observation.iter().map(|(key, space)| (key.to_owned(), kind(space))).collect())
}

/// Columns in key order, each with `B · L` rows, as tensors. Images stay bytes where the device can
/// compute with bytes, and are whole numbers of its own size elsewhere.
pub(crate) fn obs_tensors(
    columns: Vec<Column>,
    layout: &ObsLayout,
    [b, l]: [usize; 2],
    device: &Device,
) -> ObsTensors {
    let bytes: TensorCreationOptions = match device.supports_dtype(IntDType::U8) {
        true => (device, DType::U8).into(),
        false => device.into(),
    };
    let (mut vectors, mut images) = (Vec::new(), BTreeMap::new());
    for ((key, kind), column) in layout.0.iter().zip(columns) {
        match (kind, column) {
            (ObsKind::Image([x, y, z]), Column::U8(values)) => {
                let data = TensorData::new(values, [b, l, *x, *y, *z]);
                images.insert(key.clone(), Tensor::from_data(data, bytes.clone()));
            }
            (_, column) => vectors.push(floats(column)),
        }
    }
    let rows = b * l;
    let width = vectors.iter().map(Vec::len).sum::<usize>() / rows;
    let vectors =
        (width > 0).then(|| Tensor::from_data(TensorData::new(join(vectors, rows), [b, l, width]), device));
    ObsTensors { vectors, images }
}

fn floats(column: Column) -> Vec<f32> {
    match column {
        Column::F32(values) => values,
        Column::U8(values) => values.into_iter().map(f32::from).collect(),
    }
}

/// Columns side by side, row by row.
fn join(mut columns: Vec<Vec<f32>>, rows: usize) -> Vec<f32> {
    // The usual case, without a copy.
    if columns.len() == 1 {
        return columns.swap_remove(0);
    }
    let mut joined = Vec::with_capacity(columns.iter().map(Vec::len).sum());
    for row in 0..rows {
        for column in &columns {
            let width = column.len() / rows;
            joined.extend_from_slice(&column[row * width..(row + 1) * width]);
        }
    }
    joined
}

/// A replay batch as tensors on a device.
pub fn train_batch(batch: Batch, layout: &ObsLayout, device: &Device) -> TrainBatch {
    let (b, l1) = (batch.size, batch.len);
    let l = l1 - 1;
    let a = batch.layout.action_width;
    // It stays an observation as well: which options there are says something of the state.
    let mask_column = batch.layout.index(DictSpace::ACTION_MASK).map(|i| &batch.obs[i]);
    let legal = mask_column.and_then(|column| match column {
        Column::F32(mask) => Some(Tensor::from_data(TensorData::new(mask.clone(), [b, l1, a]), device)),
        Column::U8(_) => None,
    });
    // Masks are multiplied with losses, so they are numbers on the device.
    let bits = |v: &[bool]| v.iter().map(|x| f32::from(*x)).collect::<Vec<_>>();
    TrainBatch {
        obs: obs_tensors(batch.obs, layout, [b, l1], device),
        rl2s: Tensor::from_data(TensorData::new(batch.rl2s, [b, l1, 1 + a]), device),
        times: Tensor::from_data(TensorData::new(batch.time_idxs, [b, l1]), device),
        rewards: Tensor::from_data(TensorData::new(batch.rewards, [b, l]), device),
        terminals: Tensor::from_data(TensorData::new(bits(&batch.terminals), [b, l]), device),
        actions: Tensor::from_data(TensorData::new(batch.actions, [b, l, a]), device),
        legal,
        mask: Tensor::from_data(TensorData::new(bits(&batch.mask), [b, l1]), device),
    }
}
