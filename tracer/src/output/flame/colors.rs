//! Colours of frames: a hue for whose code it is, a shade for the package, the same in every picture.

use super::super::folded::{NOT_KNOWN, marked};
use crate::report::{Frame, Origin};
use inferno::flamegraph::color::Color;
use std::collections::HashMap;

/// Colours by the label of a frame.
#[derive(Debug, Default)]
pub(super) struct Paint {
    known: HashMap<*const Frame, ()>,
    colors: HashMap<String, Color>,
}

impl Paint {
    /// Chooses a colour for `frame`.
    pub(super) fn add(&mut self, frame: &Frame) {
        if self.known.insert(std::ptr::from_ref(frame), ()).is_none() {
            let color = of(frame.origin(), &frame.package);
            let color = if frame.inlined { paler(color) } else { color };
            self.colors.entry(marked(frame)).or_insert(color);
        }
    }

    /// The colour of a label.
    pub(super) fn color(&self, label: &str) -> Color {
        let color = self.colors.get(label).copied();
        color.unwrap_or_else(|| of(Origin::Unknown, NOT_KNOWN))
    }
}

/// Told apart by people who do not see red and green apart, too.
pub(super) fn of(origin: Origin, package: &str) -> Color {
    let [a, b, c, ..] = fnv(package).to_le_bytes();
    let (a, b, c) = (a % 32, b % 32, c % 32);
    let (r, g, b) = match origin {
        Origin::Own => (224 + a % 24, 130 + b, 50 + c),
        Origin::Dependency => (170 + a, 140 + b % 24, 205 + c),
        Origin::Standard => (110 + a, 175 + b, 215 + c),
        Origin::Runtime => (180 + a % 24, 180 + a % 24, 180 + a % 24),
        Origin::Unknown => (225, 225, 225),
    };
    Color { r, g, b }
}

fn paler(Color { r, g, b }: Color) -> Color {
    let paler = |channel: u8| channel + (u8::MAX - channel) / 5 * 2;
    Color {
        r: paler(r),
        g: paler(g),
        b: paler(b),
    }
}

/// FNV-1a, which is the same on every machine and in every version.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::frame;

    #[test]
    fn whose_code_it_is_shows() {
        let mut paint = Paint::default();
        let own = frame("main.render", "/src/render.go", 1, false);
        let inlined = Frame {
            inlined: true,
            ..own.clone()
        };
        paint.add(&own);
        paint.add(&inlined);
        let of_own = paint.color("main.render");
        assert!(of_own.r > of_own.g && of_own.g > of_own.b);
        let of_inlined = paint.color("main.render_[i]");
        assert!(of_inlined.g > of_own.g && of_inlined.b > of_own.b);
        assert_eq!(paint.color(NOT_KNOWN), of(Origin::Unknown, ""));
    }

    #[test]
    fn colours_are_of_the_package_and_never_change() {
        assert_eq!(
            of(Origin::Own, "main"),
            Color {
                r: 232,
                g: 133,
                b: 74
            }
        );
        assert_ne!(of(Origin::Own, "main"), of(Origin::Own, "shop/cache"));
    }
}
