//! Keys and values of past timesteps, for acting one step at a time.

use burn::tensor::{Bool, Device, Tensor, TensorData};

use crate::EncoderState;

/// The first `sinks` and the last `window` keys and values per row and layer. A row is one environment.
///
/// The first slots belong to the sinks and are written once per episode. The others are a ring: when it
/// is full the newest entry takes the place of the oldest, and the window slides. Attention does not
/// care for the order of its keys, so a ring needs no shifting.
#[derive(Debug, Clone)]
pub struct KvCache {
    /// Per layer, keys and values, each `[B, H, sinks + window, E]`.
    layers: Vec<(Tensor<4>, Tensor<4>)>,
    /// Timesteps seen by each row since its last reset.
    seen: Vec<usize>,
    sinks: usize,
    window: usize,
    device: Device,
    /// Where the current step is written, `[B, 1, sinks + window, 1]`, and which slots are still empty
    /// after it, `[B, 1, 1, sinks + window]`. Made once per step, used by every layer.
    slot: Tensor<4, Bool>,
    unused: Tensor<4, Bool>,
}

/// Size of a [`KvCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvCacheShape {
    /// Rows.
    pub batch: usize,
    /// Timesteps at the start of an episode that are kept until its end.
    pub sinks: usize,
    /// Latest timesteps that are kept beside those.
    pub window: usize,
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
        let KvCacheShape { batch, sinks, window, n_layers, n_heads, head_size } = shape;
        let zeros = || Tensor::zeros([batch, n_heads, sinks + window, head_size], device);
        let (slot, unused) = masks(&vec![0; batch], [sinks, window], device);
        let layers = (0..n_layers).map(|_| (zeros(), zeros())).collect();
        Self { layers, seen: vec![0; batch], sinks, window, device: device.clone(), slot, unused }
    }

    /// Prepares the masks of the step that begins.
    pub(crate) fn begin_step(&mut self) {
        (self.slot, self.unused) = masks(&self.seen, [self.sinks, self.window], &self.device);
    }

    /// Counts the step in every row.
    pub(crate) fn end_step(&mut self) {
        self.seen.iter_mut().for_each(|n| *n += 1);
    }

    /// Writes one key and value per row, each `[B, H, 1, E]`, and returns all of the layer's, each
    /// `[B, H, sinks + window, E]`.
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

    /// Slots that hold nothing yet, `[B, 1, 1, sinks + window]`.
    pub(crate) fn unused(&self) -> Tensor<4, Bool> {
        self.unused.clone()
    }
}

impl EncoderState for KvCache {
    fn reset(&mut self, row: usize) {
        self.seen[row] = 0;
    }
}

/// For rows that have seen so many timesteps: the slot that each writes to, and those still empty then.
fn masks(seen: &[usize], [sinks, window]: [usize; 2], device: &Device) -> (Tensor<4, Bool>, Tensor<4, Bool>) {
    let (batch, slots) = (seen.len(), sinks + window);
    let per_slot = |f: &dyn Fn(usize, usize) -> bool| -> Vec<bool> {
        seen.iter().flat_map(|&n| (0..slots).map(move |s| (n, s))).map(|(n, s)| f(n, s)).collect()
    };
    let place = |n: usize| if n < sinks { n } else { sinks + (n - sinks) % window };
    let slot = per_slot(&|n, s| place(n) == s);
    let unused = per_slot(&|n, s| s > n);
    let slot = Tensor::from_bool(TensorData::new(slot, [batch, 1, slots, 1]), device);
    let unused = Tensor::from_bool(TensorData::new(unused, [batch, 1, 1, slots]), device);
    (slot, unused)
}
