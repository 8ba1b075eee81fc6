//! From host data to tensors.

use amago_agent::{ObsSpec, TrainBatch};
use amago_env::{Column, DictSpace, Space};
use amago_replay::Batch;
use burn::tensor::{Device, Tensor, TensorData};

/// What the agent must know of the environment's spaces.
pub fn obs_spec(observation: &DictSpace, action: &Space) -> ObsSpec {
    let obs = observation.iter().map(|(key, space)| (key.to_owned(), space.width())).collect();
    ObsSpec { obs, action: action.clone() }
}

/// Appends `rows` of every column to `out`, joined per row: `[rows, Σ widths]`.
pub(crate) fn join_columns(columns: &[Column], rows: usize, out: &mut Vec<f32>) {
    for row in 0..rows {
        for column in columns {
            let width = column.len() / rows.max(1);
            let range = row * width..(row + 1) * width;
            match column {
                Column::F32(values) => out.extend_from_slice(&values[range]),
                Column::U8(values) => out.extend(values[range].iter().map(|x| f32::from(*x))),
            }
        }
    }
}

/// A replay batch as tensors on a device.
pub fn train_batch(batch: &Batch, device: &Device) -> TrainBatch {
    let (b, l1) = (batch.size, batch.len);
    let l = l1 - 1;
    let rows = b * l1;
    let mut obs = Vec::new();
    join_columns(&batch.obs, rows, &mut obs);
    let d_obs = obs.len() / rows;
    let a = batch.layout.action_width;
    let mask_column = batch.layout.index(DictSpace::ACTION_MASK).map(|i| &batch.obs[i]);
    let legal = mask_column.and_then(|column| match column {
        Column::F32(mask) => Some(Tensor::from_data(TensorData::new(mask.clone(), [b, l1, a]), device)),
        Column::U8(_) => None,
    });
    let bits = |v: &[bool]| v.iter().map(|x| f32::from(*x)).collect::<Vec<_>>();
    TrainBatch {
        obs: Tensor::from_data(TensorData::new(obs, [b, l1, d_obs]), device),
        rl2s: Tensor::from_data(TensorData::new(batch.rl2s.clone(), [b, l1, 1 + a]), device),
        times: Tensor::from_data(TensorData::new(batch.time_idxs.clone(), [b, l1]), device),
        rewards: Tensor::from_data(TensorData::new(batch.rewards.clone(), [b, l]), device),
        terminals: Tensor::from_data(TensorData::new(bits(&batch.terminals), [b, l]), device),
        actions: Tensor::from_data(TensorData::new(batch.actions.clone(), [b, l, a]), device),
        legal,
        mask: Tensor::from_data(TensorData::new(bits(&batch.mask), [b, l1]), device),
    }
}
