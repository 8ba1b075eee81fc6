//! Which crate checks which family of cases.

const SEQMODEL: &str = "amago-seqmodel";
const AGENT: &str = "amago-agent";
const REPLAY: &str = "amago-replay";

/// Longest matching prefix wins.
const FAMILIES: &[(&str, &str)] = &[
    ("norm_", SEQMODEL),
    ("activation_", SEQMODEL),
    ("symlog_symexp", SEQMODEL),
    ("input_norm", SEQMODEL),
    ("sigma_reparam_", SEQMODEL),
    ("mlp_", SEQMODEL),
    ("ffblock", SEQMODEL),
    ("attention_core", SEQMODEL),
    ("attention_layer_", SEQMODEL),
    ("transformer_layer_", SEQMODEL),
    ("pos_emb_fixed", SEQMODEL),
    ("pos_emb_rope", SEQMODEL),
    ("tformer_traj_encoder_", SEQMODEL),
    ("tformer_kv_cache_", SEQMODEL),
    ("gru_traj_encoder", SEQMODEL),
    ("ff_traj_encoder", SEQMODEL),
    ("mamba_", SEQMODEL),
    ("goal_ff_", SEQMODEL),
    ("goal_token_", SEQMODEL),
    ("drq_", SEQMODEL),
    ("ff_tstep_encoder_", SEQMODEL),
    ("cnn_tstep_encoder_", SEQMODEL),
    ("policy_discrete_", AGENT),
    ("policy_tanh_gaussian_", AGENT),
    ("policy_beta", AGENT),
    ("policy_gmm", AGENT),
    ("policy_multibinary", AGENT),
    ("actor_", AGENT),
    ("residual_actor", AGENT),
    ("ncritics_", AGENT),
    ("multigamma", AGENT),
    ("popart", AGENT),
    ("nstep_return_", AGENT),
    ("fbc_filters", AGENT),
    ("adamw_warmup_clip", AGENT),
    ("update_agent_", AGENT),
    ("update_multitask_", AGENT),
    ("random_slice_and_collate", REPLAY),
    ("trajectory_npz_example", REPLAY),
    ("hindsight_relabel_", REPLAY),
    ("exploration_", "amago-env"),
];

/// The case's family, without the underscore at its end, and the crate that checks it; `None` for an unknown family.
pub fn family(case: &str) -> Option<(&'static str, &'static str)> {
    let known = FAMILIES.iter().filter(|(prefix, _)| case.starts_with(prefix));
    let (prefix, owner) = known.max_by_key(|(prefix, _)| prefix.len())?;
    Some((prefix.trim_end_matches('_'), *owner))
}

/// Tensors that no checker looks at, by family, part of the name, and reason.
const NOT_COMPARED: &[(&str, &str, &str)] = &[
    ("", "rope.inv_freq", "the wavelengths of rotary positions are constants here"),
    ("pos_emb_rope", "buffer.inv_freq", "the wavelengths of rotary positions are constants here"),
    ("update_", ".grad.param.maximized_critics.", "untrained copies have no gradient here"),
    (
        "update_",
        ".out.clip_total_norm",
        "the original's norm counts untrained copies; the cleanclip cases do not",
    ),
    ("attention_layer_", "mid.qkv_flat", "inside the layer; its output and every gradient are compared"),
    ("attention_layer_", "in.pos_idxs", "means nothing without rotary positions"),
    ("transformer_layer_", "mid.", "inside the layer; its output and every gradient are compared"),
    ("transformer_layer_", "in.pos_idxs", "means nothing without rotary positions"),
    (
        "tformer_kv_cache_",
        "out.seq_lens_after",
        "a ring has no such length; the output of every step is compared",
    ),
    ("sigma_reparam_", "init.", "weights as drawn, before those of the case take their place"),
    ("random_slice_and_collate", "masked_avg", "a mean of losses, which the update_ families compare"),
];

/// Why a recorded tensor is not compared, if there is a reason.
pub fn not_compared(case: &str, tensor: &str) -> Option<&'static str> {
    let fits = |(family, part, _): &&(&str, &str, &str)| case.starts_with(family) && tensor.contains(part);
    NOT_COMPARED.iter().find(fits).map(|(.., reason)| *reason)
}
