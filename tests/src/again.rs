//! To measure again: the one rule for a verdict on a figure that a busy machine, or chance, can spoil.
//!
//! Most tests need it not: they compare counts with what the target has counted. But some promises are about time or
//! chance: the prompt is back in half a second, an estimate is within three standard errors. One measurement of that can
//! be off for a reason that is not the tracer's: a neighbour had the processor, or it is the one draw in 370.
//!
//! The rule: **the promise is kept if one of [`ATTEMPTS`] independent measurements keeps it, and broken if none does.** A
//! neighbour spoils some of them, a fault of the tracer spoils each. What must hold always (counts, sums, that losses are
//! counted) is asserted in each attempt and never measured again.

/// Most measurements of one figure.
pub const ATTEMPTS: usize = 3;

/// Measures until the promise is kept, and gives what `measure` gave then. Its error says what was off.
///
/// # Panics
/// The promise is broken in each of [`ATTEMPTS`] measurements.
pub fn measure_again<T>(mut measure: impl FnMut() -> Result<T, String>) -> T {
    let mut broken = Vec::new();
    for _ in 0..ATTEMPTS {
        match measure() {
            Ok(kept) => return kept,
            Err(off) => {
                eprintln!("off, which is measured again: {off}");
                broken.push(off);
            }
        }
    }
    panic!("off in each of {ATTEMPTS} measurements: {broken:#?}");
}

/// A promise: it holds, or `off` says what is off.
///
/// # Errors
/// It does not hold.
pub fn promise(holds: bool, off: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(off()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_measurement_that_keeps_the_promise_is_enough() {
        let mut costs = [9, 9, 1, 1].into_iter();
        let cost = measure_again(|| {
            let cost = costs.next().expect("a cost");
            promise(cost < 5, || format!("{cost}")).map(|()| cost)
        });
        assert_eq!((cost, costs.len()), (1, 1));
    }

    #[test]
    fn what_is_off_each_time_is_broken() {
        let mut measured = 0;
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            measure_again::<()>(|| {
                measured += 1;
                Err("too much".to_owned())
            });
        }));
        assert!(broken.is_err());
        assert_eq!(measured, ATTEMPTS);
    }
}
