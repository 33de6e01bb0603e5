//! What each key does to the state.

use super::{Column, Opened, State, Tab, rows};

/// Most characters of a filter.
const MAX_FILTER: usize = 200;

/// A key as it was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what is printed on the key")]
pub enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Tab,
    BackTab,
    Left,
    Right,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// Ctrl-C
    Interrupt,
}

/// What a key asks for that is not a matter of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// To keep the capture.
    Save,
    /// To end.
    Quit,
}

impl State {
    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Act {
        self.message = None;
        if key == Key::Interrupt {
            return Act::Quit;
        }
        if self.is_typing {
            self.press_typing(key);
            return Act::Nothing;
        }
        match key {
            Key::Char('q') => return Act::Quit,
            Key::Char('w') => return Act::Save,
            Key::Char(' ' | 'p') => self.set_frozen(!self.is_frozen()),
            Key::Char('?' | 'h') => self.turn_help(!self.help),
            Key::Char('r') => {
                self.since_start = !self.since_start;
                self.refresh();
            }
            _ if self.help => self.press_reading(key),
            _ if self.opened.is_empty() => self.press_in_list(key),
            _ => self.press_reading(key),
        }
        Act::Nothing
    }

    fn press_typing(&mut self, key: Key) {
        match key {
            Key::Escape => {
                self.is_typing = false;
                self.filter.clear();
            }
            Key::Enter => self.is_typing = false,
            Key::Backspace => {
                // Nothing left to take away: as in less, that leaves the line.
                self.is_typing = self.filter.pop().is_some();
            }
            Key::Char(c) if !c.is_control() && self.filter.chars().count() < MAX_FILTER => {
                self.filter.push(c);
            }
            _ => return self.move_in_list(key),
        }
        self.refresh();
    }

    fn press_in_list(&mut self, key: Key) {
        match key {
            Key::Tab | Key::Right => self.turn_tab(1),
            Key::BackTab | Key::Left => self.turn_tab(Tab::ALL.len() - 1),
            Key::Char(digit @ '1'..='4') => {
                let position = (digit as usize).saturating_sub('1' as usize);
                self.show_tab(Tab::ALL.get(position).copied().unwrap_or_default());
            }
            Key::Char('s') => self.turn_sort(1),
            Key::Char('S') => self.turn_sort(usize::MAX),
            Key::Char('/') => self.is_typing = true,
            Key::Escape => {
                self.filter.clear();
                self.refresh();
            }
            Key::Enter => self.open_selected(),
            _ => self.move_in_list(key),
        }
    }

    fn move_in_list(&mut self, key: Key) {
        let (line, page) = (self.cursor().line, self.drawn.page.max(1));
        self.select(match key {
            Key::Up | Key::Char('k') => line.saturating_sub(1),
            Key::Down | Key::Char('j') => line + 1,
            Key::PageUp => line.saturating_sub(page),
            Key::PageDown => line + page,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => usize::MAX,
            _ => return,
        });
    }

    /// In a detail or in the help.
    fn press_reading(&mut self, key: Key) {
        let page = self.drawn.page.max(1);
        let scroll = match key {
            Key::Up | Key::Char('k') => self.scroll.saturating_sub(1),
            Key::Down | Key::Char('j') => self.scroll + 1,
            Key::PageUp => self.scroll.saturating_sub(page),
            Key::PageDown => self.scroll + page,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => usize::MAX,
            Key::Escape | Key::Backspace | Key::Left | Key::Enter => return self.go_back(),
            Key::Tab | Key::BackTab | Key::Char('1'..='4') if !self.help => {
                self.opened.clear();
                self.scroll = 0;
                return self.press_in_list(key);
            }
            _ => return,
        };
        self.scroll = scroll;
        self.keep_in_sight();
    }

    fn go_back(&mut self) {
        if self.help {
            self.help = false;
        } else {
            self.opened.pop();
        }
        self.scroll = 0;
    }

    fn turn_help(&mut self, help: bool) {
        self.help = help;
        self.scroll = 0;
    }

    fn turn_tab(&mut self, by: usize) {
        let position = (self.tab.position() + by) % Tab::ALL.len();
        self.show_tab(Tab::ALL.get(position).copied().unwrap_or_default());
    }

    fn show_tab(&mut self, tab: Tab) {
        self.tab = tab;
        self.refresh();
    }

    /// Sorts by the next column, or by the one before; to the first line, which is why one sorts.
    fn turn_sort(&mut self, by: usize) {
        let columns = rows::sortable(self.tab);
        let now = columns.iter().position(|column| *column == self.sorted());
        let last = columns.len().saturating_sub(1);
        let next = match now {
            Some(now) if by == 1 && now < last => now + 1,
            Some(0) if by > 1 => last,
            Some(now) if by > 1 => now - 1,
            _ => 0,
        };
        let column = columns.get(next).copied().unwrap_or(Column::Name);
        if let Some(sorted) = self.sorted.get_mut(self.tab.position()) {
            *sorted = column;
        }
        self.refresh();
        self.select(0);
    }

    fn open_selected(&mut self) {
        let item = self.rows.shown.get(self.cursor().line).copied();
        let Some((snapshot, item)) = self.shown().zip(item) else {
            return;
        };
        let site = |id: u32| {
            let position = snapshot.report.sites.iter().position(|site| site.id == id);
            Some(Opened::Site(snapshot.sites.get(position?)?.id))
        };
        let opened = match self.tab {
            Tab::Sites => snapshot.sites.get(item).map(|site| Opened::Site(site.id)),
            Tab::Types => {
                let group = snapshot.types.groups.get(item);
                group.map(|group| Opened::Type(group.name.clone()))
            }
            Tab::Maps => snapshot.key(Tab::Maps, item).map(Opened::Map),
            Tab::Findings => {
                let finding = snapshot.findings.get(item);
                finding.and_then(|finding| {
                    let map = finding.map.and_then(|id| snapshot.largest_map_of(id));
                    map.map(Opened::Map).or_else(|| finding.site.and_then(site))
                })
            }
        };
        self.opened.extend(opened);
        self.scroll = 0;
    }
}
