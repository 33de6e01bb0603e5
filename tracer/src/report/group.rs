//! The same figures by something else than the site: a pure step from a [`Report`] to its groups.
//!
//! Every allocation that is at a site is in exactly one group, so that groups add up to what sites add up to. Hides how
//! the figures of sites are split and put together again.

use super::{
    Estimate, Figures, Frame, Report, Site, SizeSummary, Stack, StackFigures, TypeFigures,
};
use crate::aggregate::whole;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Name of a group whose allocations have no name of the kind.
const NO_NAME: &str = "-";

/// What allocations are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The whole stack.
    Stack,
    /// The Go type.
    Type,
    /// The function of the site.
    Function,
    /// The package of that function.
    Package,
    /// The `go` statement that made the goroutine.
    Goroutine,
    /// A label of the goroutine: `label:` and its key.
    Label(&'static str),
}

/// What comes before the key in the name of a grouping by a label.
const LABEL: &str = "label:";

impl GroupBy {
    /// Its name in the command line and in output.
    pub fn name(self) -> &'static str {
        match self {
            GroupBy::Stack => "stack",
            GroupBy::Type => "type",
            GroupBy::Function => "function",
            GroupBy::Package => "package",
            GroupBy::Goroutine => "goroutine",
            GroupBy::Label(name) => name,
        }
    }
}

/// What sites and groups are ordered by, most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Allocated bytes, requested ones where the rounding is not known.
    #[default]
    Bytes,
    /// Allocations.
    Allocs,
    /// Page faults.
    Faults,
    /// Live bytes.
    Live,
    /// How fast live bytes grow.
    Growth,
}

impl SortBy {
    /// A key that sorts what comes first to the front.
    pub fn rank(self, figures: &Figures) -> Reverse<(u64, u64)> {
        let bytes = figures.bytes();
        Reverse(match self {
            SortBy::Bytes => (bytes, figures.allocs),
            SortBy::Allocs => (figures.allocs, bytes),
            SortBy::Faults => (figures.faults.unwrap_or(0), bytes),
            SortBy::Live => (figures.live_bytes.unwrap_or(0), bytes),
            SortBy::Growth => {
                let growth = figures.growth_per_s.unwrap_or(0);
                (u64::try_from(growth).unwrap_or(0), bytes)
            }
        })
    }
}

/// All groups of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouped {
    /// What they are.
    pub by: GroupBy,
    /// The groups in their order.
    pub groups: Vec<Group>,
}

/// What allocations with something in common add up to.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Position in the order, from 1.
    pub id: u32,
    /// Distinct among the groups; for a stack its id, 16 hex digits. `-` where there is no name.
    pub name: String,
    /// What was allocated.
    pub figures: Figures,
    /// Bytes that the garbage collector must scan for pointers; `None` if that is not known, as for a stack.
    pub pointer_bytes: Option<u64>,
    /// Distribution of the sizes asked for, where it is kept: for functions and packages.
    pub size: Option<SizeSummary>,
    /// The frames of a stack from its site on, innermost first.
    pub frames: Vec<Frame>,
    /// Go types, most bytes first, for functions and packages.
    pub types: Vec<TypeFigures>,
    /// Where its allocations are, in the order of the groups.
    pub sites: Vec<GroupSite>,
}

/// What a site contributes to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSite {
    /// [`Site::id`]
    pub id: u32,
    /// What it allocated as a part of the group.
    pub figures: Figures,
}

/// What one site puts into one group.
struct Part<'a> {
    name: String,
    figures: Figures,
    pointer_bytes: Option<u64>,
    types: &'a [TypeFigures],
    size: Option<&'a SizeSummary>,
}

impl Grouped {
    /// Groups `report`.
    pub fn of(report: &Report, by: GroupBy, sort: SortBy) -> Self {
        let goroutines = goroutines(report, by);
        let (alive, errors) = (Alive::of(report), Errors::of(report));
        let mut parts: HashMap<String, Vec<(&Site, Part<'_>)>> = HashMap::new();
        for site in &report.sites {
            for part in split(site, by, &goroutines, (alive, errors)) {
                parts
                    .entry(part.name.clone())
                    .or_default()
                    .push((site, part));
            }
        }
        let mut groups: Vec<Group> = parts
            .into_iter()
            .map(|(name, parts)| group(name, &parts, sort, errors))
            .collect();
        groups.sort_by(|a, b| {
            let ranks = sort.rank(&a.figures).cmp(&sort.rank(&b.figures));
            ranks.then_with(|| a.name.cmp(&b.name))
        });
        for (id, group) in (1..).zip(&mut groups) {
            group.id = id;
        }
        if by == GroupBy::Stack {
            show_frames(report, &mut groups);
        }
        Grouped { by, groups }
    }
}

impl Report {
    /// The report with its sites in another order; they keep their ids.
    pub fn sorted(&self, sort: SortBy) -> Cow<'_, Self> {
        if sort == SortBy::Bytes {
            return Cow::Borrowed(self);
        }
        let mut report = self.clone();
        report
            .sites
            .sort_by_key(|site| (sort.rank(&site.figures), site.id));
        Cow::Owned(report)
    }
}

/// Which of the two figures of what is alive stacks can be summed up by.
#[derive(Clone, Copy)]
enum Alive {
    /// Of what was allocated since the capture began: each sample has its stack and its goroutine.
    SinceTheStart,
    /// Of all that was ever allocated: the runtime's own profile has stacks of its own.
    Ever,
}

impl Alive {
    fn of(report: &Report) -> Self {
        let probed = report.heap.as_ref().and_then(|heap| heap.probed);
        match probed.and_then(|probed| probed.live) {
            Some(_) => Alive::SinceTheStart,
            None => Alive::Ever,
        }
    }

    /// The figures of a stack.
    fn figures(self, stack: &StackFigures) -> Figures {
        let alive = match self {
            Alive::SinceTheStart => stack.recent,
            Alive::Ever => stack.live,
        };
        Figures {
            live_bytes: alive.map(|alive| alive.bytes),
            ..stack.figures
        }
    }
}

/// The group of each stack, if they are grouped by who runs them.
fn goroutines(report: &Report, by: GroupBy) -> HashMap<u64, String> {
    let name = |stack: &Stack| match by {
        GroupBy::Goroutine => Some(created_at(report.frames.get(stack.creator?)?)),
        GroupBy::Label(label) => {
            let key = label.strip_prefix(LABEL)?;
            let labels = stack.labels.iter();
            let value = labels.rev().find(|(known, _)| known == key);
            value.map(|(_, value)| value.clone())
        }
        _ => None,
    };
    let stacks = report.stacks.iter();
    stacks
        .filter_map(|stack| Some((stack.id, name(stack)?)))
        .collect()
}

fn created_at(frame: &Frame) -> String {
    match frame.line {
        Some(line) => format!("{} {}:{line}", frame.function, frame.file),
        None => frame.function.clone(),
    }
}

fn split<'a>(
    site: &'a Site,
    by: GroupBy,
    goroutines: &HashMap<u64, String>,
    (alive, errors): (Alive, Errors),
) -> Vec<Part<'a>> {
    let whole = |name: &str| Part {
        name: name.to_owned(),
        figures: site.figures,
        pointer_bytes: pointers(&site.types),
        types: &site.types,
        size: Some(&site.size),
    };
    let part = |name: String, figures, pointer_bytes| Part {
        name,
        figures,
        pointer_bytes,
        types: &[],
        size: None,
    };
    let innermost = site.frames.first();
    match by {
        GroupBy::Function => vec![whole(innermost.map_or(NO_NAME, |frame| &frame.function))],
        GroupBy::Package => {
            let package = innermost.map_or("", |frame| &frame.package);
            vec![whole(if package.is_empty() { NO_NAME } else { package })]
        }
        GroupBy::Stack => site
            .stacks
            .iter()
            .map(|stack| part(stack_name(stack.id), alive.figures(stack), None))
            .collect(),
        GroupBy::Goroutine | GroupBy::Label(_) => {
            let mut groups: HashMap<&str, Vec<Figures>> = HashMap::new();
            for stack in &site.stacks {
                let name = goroutines.get(&stack.id).map_or(NO_NAME, String::as_str);
                let figures = alive.figures(stack);
                groups.entry(name).or_default().push(figures);
            }
            let groups = groups.into_iter();
            groups
                .map(|(name, figures)| {
                    part(name.to_owned(), sum(figures.into_iter(), errors), None)
                })
                .collect()
        }
        GroupBy::Type => {
            let named = site.types.iter().map(|of_type| {
                part(
                    of_type.name.clone(),
                    Figures {
                        estimate: site.figures.estimate.map(|_| Estimate::default()),
                        ..of_type.figures()
                    },
                    of_type.pointer_bytes,
                )
            });
            let rest = untold(site).map(|figures| part(NO_NAME.to_owned(), figures, None));
            named.chain(rest).collect()
        }
    }
}

/// What a site has allocated beyond its types; a capture need not have any.
fn untold(site: &Site) -> Option<Figures> {
    let told = sum(site.types.iter().map(TypeFigures::figures), Errors::Unknown);
    let allocs = site.figures.allocs.saturating_sub(told.allocs);
    let alloc_bytes = site.figures.alloc_bytes.zip(told.alloc_bytes);
    let requested_bytes = site.figures.requested_bytes.zip(told.requested_bytes);
    (allocs > 0).then(|| Figures {
        allocs,
        alloc_bytes: alloc_bytes.map(|(all, told)| all.saturating_sub(told)),
        requested_bytes: requested_bytes.map(|(all, told)| all.saturating_sub(told)),
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate: site.figures.estimate.map(|_| Estimate::default()),
    })
}

fn group(name: String, parts: &[(&Site, Part<'_>)], sort: SortBy, errors: Errors) -> Group {
    let mut types: HashMap<&str, TypeFigures> = HashMap::new();
    for row in parts.iter().flat_map(|(_, part)| part.types) {
        match types.get_mut(row.name.as_str()) {
            Some(known) => known.merge(row),
            None => drop(types.insert(&row.name, row.clone())),
        }
    }
    let mut types: Vec<TypeFigures> = types.into_values().collect();
    types.sort_by(|a, b| {
        b.weight()
            .cmp(&a.weight())
            .then_with(|| a.name.cmp(&b.name))
    });
    let mut sites: Vec<GroupSite> = parts
        .iter()
        .map(|(site, part)| GroupSite {
            id: site.id,
            figures: part.figures,
        })
        .collect();
    sites.sort_by_key(|site| (sort.rank(&site.figures), site.id));
    let figures = sum(parts.iter().map(|(_, part)| part.figures), errors);
    let sizes: Option<Vec<&SizeSummary>> = parts.iter().map(|(_, part)| part.size).collect();
    Group {
        id: 0,
        name,
        figures,
        pointer_bytes: parts.iter().try_fold(0_u64, |sum, (_, part)| {
            Some(sum.saturating_add(part.pointer_bytes?))
        }),
        size: sizes.map(|sizes| SizeSummary::merged(&sizes, &figures)),
        frames: Vec::new(),
        types,
        sites,
    }
}

/// What is known of the errors of two parts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    /// Each sample is taken by itself: variances add up.
    Independent,
    /// Windows are of several sites at once.
    Unknown,
}

impl Errors {
    fn of(report: &Report) -> Self {
        if report.window.mode.is_of_samples() {
            Errors::Independent
        } else {
            Errors::Unknown
        }
    }

    fn together(self, a: Estimate, b: Estimate) -> Estimate {
        let add = |a: Option<u64>, b: Option<u64>| {
            let (a, b) = a.zip(b)?;
            Some(whole((a as f64).hypot(b as f64)))
        };
        match self {
            Errors::Unknown => Estimate::default(),
            Errors::Independent => Estimate {
                allocs_error: add(a.allocs_error, b.allocs_error),
                alloc_bytes_error: add(a.alloc_bytes_error, b.alloc_bytes_error),
            },
        }
    }
}

fn sum(figures: impl Iterator<Item = Figures>, errors: Errors) -> Figures {
    let nothing = Figures {
        allocs: 0,
        alloc_bytes: Some(0),
        requested_bytes: Some(0),
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate: None,
    };
    figures.fold(nothing, |a, b| Figures {
        allocs: a.allocs.saturating_add(b.allocs),
        alloc_bytes: a
            .alloc_bytes
            .zip(b.alloc_bytes)
            .map(|(a, b)| a.saturating_add(b)),
        requested_bytes: a
            .requested_bytes
            .zip(b.requested_bytes)
            .map(|(a, b)| a.saturating_add(b)),
        faults: either(a.faults, b.faults, u64::saturating_add),
        live_bytes: either(a.live_bytes, b.live_bytes, u64::saturating_add),
        growth_per_s: either(a.growth_per_s, b.growth_per_s, i64::saturating_add),
        estimate: match (a.estimate, b.estimate) {
            (Some(a), Some(b)) => Some(errors.together(a, b)),
            (a, b) => a.or(b),
        },
    })
}

/// Both together, or what there is.
fn either<T>(a: Option<T>, b: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (a, b) => a.or(b),
    }
}

fn pointers(types: &[TypeFigures]) -> Option<u64> {
    if types.is_empty() {
        return None;
    }
    types.iter().try_fold(0_u64, |sum, row| {
        Some(sum.saturating_add(row.pointer_bytes?))
    })
}

fn stack_name(id: u64) -> String {
    format!("{id:016x}")
}

/// Gives each stack its frames, without those of the runtime that lead from the site to the allocator.
fn show_frames(report: &Report, groups: &mut [Group]) {
    let stacks: HashMap<String, &Stack> = report
        .stacks
        .iter()
        .map(|stack| (stack_name(stack.id), stack))
        .collect();
    let sites: HashMap<u32, &Site> = report.sites.iter().map(|site| (site.id, site)).collect();
    for group in groups {
        let Some(stack) = stacks.get(&group.name) else {
            continue;
        };
        let site = group.sites.first().and_then(|site| sites.get(&site.id));
        let start = site.and_then(|site| stack.start_of(site, &report.frames));
        let shown = stack.frames.iter().skip(start.unwrap_or(0));
        group.frames = shown
            .filter_map(|index| report.frames.get(*index))
            .cloned()
            .collect();
    }
}

impl Stack {
    /// How many frames are further in than those of `site`; `None` if it is not on the stack. `table` is
    /// [`Report::frames`].
    pub(crate) fn start_of(&self, site: &Site, table: &[Frame]) -> Option<usize> {
        let frames: Vec<Option<&Frame>> = self.frames.iter().map(|at| table.get(*at)).collect();
        let wanted: Vec<Option<&Frame>> = site.frames.iter().map(Some).collect();
        if wanted.is_empty() {
            return None;
        }
        frames
            .windows(wanted.len())
            .position(|window| *window == *wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    const ALL: [GroupBy; 4] = [
        GroupBy::Stack,
        GroupBy::Type,
        GroupBy::Function,
        GroupBy::Package,
    ];

    fn grouped(by: GroupBy) -> Vec<Group> {
        Grouped::of(&fixture::report(), by, SortBy::Bytes).groups
    }

    fn names(groups: &[Group]) -> Vec<(&str, u64)> {
        groups
            .iter()
            .map(|group| (group.name.as_str(), group.figures.allocs))
            .collect()
    }

    #[test]
    fn groups_add_up_to_the_sites() {
        let report = fixture::report();
        for by in ALL {
            let sum = |figures: Vec<Figures>| sum(figures.into_iter(), Errors::Unknown);
            let all = sum(grouped(by).iter().map(|group| group.figures).collect());
            let of_sites = sum(report.sites.iter().map(|site| site.figures).collect());
            assert_eq!(all, of_sites);
            for group in grouped(by) {
                let parts = sum(group.sites.iter().map(|site| site.figures).collect());
                assert_eq!(parts, group.figures, "{}", group.name);
            }
        }
    }

    #[test]
    fn functions_and_packages_are_those_of_the_innermost_frame() {
        assert_eq!(
            names(&grouped(GroupBy::Function)),
            [
                ("main.(*Cache).Put", 5_200_000),
                ("strings.(*Builder).grow", 1_234_567),
                ("-", 40)
            ]
        );
        assert_eq!(
            names(&grouped(GroupBy::Package)),
            [("main", 5_200_000), ("strings", 1_234_567), ("-", 40)]
        );
    }

    #[test]
    fn a_type_is_one_group_across_its_sites() {
        let mut report = fixture::report();
        let user = report.sites[0].types[0].clone();
        report.sites[1].types = vec![user];
        let types = Grouped::of(&report, GroupBy::Type, SortBy::Bytes).groups;
        assert_eq!(types[0].name, "main.User");
        assert_eq!(types[0].figures.allocs, 10_000_000);
        assert_eq!(types[0].pointer_bytes, Some(735_072_000));
        assert_eq!(
            types[0]
                .sites
                .iter()
                .map(|site| site.id)
                .collect::<Vec<_>>(),
            [1, 2]
        );
    }

    #[test]
    fn a_stack_begins_at_its_site() {
        let mut report = fixture::report();
        report.stacks[0].frames.insert(0, 6);
        let stacks = Grouped::of(&report, GroupBy::Stack, SortBy::Bytes).groups;
        assert_eq!(stacks[0].name, "9f3a000000000001");
        assert_eq!(stacks[0].frames.len(), 4);
        assert_eq!(stacks[0].frames[0].function, "main.(*Cache).Put");
    }

    #[test]
    fn sizes_are_those_of_all_sites_of_the_group() {
        let mut report = fixture::report();
        report.sites[1].frames = report.sites[0].frames.clone();
        let groups = Grouped::of(&report, GroupBy::Function, SortBy::Bytes).groups;
        let size = groups[0].size.as_ref().unwrap();
        assert_eq!((size.min, size.max, size.unbinned), (8, 4096, 2));
        assert_eq!(size.buckets.len(), 6);
        assert_eq!(size.p50, 96);
    }

    #[test]
    fn the_order_follows_the_figure_asked_for() {
        let mut report = fixture::report();
        report.sites[2].figures.allocs = 9_000_000;
        let first = |sort| {
            Grouped::of(&report, GroupBy::Package, sort).groups[0]
                .name
                .clone()
        };
        assert_eq!(first(SortBy::Bytes), "main");
        assert_eq!(first(SortBy::Allocs), "-");
        let ids = |sort| {
            let sorted = report.sorted(sort);
            sorted.sites.iter().map(|site| site.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(SortBy::Bytes), [1, 2, 3]);
        assert_eq!(ids(SortBy::Allocs), [3, 1, 2]);
    }

    #[test]
    fn hostile_figures_do_not_overflow() {
        for by in ALL {
            Grouped::of(&fixture::nasty(), by, SortBy::Allocs);
        }
    }

    #[test]
    fn stacks_are_grouped_by_the_label_and_the_maker_of_their_goroutine() {
        let report = fixture::with_heap();
        let names = |by| -> Vec<(String, Option<u64>)> {
            let grouped = Grouped::of(&report, by, SortBy::Live);
            let groups = grouped.groups.into_iter();
            groups
                .map(|group| (group.name, group.figures.live_bytes))
                .collect()
        };
        let by_tenant = names(GroupBy::Label("label:tenant"));
        assert_eq!(by_tenant[0], ("acme".to_owned(), Some(19 << 20)));
        assert!(by_tenant.iter().any(|(name, _)| name == "globex"));
        let unknown = names(GroupBy::Label("label:zone"));
        assert_eq!(unknown.len(), 1, "{unknown:?}");
        assert_eq!(unknown[0].0, "-");
        let makers = names(GroupBy::Goroutine);
        assert_eq!(makers[0].1, Some(19 << 20), "{makers:?}");
        let groups = Grouped::of(&report, GroupBy::Label("label:tenant"), SortBy::Bytes);
        let sum: u64 = groups.groups.iter().map(|group| group.figures.allocs).sum();
        let stacks = report.sites.iter().flat_map(|site| &site.stacks);
        assert_eq!(sum, stacks.map(|stack| stack.figures.allocs).sum::<u64>());
        let by_package = Grouped::of(&report, GroupBy::Package, SortBy::Bytes).groups;
        let with_error = |group: &Group| group.figures.estimate.unwrap().alloc_bytes_error;
        assert!(by_package.iter().all(|group| with_error(group).is_some()));
    }
}
