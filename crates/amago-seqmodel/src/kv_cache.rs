//! Keys and values of past timesteps, for acting one step at a time.

use burn::tensor::{Bool, Device, IndexingUpdateOp, Int, Tensor, TensorData};

use crate::EncoderState;

/// The first `sinks` and the last `window` keys and values per row and layer. A row is one environment.
///
/// The first slots belong to the sinks and are written once per episode. The others are a ring: when it
/// is full the newest entry takes the place of the oldest, and the window slides. Attention does not
/// care for the order of its keys, so a ring needs no shifting.
///
/// Slots are made when they are needed, so memory follows the longest episode seen, not the window.
#[derive(Debug, Clone)]
pub struct KvCache {
    /// Per layer, keys and values, each `[B · H · slots, E]`.
    layers: Vec<(Tensor<2>, Tensor<2>)>,
    n_heads: usize,
    /// Timesteps seen by each row since its last reset.
    seen: Vec<usize>,
    sinks: usize,
    window: usize,
    /// Slots of each row and head so far, at most `sinks + window`.
    slots: usize,
    device: Device,
    /// In which rows of a layer the current step is written, `[B · H]`, and which slots are still empty
    /// after it, `[B, 1, 1, slots]`. Made once per step, used by every layer.
    slot: Tensor<1, Int>,
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

/// Slots that a cache begins with, if it may have so many; as many again come whenever all are in use.
const FIRST_SLOTS: usize = 256;

impl KvCache {
    /// An empty cache.
    pub fn new(shape: KvCacheShape, device: &Device) -> Self {
        Self::with_slots(shape, FIRST_SLOTS, device)
    }

    /// The same, with room for so many timesteps at first.
    fn with_slots(shape: KvCacheShape, first: usize, device: &Device) -> Self {
        let KvCacheShape { batch, sinks, window, n_layers, n_heads, head_size } = shape;
        let slots = sinks.saturating_add(window).min(first);
        let zeros = || Tensor::zeros([batch * n_heads * slots, head_size], device);
        let layers = (0..n_layers).map(|_| (zeros(), zeros())).collect();
        let (seen, device) = (vec![0; batch], device.clone());
        let (slot, unused) = (self::slots(&seen, n_heads, slots, &device), unused(&seen, slots, &device));
        Self { layers, n_heads, seen, sinks, window, slots, device, slot, unused }
    }

    /// Makes room for the next timestep of the longest row. Nothing moves before the ring is as long as the window,
    /// so the new slots come last.
    fn grow(&mut self) {
        let most = self.sinks.saturating_add(self.window);
        let needed = self.seen.iter().max().map_or(0, |n| (n + 1).min(most));
        if needed <= self.slots {
            return;
        }
        let (old, rows) = (self.slots, self.seen.len() * self.n_heads);
        self.slots = needed.max(2 * old).min(most);
        let more = self.slots - old;
        for tensor in self.layers.iter_mut().flat_map(|(keys, values)| [keys, values]) {
            tensor.inplace(|t| {
                let size = t.dims()[1];
                let new = Tensor::zeros([rows, more, size], &t.device());
                Tensor::cat(vec![t.reshape([rows, old, size]), new], 1).reshape([rows * (old + more), size])
            });
        }
    }

    /// Prepares places and mask of the step that begins.
    pub(crate) fn begin_step(&mut self) {
        self.grow();
        let place = |n: usize| if n < self.sinks { n } else { self.sinks + (n - self.sinks) % self.window };
        let places: Vec<usize> = self.seen.iter().map(|&n| place(n)).collect();
        self.slot = slots(&places, self.n_heads, self.slots, &self.device);
        self.unused = unused(&self.seen, self.slots, &self.device);
    }

    /// Counts the step in every row.
    pub(crate) fn end_step(&mut self) {
        self.seen.iter_mut().for_each(|n| *n += 1);
    }

    /// Writes one key and value per row, each `[B, H, 1, E]`, and returns all of the layer's, each
    /// `[B, H, slots, E]`.
    pub(crate) fn append(
        &mut self,
        layer: usize,
        key: Tensor<4>,
        value: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [batch, heads, _, size] = key.dims();
        let all = [batch, heads, self.slots, size];
        let (keys, values) = &mut self.layers[layer];
        // Only the new rows are touched: a mask over the whole cache took 40 % of the time of acting.
        let write = |cache: Tensor<2>, new: Tensor<4>| {
            let new = new.reshape([batch * heads, size]);
            cache.select_assign(0, self.slot.clone(), new, IndexingUpdateOp::Assign)
        };
        keys.inplace(|k| write(k, key));
        values.inplace(|v| write(v, value));
        (keys.clone().reshape(all), values.clone().reshape(all))
    }

    /// How many slots of each row hold something: its first ones.
    pub(crate) fn used(&self) -> Vec<usize> {
        self.seen.iter().map(|n| (n + 1).min(self.slots)).collect()
    }

    /// Slots that hold nothing yet, `[B, 1, 1, slots]`.
    pub(crate) fn unused(&self) -> Tensor<4, Bool> {
        self.unused.clone()
    }
}

impl EncoderState for KvCache {
    fn reset(&mut self, row: usize) {
        self.seen[row] = 0;
    }
}

/// Rows of a layer in which each row's next timestep is written, for every head, `[B · H]`; `places` are slots.
fn slots(places: &[usize], n_heads: usize, slots: usize, device: &Device) -> Tensor<1, Int> {
    let rows = places
        .iter()
        .enumerate()
        .flat_map(|(row, &place)| (row * n_heads..(row + 1) * n_heads).map(move |head| head * slots + place));
    let rows: Vec<i64> = rows.map(|row| row as i64).collect();
    Tensor::from_data(TensorData::new(rows, [places.len() * n_heads]), device)
}

/// Slots that are still empty after the next timestep, `[B, 1, 1, slots]`.
fn unused(seen: &[usize], slots: usize, device: &Device) -> Tensor<4, Bool> {
    let empty: Vec<bool> = seen.iter().flat_map(|&n| (0..slots).map(move |s| s > n)).collect();
    Tensor::from_bool(TensorData::new(empty, [seen.len(), 1, 1, slots]), device)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;
    use crate::{SequenceEncoder, TransformerConfig};

    /// Room that is made when it is needed gives the same as room that is there from the start; on the CPU the same
    /// bits, elsewhere sums may be taken in another order.
    #[test]
    fn growing_changes_no_bit() {
        let device = amago_golden::modules::device();
        let allowed = if amago_ops::is_fused(&device) { 0.0 } else { 1e-5 };
        let plain =
            TransformerConfig { d_model: 16, n_heads: 2, n_layers: 2, ..TransformerConfig::default() };
        let windowed = TransformerConfig { window_size: 20, sink_size: 3, ..plain.clone() };
        let clipped = TransformerConfig { logit_clip: 0.5, ..plain.clone() };
        let biased = TransformerConfig { sink_bias: 0.4, ..windowed.clone() };
        for (config, context) in [(&plain, 70), (&plain, 50), (&windowed, 40), (&clipped, 70), (&biased, 90)]
        {
            let encoder = config.init(5, &device);
            let shape = KvCacheShape {
                batch: 3,
                sinks: config.sink_size,
                window: encoder.pattern.keys_kept(context),
                n_layers: config.n_layers,
                n_heads: config.n_heads,
                head_size: config.d_model / config.n_heads,
            };
            let mut whole = KvCache::with_slots(shape, usize::MAX, &device);
            let mut growing = [1, 4, 33].map(|first| KvCache::with_slots(shape, first, &device));
            assert_eq!(growing[0].slots, 1);
            for t in 0..80 {
                let x = Tensor::random([3, 1, 5], Distribution::Normal(0.0, 1.0), &device);
                let times = Tensor::full([3, 1], t, &device);
                let expected = encoder.forward_step(x.clone(), times.clone(), &mut whole);
                for cache in &mut growing {
                    let got = encoder.forward_step(x.clone(), times.clone(), cache);
                    let apart = (got - expected.clone()).abs().max().into_scalar::<f32>();
                    assert!(apart <= allowed, "{config:?}, step {t}: {apart}");
                }
                if t % 19 == 5 {
                    growing.iter_mut().chain([&mut whole]).for_each(|cache| cache.reset(t as usize % 3));
                }
            }
            assert!(growing.iter().all(|cache| cache.slots <= shape.sinks + shape.window));
        }
    }

    #[test]
    fn a_window_beyond_all_memory_takes_what_an_episode_needs() {
        let device = amago_golden::modules::device();
        let encoder =
            TransformerConfig { d_model: 8, n_heads: 1, n_layers: 1, ..TransformerConfig::default() }
                .init(2, &device);
        let mut state = encoder.rollout_state(1, usize::MAX, &device);
        for t in 0..300 {
            encoder.forward_step(
                Tensor::zeros([1, 1, 2], &device),
                Tensor::full([1, 1], t, &device),
                &mut state,
            );
        }
        assert_eq!(state.slots, 2 * FIRST_SLOTS);
    }
}
