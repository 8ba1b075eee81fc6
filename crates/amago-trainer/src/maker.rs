//! Who makes the environments of an id: the one place that tells built-in ones from those of Python.

use amago_env::guard::{Guarded, guard};
use amago_env::registry::{self, OptionDoc};
use amago_env::{Env, EnvError, TaskSpec};
#[cfg(unix)]
use amago_gym::Gym;
use toml::Table;

use crate::EnvFactory;

/// What the id of a Python environment begins with.
pub const PYTHON_PREFIX: &str = "gym:";

/// Makes environments of one id, as many as are needed: built-in ones, those of Python where the id begins with `gym:`,
/// or a program's own.
#[derive(Clone)]
pub struct Maker(Kind);

#[derive(Clone)]
enum Kind {
    Own(EnvFactory),
    BuiltIn(String, Table),
    #[cfg(unix)]
    Python(Gym),
}

/// Gives the environment of a worker, by its number; asked again, one that takes its place.
pub(crate) type Crew = Box<dyn FnMut(usize) -> Result<Box<dyn Env>, EnvError> + Send>;

impl Maker {
    /// A maker of what a config calls `id`, with its options and `k_shot`. One of Python starts the interpreter.
    ///
    /// # Errors
    /// When there is no such environment, or Python cannot make it. Options of a built-in one are looked at when it is
    /// made.
    ///
    /// ```
    /// let maker = amago_trainer::Maker::new("tmaze-passive", &toml::Table::new())?;
    /// assert_eq!(maker.envs(3)?.len(), 3);
    /// # Ok::<(), amago_env::EnvError>(())
    /// ```
    pub fn new(id: &str, options: &Table) -> Result<Self, EnvError> {
        if id.starts_with(PYTHON_PREFIX) {
            return python(id, options);
        }
        Ok(Self(Kind::BuiltIn(id.to_owned(), options.clone())))
    }

    /// A maker that calls a program's own function.
    pub(crate) fn own(make: EnvFactory) -> Self {
        Self(Kind::Own(make))
    }

    /// One environment.
    ///
    /// # Errors
    /// When it cannot be made, or whoever makes it panics.
    pub fn env(&self) -> Result<Box<dyn Env>, EnvError> {
        guard(|| match &self.0 {
            Kind::Own(make) => make(),
            Kind::BuiltIn(id, options) => registry::make(id, options),
            #[cfg(unix)]
            Kind::Python(gym) => gym.env(),
        })
    }

    /// Environments that will be stepped together.
    ///
    /// # Errors
    /// As [`Maker::env`].
    pub fn envs(&self, n: usize) -> Result<Vec<Box<dyn Env>>, EnvError> {
        let mut crew = self.crew(n)?;
        (0..n).map(&mut crew).collect()
    }

    /// The same, each made when it is asked for.
    pub(crate) fn crew(&self, n: usize) -> Result<Crew, EnvError> {
        let _ = n;
        let one = self.clone();
        Ok(match &self.0 {
            #[cfg(unix)]
            Kind::Python(gym) => {
                // As a team: one round trip steps all copies of a worker. Nothing of them has been started.
                let mut team: Vec<_> = gym.envs(n)?.into_iter().map(Some).collect();
                Box::new(move |i| team.get_mut(i).and_then(Option::take).map_or_else(|| one.env(), Ok))
            }
            _ => Box::new(move |_| one.env()),
        })
    }

    /// Name, spaces and horizon: one environment is made and dropped again, which may both fail.
    ///
    /// # Errors
    /// As [`Maker::env`].
    pub fn spec(&self) -> Result<TaskSpec, EnvError> {
        Guarded::new(self.env()?).try_spec()
    }
}

#[cfg(unix)]
fn python(id: &str, options: &Table) -> Result<Maker, EnvError> {
    Ok(Maker(Kind::Python(Gym::new(id, options)?)))
}

#[cfg(not(unix))]
fn python(id: &str, _: &Table) -> Result<Maker, EnvError> {
    Err(EnvError::Failed(format!("{id}: environments of Python can be played on Unix only")))
}

/// The options of an environment by its id, `k_shot` among them, and what it is in one line.
///
/// # Errors
/// When there is no such environment.
pub fn describe_env(id: &str) -> Result<(String, Vec<OptionDoc>), EnvError> {
    #[cfg(unix)]
    if id.starts_with(PYTHON_PREFIX) {
        let summary = "a Python environment with the Gymnasium interface".to_owned();
        return Ok((summary, registry::with_k_shot(amago_gym::options())));
    }
    let spec = registry::find(id)?;
    Ok((spec.summary.to_owned(), spec.options()))
}
