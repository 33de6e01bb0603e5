//! Takes the terminal over as `tracer top` does; at the first key another thread panics.

use tracer::report::SortBy;
use tracer::tui::state::State;
use tracer::tui::terminal::Screen;
use tracer::tui::view::{Palette, draw};

fn main() {
    let (state, palette) = (State::new(SortBy::Bytes), Palette::new(false));
    let mut screen = Screen::enter().expect("a terminal");
    let mut input = screen.input().expect("keys");
    screen
        .draw(|frame| draw(frame, &state, &palette))
        .expect("a frame");
    input.blocking_recv();
    let panicked = std::thread::spawn(|| panic!("on purpose")).join();
    assert!(panicked.is_err());
    // What goes on must not draw across the message.
    let drawn = screen.draw(|frame| draw(frame, &state, &palette));
    println!("then: {}", drawn.expect_err("the screen was given back"));
}
