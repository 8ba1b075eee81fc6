//! The recurrence of Mamba over whole sequences.

use burn::tensor::Tensor;

use crate::scan::scan;

/// Timesteps of a chunk. The states of a chunk are made one after the other, those of all chunks together.
const CHUNK: usize = 16;

/// The recurrence that the inputs choose, `h ← exp(Δ A) ⊙ h + Δ x B`, read as `C h`. Of some timesteps `L`,
/// with `I` channels of `N` states each.
pub(crate) struct Selected {
    /// `Δ`, `[B, L, I]`.
    pub step: Tensor<3>,
    /// `Δ x`, `[B, L, I]`.
    pub input: Tensor<3>,
    /// `B`, `[B, L, N]`.
    pub b: Tensor<3>,
    /// `C`, `[B, L, N]`.
    pub c: Tensor<3>,
}

impl Selected {
    /// Decay `exp(Δ A)` and input `Δ x B` of the states.
    ///
    /// # Shapes
    /// - a: `[I, N]`
    /// - outputs: `[B, L, I, N]` each
    pub fn terms(&self, a: &Tensor<2>) -> (Tensor<4>, Tensor<4>) {
        let decay = (self.step.clone().unsqueeze_dim::<4>(3) * a.clone().unsqueeze()).exp();
        let input = self.input.clone().unsqueeze_dim::<4>(3) * self.b.clone().unsqueeze_dim(2);
        (decay, input)
    }

    /// `C h` of states.
    ///
    /// # Shapes
    /// - states: `[B, L, I, N]`
    /// - output: `[B, L, I]`
    pub fn read(&self, states: Tensor<4>) -> Tensor<3> {
        states.matmul(self.c.clone().unsqueeze_dim(3)).squeeze_dim(3)
    }

    /// The first timesteps of all chunks, then the second ones, and so on. Timesteps that fill up the last
    /// chunk are zero: they decay nothing and add nothing.
    fn by_place(&self, chunks: usize, len: usize) -> Vec<Self> {
        let split = |x: &Tensor<3>| {
            let [batch, steps, width] = x.dims();
            let missing = chunks * len - steps;
            let x = match missing {
                0 => x.clone(),
                _ => Tensor::cat(vec![x.clone(), Tensor::zeros([batch, missing, width], &x.device())], 1),
            };
            x.reshape([batch, chunks, len, width])
        };
        let parts = [&self.step, &self.input, &self.b, &self.c].map(split);
        let place = |i| {
            let [step, input, b, c] = parts.each_ref().map(|x| x.clone().narrow(2, i, 1).squeeze_dim(2));
            Self { step, input, b, c }
        };
        (0..len).map(place).collect()
    }
}

/// Reads all states of a sequence that begins with `h = 0`: `[B, L, I]`; `a` is `[I, N]`.
///
/// A chunk's states are those it has by itself, plus what the chunks before leave to it, decayed. What they
/// leave is a recurrence of the same kind with one step per chunk, and goes through [`scan`]. So there are
/// `O(log L)` operations one after the other, and the large tensors of all timesteps are never put together.
pub(crate) fn selective_scan(selected: &Selected, a: &Tensor<2>) -> Tensor<3> {
    let [batch, len, inner] = selected.step.dims();
    let chunk = CHUNK.min(len);
    let chunks = len.div_ceil(chunk);
    let places = selected.by_place(chunks, chunk);
    // States of the chunk by itself, and how much of what was before is left.
    let mut states: Vec<(Tensor<4>, Tensor<4>)> = Vec::with_capacity(chunk);
    for place in &places {
        let (decay, input) = place.terms(a);
        states.push(match states.last() {
            None => (input, decay),
            Some((own, left)) => (decay.clone() * own.clone() + input, decay * left.clone()),
        });
    }
    let before = states.last().filter(|_| chunks > 1).map(|(own, left)| handed_on(own, left));
    let outputs = places.iter().zip(states).map(|(place, (own, left))| {
        place.read(match &before {
            Some(before) => own + left * before.clone(),
            None => own,
        })
    });
    let outputs = Tensor::stack::<4>(outputs.collect(), 2);
    outputs.reshape([batch, chunks * chunk, inner]).narrow(1, 0, len)
}

/// The state before every chunk, from what each makes by itself and what it leaves of the state before it.
fn handed_on(own: &Tensor<4>, left: &Tensor<4>) -> Tensor<4> {
    let [batch, chunks, inner, n] = own.dims();
    let flat = |x: &Tensor<4>| x.clone().narrow(1, 0, chunks - 1).reshape([batch, chunks - 1, inner * n]);
    let after = scan(flat(left), flat(own)).reshape([batch, chunks - 1, inner, n]);
    Tensor::cat(vec![Tensor::zeros([batch, 1, inner, n], &own.device()), after], 1)
}
