//! What `tracer doctor` prints. Names that come from the process are made fit to print.

use super::cost::costs;
use super::host::Host;
use super::target::{Rates, Target};
use super::verdict::{Mark, Verdict, findings};
use crate::program::ProfilerState;
use crate::program::text::printable;
use crate::units;
use anstyle::{AnsiColor, Style};
use std::fmt::{self, Write as _};

/// The lines about the host.
///
/// # Errors
/// Never: writing to a string does not fail.
pub fn of_host(host: &Host, color: bool) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for finding in findings(host) {
        let (mark, hue) = match finding.mark {
            Mark::Good => ("ok", Some(AnsiColor::Green)),
            Mark::Less => ("less", Some(AnsiColor::Yellow)),
            Mark::Bad => ("FAIL", Some(AnsiColor::Red)),
            Mark::Unknown => ("-", None),
        };
        let style = Style::new().fg_color(hue.filter(|_| color).map(Into::into));
        writeln!(
            text,
            "{style}{mark:>4}{style:#}  {:<10} {}",
            finding.what, finding.found
        )?;
    }
    Ok(text)
}

/// The lines about a process; `budget` is that of mode auto, 0 to 1.
///
/// # Errors
/// Never: writing to a string does not fail.
pub fn of_target(target: &Target, budget: f64) -> Result<String, fmt::Error> {
    let mut text = format!(
        "\npid {}: {}\n{}\n\n",
        target.pid,
        printable(&target.exe),
        printable(&target.build)
    );
    let memory = match &target.memory {
        Ok(means) => format!("read through {means}"),
        Err(why) => format!("cannot be read: {}", printable(why)),
    };
    for (name, value) in [
        ("memory", memory),
        ("heap profiler", profiler(target)),
        ("memory limit", limits(target)),
        ("allocates", allocates(target.rates.as_ref())),
    ] {
        writeln!(text, "{name:<13}  {value}")?;
    }
    writeln!(
        text,
        "\nEstimated share of its CPU time that a capture takes:"
    )?;
    for cost in costs(target, budget) {
        let share = match cost.share {
            None => units::UNKNOWN.to_owned(),
            Some(share) => {
                let percent = units::percent(Some(100.0 * share));
                match (cost.at_most, percent.starts_with('<')) {
                    (true, false) => format!("at most {percent}"),
                    (false, false) => format!("about {percent}"),
                    (_, true) => percent,
                }
            }
        };
        writeln!(text, "{:<13}  {share:<14}  {}", cost.mode, cost.basis)?;
    }
    Ok(text)
}

fn profiler(target: &Target) -> String {
    match &target.profiler {
        Ok(ProfilerState::On { rate_bytes }) => {
            format!("on, one sample in {}", units::bytes(*rate_bytes))
        }
        Ok(ProfilerState::Off { linked: true }) => {
            "off: the program has set MemProfileRate to 0. Live memory is not available".to_owned()
        }
        Ok(ProfilerState::Off { linked: false }) => {
            "off: importing net/http/pprof turns it on. Live memory is not available".to_owned()
        }
        Err(why) => format!("not known: {}", printable(why)),
    }
}

fn limits(target: &Target) -> String {
    let group = target.group_limit.map_or_else(
        || "none".to_owned(),
        |limit| format!("{} (control group)", units::bytes(limit)),
    );
    let go = match (target.go_limit, &target.rates) {
        (Some(limit), _) => units::bytes(limit),
        (None, Some(_)) => "none".to_owned(),
        (None, None) => "not known".to_owned(),
    };
    format!("{group}, GOMEMLIMIT {go}")
}

fn allocates(rates: Option<&Rates>) -> String {
    let Some(rates) = rates else {
        return "not known: the runtime's counters cannot be read".to_owned();
    };
    let allocs = rates.allocs_per_s.map_or_else(String::new, |allocs| {
        format!(
            ", {} allocations/s",
            units::amount(Some(allocs), false, false)
        )
    });
    format!(
        "{}{allocs}, with {} of a CPU (the runtime's counters, read twice in {:.1} s)",
        units::byte_rate(Some(rates.bytes_per_s)),
        units::percent(Some(100.0 * rates.cpus)),
        rates.over_s
    )
}

/// The last lines: what works, what does not, and what to do.
///
/// # Errors
/// Never: writing to a string does not fail.
pub fn of_verdict(verdict: &Verdict) -> Result<String, fmt::Error> {
    let mut text = format!("\nWorks here: {}.\n", verdict.works.join(", "));
    if verdict.works.is_empty() {
        text = "\nNothing works here.\n".to_owned();
    }
    for (what, todo) in &verdict.missing {
        writeln!(text, "Not here: {what}. To do: {todo}.")?;
    }
    Ok(text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::doctor::verdict::verdict;
    use crate::kernel::{Ability, HitCost, Trial};
    use crate::program::{Means, Rights};

    /// A process with the usual profiler, on a host where a hit takes a microsecond.
    pub(in crate::doctor) fn target() -> Target {
        Target {
            pid: 4242,
            exe: "/srv/check\x1b[2Jout".to_owned(),
            build: "go1.27.3 amd64, stripped: no, position independent: no, cgo: no".to_owned(),
            memory: Ok(Means::File),
            profiler: Ok(ProfilerState::On {
                rate_bytes: 524_288,
            }),
            group_limit: Some(512 << 20),
            go_limit: Some(400 << 20),
            rates: Some(Rates {
                over_s: 0.5,
                bytes_per_s: 52_428_800.0,
                allocs_per_s: Some(200_000.0),
                cpus: 0.2,
            }),
            hit_cost: Some(HitCost {
                recorded_ns: 1000.0,
                silent_ns: 800.0,
            }),
        }
    }

    #[test]
    fn a_process_is_described_and_each_mode_has_its_price() {
        let expected = "
pid 4242: /srv/check\u{fffd}[2Jout
go1.27.3 amd64, stripped: no, position independent: no, cgo: no

memory         read through /proc/PID/mem
heap profiler  on, one sample in 512 KiB
memory limit   512 MiB (control group), GOMEMLIMIT 400 MiB
allocates      50 MiB/s, 200k allocations/s, with 20.0 % of a CPU (the runtime's counters, read twice in 0.5 s)

Estimated share of its CPU time that a capture takes:
exact          about 50.0 %    200k allocations/s, 1 µs each
auto           at most 5.0 %   the budget; the busiest functions are sampled
sampled        about 0.1 %     100 samples/s, 3 µs each with its free
";
        assert_eq!(of_target(&target(), 0.05).unwrap(), expected);
    }

    #[test]
    fn what_is_not_known_of_a_process_is_not_shown_as_nothing() {
        let unread = Target {
            memory: Err("not allowed to read the memory of process 4242".to_owned()),
            profiler: Err("cannot read the runtime's heap profile".to_owned()),
            group_limit: None,
            go_limit: None,
            rates: None,
            hit_cost: None,
            ..target()
        };
        let expected = "
memory         cannot be read: not allowed to read the memory of process 4242
heap profiler  not known: cannot read the runtime's heap profile
memory limit   none, GOMEMLIMIT not known
allocates      not known: the runtime's counters cannot be read

Estimated share of its CPU time that a capture takes:
exact          -               what it allocates cannot be read
auto           -               what it allocates cannot be read
sampled        -               what it allocates cannot be read
";
        let text = of_target(&unread, 0.05).unwrap();
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn the_host_has_a_line_for_each_thing_and_a_verdict() {
        let mut host = Host {
            release: "6.1.0".to_owned(),
            trials: Ability::ALL.map(|ability| (ability, Trial::Works)),
            rights: Rights {
                ptrace: true,
                read_files: true,
                in_user_namespace: false,
                is_memory_locked: false,
            },
        };
        let all_well = "  ok  kernel     6.1.0
  ok  agent      eBPF programs embedded
  ok  privilege  CAP_SYS_ADMIN
  ok  BTF        the kernel describes its types
  ok  eBPF       the kernel accepts the programs that record
  ok  uprobes    a probe was attached to tracer itself
  ok  faults     a page fault event was opened
  ok  processes  those of every user can be read
";
        assert_eq!(of_host(&host, false).unwrap(), all_well);
        assert_eq!(
            of_verdict(&verdict(&host)).unwrap(),
            "
Works here: captures in every mode, page faults, the heap profile (tracer heap), processes of other users.
"
        );
        host.trials[5].1 = Trial::Fails("cannot attach to page faults: EPERM".to_owned());
        host.rights.ptrace = false;
        let text = of_host(&host, false).unwrap();
        assert!(text.contains("\nless  faults     cannot attach"), "{text}");
        assert_eq!(
            of_verdict(&verdict(&host)).unwrap(),
            "
Works here: captures in every mode, the heap profile (tracer heap).
Not here: page faults. To do: the kernel needs CONFIG_PERF_EVENTS and CONFIG_BPF_EVENTS.
Not here: processes of other users. To do: run as root, or with the capability CAP_SYS_PTRACE.
"
        );
    }
}
