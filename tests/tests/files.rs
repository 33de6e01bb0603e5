//! What `-o` leaves behind: a whole file or the earlier one, for its owner only, wherever the path leads.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tracer_tests::{cpu_time, tracer};

/// A capture that is in the sources.
fn hello() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/tests/cmd/hello.json")
}

/// `tracer report CAPTURE`, to be continued.
fn report(capture: &Path) -> Command {
    let mut command = tracer();
    command.arg("report").arg(capture).stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the tracer runs")
}

fn succeeded(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{output:?}");
    output
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory").flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// A capture of so many sites, to be written for a while.
fn large(path: &Path, sites: usize) {
    let text = fs::read(hello()).expect("a capture");
    let mut capture: Value = serde_json::from_slice(&text).expect("JSON");
    let site = capture["sites"][0].clone();
    let several = (0..sites).map(|number| {
        let mut site = site.clone();
        site["id"] = number.into();
        site["frames"][0]["function"] = format!("main.f{number}").into();
        site
    });
    capture["sites"] = several.collect();
    fs::write(path, capture.to_string()).expect("a file");
}

/// Runs a command until it has used so much CPU time, and kills it then; gives its end and what it had used. How far it
/// is by then does not depend on what else the machine does.
fn run_for(command: &mut Command, until: Duration) -> (ExitStatus, Duration) {
    let mut child = command
        .stderr(Stdio::null())
        .spawn()
        .expect("the tracer starts");
    let mut used = Duration::ZERO;
    loop {
        // Of one that has ended and was not waited for it is known, too.
        used = cpu_time(child.id()).unwrap_or(used);
        if let Some(status) = child.try_wait().expect("a child") {
            return (status, used);
        }
        if used >= until {
            child.kill().expect("a signal");
            return (child.wait().expect("a child"), used);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_full_disk_leaves_the_earlier_file_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    // One page is for the earlier file; the rest is filled.
    let script = "mount -t tmpfs -o size=64k none $0 && cd $0 && echo earlier > a.json && \
        { head -c 1M /dev/zero > fill 2> /dev/null || true; } && \
        { $TRACER report $CAPTURE -o a.json; echo code $?; cat a.json; ls -A; }";
    let output = run(Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(directory.path())
        .env("TRACER", tracer().get_program())
        .env("CAPTURE", hello()));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("cannot write a.json"), "{output:?}");
    assert!(told.contains("No space left on device"), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(shown, "code 1\nearlier\na.json\nfill\n", "{output:?}");
}

#[test]
fn a_tracer_killed_at_any_time_leaves_the_earlier_file_or_the_new_one_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let outputs = tempfile::tempdir().expect("a directory");
    let capture = directory.path().join("large.json");
    large(&capture, 20_000);
    let path = outputs.path().join("a.json");
    let whole = run_for(report(&capture).arg("-o").arg(&path), Duration::MAX).1;
    let new = fs::read(&path).expect("the file");
    assert!(new.len() > 5 << 20, "{}", new.len());
    let mut killed = 0;
    for step in 0..24 {
        fs::write(&path, "earlier").expect("a file");
        // Mostly near the end, where it writes.
        let until = whole.mul_f64(0.3 + 0.03 * f64::from(step));
        let (status, _) = run_for(report(&capture).arg("-o").arg(&path), until);
        let left = fs::read(&path).expect("the file");
        assert!(left == b"earlier" || left == new, "{} bytes", left.len());
        assert_eq!(names_in(outputs.path()), ["a.json"], "step {step}");
        killed += usize::from(status.signal().is_some());
    }
    assert!(
        killed > 5,
        "only {killed} were killed before they were done"
    );
}

#[test]
fn a_link_stays_and_what_it_names_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("real.txt");
    let link = directory.path().join("link.txt");
    fs::write(&target, "earlier").expect("a file");
    symlink("real.txt", &link).expect("a link");
    succeeded(report(&hello()).arg("-o").arg(&link));
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    let text = fs::read_to_string(&target).expect("the file");
    assert!(text.contains("main.newGreeting"), "{text}");
    assert_eq!(
        fs::metadata(&target).expect("the file").mode() & 0o777,
        0o600
    );
}

#[test]
fn files_belong_to_the_user_who_called_sudo_and_devices_do_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.txt");
    succeeded(
        report(&hello())
            .args(["-o", "/dev/null", "-o"])
            .arg(&path)
            .env("SUDO_UID", "65534")
            .env("SUDO_GID", "65533"),
    );
    let owner = |path: &Path| {
        let metadata = fs::metadata(path).expect("the file");
        (metadata.uid(), metadata.gid())
    };
    assert_eq!(owner(&path), (65534, 65533));
    assert_eq!(owner(Path::new("/dev/null")), (0, 0));
}

#[test]
fn pipes_and_descriptors_take_any_format() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "cd $0 && \
        $TRACER report $CAPTURE --format json -o >(cat > substituted) && \
        { $TRACER report $CAPTURE --format json -o /dev/fd/3 | cat > nothing; } 3> third && \
        $TRACER report $CAPTURE --format json -o - -o a.txt > dash && \
        echo before > appended && \
        $TRACER report $CAPTURE --format json -o /dev/stdout >> appended && \
        mkfifo fifo.json && { cat fifo.json > from & } && \
        $TRACER report $CAPTURE -o fifo.json && wait";
    succeeded(
        Command::new("bash")
            .args(["-c", script])
            .arg(directory.path())
            .env("TRACER", tracer().get_program())
            .env("CAPTURE", hello()),
    );
    let read = |name: &str| {
        fs::read_to_string(directory.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    // Written by a process that nobody waits for.
    tracer_tests::wait_until("the substituted pipe", || {
        read("substituted").ends_with('\n')
    });
    let expected = read("dash");
    let json: Value = serde_json::from_str(&expected).expect("JSON");
    assert_eq!(json["schema"], "tracer.capture/1");
    for name in ["substituted", "third", "from"] {
        assert_eq!(read(name), expected, "{name}");
    }
    assert_eq!(read("appended"), format!("before\n{expected}"));
    assert_eq!(read("nothing"), "");
    assert!(read("a.txt").contains("main.newGreeting"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let script = "$TRACER report $CAPTURE --format json -o >(true) -o - | head -c 1";
    let output = succeeded(
        Command::new("bash")
            .args(["-o", "pipefail", "-c", script])
            .env("TRACER", tracer().get_program())
            .env("CAPTURE", hello()),
    );
    assert_eq!(output.stdout, b"{");
}

#[test]
fn messages_that_cannot_be_written_are_not_the_result() {
    let directory = tempfile::tempdir().expect("a directory");
    let full = || {
        let full = fs::File::options().write(true).open("/dev/full");
        Stdio::from(full.expect("a device without room"))
    };
    let capture = directory.path().join("capture.json");
    succeeded(report(&hello()).arg("-o").arg(&capture).stderr(full()));
    let bytes = fs::read(&capture).expect("a capture");
    serde_json::from_slice::<Value>(&bytes).expect("JSON");
    let missing = directory.path().join("missing.json");
    let output = run(report(&missing).stderr(full()));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let output = run(tracer()
        .arg("diff")
        .args([&capture, &capture])
        .args(["--fail-on", "faults>0%"])
        .stderr(full()));
    assert_eq!(output.status.code(), Some(1), "not checked: {output:?}");
}
