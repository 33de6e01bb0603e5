//! The terminal: taken over, drawn on, read from, and given back whatever happens.
//!
//! Hides raw mode, the alternate screen and how keys come in. It is given back when a [`Screen`] is dropped, and before the
//! message of a panic in any thread, unless it takes no output for too long; signals end the program in order, so that they drop it too. What is logged meanwhile is
//! kept back until then.

use super::painter::Painter;
use super::state::Key;
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::queue;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{self, IsTerminal as _, Write, stderr, stdout};
use std::mem;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often the thread that reads keys looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// Keys that may wait: more than are typed, so that what was pasted is taken in few pieces.
const WAITING_KEYS: usize = 1024;
/// How long a terminal that is to be given back may take nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes of log messages that are kept back.
const MAX_HELD: usize = 64 << 10;

/// The whole screen of the terminal that standard output is.
#[derive(Debug)]
pub struct Screen {
    terminal: ratatui::Terminal<CrosstermBackend<Painter>>,
    ours: Arc<Ours>,
}

/// What is shared with the panic hook and with the thread that reads keys.
#[derive(Debug)]
struct Ours {
    /// Whether the terminal is ours.
    is_ours: AtomicBool,
    painter: Painter,
}

/// Whether the terminal was given up, because it took no output when it was to be given back.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

/// Whether what is written to standard error would not end: it is a terminal, and that takes no output.
pub fn is_stuck() -> bool {
    IS_STUCK.load(Ordering::SeqCst) && stderr().is_terminal()
}

/// What comes from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(Key),
    /// Its size has changed.
    Resized,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// It cannot be switched to raw mode, or not be written to; it is as it was then.
    pub fn enter() -> io::Result<Self> {
        let ours = Arc::new(Ours {
            is_ours: AtomicBool::new(true),
            painter: Painter::start(stdout())?,
        });
        let of_hook = Arc::clone(&ours);
        let previous = std::panic::take_hook();
        std::panic::set_hook(restoring_hook(move || of_hook.give_back(), previous));
        let entered = Self::take_over(&ours);
        if entered.is_err() {
            ours.give_back();
        }
        entered
    }

    fn take_over(ours: &Arc<Ours>) -> io::Result<Self> {
        enable_raw_mode()?;
        held().is_holding = true;
        let mut painter = ours.painter.clone();
        queue!(painter, EnterAlternateScreen, Hide)?;
        Ok(Screen {
            terminal: ratatui::Terminal::new(CrosstermBackend::new(painter))?,
            ours: Arc::clone(ours),
        })
    }

    /// Shows what `render` puts into a frame, and gives what it returns; nothing while the terminal has not taken the last
    /// frame ([`Screen::free`]).
    ///
    /// # Errors
    /// The terminal cannot be written to, or was given back because a thread has panicked.
    pub fn draw<T>(&mut self, render: impl FnOnce(&mut Frame<'_>) -> T) -> io::Result<Option<T>> {
        if !self.ours.is_ours.load(Ordering::SeqCst) {
            return Err(io::Error::other("a thread of tracer has panicked"));
        }
        if let Some(failure) = self.ours.painter.failure() {
            return Err(failure);
        }
        if !self.ours.painter.is_free() {
            return Ok(None);
        }
        let mut rendered = None;
        self.terminal.draw(|frame| rendered = Some(render(frame)))?;
        Ok(rendered)
    }

    /// Waits until there is something to be drawn on, or it is known that there is not.
    pub async fn free(&self) {
        self.ours.painter.free().await;
    }

    /// Keys and changes of size from now on. They end when the terminal is given back, or cannot be read any more.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn input(&self) -> io::Result<mpsc::Receiver<Input>> {
        let (sender, input) = mpsc::channel(WAITING_KEYS);
        let ours = Arc::clone(&self.ours);
        let read = move || {
            while ours.is_ours.load(Ordering::SeqCst) {
                match next_input() {
                    Ok(Some(input)) if sender.blocking_send(input).is_err() => break,
                    Ok(_) => {}
                    Err(error) => {
                        log::debug!("cannot read keys: {error}");
                        break;
                    }
                }
            }
        };
        thread::Builder::new().name("keys".to_owned()).spawn(read)?;
        Ok(input)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.ours.give_back();
    }
}

impl Ours {
    /// Undoes everything, once. Nothing is left to do about what fails: the terminal may be gone.
    fn give_back(&self) {
        if !self.is_ours.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut painter = self.painter.clone();
        let written = queue!(painter, LeaveAlternateScreen, Show)
            .and_then(|()| painter.flush())
            .and_then(|()| painter.finish(PATIENCE));
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        IS_STUCK.store(written.as_ref().is_err_and(is_late), Ordering::SeqCst);
        let undone = disable_raw_mode();
        let mut held = held();
        held.is_holding = false;
        let messages = mem::take(&mut held.messages);
        drop(held);
        if is_stuck() {
            return;
        }
        let told = stderr().write_all(&messages);
        for error in [written, undone, told].into_iter().filter_map(Result::err) {
            log::debug!("cannot restore the terminal: {error}");
        }
    }
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync + 'static>;

/// A panic hook that restores the terminal first, so that the message of `previous` is on the screen that stays.
fn restoring_hook(restore: impl Fn() + Send + Sync + 'static, previous: Hook) -> Hook {
    Box::new(move |panic| {
        restore();
        previous(panic);
    })
}

/// The next key or change of size; nothing if there was none for a while, or one that means nothing here.
fn next_input() -> io::Result<Option<Input>> {
    if !event::poll(LOOK)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_of(key).map(Input::Key),
        Event::Resize(..) => Some(Input::Resized),
        _ => None,
    })
}

fn key_of(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c' | 'C') if control => Key::Interrupt,
        KeyCode::Char('f') if control => Key::PageDown,
        KeyCode::Char('b') if control => Key::PageUp,
        KeyCode::Char(_) if control => return None,
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

/// Log messages that must not be written across a frame.
#[derive(Debug)]
struct Held {
    is_holding: bool,
    messages: Vec<u8>,
}

static HELD: Mutex<Held> = Mutex::new(Held {
    is_holding: false,
    messages: Vec::new(),
});

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where log messages go: standard error, but while the screen is taken over they wait. Those beyond a bound are lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages;

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = held();
        if !held.is_holding {
            drop(held);
            if is_stuck() {
                return Ok(bytes.len());
            }
            return stderr().write(bytes);
        }
        let room = MAX_HELD.saturating_sub(held.messages.len());
        let kept = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        held.messages.extend_from_slice(kept);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_were_pressed() {
        let check = |code: KeyCode, modifiers: KeyModifiers, expect: Option<Key>| {
            assert_eq!(key_of(KeyEvent::new(code, modifiers)), expect);
        };
        let none = KeyModifiers::NONE;
        check(KeyCode::Char('q'), none, Some(Key::Char('q')));
        check(
            KeyCode::Char('S'),
            KeyModifiers::SHIFT,
            Some(Key::Char('S')),
        );
        check(
            KeyCode::Char('c'),
            KeyModifiers::CONTROL,
            Some(Key::Interrupt),
        );
        // Ctrl-W must not keep a capture.
        check(KeyCode::Char('w'), KeyModifiers::CONTROL, None);
        check(KeyCode::F(5), none, None);
        check(KeyCode::BackTab, KeyModifiers::SHIFT, Some(Key::BackTab));
    }

    #[test]
    fn log_messages_wait_while_the_screen_is_taken_over() {
        held().is_holding = true;
        Messages.write_all(b"a warning\n").unwrap();
        Messages.write_all(&vec![b'x'; 2 * MAX_HELD]).unwrap();
        let messages = std::mem::take(&mut held().messages);
        held().is_holding = false;
        assert!(messages.starts_with(b"a warning\n"));
        assert_eq!(messages.len(), MAX_HELD);
    }
}
