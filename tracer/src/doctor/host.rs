//! What the agent can do on this host.

use crate::kernel::{self, Ability, Trial};
use crate::program::Rights;

/// The facts.
#[derive(Clone, Debug)]
pub struct Host {
    /// `uname -r`.
    pub release: String,
    /// What was tried.
    pub trials: [(Ability, Trial); Ability::ALL.len()],
    /// What the agent may do with other processes.
    pub rights: Rights,
}

impl Host {
    /// Tries everything.
    pub fn examine() -> Self {
        Host {
            release: kernel::release(),
            trials: kernel::try_host(),
            rights: Rights::now(),
        }
    }

    /// What came of a trial.
    pub(super) fn trial(&self, ability: Ability) -> &Trial {
        let mut trials = self.trials.iter();
        let found = trials.find(|(of, _)| *of == ability);
        found.map_or(&Trial::Untried, |(_, trial)| trial)
    }
}
