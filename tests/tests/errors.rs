//! Bad input: the act, the object, the remedy, and the exit code.

use std::process::Command;
use tracer_tests::{Agent, Finished, Program, newest_go, tracer, tracer_unprivileged, wait_until};

/// Runs the tracer to its end.
fn run(command: &mut Command) -> Finished {
    Agent::spawn(command).wait()
}

fn assert_error(ended: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(ended.code(), code, "{}", ended.messages);
    for part in parts {
        assert!(
            ended.messages.contains(part),
            "no {part:?} in {:?}",
            ended.messages
        );
    }
    assert_eq!(
        ended.messages.lines().count(),
        1,
        "one line: {:?}",
        ended.messages
    );
}

fn hello() -> Program {
    let program = Program::start(&newest_go(), "hello", &[]);
    program.wait_for("ready");
    program
}

#[test]
fn no_such_process() {
    let ended = run(tracer().args(["record", "--pid", "4194303"]));
    assert_error(&ended, 3, &["4194303", "no process"]);
}

#[test]
fn a_process_that_has_ended_but_not_been_waited_for() {
    let mut child = Command::new("true").spawn().expect("a process");
    let stat = format!("/proc/{}/stat", child.id());
    wait_until("it has ended", || {
        std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "))
    });
    let ended = run(tracer().args(["record", "--pid", &child.id().to_string()]));
    child.wait().expect("its end");
    assert_error(&ended, 3, &["zombie"]);
}

#[test]
fn a_kernel_thread() {
    assert_error(
        &run(tracer().args(["record", "--pid", "2"])),
        3,
        &["2", "kernel thread"],
    );
}

#[test]
fn a_process_that_is_no_go_program() {
    let mut sleep = Command::new("sleep").arg("60").spawn().expect("a process");
    let ended = run(tracer().args(["record", "--pid", &sleep.id().to_string()]));
    sleep.kill().expect("its end");
    sleep.wait().expect("its end");
    assert_error(&ended, 3, &["no Go program"]);
}

#[test]
fn no_privilege() {
    let program = hello();
    let ended = run(tracer_unprivileged().args(["record", "--pid", &program.pid().to_string()]));
    assert_error(&ended, 4, &["eBPF", "root"]);
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_capture() {
    let program = hello();
    let pid = program.pid().to_string();
    let ended = run(tracer().args([
        "record",
        "--pid",
        &pid,
        "-o",
        "/no/such/directory/capture.json",
    ]));
    assert_error(&ended, 1, &["/no/such/directory/capture.json", "directory"]);
    let ended = run(tracer().args(["record", "--pid", &pid, "-o", "capture.xyz"]));
    assert_error(&ended, 2, &["capture.xyz", ".json"]);
}

#[test]
fn a_failed_capture_leaves_an_earlier_file_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("capture.json");
    std::fs::write(&path, "earlier").expect("a file");
    let ended = run(tracer()
        .args(["record", "--pid", "4194303", "-o"])
        .arg(&path));
    assert_eq!(ended.code(), 3);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "earlier");
    let files = std::fs::read_dir(directory.path()).expect("the directory");
    assert_eq!(files.count(), 1);
}

#[test]
fn a_capture_is_kept_where_messages_cannot_be_written() {
    let program = hello();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("capture.json");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let status = tracer()
        .args(["record", "--duration", "500ms", "--pid"])
        .arg(program.pid().to_string())
        .arg("-o")
        .arg(&path)
        .stderr(full.expect("a device without room"))
        .status();
    assert_eq!(status.expect("the tracer runs").code(), Some(0));
    let capture = std::fs::read(&path).expect("a capture");
    serde_json::from_slice::<serde_json::Value>(&capture).expect("JSON");
}

/// The tracer in a mount namespace in which an empty directory lies over `hidden`.
fn without(hidden: &str, pid: u32) -> Finished {
    let script = format!("mount -t tmpfs none {hidden} && exec \"$0\" record --pid {pid}");
    run(Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .arg(tracer().get_program()))
}

#[test]
fn a_kernel_without_btf() {
    assert_error(
        &without("/sys/kernel/btf", hello().pid()),
        5,
        &["BTF", "CONFIG_DEBUG_INFO_BTF"],
    );
}

#[test]
fn a_kernel_without_uprobes() {
    let ended = without("/sys/bus/event_source/devices", hello().pid());
    assert_error(&ended, 5, &["uprobes", "CONFIG_UPROBE_EVENTS"]);
}
