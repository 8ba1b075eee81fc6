//! Which crate checks which family of cases.

/// Who checks a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A crate of the workspace.
    Crate(&'static str),
    /// A part that is not built yet, with its name.
    Pending(&'static str),
}

const SEQMODEL: Owner = Owner::Crate("amago-seqmodel");
const AGENT: Owner = Owner::Crate("amago-agent");
const REPLAY: Owner = Owner::Crate("amago-replay");

/// Longest matching prefix wins.
const FAMILIES: &[(&str, Owner)] = &[
    ("norm_", SEQMODEL),
    ("activation_", SEQMODEL),
    ("activation_adaptive", Owner::Pending("adaptive activation")),
    ("symlog_symexp", SEQMODEL),
    ("input_norm", SEQMODEL),
    ("sigma_reparam_", SEQMODEL),
    ("mlp_", SEQMODEL),
    ("ffblock", SEQMODEL),
    ("attention_core", SEQMODEL),
    ("attention_layer_", SEQMODEL),
    ("transformer_layer_", SEQMODEL),
    ("pos_emb_fixed", SEQMODEL),
    ("pos_emb_rope", Owner::Pending("rotary positions")),
    ("tformer_traj_encoder_", SEQMODEL),
    ("tformer_kv_cache_", SEQMODEL),
    ("gru_traj_encoder", Owner::Pending("GRU")),
    ("ff_traj_encoder", SEQMODEL),
    ("ff_tstep_encoder_", SEQMODEL),
    ("cnn_tstep_encoder_", Owner::Pending("CNN timestep encoders")),
    ("policy_discrete_", AGENT),
    ("policy_", Owner::Pending("continuous and multi-binary policies")),
    ("actor_discrete", AGENT),
    ("actor_continuous", Owner::Pending("continuous policies")),
    ("residual_actor", Owner::Pending("residual actor")),
    ("ncritics_discrete", AGENT),
    ("ncritics_continuous", Owner::Pending("continuous actions")),
    ("ncritics_twohot_", AGENT),
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
    ("exploration_", Owner::Crate("amago-env")),
];

/// Owner of the case's family, or `None` for an unknown family.
pub fn owner(case: &str) -> Option<Owner> {
    FAMILIES
        .iter()
        .filter(|(prefix, _)| case.starts_with(prefix))
        .max_by_key(|(p, _)| p.len())
        .map(|(_, o)| *o)
}
