//! What each window of a row stands for: every byte of progress is accounted for by one window.

use crate::aggregate::{Weight, WindowId};
use tracer_common::record::MAX_WINDOW;

/// A window that is over, and whose share is not settled yet.
#[derive(Clone, Copy, Debug)]
struct Closed {
    number: u8,
    inside: f64,
    /// Progress at its end.
    end: u64,
}

/// A window in which the row records.
#[derive(Clone, Copy, Debug)]
struct Open {
    number: u8,
    start: u64,
}

/// The windows of one row.
#[derive(Clone, Debug)]
pub(super) struct Account {
    row: u8,
    /// Progress up to which everything is accounted for.
    settled: u64,
    last: Option<Closed>,
    open: Option<Open>,
    /// Windows opened so far.
    turn: u64,
}

impl Account {
    /// The account of a row that stopped recording everything at this progress. `turn` continues that of an earlier
    /// account of the row, so that numbers do not come again too soon.
    pub(super) fn new(row: u8, progress: u64, turn: u64) -> Self {
        Account {
            row,
            settled: progress,
            last: None,
            open: None,
            turn,
        }
    }

    /// Windows opened so far.
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Number of the next window.
    pub(super) fn next_number(&self) -> u8 {
        let number = u8::try_from(self.turn % u64::from(MAX_WINDOW));
        number.map_or(MAX_WINDOW, |number| number + 1)
    }

    /// A window opens because the progress has come to a place chosen beforehand: it will stand for what went by since
    /// the last one. Settles the one before.
    pub(super) fn open(&mut self, progress: u64) -> Option<Weight> {
        let weight = self.last.take().map(|last| self.settle(last, last.end));
        self.start(progress);
        weight
    }

    /// A window opens because little happens, so that the place is not chosen evenly: what went by goes to the window
    /// before, and this one stands for itself.
    pub(super) fn open_early(&mut self, progress: u64) -> Option<Weight> {
        let weight = self.last.take().map(|last| self.settle(last, progress));
        self.start(progress);
        weight
    }

    /// The open window ends.
    pub(super) fn close(&mut self, progress: u64) {
        if let Some(open) = self.open.take() {
            self.last = Some(Closed {
                number: open.number,
                inside: progress.saturating_sub(open.start) as f64,
                end: progress,
            });
        }
    }

    /// Settles everything up to this progress; `None` if there has been no window to stand for it.
    pub(super) fn finish(&mut self, progress: u64) -> Option<Weight> {
        self.close(progress);
        self.last.take().map(|last| self.settle(last, progress))
    }

    fn start(&mut self, progress: u64) {
        self.open = Some(Open {
            number: self.next_number(),
            start: progress,
        });
        self.turn += 1;
    }

    fn settle(&mut self, window: Closed, until: u64) -> Weight {
        let stands_for = until.saturating_sub(self.settled) as f64;
        self.settled = until;
        Weight {
            window: WindowId {
                row: self.row,
                number: window.number,
            },
            inside: window.inside,
            stands_for,
            turn: self.turn.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_stand_for_all_progress_together() {
        let mut account = Account::new(7, 1000, 0);
        assert_eq!(account.open(1400), None);
        account.close(1500);
        let first = account.open(2000).unwrap();
        assert_eq!((first.inside, first.stands_for), (100.0, 500.0));
        assert_eq!(first.window, WindowId { row: 7, number: 1 });
        account.close(2100);
        let last = account.finish(3000).unwrap();
        assert_eq!((last.inside, last.stands_for), (100.0, 1500.0));
        assert_eq!(last.window, WindowId { row: 7, number: 2 });
        assert_eq!(account.finish(3000), None);
    }

    #[test]
    fn an_early_window_stands_for_itself() {
        let mut account = Account::new(0, 0, 0);
        account.open(100);
        account.close(200);
        let first = account.open_early(500).unwrap();
        assert_eq!((first.inside, first.stands_for), (100.0, 500.0));
        let early = account.finish(600).unwrap();
        assert_eq!((early.inside, early.stands_for), (100.0, 100.0));
        assert!((early.factor() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_come_again_after_all_others() {
        let mut account = Account::new(0, 0, 0);
        let numbers: Vec<u8> = (0..u64::from(MAX_WINDOW) + 1)
            .map(|_| {
                let number = account.next_number();
                account.open(0);
                account.close(0);
                number
            })
            .collect();
        assert_eq!((numbers[0], numbers[62], numbers[63]), (1, MAX_WINDOW, 1));
    }
}
