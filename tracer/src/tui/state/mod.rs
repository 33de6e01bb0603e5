//! What is shown: a fold over reports and keys. Hides which of them are selected, sorted, filtered, frozen.

mod history;
mod keys;
mod rows;
mod snapshot;

pub use crate::live::{Step, Timing};
pub use history::History;
pub use keys::{Act, Key};
pub use rows::Column;
pub use snapshot::Snapshot;

use crate::report::{Report, SortBy};
use rows::Rows;
use snapshot::Tracker;

/// A list that can be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Lines of code.
    #[default]
    Sites,
    /// Go types.
    Types,
    /// Maps, those with most entries.
    Maps,
    /// What is wrong.
    Findings,
}

impl Tab {
    /// All of them, in their order.
    pub const ALL: [Tab; 4] = [Tab::Sites, Tab::Types, Tab::Maps, Tab::Findings];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Tab::Sites => "Sites",
            Tab::Types => "Types",
            Tab::Maps => "Maps",
            Tab::Findings => "Findings",
        }
    }

    fn position(self) -> usize {
        self as usize
    }
}

/// Something of which every detail is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A site, by the id that stays.
    Site(u32),
    /// A type, by its name.
    Type(String),
    /// A map, by what tells it from others.
    Map(u64),
}

/// What a frame has shown, which scrolling depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Lines of the part that scrolls.
    pub page: usize,
    /// Lines that there are, where text scrolls.
    pub lines: usize,
}

/// A message to the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub text: String,
    /// Whether something has failed.
    pub is_error: bool,
}

/// Which line of a list is selected, and which are to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// What is selected, so that it stays selected when it moves.
    key: Option<u64>,
    /// Its line.
    pub line: usize,
    /// The first line to be seen.
    pub first: usize,
}

/// What is shown while nothing is moved by a new report.
#[derive(Debug)]
struct Frozen {
    snapshot: Option<Snapshot>,
    history: History,
}

/// Everything that is shown.
#[derive(Debug)]
pub struct State {
    tracker: Tracker,
    latest: Option<Snapshot>,
    history: History,
    frozen: Option<Box<Frozen>>,
    tab: Tab,
    /// By which column each list is sorted.
    sorted: [Column; 4],
    cursors: [Cursor; 4],
    since_start: bool,
    filter: String,
    is_typing: bool,
    opened: Vec<Opened>,
    scroll: usize,
    help: bool,
    message: Option<Message>,
    ended: Option<&'static str>,
    drawn: Drawn,
    rows: Rows,
}

impl State {
    /// Before the first report.
    pub fn new(sort: SortBy) -> Self {
        State {
            tracker: Tracker::new(),
            latest: None,
            history: History::default(),
            frozen: None,
            tab: Tab::default(),
            sorted: [
                Column::of(sort),
                Column::Bytes,
                Column::Entries,
                Column::Name,
            ],
            cursors: [Cursor::default(); 4],
            since_start: false,
            filter: String::new(),
            is_typing: false,
            opened: Vec::new(),
            scroll: 0,
            help: false,
            message: None,
            ended: None,
            drawn: Drawn::default(),
            rows: Rows::default(),
        }
    }

    /// Takes in what has been found so far.
    pub fn take(&mut self, report: Report) {
        let snapshot = self.tracker.snapshot(report);
        let watched = self.opened.iter().find_map(|opened| match opened {
            Opened::Site(id) => Some(*id),
            _ => None,
        });
        self.history.add(&snapshot, watched);
        self.latest = Some(snapshot);
        if self.frozen.is_none() {
            self.refresh();
        }
    }

    /// Takes in the last report, and why it is the last.
    pub fn end(&mut self, report: Report, why: &'static str) {
        self.take(report);
        self.ended = Some(why);
    }

    /// Takes in what the last frame has shown.
    pub fn drawn(&mut self, drawn: Drawn) {
        if drawn != self.drawn {
            self.drawn = drawn;
            self.keep_in_sight();
        }
    }

    /// Says something until the next key.
    pub fn say(&mut self, text: String, is_error: bool) {
        self.message = Some(Message { text, is_error });
    }

    /// What is shown of the target; `None` before the first report.
    pub fn shown(&self) -> Option<&Snapshot> {
        match &self.frozen {
            Some(frozen) => frozen.snapshot.as_ref(),
            None => self.latest.as_ref(),
        }
    }

    /// What has been before that.
    pub fn history(&self) -> &History {
        match &self.frozen {
            Some(frozen) => &frozen.history,
            None => &self.history,
        }
    }

    /// The last report, whatever is shown.
    pub fn last_report(&self) -> Option<&Report> {
        let latest = self.latest.as_ref();
        let frozen = self.frozen.as_ref();
        let snapshot = latest.or_else(|| frozen?.snapshot.as_ref());
        snapshot.map(|snapshot| &snapshot.report)
    }

    /// The list that is shown.
    pub fn tab(&self) -> Tab {
        self.tab
    }

    /// The column by which it is sorted.
    pub fn sorted(&self) -> Column {
        self.sorted
            .get(self.tab.position())
            .copied()
            .unwrap_or(Column::Name)
    }

    /// The selected line of it.
    pub fn cursor(&self) -> Cursor {
        self.cursors
            .get(self.tab.position())
            .copied()
            .unwrap_or_default()
    }

    /// Positions in the snapshot of what it shows, in its order.
    pub fn rows(&self) -> &[usize] {
        &self.rows.shown
    }

    /// How many there are without the filter.
    pub fn rows_without_filter(&self) -> usize {
        self.rows.all
    }

    /// Whether sums since the start are shown, and not rates of the last interval.
    pub fn is_since_start(&self) -> bool {
        self.since_start
    }

    /// The filter, and whether it is being typed.
    pub fn filter(&self) -> (&str, bool) {
        (&self.filter, self.is_typing)
    }

    /// Of what every detail is shown.
    pub fn opened(&self) -> Option<&Opened> {
        self.opened.last()
    }

    /// Lines of text that are above what is to be seen.
    pub fn scroll(&self) -> usize {
        self.scroll
    }

    /// Whether the keys are explained.
    pub fn is_help(&self) -> bool {
        self.help
    }

    /// Whether new reports wait.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// What is to be said.
    pub fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// Why nothing new will come.
    pub fn ended(&self) -> Option<&'static str> {
        self.ended
    }

    fn cursor_mut(&mut self) -> Option<&mut Cursor> {
        self.cursors.get_mut(self.tab.position())
    }

    fn set_frozen(&mut self, frozen: bool) {
        self.frozen = match self.frozen.take() {
            None if frozen => Some(Box::new(Frozen {
                snapshot: self.latest.take(),
                history: self.history.clone(),
            })),
            Some(thawed) => {
                // Unless nothing came meanwhile.
                self.latest = self.latest.take().or(thawed.snapshot);
                None
            }
            None => None,
        };
        self.refresh();
    }

    /// Makes the list anew; what was selected stays selected.
    fn refresh(&mut self) {
        let Some(snapshot) = self.shown() else {
            return;
        };
        let query = rows::Query {
            tab: self.tab,
            sorted: self.sorted(),
            since_start: self.since_start,
            filter: &self.filter,
        };
        let rows = Rows::of(snapshot, &query);
        let (key, tab) = (self.cursor().key, self.tab);
        let line = key.and_then(|key| {
            let mut keys = rows.shown.iter();
            keys.position(|item| snapshot.key(tab, *item) == Some(key))
        });
        self.rows = rows;
        if let (Some(line), Some(cursor)) = (line, self.cursor_mut()) {
            cursor.line = line;
        }
        self.keep_in_sight();
    }

    /// Selects a line, or the last one if there are fewer.
    fn select(&mut self, line: usize) {
        let line = line.min(self.rows.shown.len().saturating_sub(1));
        let (tab, item) = (self.tab, self.rows.shown.get(line).copied());
        let key = self
            .shown()
            .zip(item)
            .and_then(|(snapshot, item)| snapshot.key(tab, item));
        if let Some(cursor) = self.cursor_mut() {
            (cursor.line, cursor.key) = (line, key);
        }
        self.keep_in_sight();
    }

    fn keep_in_sight(&mut self) {
        let (page, len) = (self.drawn.page.max(1), self.rows.shown.len());
        if let Some(cursor) = self.cursor_mut() {
            cursor.line = cursor.line.min(len.saturating_sub(1));
            let least = (cursor.line + 1).saturating_sub(page);
            cursor.first = cursor.first.clamp(least, cursor.line.max(least));
            // No empty lines below the list while there are lines above.
            cursor.first = cursor.first.min(len.saturating_sub(page));
        }
        let furthest = self.drawn.lines.saturating_sub(self.drawn.page);
        self.scroll = self.scroll.min(furthest);
    }
}

#[cfg(test)]
mod tests;
