//! `tracer top` in a real terminal: what it shows is what the target does, keys do what they say, and the terminal is
//! afterwards as it was before.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tracer_tests::{Agent, Program, Terminal, breakpoints, newest_go, probe_addresses, tracer};

/// What the terminal is like without anything running in it.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    stty: String,
    alternate: String,
    cursor: String,
}

/// A terminal in a directory of its own, whose settings are known from before.
struct Scene {
    terminal: Terminal,
    directory: PathBuf,
    before: Settings,
}

impl Scene {
    fn new(name: &str, columns: u16, rows: u16) -> Self {
        let directory =
            std::env::temp_dir().join(format!("tracer-top-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let terminal = Terminal::open(columns, rows);
        terminal.run(&format!("cd {}", directory.display()));
        let mut scene = Scene {
            terminal,
            directory,
            before: Settings {
                stty: String::new(),
                alternate: String::new(),
                cursor: String::new(),
            },
        };
        scene.before = scene.settings();
        scene
    }

    /// The settings of the terminal, as soon as its shell answers.
    fn settings(&self) -> Settings {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // What is typed is on the screen, too: the answer must differ from it.
        self.terminal.run(&format!(
            "stty -a > stty; echo settings-$(({number} + 1000))"
        ));
        let answer = format!("settings-{}", number + 1000);
        self.terminal
            .wait_for("the settings", |text| text.contains(&answer));
        let file = self.directory.join("stty");
        Settings {
            stty: std::fs::read_to_string(file).expect("settings"),
            alternate: self.terminal.fact("alternate_on"),
            cursor: self.terminal.fact("cursor_flag"),
        }
    }

    /// Starts `tracer top`, and waits until it shows something.
    fn top(&self, pid: u32, arguments: &str) {
        let tracer = tracer();
        let tracer = tracer.get_program().to_str().expect("a path");
        let line = format!("{tracer} top --pid {pid} {arguments}; echo exit=$?");
        self.terminal.run(&line);
        self.terminal.wait_for("figures", |text| {
            text.contains(&format!("pid {pid} · ")) && text.contains("last ")
        });
    }

    /// Waits until the shell has its terminal again, with this exit code, and gives what is on it.
    fn wait_for_exit(&self, code: u8) -> String {
        let exit = format!("exit={code}");
        let text = self
            .terminal
            .wait_for("the shell", |text| text.contains(&exit));
        assert_eq!(self.settings(), self.before);
        text
    }

    fn keys(&self, keys: &[&str]) {
        self.terminal.keys(keys);
    }

    fn wait_for(&self, what: &str, is_wanted: impl FnMut(&str) -> bool) -> String {
        self.terminal.wait_for(what, is_wanted)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

fn hello() -> Program {
    let program = Program::start(&newest_go(), "hello", &[]);
    program.wait_for("ready");
    program
}

/// A target that fills a map, and allocates at several places.
fn leaking() -> Program {
    let arguments = ["-scene", "leak", "-for", "5m"];
    let mut program = Program::start(&newest_go(), "maps", &arguments);
    program.wait_for("ready");
    program.go_on();
    program
}

/// The lines below the titles of the columns, but for the last line, which is about keys.
fn rows(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains('▼'))
        .collect();
    lines.pop();
    let rows = lines.into_iter().skip(1);
    rows.filter(|line| !line.trim().is_empty()).collect()
}

/// Names in the order of a list.
fn names(text: &str) -> Vec<String> {
    let rows = rows(text).into_iter();
    rows.filter_map(|row| row.split("  ").last())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Seconds since the start of recording, as the first line has them.
fn seconds(text: &str) -> f64 {
    let parts = text.lines().next().unwrap_or_default().split(" · ");
    let mut times = parts.filter_map(|part| {
        let (number, unit) = part.trim().split_once(' ')?;
        let number: f64 = number.parse().ok()?;
        match unit.trim() {
            "s" => Some(number),
            "ms" => Some(number / 1000.0),
            _ => None,
        }
    });
    times.next().unwrap_or_else(|| panic!("no time: {text}"))
}

/// Waits for a later interval than the one that `text` shows.
fn later(scene: &Scene, text: &str) -> String {
    let before = seconds(text);
    scene.wait_for("a later interval", |text| seconds(text) > before + 0.9)
}

fn assert_no_probe(pid: u32, addresses: &[u64]) {
    tracer_tests::wait_until("the probes are gone", || breakpoints(pid, addresses) == 0);
}

#[test]
fn the_figures_are_those_of_the_target_and_q_leaves_nothing_behind() {
    let program = hello();
    let addresses = probe_addresses(program.pid());
    let scene = Scene::new("figures", 80, 24);
    scene.top(program.pid(), "--mode exact");
    assert_eq!(scene.terminal.fact("alternate_on"), "1");
    assert_eq!(scene.terminal.fact("cursor_flag"), "0");
    assert_eq!(breakpoints(program.pid(), &addresses), addresses.len());
    // One object of 32 bytes every 10 ms, and what sleeping takes longer than that.
    let mut figures = Vec::new();
    let text = scene.wait_for("the known rate", |text| {
        let rows = rows(text);
        let row = rows.iter().find(|row| row.contains("main.newGreeting:37"));
        let words = row.unwrap_or(&"").split_whitespace();
        figures = words.map(str::to_owned).collect();
        let rate = figures
            .get(4)
            .map(|rate| rate.trim_end_matches("/s").parse());
        rate.is_some_and(|rate: Result<f64, _>| {
            rate.is_ok_and(|rate| (80.0..=100.5).contains(&rate))
        })
    });
    let number = |at: usize| -> f64 {
        let figure = figures[at].trim_end_matches("/s");
        figure
            .parse()
            .unwrap_or_else(|e| panic!("{figure}: {e}: {text}"))
    };
    assert_eq!(figures[3], "KiB/s", "{text}");
    let of_objects = number(4) * 32.0 / 1024.0;
    assert!(
        (number(2) - of_objects).abs() < 0.02,
        "{of_objects} KiB/s: {text}"
    );
    for part in [
        "hello · pid ",
        " · exact · go1.",
        "RSS ",
        "GC ",
        "lost 0",
        "probes ",
    ] {
        assert!(text.contains(part), "no {part:?}: {text}");
    }
    scene.keys(&["q"]);
    let text = scene.wait_for_exit(0);
    // The shell's lines are as long as the terminal.
    let told = text.replace('\n', "");
    let start = format!("of pid {}: ", program.pid());
    assert!(
        told.contains("recorded ") && told.contains(&start),
        "{text}"
    );
    assert!(told.contains("nothing was kept: press w"), "{text}");
    assert_no_probe(program.pid(), &addresses);
}

#[test]
fn keys_do_what_the_help_says() {
    let program = leaking();
    let scene = Scene::new("keys", 100, 30);
    scene.top(program.pid(), "--mode exact");
    let text = scene.wait_for("sites", |text| names(text).len() >= 3);
    assert!(text.contains("bytes/s▼"), "{text}");

    scene.keys(&["s"]);
    let text = scene.wait_for("another order", |text| text.contains("allocs/s▼"));
    let allocs: Vec<&str> = rows(&text)
        .iter()
        .map(|row| row.split_whitespace().nth(4).expect("allocs"))
        .collect();
    let in_order = |rates: &[&str]| {
        let value = |rate: &&str| {
            let rate = rate.trim_end_matches("/s");
            let number: f64 = rate.trim_end_matches('k').parse().expect("a rate");
            if rate.ends_with('k') {
                number * 1000.0
            } else {
                number
            }
        };
        rates
            .windows(2)
            .all(|pair| value(&pair[0]) >= value(&pair[1]))
    };
    assert!(in_order(&allocs), "{text}");
    scene.keys(&["S"]);
    scene.wait_for("the first order", |text| text.contains("bytes/s▼"));

    scene.keys(&["/"]);
    scene.terminal.text_keys("LEAKONE");
    let text = scene.wait_for("the filter", |text| text.contains("/LEAKONE "));
    scene.wait_for("what it leaves", |text| {
        let rows = rows(text);
        !rows.is_empty() && rows.iter().all(|row| row.contains("main.leakOne"))
    });
    assert!(text.contains("/LEAKONE"), "{text}");
    scene.keys(&["Enter"]);
    scene.wait_for("the filter in the head", |text| {
        text.contains("/LEAKONE") && !text.contains("Enter keeps")
    });

    scene.keys(&["Enter"]);
    let detail = scene.wait_for("the detail", |text| text.contains("callers"));
    for part in [
        "main.leakOne",
        "growth.go:189",
        "now ",
        "in all",
        "live ",
        "types",
        "sizes",
        "main.leak  ",
    ] {
        assert!(detail.contains(part), "no {part:?}: {detail}");
    }
    scene.wait_for("its course", |text| {
        text.contains("peak ") && text.contains("course ")
    });
    scene.keys(&["Escape"]);
    scene.wait_for("the list", |text| !names(text).is_empty());
    scene.keys(&["Escape"]);
    scene.wait_for("everything", |text| names(text).len() >= 3);

    scene.keys(&["r"]);
    scene.wait_for("sums", |text| {
        text.contains("since the start") && text.contains(" bytes▼")
    });
    scene.keys(&["r", "2"]);
    scene.wait_for("types", |text| {
        rows(text).iter().any(|row| row.ends_with("main.user"))
    });
    scene.keys(&["Enter"]);
    scene.wait_for("places of a type", |text| {
        text.contains("sites  ") && text.contains("to scan")
    });
    scene.keys(&["Escape", "?"]);
    scene.wait_for("the help", |text| {
        text.contains("freeze the screen; recording goes on")
    });
    scene.keys(&["C-c"]);
    scene.wait_for_exit(0);
}

#[test]
fn a_growing_map_is_seen_growing_and_found() {
    let program = leaking();
    let scene = Scene::new("maps", 120, 30);
    scene.top(program.pid(), "--mode exact");
    scene.keys(&["3"]);
    let entries = |text: &str| -> Option<u64> {
        let row = rows(text)
            .into_iter()
            .find(|row| row.contains("main.leakOne"))?;
        row.split_whitespace().next()?.replace(',', "").parse().ok()
    };
    let text = scene.wait_for("the map", |text| entries(text).is_some());
    assert!(text.contains("map[string]*main.user"), "{text}");
    let first = entries(&text).expect("entries");
    // Some 20,000 a second.
    let text = scene.wait_for("more entries", |text| {
        entries(text).is_some_and(|entries| entries > first + 10_000)
    });
    let row = rows(&text)
        .into_iter()
        .find(|row| row.contains("main.leakOne"))
        .expect("a row");
    let rate = row.split_whitespace().nth(1).expect("a rate");
    let rate: f64 = rate
        .trim_start_matches('+')
        .trim_end_matches("k/s")
        .parse()
        .expect("thousands");
    assert!((8.0..=20.5).contains(&rate), "{row}");
    scene.keys(&["4"]);
    let text = scene.wait_for("the finding", |text| text.contains("only grows"));
    assert!(text.contains("4 Findings ("), "{text}");
    scene.keys(&["Enter"]);
    scene.wait_for("the map of it", |text| {
        text.contains("entries in") && text.contains("at most")
    });
    scene.keys(&["q"]);
    scene.wait_for_exit(0);
}

#[test]
fn a_frozen_screen_stays_while_recording_goes_on() {
    let program = leaking();
    let scene = Scene::new("freeze", 80, 24);
    scene.top(program.pid(), "--mode exact --interval 200ms");
    scene.keys(&["p"]);
    let frozen = scene.wait_for("the word", |text| text.contains("FROZEN"));
    // That nothing changes takes time to see: ten intervals.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.terminal.text(), frozen);
    scene.keys(&["p"]);
    let text = scene.wait_for("what came meanwhile", |text| !text.contains("FROZEN"));
    assert!(seconds(&text) > seconds(&frozen) + 1.5, "{text}");
    scene.keys(&["q"]);
    scene.wait_for_exit(0);
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let program = leaking();
    let scene = Scene::new("size", 80, 24);
    scene.top(program.pid(), "--mode exact --interval 200ms");
    for (columns, lines) in [(60, 15), (200, 50), (40, 10)] {
        scene.terminal.resize(columns, lines);
        let text = scene.wait_for("a frame of this size", |text| {
            // The last line has the keys, and every line fits.
            let all: Vec<&str> = text.lines().collect();
            all.len() == usize::from(lines)
                && all.last().is_some_and(|line| line.starts_with(" ? help"))
                && all.iter().any(|line| line.contains("main."))
        });
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(usize::from(columns)), "{text}");
        assert_eq!(text.contains("course"), columns == 200, "{text}");
    }
    scene.terminal.resize(30, 8);
    scene.wait_for("that it is too small", |text| {
        text.contains("too small: 30x8")
    });
    scene.terminal.resize(80, 24);
    let text = scene.wait_for("the list again", |text| names(text).len() >= 3);
    later(&scene, &text);
    scene.keys(&["q"]);
    scene.wait_for_exit(0);
}

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
fn without_colour_there_is_none_and_with_it_there_is() {
    let program = hello();
    let scene = Scene::new("colour", 80, 24);
    // Colours are 30 to 38 and 90 to 97; 1, 2, 4 and 7 are emphasis.
    let has_colour = |styled: &str| {
        let escapes = styled.split('\u{1b}').skip(1);
        let mut parts = escapes.flat_map(|escape| {
            let codes = escape.trim_start_matches('[').split('m').next();
            codes.unwrap_or_default().split(';').map(str::to_owned)
        });
        parts.any(|code| matches!(code.parse(), Ok(30..=38 | 90..=97)))
    };
    for (arguments, expect) in [("", true), ("--no-color", false)] {
        scene.terminal.run("clear");
        scene.top(program.pid(), &format!("--interval 200ms {arguments}"));
        scene.wait_for("a site", |text| text.contains("main.newGreeting"));
        let styled = scene.terminal.styled();
        assert_eq!(has_colour(&styled), expect, "{styled:?}");
        scene.keys(&["q"]);
        scene.wait_for_exit(0);
    }
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
