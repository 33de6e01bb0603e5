//! The rights that the systemd unit gives are enough for a service of another user, and where rights are missing it is
//! said which.

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use serde_json::Value;
use std::process::Command;
use tracer::program::{GoBinary, Means, Process, RuntimePc};
use tracer_tests::{
    Agent, Finished, Program, assert_accounted, lost, newest_go, number, program_path, tracer,
};

/// The unit as it is shipped.
const UNIT: &str = include_str!("../../xtask/src/dist/tracer@.service");
/// The user of the service: nobody.
const SERVICE: [&str; 4] = [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
];
const SCENE: [&str; 6] = ["-rate", "65536", "-leak", "32000000", "-churn", "32000000"];

/// The value of a setting of the unit; empty if it has none.
fn setting(name: &str) -> &'static str {
    let mut settings = UNIT.lines().filter_map(|line| line.split_once('='));
    let found = settings.find(|(setting, _)| *setting == name);
    found.map_or("", |(_, value)| value)
}

/// What systemd makes of the unit's rights, as root with these capabilities and no others, to be followed by a command.
fn with_capabilities(names: &[&str]) -> Command {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!(",+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--bounding-set=-all{}", names.concat()))
        .args(["--inh-caps=-all", "--no-new-privs", "--"])
        .arg(tracer().get_program());
    command
}

/// The capabilities of the unit.
fn unit_capabilities() -> Vec<&'static str> {
    let capabilities: Vec<&str> = setting("CapabilityBoundingSet")
        .split_whitespace()
        .collect();
    assert!(capabilities.len() > 1, "{capabilities:?}");
    capabilities
}

/// The same without the one that opens files of other users.
fn without_files() -> Vec<&'static str> {
    let mut capabilities = unit_capabilities();
    capabilities.retain(|name| *name != "CAP_DAC_READ_SEARCH");
    assert!(capabilities.len() < unit_capabilities().len());
    capabilities
}

/// The program that leaks, as a service of another user.
fn service() -> Program {
    service_of("leak", &SCENE)
}

/// A program of the tests, run as a service of another user is.
fn service_of(name: &str, scene: &[&str]) -> Program {
    let mut command = Command::new("setpriv");
    command
        .args(SERVICE)
        .arg("--")
        .arg(program_path(&newest_go(), name))
        .args(scene);
    let program = Program::spawn(&mut command);
    program.wait_for("ready");
    program
}

/// Runs `tracer` with so many rights to its end.
fn run(capabilities: &[&str], arguments: &[&str]) -> Finished {
    Agent::spawn(with_capabilities(capabilities).args(arguments)).wait()
}

/// Traces a program's scene twice at the same time: as root, and with these capabilities. Gives both captures, and the
/// program's own figures.
fn traced_by_both(mut program: Program, capabilities: &[&str], mode: &str) -> ([Value; 2], Value) {
    let commands = [tracer(), with_capabilities(capabilities)];
    let agents = commands.map(|command| {
        let agent = Agent::record_by(command, program.pid(), &["--mode", mode]);
        agent.wait_attached();
        agent
    });
    program.go_on();
    program.wait_for("done");
    let captures = agents.map(|agent| agent.interrupt().capture());
    program.go_on();
    let report = serde_json::from_str(&program.line()).expect("the program's figures");
    for capture in &captures {
        assert_accounted(capture);
        assert_eq!(lost(capture), 0, "{}", capture["completeness"]);
    }
    (captures, report)
}

/// Nothing else of the unit decides what may be read of another process, or this file would have to know it.
#[test]
fn the_unit_has_no_rights_but_those_that_are_tried_here() {
    assert_eq!(setting("NoNewPrivileges"), "yes");
    for unknown in [
        "User",
        "DynamicUser",
        "AmbientCapabilities",
        "SystemCallFilter",
        "ProtectProc",
        "ProcSubset",
        "PrivateUsers",
        "RootDirectory",
    ] {
        assert_eq!(setting(unknown), "", "{unknown}");
    }
}

#[test]
fn samples_of_another_users_service_are_those_that_root_sees() {
    for capabilities in [unit_capabilities(), without_files()] {
        let ([root, unit], _) = traced_by_both(service(), &capabilities, "sampled");
        assert!(number(&root, "/heap/samples") > 300, "{}", root["heap"]);
        for capture in [&root, &unit] {
            assert_eq!(capture["heap"]["source"], "profiler", "{capabilities:?}");
            assert_eq!(capture["heap"]["reason"], Value::Null, "{capabilities:?}");
        }
        for figure in ["/heap/samples", "/heap/frees", "/heap/history/bytes"] {
            let (root, unit) = (number(&root, figure), number(&unit, figure));
            assert_eq!(root, unit, "{figure}, {capabilities:?}");
        }
    }
}

#[test]
fn every_allocation_of_another_users_service_is_recorded() {
    let program = service_of("known", &[]);
    let (captures, report) = traced_by_both(program, &unit_capabilities(), "exact");
    for capture in &captures {
        for (found, own) in [
            ("/totals/allocs", "/total/mallocs"),
            ("/totals/alloc_bytes", "/total/total_alloc"),
        ] {
            assert_eq!(number(capture, found), number(&report, own), "{found}");
        }
    }
}

#[test]
fn the_heap_of_another_users_service_is_that_which_root_sees() {
    let mut program = service();
    program.go_on();
    program.wait_for("done");
    let pid = program.pid().to_string();
    let arguments = ["heap", "--pid", &pid, "--format", "json"];
    let heap = |finished: Finished| {
        assert_eq!(finished.code(), 0, "{}", finished.messages);
        let capture: Value = serde_json::from_str(&finished.output).expect("a capture");
        capture["heap"]["history"].clone()
    };
    let root = heap(Agent::spawn(tracer().args(arguments)).wait());
    assert!(number(&root, "/bytes") > 30_000_000, "{root}");
    for capabilities in [unit_capabilities(), without_files()] {
        assert_eq!(heap(run(&capabilities, &arguments)), root);
    }
}

#[test]
fn the_doctor_tells_how_the_memory_of_another_users_service_is_read() {
    let program = service();
    let pid = program.pid().to_string();
    for (capabilities, means) in [
        (unit_capabilities(), "/proc/PID/mem"),
        (without_files(), "process_vm_readv"),
    ] {
        let ended = run(&capabilities, &["doctor", "--pid", &pid]);
        assert_eq!(ended.code(), 0, "{}", ended.messages);
        for told in [
            &*format!("read through {means}\n"),
            "heap profiler  on, one sample in 64 KiB\n",
            "Works here: captures in every mode",
        ] {
            assert!(ended.output.contains(told), "{}", ended.output);
        }
    }
}

/// `CAP_SYS_ADMIN` is there already: nothing that the message advises is.
#[test]
fn the_missing_right_is_named() {
    let program = service();
    let pid = program.pid().to_string();
    for arguments in [
        &["record", "--pid", &pid, "--mode", "sampled"][..],
        &["heap", "--pid", &pid],
    ] {
        let ended = run(&["CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH"], arguments);
        assert_eq!(ended.code(), 4, "{}", ended.messages);
        assert!(
            ended.messages.contains("CAP_SYS_PTRACE"),
            "{}",
            ended.messages
        );
        for there in ["CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH"] {
            assert!(!ended.messages.contains(there), "{}", ended.messages);
        }
    }
}

/// What a capture reads of its target is open from its start.
#[test]
fn an_open_process_is_read_on_without_any_right() {
    let program = service();
    let pid = program.pid().cast_signed();
    let read = || {
        let process = Process::open(pid).expect("the service");
        assert_eq!(process.memory_means(), Some(Means::File));
        let binary = process.binary().expect("a Go program");
        let memory = process.memory().expect("its memory");
        let (start, _) = binary.text().expect("code");
        let address = RuntimePc(start.0);
        let seen = |binary: &GoBinary| {
            let resident = process.resident().expect("resident memory");
            let mapped = process.mapped(binary).expect("a memory map");
            (memory.word(address), resident.rss > 0, mapped.len() > 3)
        };
        let before = seen(&binary);
        assert!(before.0.is_some() && before.1 && before.2);
        set_capabilities(None, none()).expect("rights can be given up");
        assert!(capabilities(None).is_ok_and(|sets| sets.effective.is_empty()));
        assert_eq!(seen(&binary), before);
        let error = Process::open(pid).expect_err("it is another user's");
        assert!(error.to_string().contains("CAP_SYS_PTRACE"), "{error}");
    };
    // Rights are those of a thread.
    std::thread::scope(|scope| scope.spawn(read).join()).expect("it is read");
}

fn none() -> CapabilitySets {
    CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    }
}
