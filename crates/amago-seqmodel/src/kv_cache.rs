//! Keys and values of past timesteps, for acting one step at a time.

use burn::tensor::{Bool, Device, Tensor, TensorData};

/// A ring of the last `capacity` keys and values per row and layer. A row is one environment.
///
/// When a row is full the newest entry takes the place of the oldest: the window slides. Attention
/// does not care for the order of its keys, so a ring needs no shifting.
#[derive(Debug, Clone)]
pub struct KvCache {
    /// Per layer, keys and values, each `[B, H, capacity, E]`.
    layers: Vec<(Tensor<4>, Tensor<4>)>,
    /// Timesteps seen by each row since its last reset.
    seen: Vec<usize>,
    capacity: usize,
    device: Device,
    /// Where the current step is written, `[B, 1, capacity, 1]`, and which slots are still empty
    /// after it, `[B, 1, 1, capacity]`. Made once per step, used by every layer.
    slot: Tensor<4, Bool>,
    unused: Tensor<4, Bool>,
}

/// Size of a [`KvCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvCacheShape {
    /// Rows.
    pub batch: usize,
    /// Timesteps kept.
    pub capacity: usize,
    /// Attention layers.
    pub n_layers: usize,
    /// Heads per layer.
    pub n_heads: usize,
    /// Width of a head.
    pub head_size: usize,
}

impl KvCache {
    /// An empty cache.
    pub fn new(shape: KvCacheShape, device: &Device) -> Self {
        let KvCacheShape { batch, capacity, n_layers, n_heads, head_size } = shape;
        let zeros = || Tensor::zeros([batch, n_heads, capacity, head_size], device);
        let (slot, unused) = masks(&vec![0; batch], capacity, device);
        let layers = (0..n_layers).map(|_| (zeros(), zeros())).collect();
        Self { layers, seen: vec![0; batch], capacity, device: device.clone(), slot, unused }
    }

    /// Forgets everything a row has seen.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn reset(&mut self, row: usize) {
        self.seen[row] = 0;
    }

    /// Keys each row will attend to at its next step, the new one included.
    pub fn lengths(&self) -> Vec<usize> {
        self.seen.iter().map(|n| (n + 1).min(self.capacity)).collect()
    }

    /// Prepares the masks of the step that begins.
    pub(crate) fn begin_step(&mut self) {
        (self.slot, self.unused) = masks(&self.seen, self.capacity, &self.device);
    }

    /// Counts the step in every row.
    pub(crate) fn end_step(&mut self) {
        self.seen.iter_mut().for_each(|n| *n += 1);
    }

    /// Writes one key and value per row, each `[B, H, 1, E]`, and returns all of the layer's, each
    /// `[B, H, capacity, E]`.
    pub(crate) fn append(
        &mut self,
        layer: usize,
        key: Tensor<4>,
        value: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let (keys, values) = &mut self.layers[layer];
        let dims = keys.dims();
        let slot = self.slot.clone().expand(dims);
        keys.inplace(|k| k.mask_where(slot.clone(), key.expand(dims)));
        values.inplace(|v| v.mask_where(slot, value.expand(dims)));
        (keys.clone(), values.clone())
    }

    /// Slots that hold nothing yet, `[B, 1, 1, capacity]`.
    pub(crate) fn unused(&self) -> Tensor<4, Bool> {
        self.unused.clone()
    }
}

fn masks(seen: &[usize], capacity: usize, device: &Device) -> (Tensor<4, Bool>, Tensor<4, Bool>) {
    let batch = seen.len();
    let per_slot = |f: &dyn Fn(usize, usize) -> bool| -> Vec<bool> {
        seen.iter().flat_map(|&n| (0..capacity).map(move |s| (n, s))).map(|(n, s)| f(n, s)).collect()
    };
    let slot = per_slot(&|n, s| n % capacity == s);
    let unused = per_slot(&|n, s| s > n);
    let slot = Tensor::from_bool(TensorData::new(slot, [batch, 1, capacity, 1]), device);
    let unused = Tensor::from_bool(TensorData::new(unused, [batch, 1, 1, capacity]), device);
    (slot, unused)
}
