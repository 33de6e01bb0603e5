//! From what was tried to what works here, what does not, and what to do about that. Pure.

use super::host::Host;
use crate::kernel::{Ability, Trial};
use crate::program::Remedy;

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It works.
    Good,
    /// Captures work without it.
    Less,
    /// Captures do not work without it.
    Bad,
    /// Not known, because something before it is missing.
    Unknown,
}

/// One line about the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How good it is.
    pub mark: Mark,
    /// What it is about.
    pub what: &'static str,
    /// What was found.
    pub found: String,
}

/// What follows for the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What works.
    pub works: Vec<&'static str>,
    /// What does not, and what to do.
    pub missing: Vec<(&'static str, String)>,
    /// Whether processes can be traced here.
    pub can_trace: bool,
}

const CAPTURES: &str = "captures in every mode";
const FAULTS: &str = "page faults";
const HEAP: &str = "the heap profile (tracer heap)";
const OTHERS: &str = "processes of other users";

/// The lines about the host.
pub(super) fn findings(host: &Host) -> Vec<Finding> {
    let kernel = Finding {
        mark: Mark::Good,
        what: "kernel",
        found: host.release.clone(),
    };
    let tried = host.trials.iter().map(|(ability, trial)| {
        let (what, good) = words(*ability);
        let (mark, found) = match trial {
            Trial::Works => (Mark::Good, good.to_owned()),
            Trial::Fails(told) if *ability == Ability::Faults => (Mark::Less, told.clone()),
            Trial::Fails(told) => (Mark::Bad, told.clone()),
            Trial::Untried => (Mark::Unknown, "not tried".to_owned()),
        };
        Finding { mark, what, found }
    });
    let (mark, found) = match (host.rights.ptrace, host.rights.read_files) {
        (true, true) => (Mark::Good, "those of every user can be read"),
        (true, false) => (
            Mark::Less,
            "of other users only what no file mode protects (no CAP_DAC_READ_SEARCH)",
        ),
        (false, _) => (Mark::Less, "only your own can be read (no CAP_SYS_PTRACE)"),
    };
    let processes = Finding {
        mark,
        what: "processes",
        found: found.to_owned(),
    };
    std::iter::once(kernel)
        .chain(tried)
        .chain([processes])
        .collect()
}

/// What an ability is called, and what it means that it is there.
fn words(ability: Ability) -> (&'static str, &'static str) {
    match ability {
        Ability::Agent => ("agent", "eBPF programs embedded"),
        Ability::Privilege => ("privilege", "CAP_SYS_ADMIN"),
        Ability::Btf => ("BTF", "the kernel describes its types"),
        Ability::Programs => ("eBPF", "the kernel accepts the programs that record"),
        Ability::Probes => ("uprobes", "a probe was attached to tracer itself"),
        Ability::Faults => ("faults", "a page fault event was opened"),
    }
}

/// What follows from the facts.
pub fn verdict(host: &Host) -> Verdict {
    let mut verdict = Verdict {
        can_trace: true,
        ..Verdict::default()
    };
    for (ability, trial) in &host.trials {
        if let Trial::Fails(_) = trial {
            let (what, todo) = remedy(*ability);
            verdict.can_trace &= *ability == Ability::Faults;
            verdict.missing.push((what, todo.to_owned()));
        }
    }
    if verdict.can_trace {
        verdict.works.push(CAPTURES);
        if *host.trial(Ability::Faults) == Trial::Works {
            verdict.works.push(FAULTS);
        }
    }
    verdict.works.push(HEAP);
    let rights = host.rights;
    if rights.is_memory_locked {
        verdict.works.retain(|what| *what != HEAP);
        verdict.missing.push((HEAP, Remedy::Yama.to_string()));
    }
    if !rights.ptrace {
        verdict.missing.push((OTHERS, Remedy::Ptrace.to_string()));
    } else if rights.read_files {
        verdict.works.push(OTHERS);
    } else {
        // Nearly everything of them can be read in another way.
        let todo =
            "add the capability CAP_DAC_READ_SEARCH if an executable of theirs cannot be opened";
        verdict.works.push(OTHERS);
        verdict
            .missing
            .push(("files that only another user may read", todo.to_owned()));
    }
    verdict
}

/// What does not work without an ability, and what to do about it.
fn remedy(ability: Ability) -> (&'static str, &'static str) {
    match ability {
        Ability::Agent => (CAPTURES, "build tracer with `cargo xtask build`"),
        Ability::Privilege => (CAPTURES, "run as root (sudo), or with CAP_SYS_ADMIN"),
        Ability::Btf => (CAPTURES, "the kernel needs CONFIG_DEBUG_INFO_BTF"),
        Ability::Programs => (
            CAPTURES,
            "the kernel needs CONFIG_BPF_SYSCALL, bpf_loop (Linux 5.17), and no lockdown of BPF",
        ),
        Ability::Probes => (CAPTURES, "the kernel needs CONFIG_UPROBE_EVENTS"),
        Ability::Faults => (
            FAULTS,
            "the kernel needs CONFIG_PERF_EVENTS and CONFIG_BPF_EVENTS",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Rights;

    fn able() -> Host {
        Host {
            release: "6.1.0".to_owned(),
            trials: Ability::ALL.map(|ability| (ability, Trial::Works)),
            rights: Rights {
                ptrace: true,
                read_files: true,
                in_user_namespace: false,
                is_memory_locked: false,
            },
        }
    }

    /// A host without one ability, and without what needs it.
    fn without(missing: Ability) -> Host {
        let mut host = able();
        let mut after = false;
        for (ability, trial) in &mut host.trials {
            if *ability == missing {
                *trial = Trial::Fails("Operation not permitted".to_owned());
                after = missing != Ability::Btf;
            } else if after {
                *trial = Trial::Untried;
            }
        }
        host
    }

    #[test]
    fn a_host_that_has_everything_lacks_nothing() {
        let found = verdict(&able());
        assert_eq!(found.works, [CAPTURES, FAULTS, HEAP, OTHERS]);
        assert_eq!(found.missing, []);
        assert!(found.can_trace);
        assert!(findings(&able()).iter().all(|of| of.mark == Mark::Good));
    }

    #[test]
    fn each_missing_ability_has_its_own_remedy() {
        let check = |missing: Ability, remedy: &str| {
            let found = verdict(&without(missing));
            let [(what, todo)] = &found.missing[..] else {
                panic!("{found:?}")
            };
            assert!(todo.contains(remedy), "{todo}");
            let is_less = missing == Ability::Faults;
            assert_eq!(*what, if is_less { FAULTS } else { CAPTURES });
            assert_eq!(found.can_trace, is_less);
            assert_eq!(found.works.contains(&CAPTURES), is_less);
            assert!(found.works.contains(&HEAP), "{found:?}");
            let bad = if is_less { Mark::Less } else { Mark::Bad };
            let marked = findings(&without(missing));
            let marked = marked.iter().filter(|of| of.mark == bad);
            assert_eq!(marked.count(), 1);
        };
        check(Ability::Agent, "cargo xtask build");
        check(Ability::Privilege, "CAP_SYS_ADMIN");
        check(Ability::Btf, "CONFIG_DEBUG_INFO_BTF");
        check(Ability::Programs, "CONFIG_BPF_SYSCALL");
        check(Ability::Probes, "CONFIG_UPROBE_EVENTS");
        check(Ability::Faults, "CONFIG_BPF_EVENTS");
    }

    #[test]
    fn each_missing_right_has_its_own_remedy() {
        let check = |change: fn(&mut Rights), what: &str, remedy: &str| {
            let mut host = able();
            change(&mut host.rights);
            let found = verdict(&host);
            let [(missing, todo)] = &found.missing[..] else {
                panic!("{found:?}")
            };
            assert_eq!(*missing, what);
            assert!(todo.contains(remedy), "{todo}");
            assert!(found.can_trace);
        };
        check(|rights| rights.ptrace = false, OTHERS, "CAP_SYS_PTRACE");
        check(
            |rights| rights.read_files = false,
            "files that only another user may read",
            "CAP_DAC_READ_SEARCH",
        );
        check(
            |rights| rights.is_memory_locked = true,
            HEAP,
            "ptrace_scope",
        );
    }
}
