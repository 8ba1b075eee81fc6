//! What can go wrong with a worker.

use amago_env::EnvError;

/// A failure of a Python environment or of the worker that plays it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum GymError {
    /// An option cannot be used; the message begins with its name.
    #[error("{0}")]
    Option(String),
    /// The interpreter cannot be started.
    #[error("python \"{python}\" cannot be started: {cause}")]
    Interpreter {
        /// The interpreter as it was named.
        python: String,
        /// Why not.
        cause: String,
    },
    /// The environment cannot be made; ends with the Python traceback.
    #[error("the environment cannot be made: {0}")]
    Make(String),
    /// The environment raised an exception; ends with its traceback. Other copies are not concerned.
    #[error("the environment failed: {0}")]
    Raised(String),
    /// The spaces cannot be used.
    #[error("{0}")]
    Spaces(String),
    /// The worker process is gone: it ended, did not answer in time, or broke the protocol. Ends with where Python was,
    /// if that is known.
    #[error("the Python worker {0}")]
    Lost(String),
}

impl From<GymError> for EnvError {
    fn from(error: GymError) -> Self {
        EnvError::Failed(error.to_string())
    }
}
