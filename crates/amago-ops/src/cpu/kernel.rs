//! How a kernel on plain slices becomes a differentiable operation of Burn.

use std::fmt::Debug;
use std::mem::MaybeUninit;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, DispatchDevice, Flex};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};

use crate::shapes::entries;

/// A contiguous array of `f32`, row-major.
#[derive(Debug, Clone)]
pub(crate) struct Array(FlexTensor);

impl Array {
    pub(crate) fn new(data: Vec<f32>, dims: &[usize]) -> Self {
        assert_eq!(data.len(), entries(dims), "data and dims agree");
        let layout = Layout::contiguous(Shape::from(dims.to_vec()));
        Self(FlexTensor::new(Bytes::from_elems(data), layout, DType::F32))
    }

    /// An array that `write` fills.
    ///
    /// # Safety
    /// `write` must write every number.
    pub(crate) unsafe fn written(dims: &[usize], write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Self {
        // SAFETY: the caller's.
        Self::new(unsafe { written(entries(dims), write) }, dims)
    }

    pub(crate) fn data(&self) -> &[f32] {
        self.0.as_slice().expect("arrays are contiguous f32")
    }

    /// Copies first when somebody else holds the same data.
    pub(crate) fn data_mut(&mut self) -> &mut [f32] {
        // The storage of a view holds numbers of others as well: it is not handed out as a whole.
        if self.0.layout().start_offset() != 0 || self.0.storage::<f32>().len() != self.data().len() {
            *self = Self::new(self.data().to_vec(), &self.dims());
        }
        self.0.storage_mut()
    }

    /// As a tensor without history.
    pub(crate) fn on<const D: usize>(self, device: &Device) -> Tensor<D> {
        let tensor = Tensor::from_primitive::<Flex>(self.0);
        if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor }
    }

    pub(crate) fn dims(&self) -> Vec<usize> {
        self.0.layout().shape().to_vec()
    }
}

impl From<FlexTensor> for Array {
    fn from(tensor: FlexTensor) -> Self {
        assert_eq!(tensor.dtype(), DType::F32, "the fused kernels compute in f32");
        Self(if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() })
    }
}

/// As many numbers as `write` fills.
///
/// # Safety
/// `write` must write every number.
pub(super) unsafe fn written(len: usize, write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    // Not cleared first: that would pass over all of it once more.
    let mut data = Vec::with_capacity(len);
    write(&mut data.spare_capacity_mut()[..len]);
    // SAFETY: all of it is written.
    unsafe { data.set_len(len) };
    data
}

/// An operation on arrays with a hand-written gradient.
pub(crate) trait Kernel<const N: usize>: Debug + Send + 'static {
    /// What the backward pass needs beside the inputs.
    type Saved: Clone + Debug + Send + 'static;

    fn forward(&self, inputs: [&Array; N]) -> (Array, Self::Saved);

    /// Gradients of the inputs that want one, from the gradient of the output.
    fn backward(
        &self,
        inputs: [&Array; N],
        saved: Self::Saved,
        grad: Array,
        wanted: [bool; N],
    ) -> [Option<Array>; N];
}

/// A tensor that may have a gradient.
type AutodiffTensor = FloatTensor<Autodiff<Flex>>;

/// Whether the kernels run on this device.
pub(crate) fn runs_on(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// A tensor of any rank, with or without a gradient.
pub(crate) enum Input {
    Plain(FlexTensor),
    Recorded(AutodiffTensor),
}

impl<const D: usize> From<Tensor<D>> for Input {
    fn from(tensor: Tensor<D>) -> Self {
        const HERE: &str = "the kernels run on the CPU backend only";
        match tensor.device().is_autodiff() {
            true => Self::Recorded(tensor.try_into_primitive::<Autodiff<Flex>>().expect(HERE)),
            false => Self::Plain(tensor.try_into_primitive::<Flex>().expect(HERE)),
        }
    }
}

/// The values of a tensor that takes part without gradient.
pub(crate) fn constant<const D: usize>(tensor: Tensor<D>) -> Array {
    Array::from(match Input::from(tensor) {
        Input::Plain(tensor) => tensor,
        Input::Recorded(tensor) => tensor.into_primitive(),
    })
}

/// Runs a kernel, and records it where an input is recorded.
pub(crate) fn apply<K: Kernel<N>, const N: usize, const D: usize>(
    kernel: K,
    inputs: [Input; N],
) -> Tensor<D> {
    // Acting comes this way: nothing is recorded, so nothing is kept for a way back.
    if inputs.iter().all(|input| matches!(input, Input::Plain(_))) {
        let arrays = inputs.map(|input| match input {
            Input::Plain(tensor) => Array::from(tensor),
            Input::Recorded(_) => unreachable!("all inputs are plain"),
        });
        return Tensor::from_primitive::<Flex>(kernel.forward(arrays.each_ref()).0.0);
    }
    let recorded = inputs.map(|input| match input {
        // Joins as a constant: nobody asks for its gradient.
        Input::Plain(tensor) => AutodiffTensor::new(tensor),
        Input::Recorded(tensor) => tensor,
    });
    let guards = recorded.each_ref().map(AutodiffTensor::node);
    let arrays = recorded.map(|tensor| Array::from(tensor.into_primitive()));
    let (output, saved) = kernel.forward(arrays.each_ref());
    // What a kernel saves stays as it is. Whether parts are computed again is for the agent to say
    // (`optim.gradient_checkpointing`), which knows larger ones.
    let prepared = Recorded(kernel).prepare::<NoCheckpointing>(guards).compute_bound().stateful();
    Tensor::from_primitive::<Autodiff<Flex>>(match prepared {
        OpsKind::Tracked(prep) => prep.finish((arrays, saved), output.0),
        OpsKind::UnTracked(prep) => prep.finish(output.0),
    })
}

/// The backward step of a kernel.
#[derive(Debug)]
struct Recorded<K>(K);

impl<K: Kernel<N>, const N: usize> Backward<Flex, N> for Recorded<K> {
    type State = ([Array; N], K::Saved);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = Array::from(grads.consume::<Flex>(&ops.node));
        let (inputs, saved) = ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = self.0.backward(inputs.each_ref(), saved, grad, wanted);
        for (parent, gradient) in ops.parents.iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient.0);
            }
        }
    }
}
