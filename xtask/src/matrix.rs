//! Which builds of the Go programs the live tests trace: Go versions times ways to build. Data only.

use crate::go;

/// One version of each Go release that tracer supports, oldest first.
pub(crate) const GO_VERSIONS: [&str; 8] = [
    "1.19.8",
    "1.21.13",
    "1.22.10",
    "1.23.9",
    "1.24.11",
    "1.25.5",
    "1.26.6",
    go::NEWEST,
];

/// The versions that every program is built with: 1.27, whose compiler calls size-specialised allocators directly, and
/// one before it.
const EVERYDAY_VERSIONS: [&str; 2] = ["1.25.5", go::NEWEST];

/// The program that measures itself, and so is built in every variant.
const KNOWN: &str = "known";

/// The program that writes to maps, whose code is another in each Go release, and its variants.
const MAPS: &str = "maps";
const MAPS_VARIANTS: [&str; 5] = ["plain", "race", "pgo", "noswissmap", "stripped"];

/// The programs that make page faults and that keep the collector busy, and their variants.
const PAGES: &str = "pages";
const GC: &str = "gc";
const PAGES_AND_GC_VARIANTS: [&str; 2] = ["plain", "stripped"];

/// The program that leaks, whose heap profile is found in another place in each way to link, and its variants; the one
/// whose runtime keeps no profile has those of `gc`.
const LEAK: &str = "leak";
const LEAK_VARIANTS: [&str; 5] = ["plain", "pie", "stripped", "cgo", "cgo-pie-stripped"];
const QUIET: &str = "quiet";

/// A way to build.
#[derive(Debug)]
pub(crate) struct Variant {
    /// Its name, and that of its directory.
    pub(crate) name: &'static str,
    /// Arguments of `go build`; `GOROOT` in one stands for the toolchain's own.
    pub(crate) arguments: &'static [&'static str],
    /// Environment of `go build`.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// The versions that are built so; all if there are none.
    versions: &'static [&'static str],
}

/// Without any special flag.
pub(crate) const PLAIN: Variant = variant("plain", &[], &[]);

/// The ways to build. Those that differ in what the compiler does stand before those that differ in linking, so that
/// builds that run at the same time compile different things and those after them find everything compiled.
const VARIANTS: [Variant; 10] = [
    PLAIN,
    variant("pie", &["-buildmode=pie"], &[]),
    variant("race", &["-race"], &[("CGO_ENABLED", "1")]),
    // The experiment is on by default from 1.27 on, and so is worth turning off there; 1.26 is the first to have it.
    Variant {
        versions: &[go::NEWEST],
        ..variant(
            "nosizespecializedmalloc",
            &[],
            &[("GOEXPERIMENT", "nosizespecializedmalloc")],
        )
    },
    Variant {
        versions: &["1.26.6"],
        ..variant(
            "sizespecializedmalloc",
            &[],
            &[("GOEXPERIMENT", "sizespecializedmalloc")],
        )
    },
    // Maps as they were up to 1.23: an experiment of these two releases turns the new ones off.
    Variant {
        versions: &["1.24.11", "1.25.5"],
        ..variant("noswissmap", &[], &[("GOEXPERIMENT", "noswissmap")])
    },
    // The profile of the Go compiler makes allocation functions hot, so that they are inlined into each other; before
    // 1.24 there is one, which nothing inlines. Everything is compiled anew for it.
    Variant {
        versions: &["1.24.11", "1.26.6", go::NEWEST],
        ..variant("pgo", &["-pgo=GOROOT/src/cmd/compile/default.pgo"], &[])
    },
    variant("stripped", &["-ldflags=-s -w"], &[]),
    variant("cgo", &["-tags=libc"], &[("CGO_ENABLED", "1")]),
    // As Linux distributions build: the C linker merges the tables of the Go runtime into other sections.
    variant(
        "cgo-pie-stripped",
        &["-tags=libc", "-buildmode=pie", "-ldflags=-s -w"],
        &[("CGO_ENABLED", "1")],
    ),
];

/// What is built for every test run: `known` with the oldest version, the newest, two between, and in every variant
/// that allocates differently; `maps` with each layout of maps; `pages` and `gc` with the oldest version, the newest, and
/// one between; `leak` with each layout of the heap profile and each way to link.
const QUICK: [(&str, &str, &[&str]); 24] = [
    (KNOWN, "1.19.8", &["plain", "stripped", "cgo-pie-stripped"]),
    (KNOWN, "1.23.9", &["plain", "pie"]),
    (KNOWN, "1.25.5", &["plain", "cgo"]),
    (KNOWN, "1.26.6", &["sizespecializedmalloc"]),
    (
        KNOWN,
        go::NEWEST,
        &[
            "plain",
            "stripped",
            "race",
            "pgo",
            "nosizespecializedmalloc",
        ],
    ),
    (MAPS, "1.19.8", &["plain"]),
    (MAPS, "1.23.9", &["plain"]),
    (MAPS, "1.24.11", &["plain", "noswissmap"]),
    (MAPS, go::NEWEST, &["plain", "stripped", "pgo"]),
    (PAGES, "1.19.8", &["plain"]),
    (PAGES, "1.23.9", &["plain"]),
    (PAGES, go::NEWEST, &["plain", "stripped"]),
    (GC, "1.19.8", &["plain"]),
    (GC, "1.23.9", &["plain"]),
    (GC, go::NEWEST, &["plain", "stripped"]),
    (LEAK, "1.19.8", &["plain", "stripped", "cgo-pie-stripped"]),
    (LEAK, "1.22.10", &["plain"]),
    (LEAK, "1.23.9", &["pie"]),
    (LEAK, "1.24.11", &["plain"]),
    (LEAK, "1.25.5", &["plain", "cgo"]),
    (LEAK, "1.26.6", &["sizespecializedmalloc"]),
    (LEAK, go::NEWEST, &["plain", "stripped"]),
    (QUIET, "1.19.8", &["plain"]),
    (QUIET, go::NEWEST, &["plain", "stripped"]),
];

/// One program, built with one version in one way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build<'a> {
    pub(crate) version: &'static str,
    pub(crate) variant: &'static Variant,
    pub(crate) name: &'a str,
}

const fn variant(
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
) -> Variant {
    Variant {
        name,
        arguments,
        environment,
        versions: &[],
    }
}

/// What to build of the programs `names`, variant by variant.
pub(crate) fn builds<'a>(names: &'a [String], full: bool) -> Vec<Build<'a>> {
    let wanted = |build: &Build<'_>| {
        let Build {
            version, variant, ..
        } = build;
        let exists = variant.versions.is_empty() || variant.versions.contains(version);
        let everyday = variant.name == PLAIN.name && EVERYDAY_VERSIONS.contains(version);
        exists && (everyday || is_quick(build) || (full && is_measured(build)))
    };
    let all = VARIANTS.iter().flat_map(|variant| {
        GO_VERSIONS.iter().flat_map(move |version| {
            names.iter().map(move |name| Build {
                version,
                variant,
                name,
            })
        })
    });
    all.filter(wanted).collect()
}

/// What `cargo xtask probes` checks: `known` in the variants with different allocation functions.
pub(crate) fn probed_builds(versions: &[String]) -> Vec<Build<'static>> {
    let wanted = GO_VERSIONS
        .iter()
        .filter(|version| versions.is_empty() || versions.iter().any(|wanted| wanted == *version));
    let builds = wanted.flat_map(|version| {
        let variants = VARIANTS
            .iter()
            .filter(|variant| variant.name == PLAIN.name || variant.versions.contains(version));
        variants.map(|variant| Build {
            version,
            variant,
            name: KNOWN,
        })
    });
    builds.collect()
}

fn is_quick(build: &Build<'_>) -> bool {
    QUICK.iter().any(|(name, version, variants)| {
        *name == build.name && *version == build.version && variants.contains(&build.variant.name)
    })
}

/// Whether a full run has it.
fn is_measured(build: &Build<'_>) -> bool {
    match build.name {
        KNOWN => true,
        MAPS => MAPS_VARIANTS.contains(&build.variant.name),
        PAGES | GC | QUIET => PAGES_AND_GC_VARIANTS.contains(&build.variant.name),
        LEAK => LEAK_VARIANTS.contains(&build.variant.name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(name: &str, full: bool) -> Vec<(&'static str, &'static str)> {
        let names = [name.to_owned()];
        let builds = builds(&names, full);
        builds
            .iter()
            .map(|build| (build.version, build.variant.name))
            .collect()
    }

    #[test]
    fn a_quick_run_has_every_variant_and_every_pair_that_it_names() {
        let (known, maps) = (built(KNOWN, false), built(MAPS, false));
        assert!(VARIANTS.iter().all(|variant| {
            let mut quick = known.iter().chain(&maps);
            quick.any(|(_, quick)| *quick == variant.name)
        }));
        for (name, version, variants) in QUICK {
            let built = built(name, false);
            assert!(variants.iter().all(|it| built.contains(&(version, *it))));
        }
    }

    #[test]
    fn a_full_run_has_every_version_in_every_variant_that_it_has() {
        let versions = |variant: &Variant| match variant.versions {
            [] => GO_VERSIONS.len(),
            some => some.len(),
        };
        let all = VARIANTS.iter().map(versions);
        assert_eq!(built(KNOWN, true).len(), all.sum::<usize>());
        let of = |names: &[&str]| {
            let variants = VARIANTS.iter().filter(|it| names.contains(&it.name));
            variants.map(versions).sum::<usize>()
        };
        assert_eq!(built(MAPS, true).len(), of(&MAPS_VARIANTS));
        assert_eq!(built(PAGES, true).len(), of(&PAGES_AND_GC_VARIANTS));
        assert_eq!(built(GC, true).len(), of(&PAGES_AND_GC_VARIANTS));
        assert_eq!(built(QUIET, true).len(), of(&PAGES_AND_GC_VARIANTS));
        // Of the one version that has it, a quick run has one more variant.
        assert_eq!(built(LEAK, true).len(), of(&LEAK_VARIANTS) + 1);
    }

    #[test]
    fn other_programs_are_built_for_the_everyday_versions() {
        let names = ["hello".to_owned()];
        let versions = |full| {
            let builds = builds(&names, full);
            builds.iter().map(|b| b.version).collect::<Vec<_>>()
        };
        assert_eq!(versions(false), EVERYDAY_VERSIONS);
        assert_eq!(versions(true), EVERYDAY_VERSIONS);
    }
}
