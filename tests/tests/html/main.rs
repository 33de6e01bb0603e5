//! The report as a page, in a real browser: it loads nothing, complains of nothing, and does what its controls promise, by
//! mouse and by keyboard, also for names that try to break it and for 10,000 sites.

mod browser;
mod captures;
mod diff;
mod flame;
mod head;
mod hostile;
mod large;
mod looks;
mod sites;
mod units;
