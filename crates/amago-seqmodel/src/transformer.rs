//! The causal Transformer over timesteps.

use burn::module::Module;
use burn::nn::Dropout;
use burn::tensor::{Device, Int, Tensor};

use crate::dropout::drop_out;
use crate::kv_cache::KvCacheShape;
use crate::{
    AttentionPattern, Dense, KvCache, Norm, PositionKind, PositionTable, ROPE_BASE, Replay, Rotation,
    SequenceEncoder, TransformerLayer, sinusoid,
};

/// Linear input plus positions, layers, final norm.
#[derive(Module, Debug)]
pub struct Transformer {
    pub(crate) position_embedding: Option<PositionTable>,
    pub(crate) inp: Dense,
    pub(crate) layers: Vec<TransformerLayer>,
    pub(crate) norm: Norm,
    pub(crate) dropout: Dropout,
    pub(crate) n_heads: usize,
    pub(crate) d_model: usize,
    #[module(skip)]
    pub(crate) pos_emb: PositionKind,
    #[module(skip)]
    pub(crate) pattern: AttentionPattern,
}

impl Transformer {
    /// Embedded inputs, with positions that are added.
    fn embed(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        let x = self.inp.forward(x);
        let x = match (self.pos_emb, &self.position_embedding) {
            (PositionKind::Rope, _) => x,
            (_, Some(table)) => x + table.forward(times),
            (_, None) => {
                let positions = sinusoid(times, self.d_model, &x.device());
                x + positions
            }
        };
        drop_out(x, &self.dropout)
    }

    /// The rotation of queries and keys, where positions are rotary.
    fn rotation(&self, times: Tensor<2, Int>) -> Option<Rotation> {
        (self.pos_emb == PositionKind::Rope)
            .then(|| Rotation::new(times, self.d_model / self.n_heads, ROPE_BASE))
    }
}

impl SequenceEncoder for Transformer {
    type State = KvCache;

    fn d_output(&self) -> usize {
        self.d_model
    }

    fn forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        // Not segment by segment: all layers share one rotation.
        let rotation = self.rotation(times.clone());
        let x = self.embed(x, times);
        let x = self.layers.iter().fold(x, |x, layer| layer.forward_seq(x, rotation.as_ref()));
        self.norm.forward(x)
    }

    /// Its layers, between the embedding and the last norm.
    fn segments(&self) -> usize {
        self.layers.len() + 2
    }

    fn forward_segment(&self, segment: usize, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        match segment.checked_sub(1).map(|layer| self.layers.get(layer)) {
            None => self.embed(x, times),
            Some(Some(layer)) => layer.forward_seq(x, self.rotation(times).as_ref()),
            Some(None) => self.norm.forward(x),
        }
    }

    fn forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, cache: &mut KvCache) -> Tensor<3> {
        cache.begin_step();
        let rotation = self.rotation(times.clone());
        let mut x = self.embed(x, times);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward_step(x, rotation.as_ref(), i, cache);
        }
        cache.end_step();
        self.norm.forward(x)
    }

    fn rollout_state(&self, batch: usize, context: usize, device: &Device) -> KvCache {
        let shape = KvCacheShape {
            batch,
            sinks: self.pattern.sink_size,
            window: self.pattern.keys_kept(context),
            n_layers: self.layers.len(),
            n_heads: self.n_heads,
            head_size: self.d_model / self.n_heads,
        };
        KvCache::new(shape, device)
    }

    /// The sinks, and as many inputs as the window. Where an episode has outgrown that, keys of
    /// deeper layers depend on inputs that are gone, so the result is exact for one layer only. An
    /// attention window that is shorter than `context` makes it exact again: each layer reaches
    /// `window_size` further back, and not beyond.
    fn replay(&self, context: usize) -> Replay {
        let size = self.pattern.window_size;
        let exact = size > 0 && size < context;
        let last = if exact { self.layers.len() * size + 1 } else { context };
        Replay { first: self.pattern.sink_size, last }
    }

    fn attention(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Vec<Tensor<4>> {
        let rotation = self.rotation(times.clone());
        let mut x = self.embed(x, times);
        let mut found = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            found.push(layer.attention(x.clone(), rotation.as_ref()));
            x = layer.forward_seq(x, rotation.as_ref());
        }
        found
    }

    fn for_acting(&self) -> Self {
        let mut plain = self.valid();
        plain.layers.iter_mut().for_each(TransformerLayer::settle);
        plain
    }

    fn begin_update(&mut self) {
        self.layers.iter_mut().for_each(TransformerLayer::power_iteration);
    }
}
