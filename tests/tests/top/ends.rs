//! However it ends, the terminal is as it was before, and the target has no probe.

use crate::scene::{Scene, assert_no_probe, hello, leaking, names};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use tracer_tests::{Agent, probe_addresses, tracer};

#[test]
fn signals_give_the_terminal_back_and_take_the_probes_out() {
    let program = hello();
    let addresses = probe_addresses(program.pid());
    let scene = Scene::new("signals", 80, 24);
    for signal in ["TERM", "HUP", "INT"] {
        scene.terminal.run("clear");
        scene.top(program.pid(), "--interval 200ms");
        let agent = scene.terminal.child().to_string();
        let sent = Command::new("kill").args(["-s", signal, &agent]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let text = scene.wait_for_exit(0);
        assert!(text.contains("recorded "), "{signal}: {text}");
        assert_no_probe(program.pid(), &addresses);
    }
    scene.terminal.run("clear");
    scene.top(program.pid(), "--interval 200ms");
    let agent = scene.terminal.child().to_string();
    let sent = Command::new("kill").args(["-s", "KILL", &agent]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert_no_probe(program.pid(), &addresses);
}

#[test]
fn a_panic_in_any_thread_gives_the_terminal_back_before_its_message() {
    let scene = Scene::new("panic", 80, 24);
    let program = env!("CARGO_BIN_EXE_panicking-screen");
    scene
        .terminal
        .run(&format!("RUST_BACKTRACE=0 {program}; echo exit=$?"));
    scene.wait_for("a frame", |text| {
        text.contains("waiting for the first interval")
    });
    scene.keys(&["x"]);
    let text = scene.wait_for_exit(0);
    assert!(text.contains("on purpose"), "{text}");
    assert!(
        text.contains("then: a thread of tracer has panicked"),
        "{text}"
    );
}

#[test]
fn the_exit_of_the_target_is_told_and_its_last_state_stays() {
    let mut program = leaking();
    let scene = Scene::new("exit", 80, 24);
    scene.top(program.pid(), "--mode exact --interval 200ms");
    scene.wait_for("sites", |text| names(text).len() >= 3);
    program.kill();
    let text = scene.wait_for("that it has exited", |text| {
        text.contains("the target has exited")
    });
    assert!(names(&text).len() >= 3, "{text}");
    // Everything can still be looked at.
    scene.keys(&["Enter"]);
    scene.wait_for("a detail", |text| text.contains("in all "));
    scene.keys(&["q"]);
    scene.wait_for_exit(0);
}

#[test]
fn a_kept_capture_is_a_private_file_that_report_shows() {
    let program = leaking();
    let scene = Scene::new("keep", 100, 30);
    scene.top(program.pid(), "--mode exact");
    scene.wait_for("sites", |text| names(text).len() >= 3);
    scene.keys(&["w"]);
    scene.wait_for("its name", |text| text.contains("wrote ./tracer-"));
    scene.keys(&["q"]);
    let text = scene.wait_for_exit(0);
    let start = format!("tracer-{}-", program.pid());
    let files = std::fs::read_dir(&scene.directory).expect("the directory");
    let names: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    let kept: Vec<&PathBuf> = names
        .iter()
        .filter(|path| path.to_string_lossy().contains(&start))
        .collect();
    let [kept] = kept[..] else {
        panic!("{names:?}")
    };
    let told = kept
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    // The shell's lines are as long as the terminal.
    assert!(
        text.replace('\n', "").contains(&format!("kept ./{told}")),
        "{text}"
    );
    let mode = std::fs::metadata(kept)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = Agent::spawn(tracer().arg("report").arg(kept)).wait();
    assert_eq!(shown.code(), 0, "{}", shown.messages);
    assert!(shown.output.contains("main.leakOne"), "{}", shown.output);
    assert!(!shown.output.contains("unaccounted"), "{}", shown.output);
}

#[test]
fn what_is_no_terminal_and_who_is_gone_are_errors_with_their_codes() {
    let ended = Agent::spawn(tracer().args(["top", "--pid", "1"])).wait();
    assert_eq!(ended.code(), 2, "{}", ended.messages);
    assert!(
        ended.messages.contains("`tracer attach --pid 1`"),
        "{}",
        ended.messages
    );
    let scene = Scene::new("errors", 80, 24);
    let tracer = tracer();
    let tracer = tracer.get_program().to_str().expect("a path");
    scene
        .terminal
        .run(&format!("{tracer} top --pid 4194303; echo exit=$?"));
    let text = scene.wait_for_exit(3);
    assert!(text.contains("no process"), "{text}");
}
