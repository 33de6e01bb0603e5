//! When the next window opens, of which row, and when it is over.
//!
//! Windows are laid out on the target's progress, the bytes its runtime has allocated: place and length are fixed in
//! bytes beforehand, so that a phase of the program gets windows by what it allocates and not by how long it takes, which
//! probes change.

use super::account::Account;
use super::budget::{Budget, Observation, nanos};
use super::policy::Action;
use crate::aggregate::Weight;
use std::collections::BTreeMap;
use std::time::Duration;

/// Length of a window that is aimed at: the target is slow meanwhile.
const AIM: Duration = Duration::from_millis(10);
/// Longest window.
const LONGEST: Duration = Duration::from_millis(200);
/// Least progress of a window: the runtime counts bytes when a span is full, 8 KiB or more.
const LEAST_BYTES: f64 = 256.0 * 1024.0;
/// How many times longer than that a window may be.
const MOST_LONGER: f64 = 4.0;
/// Share of the budget that a window may take to open early, whatever the balance: it could as well go on.
const LITTLE: f64 = 0.5;
/// Rest after a window before one may open early.
const REST: Duration = Duration::from_millis(500);
/// A window that costs so many times what was expected is cut short.
const EMERGENCY: f64 = 4.0;

/// Rows in windows, in turn.
#[derive(Debug)]
pub(super) struct Schedule {
    rows: BTreeMap<u8, Member>,
    /// Windows opened by rows that have left since.
    turns: BTreeMap<u8, u64>,
    current: Option<Current>,
    /// Row of the last window.
    previous: u8,
    /// The end of the last window, and the progress at which the next opens.
    rest_from: Option<Observation>,
    next_at: f64,
    /// Cost of a window with everything around it, in nanoseconds.
    window_ns: f64,
    /// Cost of what is recorded in windows, for each byte of progress.
    ns_per_byte: f64,
    random: u64,
}

#[derive(Debug)]
struct Member {
    account: Account,
    /// Length of a window.
    bytes: f64,
}

#[derive(Debug)]
struct Current {
    row: u8,
    /// When the decision was made: costs count from here.
    asked: Observation,
    /// When it opened, as soon as it has.
    opened: Option<Observation>,
    /// When it was over; its probe is on its way out since then.
    closed: Option<Observation>,
    /// What it cost besides the hits that were counted, in nanoseconds.
    uncounted_ns: f64,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Self {
        Schedule {
            rows: BTreeMap::new(),
            turns: BTreeMap::new(),
            current: None,
            previous: u8::MAX,
            rest_from: None,
            next_at: 0.0,
            window_ns: 0.0,
            ns_per_byte: 0.0,
            random: seed | 1,
        }
    }

    /// Whether a window is open.
    pub(super) fn is_open(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.closed.is_none())
    }

    /// Whether the last window is over but for its probe, which is on its way out.
    pub(super) fn is_closing(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.closed.is_some())
    }

    /// Whether no row is in windows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether this row is.
    pub(super) fn has(&self, row: u8) -> bool {
        self.rows.contains_key(&row)
    }

    /// Rows in windows.
    pub(super) fn rows(&self) -> Vec<u8> {
        self.rows.keys().copied().collect()
    }

    /// What must be saved for a window, in nanoseconds.
    pub(super) fn reserve_ns(&self) -> f64 {
        2.0 * self.window_ns
    }

    /// Length after which a window is over, whatever has been recorded.
    pub(super) fn longest(&self) -> Duration {
        LONGEST
    }

    /// A row that is probed in windows from now on, judged by what it did lately.
    pub(super) fn add(&mut self, row: u8, now: &Observation, rates: &Observation, budget: &Budget) {
        let turn = self.turns.get(&row).copied().unwrap_or(0);
        let member = Member {
            account: Account::new(row, now.progress, turn),
            bytes: length(rates),
        };
        let aim = AIM.as_secs_f64() / seconds(rates);
        // Twice: the probe is in the target for as long again, before and after.
        let expected = 2.0 * aim * rates.cost_ns(budget.cost());
        self.window_ns = self.window_ns.max(expected);
        self.ns_per_byte = rates.cost_ns(budget.cost()) / (rates.progress as f64).max(1.0);
        self.rows.insert(row, member);
        let left = (0.5 * budget.ratio()).max(1e-9);
        self.plan(now, rates, budget, left);
    }

    /// The next window, if it is time for one: `left` is the CPU time for windows for each unit of the target's own.
    pub(super) fn next(
        &mut self,
        now: &Observation,
        rates: &Observation,
        budget: &Budget,
        left: f64,
        busy: bool,
    ) -> Option<Action> {
        if busy || self.current.is_some() || self.is_empty() || left <= 0.0 {
            return None;
        }
        let rested = self
            .rest_from
            .as_ref()
            .is_none_or(|from| now.at.saturating_sub(from.at) >= REST);
        let due =
            now.progress as f64 >= self.next_at && budget.balance_ns() >= 0.5 * self.window_ns;
        let little =
            self.expected_ns(rates) <= LITTLE * budget.ratio() * longest_of_own(rates, budget);
        let unspent = budget.is_full() && budget.balance_ns() >= self.window_ns;
        let early = !due && rested && (little || unspent);
        if !due && !early {
            return None;
        }
        let from = self.rest_from.take();
        self.plan(
            now,
            &from.map_or_else(|| rates.clone(), |from| now.since(&from)),
            budget,
            left,
        );
        let row = self.in_turn()?;
        self.current = Some(Current {
            row,
            asked: now.clone(),
            opened: None,
            closed: None,
            uncounted_ns: 0.0,
        });
        Some(Action::Open { row, early })
    }

    /// Number of a row's next window.
    pub(super) fn next_number(&self, row: u8) -> u8 {
        let member = self.rows.get(&row);
        member.map_or(1, |member| member.account.next_number())
    }

    /// The window of `row` has opened. Gives what the one before stands for.
    pub(super) fn opened(&mut self, row: u8, early: bool, now: Observation) -> Option<Weight> {
        let account = &mut self.rows.get_mut(&row)?.account;
        let weight = if early {
            account.open_early(now.progress)
        } else {
            account.open(now.progress)
        };
        if let Some(current) = &mut self.current {
            current.opened = Some(now);
        }
        weight
    }

    /// Whether the open window is over: its row, and what happened in it.
    pub(super) fn over(&self, now: &Observation, balance_ns: f64) -> Option<(u8, Observation)> {
        let current = self.current.as_ref()?;
        let inside = now.since(current.opened.as_ref()?);
        let bytes = self.rows.get(&current.row)?.bytes;
        let over = inside.progress as f64 >= bytes
            || inside.at >= LONGEST
            || balance_ns < -EMERGENCY * self.window_ns;
        over.then_some((current.row, inside))
    }

    /// CPU time for recording a row's hits, for each unit of the target's own.
    pub(super) fn ratio_of(&self, row: u8, rates: &Observation, budget: &Budget) -> f64 {
        let hits = rates.row_hits.get(usize::from(row)).copied().unwrap_or(0);
        hits as f64 * budget.cost().recorded_ns / rates.own_ns(budget.cost())
    }

    /// The window of `row` is over; its probe is on its way out.
    pub(super) fn closed(&mut self, row: u8, now: Observation) {
        if let Some(member) = self.rows.get_mut(&row) {
            member.account.close(now.progress);
        }
        if let Some(current) = &mut self.current {
            current.closed = Some(now);
        }
    }

    /// The window has cost more than was counted, in nanoseconds.
    pub(super) fn charge(&mut self, ns: f64) {
        if let Some(current) = &mut self.current {
            current.uncounted_ns += ns;
        }
    }

    /// The probe of the last window is out of the target: now it is known what the window cost.
    pub(super) fn out(&mut self, now: &Observation, budget: &Budget) {
        let Some(current) = self.current.take() else {
            return;
        };
        self.previous = current.row;
        let whole = now.since(&current.asked);
        let cost = whole.cost_ns(budget.cost()) + current.uncounted_ns;
        log::debug!(
            "window of row {}: {:?} from decision to end, {:?} open, cost {:.1} ms, {:.1} ms of it uncounted",
            current.row,
            whole.at,
            current
                .opened
                .as_ref()
                .zip(current.closed.as_ref())
                .map(|(opened, closed)| closed.since(opened).at),
            cost / 1e6,
            current.uncounted_ns / 1e6
        );
        self.window_ns = 0.7 * self.window_ns + 0.3 * cost;
        if let Some(member) = self.rows.get_mut(&current.row)
            && let Some((opened, closed)) = current.opened.as_ref().zip(current.closed.as_ref())
        {
            // A window that costs little beside its end can as well be longer.
            let counted = (cost - current.uncounted_ns).max(1.0);
            let longer = (current.uncounted_ns / counted).clamp(1.0, MOST_LONGER);
            let inside = closed.since(opened);
            let ns_per_byte = inside.cost_ns(budget.cost()) / (inside.progress as f64).max(1.0);
            self.ns_per_byte = 0.7 * self.ns_per_byte + 0.3 * ns_per_byte;
            let wanted = length(&inside) * longer;
            member.bytes = 0.7 * member.bytes + 0.3 * wanted;
        }
        self.rest_from = Some(now.clone());
    }

    /// The row leaves the windows: what its last one stands for.
    pub(super) fn remove(&mut self, row: u8, progress: u64) -> Option<Weight> {
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.row == row)
        {
            self.current = None;
        }
        let mut member = self.rows.remove(&row)?;
        let weight = member.account.finish(progress);
        self.turns.insert(row, member.account.turn());
        weight
    }

    /// What a window of the longest kind would cost at these rates, in nanoseconds.
    fn expected_ns(&self, rates: &Observation) -> f64 {
        let progress = rates.progress as f64 * LONGEST.as_secs_f64() / seconds(rates);
        self.ns_per_byte * progress
    }

    /// The row whose turn it is.
    fn in_turn(&self) -> Option<u8> {
        let after = self.previous.checked_add(1);
        let next = after.and_then(|from| self.rows.range(from..).next());
        let (row, _) = next.or_else(|| self.rows.first_key_value())?;
        Some(*row)
    }

    /// Chooses the progress at which the next window opens: so far away that windows cost `left` of the target's own CPU
    /// time, somewhere around it.
    fn plan(&mut self, now: &Observation, rates: &Observation, budget: &Budget, left: f64) {
        let own = rates.own_ns(budget.cost());
        let bytes_per_own = rates.progress as f64 / own;
        let gap = self.window_ns / left.max(1e-9) * bytes_per_own;
        self.next_at = now.progress as f64 + gap * (0.5 + self.uniform());
    }

    /// 0 to 1, by xorshift (G. Marsaglia, 2003).
    fn uniform(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random as f64 / u64::MAX as f64
    }
}

/// The target's own CPU time in the longest window, at these rates, in nanoseconds.
fn longest_of_own(rates: &Observation, budget: &Budget) -> f64 {
    rates.own_ns(budget.cost()) * LONGEST.as_secs_f64() / seconds(rates)
}

fn seconds(rates: &Observation) -> f64 {
    rates.at.as_secs_f64().max(1e-9)
}

/// Progress in the time of a window, at these rates.
fn length(rates: &Observation) -> f64 {
    let part = nanos(AIM) / nanos(rates.at).max(1.0);
    (rates.progress as f64 * part).max(LEAST_BYTES)
}
