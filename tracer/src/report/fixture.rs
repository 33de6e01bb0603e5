//! Reports made by hand, for tests of everything that reads one: one as it usually is, one empty, one as nasty as a hostile binary
//! makes it.

mod heap;
mod maps;
mod pages;

pub(crate) use heap::{of_spans, only_history, with_heap};
pub(crate) use maps::with_maps;
pub(crate) use pages::with_pages;

use crate::report::{
    Completeness, EndedBy, Estimate, Family, Figures, Frame, Mode, ModeStep, Overhead, Report,
    Site, SizeSummary, Stack, StackFigures, State, Step, Target, TimelinePoint, TypeFigures,
    Window,
};

pub(crate) fn frame(function: &str, file: &str, line: u32, inlined: bool) -> Frame {
    let package = function.rsplit_once('/').map_or(function, |(_, name)| name);
    let package_len = function.len() - package.len() + package.find('.').unwrap_or(0);
    Frame {
        function: function.into(),
        package: function[..package_len].into(),
        file: file.into(),
        line: Some(line),
        inlined,
    }
}

fn figures(allocs: u64, alloc_bytes: u64, requested_bytes: u64) -> Figures {
    Figures {
        allocs,
        alloc_bytes: Some(alloc_bytes),
        requested_bytes: Some(requested_bytes),
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate: None,
    }
}

fn type_figures(
    name: &str,
    allocs: u64,
    alloc_bytes: Option<u64>,
    bytes: u64,
    pointer_bytes: Option<u64>,
) -> TypeFigures {
    TypeFigures {
        name: name.into(),
        allocs,
        alloc_bytes,
        bytes: Some(bytes),
        pointer_bytes,
        live_bytes: None,
    }
}

/// A capture of a service with three sites: a plain one, an inlined one, and one without a name.
pub(crate) fn report() -> Report {
    let frames = frames();
    Report {
        target: Target {
            pid: 48_213,
            exe: "/srv/shop/bin/shop-api".into(),
            build_id: Some("d1f0c2".into()),
            go_version: "go1.27.3".into(),
            arch: "amd64".into(),
            stripped: true,
            pie: false,
            cgo: false,
            container: Some("3f2a9c1b7d21e55a0c".into()),
            memory_limit_bytes: Some(20 << 30),
        },
        window: Window {
            start_unix_ns: 1_790_000_000_123_456_789,
            duration_ns: 10_000_000_000,
            mode: Mode::Exact,
            mode_steps: vec![],
            state: State::Ended(EndedBy::Duration),
        },
        totals: figures(6_434_607, 1_187_416_448, 1_091_634_600),
        completeness: Completeness {
            hits: 6_434_607,
            delivered: 6_434_607,
            sampled_out: 0,
            lost: vec![("ring_full".into(), 0), ("no_scratch".into(), 0)],
            unknown_pcs: 0,
            truncated_stacks: 0,
            truncated_by: vec![("too_deep".into(), 0), ("unreadable".into(), 0)],
            undefined_stacks: 0,
            overflowed: 0,
            unbinned_sizes: 0,
            unseen: false,
            unsure_bytes: Some(0),
            counters: vec![("hits".into(), 6_434_607), ("filtered".into(), 7)],
            families: vec![Family {
                name: "resumes".into(),
                hits: Some(12),
                delivered: 12,
                lost: vec![("resume_ring_full".into(), 0)],
            }],
            coverage: Some(1.0),
        },
        overhead: Overhead {
            ns_per_hit: Some(912.3),
            hits_per_s: 643_460.7,
            target_cpu_pct: Some(58.7),
            target_share_pct: Some(39.1),
            target_used_pct: Some(150.0),
            agent_cpu_pct: Some(3.1),
            agent_rss_bytes: Some(45_088_768),
        },
        sites: vec![cache_site(&frames), builder_site(&frames), unnamed_site()],
        frames,
        stacks: stacks(),
        maps: None,
        crashes: vec![],
        faults: None,
        gc: None,
        heap: None,
        memory: None,
        timeline: timeline(),
    }
}

fn frames() -> Vec<Frame> {
    vec![
        frame(
            "main.(*Cache).Put",
            "/srv/shop/internal/cache/cache.go",
            88,
            false,
        ),
        frame(
            "strings.(*Builder).grow",
            "/usr/local/go/src/strings/builder.go",
            65,
            true,
        ),
        frame(
            "strings.(*Builder).WriteString",
            "/usr/local/go/src/strings/builder.go",
            114,
            true,
        ),
        frame("main.render", "/srv/shop/render.go", 31, false),
        frame("main.(*Server).order", "/srv/shop/server.go", 140, false),
        frame(
            "net/http.HandlerFunc.ServeHTTP",
            "/usr/local/go/src/net/http/server.go",
            2322,
            false,
        ),
        frame(
            "net/http.(*conn).serve",
            "/usr/local/go/src/net/http/server.go",
            2102,
            false,
        ),
    ]
}

fn stacks() -> Vec<Stack> {
    vec![
        Stack {
            id: 0x9f3a_0000_0000_0001,
            frames: vec![0, 4, 5, 6],
            ..Stack::default()
        },
        Stack {
            id: 0x1b,
            frames: vec![1, 2, 3, 4, 5, 6],
            ..Stack::default()
        },
        Stack {
            id: u64::MAX,
            frames: vec![1, 2, 3, 6],
            ..Stack::default()
        },
        Stack {
            id: 7,
            frames: vec![],
            ..Stack::default()
        },
    ]
}

fn cache_site(frames: &[Frame]) -> Site {
    Site {
        faults: None,
        gc: None,
        live: None,
        recent: None,
        growth: None,
        id: 1,
        frames: vec![frames[0].clone()],
        figures: figures(5_200_000, 871_366_656, 790_400_000),
        size: SizeSummary {
            min: 16,
            p50: 96,
            p90: 208,
            p99: 1500,
            max: 4096,
            mean: 152.0,
            buckets: vec![
                (16, 1_000_000),
                (96, 3_000_000),
                (208, 1_150_000),
                (4096, 50_000),
            ],
            unbinned: 0,
        },
        types: vec![
            type_figures(
                "main.User",
                5_000_000,
                Some(800_000_000),
                735_072_000,
                Some(367_536_000),
            ),
            type_figures("-", 200_000, Some(71_366_656), 55_328_000, Some(0)),
        ],
        stacks: vec![stack(
            0x9f3a_0000_0000_0001,
            figures(5_200_000, 871_366_656, 790_400_000),
            &[
                (
                    "main.User",
                    5_000_000,
                    800_000_000,
                    735_072_000,
                    367_536_000,
                ),
                ("-", 200_000, 71_366_656, 55_328_000, 0),
            ],
        )],
    }
}

fn builder_site(frames: &[Frame]) -> Site {
    Site {
        id: 2,
        frames: frames[1..4].to_vec(),
        figures: figures(1_234_567, 316_049_152, 301_234_000),
        size: SizeSummary {
            min: 8,
            p50: 256,
            p90: 256,
            p99: 256,
            max: 256,
            mean: 244.000_19,
            buckets: vec![(8, 60_000), (256, 1_174_565)],
            unbinned: 2,
        },
        types: vec![type_figures(
            "[]uint8",
            1_234_567,
            Some(316_049_152),
            301_234_000,
            Some(0),
        )],
        faults: None,
        gc: None,
        live: None,
        recent: None,
        growth: None,
        stacks: vec![
            stack(
                0x1b,
                figures(1_000_000, 256_000_000, 244_000_000),
                &[("[]uint8", 1_000_000, 256_000_000, 244_000_000, 0)],
            ),
            stack(
                u64::MAX,
                figures(234_567, 60_049_152, 57_234_000),
                &[("[]uint8", 234_567, 60_049_152, 57_234_000, 0)],
            ),
        ],
    }
}

fn unnamed_site() -> Site {
    Site {
        id: 3,
        frames: vec![],
        figures: figures(40, 640, 600),
        size: SizeSummary {
            min: 15,
            p50: 15,
            p90: 15,
            p99: 15,
            max: 15,
            mean: 15.0,
            buckets: vec![(15, 40)],
            unbinned: 0,
        },
        types: vec![],
        faults: None,
        gc: None,
        live: None,
        recent: None,
        growth: None,
        stacks: vec![stack(7, figures(40, 640, 600), &[])],
    }
}

fn timeline() -> Vec<TimelinePoint> {
    [80_u64, 120, 95, 140, 240, 180, 110, 60, 90, 72]
        .iter()
        .zip(1..)
        .map(|(&mb, second)| TimelinePoint {
            t_ns: second * 1_000_000_000,
            allocs: Some(mb * 5000),
            alloc_bytes: Some(mb * 1_000_000),
            rss_bytes: Some((300 << 20) + second * (9 << 20)),
            ..TimelinePoint::default()
        })
        .collect()
}

/// A stack with its types: name, allocations, bytes, requested bytes, bytes with pointers.
fn stack(id: u64, figures: Figures, types: &[(&str, u64, u64, u64, u64)]) -> StackFigures {
    let types = types
        .iter()
        .map(|(name, allocs, rounded, bytes, pointers)| {
            type_figures(name, *allocs, Some(*rounded), *bytes, Some(*pointers))
        });
    StackFigures {
        id,
        figures,
        types: types.collect(),
        live: None,
        recent: None,
    }
}

/// A capture in which nothing happened and little is known.
pub(crate) fn empty() -> Report {
    let report = report();
    Report {
        window: Window {
            state: State::Ended(EndedBy::TargetExit),
            ..report.window
        },
        totals: Figures {
            allocs: 0,
            alloc_bytes: Some(0),
            requested_bytes: Some(0),
            faults: None,
            live_bytes: None,
            growth_per_s: None,
            estimate: None,
        },
        completeness: Completeness {
            hits: 0,
            delivered: 0,
            coverage: None,
            ..report.completeness
        },
        overhead: Overhead::default(),
        frames: vec![],
        sites: vec![],
        stacks: vec![],
        maps: None,
        crashes: vec![],
        faults: None,
        gc: None,
        heap: None,
        memory: None,
        timeline: vec![],
        target: report.target,
    }
}

/// A capture of which a part was estimated.
pub(crate) fn estimated() -> Report {
    let mut report = report();
    report.window.mode = Mode::Auto;
    report.window.mode_steps = vec![
        ModeStep {
            at_ns: 62_000_000,
            to: Step::Windows,
            reason: "recording 756175 allocations/s takes 79.2 % of its CPU; \
                     windows for runtime.mallocgcTiny; windows for runtime.mallocgcSmallScanNoHeader"
                .into(),
        },
        ModeStep {
            at_ns: 9_000_000_000,
            to: Step::Exact,
            reason: "recording 900 allocations/s takes 0.1 % of its CPU; each is recorded".into(),
        },
    ];
    report.totals.estimate = Some(Estimate {
        allocs_error: Some(12_345),
        alloc_bytes_error: Some(2_400_000),
    });
    report.sites[0].figures.estimate = report.totals.estimate;
    report.sites[1].figures.estimate = Some(Estimate::default());
    report.completeness.hits = 700_000;
    report.completeness.delivered = 600_000;
    report.completeness.sampled_out = 100_000;
    report.overhead.target_share_pct = Some(4.9);
    report
}

/// A capture with losses, with nothing known about rounding, and with names as long, wide and hostile as they come.
pub(crate) fn nasty() -> Report {
    let mut report = report();
    let long = "github.com/acme-international-holdings/monorepo/services/checkout/internal/"
        .to_owned()
        + &"verylongpackagename/".repeat(6)
        + "cache.(*Cache[go.shape.struct { Key string; Value github.com/acme/x.T }]).PutAllIfAbsent";
    let path = "/home/builder/".to_owned()
        + &"deeply/nested/directory/".repeat(8)
        + "数据库连接池管理器.go";
    let first = frame(&long, &path, u32::MAX, true);
    let host = frame(&(long.clone() + ".func1.2.gowrap3"), &path, 1, false);
    report.target.exe = format!("/opt/{}\u{1b}]0;owned\u{7}", "x".repeat(300));
    report.target.go_version = "go1.28-devel_".to_owned() + &"0123456789abcdef".repeat(10);
    report.target.container = Some("容器".repeat(80));
    report.window.mode = Mode::Other("exact\u{1b}[31m".into());
    report.window.state = State::Ended(EndedBy::ClosedPipe);
    report.totals = Figures {
        allocs: u64::MAX,
        alloc_bytes: None,
        requested_bytes: Some(u64::MAX),
        faults: Some(u64::MAX),
        live_bytes: None,
        growth_per_s: None,
        estimate: Some(Estimate {
            allocs_error: Some(u64::MAX),
            alloc_bytes_error: None,
        }),
    };
    report.completeness = Completeness {
        hits: u64::MAX,
        delivered: u64::MAX / 3,
        sampled_out: u64::MAX / 2,
        lost: vec![
            ("ring_full".into(), u64::MAX / 3),
            ("x".repeat(200), 9),
            ("none".into(), 0),
        ],
        unknown_pcs: u64::MAX,
        truncated_stacks: u64::MAX,
        truncated_by: vec![("too_deep".into(), u64::MAX), ("folded".into(), 0)],
        undefined_stacks: 1,
        overflowed: 20_000,
        unbinned_sizes: 0,
        unseen: true,
        unsure_bytes: Some(0),
        counters: vec![],
        families: vec![Family {
            name: "stack_definitions".into(),
            hits: None,
            delivered: u64::MAX,
            lost: vec![("stack_ring_full".into(), u64::MAX)],
        }],
        coverage: Some(0.999_96),
    };
    report.overhead.hits_per_s = f64::MAX;
    report.overhead.agent_cpu_pct = Some(f64::NAN);
    report.overhead.target_cpu_pct = Some(1e200);
    report.overhead.ns_per_hit = Some(1e12);
    for site in &mut report.sites {
        site.id = u32::MAX;
        site.frames = vec![first.clone(), host.clone()];
        site.figures = Figures {
            allocs: u64::MAX,
            alloc_bytes: None,
            requested_bytes: Some(u64::MAX / 2),
            faults: None,
            live_bytes: None,
            growth_per_s: None,
            estimate: None,
        };
        site.size.max = u64::MAX;
        site.types = (0..5)
            .map(|i| {
                type_figures(
                    &format!("map[string]*{long}{i}"),
                    1,
                    None,
                    u64::MAX / 7,
                    None,
                )
            })
            .collect();
    }
    let (maps, crashes) = maps::nasty(&first);
    report.maps = Some(maps);
    pages::make_nasty(&mut report);
    report.heap = heap::nasty(&long);
    report.crashes = crashes;
    report.frames = vec![first, host];
    for stack in &mut report.stacks {
        stack.frames = vec![0, 1, 1, 0, 1];
    }
    for point in &mut report.timeline {
        point.alloc_bytes = None;
        point.allocs = Some(u64::MAX);
        point.t_ns = u64::MAX - point.t_ns;
    }
    report
}
