//! A trajectory encoder of any kind, and its rollout state.

use std::any::Any;
use std::fmt::Debug;

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Int, Tensor};

use crate::erased::{AnyMapper, AnyVisitor, Erase, Restore};
use crate::{EncoderState, Replay, SequenceEncoder};

/// Turns a sequence of encoded timesteps into one state representation per timestep.
///
/// Holds any [`SequenceEncoder`]. It is a module like any other: optimisers, copies, checkpoints and
/// gradient clipping see the parameters of the encoder inside, under the encoder's own names.
///
/// # Shapes
/// - x: `[B, L, d_input]`, times: `[B, L]`; of a step `L` is one
/// - output: `[B, L, d_output]`
#[derive(Debug)]
pub struct TrajEncoder(Box<dyn AnyEncoder>);

/// What an encoder carries from step to step of a rollout. One row per environment.
#[derive(Debug)]
pub struct RolloutState(Box<dyn AnyState>);

impl TrajEncoder {
    /// Wraps an encoder.
    pub fn new<E: SequenceEncoder>(encoder: E) -> Self {
        Self(Box::new(encoder))
    }

    /// Output width.
    pub fn d_output(&self) -> usize {
        self.0.any_d_output()
    }

    /// Whole sequences: see [`SequenceEncoder::forward_seq`].
    pub fn forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        self.0.any_forward_seq(x, times)
    }

    /// Parts of the pass over whole sequences: see [`SequenceEncoder::segments`].
    pub fn segments(&self) -> usize {
        self.0.any_segments()
    }

    /// One of those parts: see [`SequenceEncoder::forward_segment`].
    pub fn forward_segment(&self, segment: usize, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        self.0.any_forward_segment(segment, x, times)
    }

    /// One new timestep per row: see [`SequenceEncoder::forward_step`].
    ///
    /// # Panics
    /// When the state was made by another kind of encoder or for another number of rows.
    pub fn forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, state: &mut RolloutState) -> Tensor<3> {
        self.0.any_forward_step(x, times, state)
    }

    /// The state before the first step of `batch` rows: see [`SequenceEncoder::rollout_state`].
    pub fn rollout_state(&self, batch: usize, context: usize, device: &Device) -> RolloutState {
        self.0.any_rollout_state(batch, context, device)
    }

    /// Which inputs of a running episode make its state again.
    pub fn replay(&self, context: usize) -> Replay {
        self.0.any_replay(context)
    }

    /// For looking at: see [`SequenceEncoder::attention`].
    pub fn attention(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Vec<Tensor<4>> {
        self.0.any_attention(x, times)
    }

    /// A copy that is cheap to call: see [`SequenceEncoder::for_acting`].
    pub fn for_acting(&self) -> Self {
        self.0.any_for_acting()
    }

    /// What a training step does before its forward pass, such as one power iteration of every
    /// σ-reparam linear.
    pub fn begin_update(&mut self) {
        self.0.any_begin_update();
    }
}

impl RolloutState {
    /// Forgets one row, when its episode is over.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn reset(&mut self, row: usize) {
        self.0.any_reset(row);
    }

    /// What a row carries: see [`EncoderState::row`], also for when it panics.
    pub fn row(&self, row: usize) -> Option<Vec<f32>> {
        self.0.any_row(row)
    }

    /// Puts that back: see [`EncoderState::set_row`], also for when it panics.
    pub fn set_row(&mut self, row: usize, values: &[f32]) {
        self.0.any_set_row(row, values);
    }
}

/// [`SequenceEncoder`] and [`Module`] without generics.
trait AnyEncoder: Debug + Send + Sync {
    fn any_d_output(&self) -> usize;
    fn any_forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3>;
    fn any_segments(&self) -> usize;
    fn any_forward_segment(&self, segment: usize, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3>;
    fn any_forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, state: &mut RolloutState) -> Tensor<3>;
    fn any_rollout_state(&self, batch: usize, context: usize, device: &Device) -> RolloutState;
    fn any_replay(&self, context: usize) -> Replay;
    fn any_attention(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Vec<Tensor<4>>;
    fn any_for_acting(&self) -> TrajEncoder;
    fn any_begin_update(&mut self);

    fn any_clone(&self) -> TrajEncoder;
    fn any_visit(&self, visitor: &mut dyn AnyVisitor);
    fn any_map(self: Box<Self>, mapper: &mut dyn AnyMapper) -> TrajEncoder;
    fn any_devices(&self, devices: Devices) -> Devices;
    fn any_fork(self: Box<Self>, device: &Device) -> TrajEncoder;
    fn any_to_device(self: Box<Self>, device: &Device) -> TrajEncoder;
    fn any_train(self: Box<Self>) -> TrajEncoder;
    fn any_valid(&self) -> TrajEncoder;
    fn any_materialize(self: Box<Self>) -> TrajEncoder;
}

impl<E: SequenceEncoder> AnyEncoder for E {
    fn any_d_output(&self) -> usize {
        self.d_output()
    }

    fn any_forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        self.forward_seq(x, times)
    }

    fn any_segments(&self) -> usize {
        self.segments()
    }

    fn any_forward_segment(&self, segment: usize, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        self.forward_segment(segment, x, times)
    }

    fn any_forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, state: &mut RolloutState) -> Tensor<3> {
        let state = state.0.as_any().downcast_mut::<E::State>();
        self.forward_step(x, times, state.expect("the rollout state belongs to another kind of encoder"))
    }

    fn any_rollout_state(&self, batch: usize, context: usize, device: &Device) -> RolloutState {
        RolloutState(Box::new(self.rollout_state(batch, context, device)))
    }

    fn any_replay(&self, context: usize) -> Replay {
        self.replay(context)
    }

    fn any_attention(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Vec<Tensor<4>> {
        self.attention(x, times)
    }

    fn any_for_acting(&self) -> TrajEncoder {
        TrajEncoder::new(self.for_acting())
    }

    fn any_begin_update(&mut self) {
        self.begin_update();
    }

    fn any_clone(&self) -> TrajEncoder {
        TrajEncoder::new(self.clone())
    }

    fn any_visit(&self, visitor: &mut dyn AnyVisitor) {
        self.visit(&mut Erase(visitor));
    }

    fn any_map(self: Box<Self>, mapper: &mut dyn AnyMapper) -> TrajEncoder {
        TrajEncoder::new((*self).map(&mut Erase(mapper)))
    }

    fn any_devices(&self, devices: Devices) -> Devices {
        self.collect_devices(devices)
    }

    fn any_fork(self: Box<Self>, device: &Device) -> TrajEncoder {
        TrajEncoder::new((*self).fork(device))
    }

    fn any_to_device(self: Box<Self>, device: &Device) -> TrajEncoder {
        TrajEncoder::new((*self).to_device(device))
    }

    fn any_train(self: Box<Self>) -> TrajEncoder {
        TrajEncoder::new((*self).train())
    }

    fn any_valid(&self) -> TrajEncoder {
        TrajEncoder::new(self.valid())
    }

    fn any_materialize(self: Box<Self>) -> TrajEncoder {
        TrajEncoder::new((*self).materialize())
    }
}

/// [`EncoderState`] without `Clone`, which has no place in a box.
trait AnyState: Debug + Send {
    fn any_reset(&mut self, row: usize);
    fn any_row(&self, row: usize) -> Option<Vec<f32>>;
    fn any_set_row(&mut self, row: usize, values: &[f32]);
    fn any_clone(&self) -> RolloutState;
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<S: EncoderState> AnyState for S {
    fn any_reset(&mut self, row: usize) {
        self.reset(row);
    }

    fn any_row(&self, row: usize) -> Option<Vec<f32>> {
        self.row(row)
    }

    fn any_set_row(&mut self, row: usize, values: &[f32]) {
        self.set_row(row, values);
    }

    fn any_clone(&self) -> RolloutState {
        RolloutState(Box::new(self.clone()))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl Clone for TrajEncoder {
    fn clone(&self) -> Self {
        self.0.any_clone()
    }
}

impl Clone for RolloutState {
    fn clone(&self) -> Self {
        self.0.any_clone()
    }
}

impl Module for TrajEncoder {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.any_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.0.any_fork(device)
    }

    fn to_device(self, device: &Device) -> Self {
        self.0.any_to_device(device)
    }

    fn train(self) -> Self {
        self.0.any_train()
    }

    fn valid(&self) -> Self {
        self.0.any_valid()
    }

    fn materialize(self) -> Self {
        self.0.any_materialize()
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.any_visit(&mut Restore(visitor));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.0.any_map(&mut Restore(mapper))
    }
}

impl ModuleDisplayDefault for TrajEncoder {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&format!("{:?}", self.0)).optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for TrajEncoder {}
