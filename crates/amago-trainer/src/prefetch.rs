//! Draws on one thread what another one uses, one piece ahead.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{IntoIter, sync_channel};
use std::thread;

/// Calls `draw` of each number in order on a thread of its own, and `f` here with an iterator over the results. While
/// a result is in use the next one is drawn, and no further one. Nothing is drawn after an error.
///
/// When `f` returns before the end of the iterator, the draw that is going on is waited for and thrown away.
///
/// # Panics
/// When `draw` or `f` does, and when no thread can be started.
pub(crate) fn prefetch<T: Send, E: Send, R>(
    numbers: Range<u64>,
    draw: impl Fn(u64) -> Result<T, E> + Send,
    f: impl FnOnce(IntoIter<Result<T, E>>) -> R,
) -> R {
    thread::scope(|scope| {
        // Without room in the channel, a result stays with the thread that drew it until it is asked for.
        let (send, receive) = sync_channel(0);
        let drawing = scope.spawn(move || {
            for number in numbers {
                let drawn = draw(number);
                let failed = drawn.is_err();
                if send.send(drawn).is_err() || failed {
                    break;
                }
            }
        });
        // The receiver ends with `f`, also when that panics; then the thread ends, too.
        let result = f(receive.into_iter());
        drawing.join().unwrap_or_else(|panic| resume_unwind(panic));
        result
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    /// Waits until as much was drawn, or far too long.
    fn wait_for(drawn: &AtomicU64, count: u64) {
        let start = Instant::now();
        while drawn.load(Ordering::SeqCst) < count {
            assert!(start.elapsed() < Duration::from_secs(60), "nothing is drawn ahead");
            thread::yield_now();
        }
    }

    #[test]
    fn everything_comes_in_order_and_one_ahead() {
        let drawn = AtomicU64::new(0);
        let draw = |i: u64| -> Result<u64, ()> {
            drawn.fetch_add(1, Ordering::SeqCst);
            Ok(i)
        };
        prefetch(5..9, draw, |results| {
            for (expected, result) in (5..9).zip(results) {
                assert_eq!(result, Ok(expected));
                let ahead = (expected - 5 + 2).min(4);
                wait_for(&drawn, ahead);
                thread::sleep(Duration::from_millis(5));
                assert_eq!(drawn.load(Ordering::SeqCst), ahead);
            }
        });
        assert_eq!(drawn.into_inner(), 4);
    }

    #[test]
    fn nothing_is_drawn_for_one_who_has_left() {
        let drawn = AtomicU64::new(0);
        let draw = |i: u64| -> Result<u64, ()> {
            drawn.fetch_add(1, Ordering::SeqCst);
            Ok(i)
        };
        assert_eq!(prefetch(0..100, draw, |mut results| results.next()), Some(Ok(0)));
        assert!(drawn.into_inner() <= 2);
    }

    #[test]
    fn an_error_comes_in_its_place_and_ends_it() {
        let drawn = AtomicU64::new(0);
        let draw = |i: u64| {
            drawn.fetch_add(1, Ordering::SeqCst);
            if i == 2 { Err("nothing left") } else { Ok(i) }
        };
        let all: Vec<_> = prefetch(0..100, draw, Iterator::collect);
        assert_eq!(all, [Ok(0), Ok(1), Err("nothing left")]);
        assert_eq!(drawn.into_inner(), 3);
    }

    #[test]
    #[should_panic(expected = "broken on purpose")]
    fn a_panic_of_the_drawing_thread_is_passed_on() {
        let draw = |i: u64| -> Result<u64, ()> { if i < 2 { Ok(i) } else { panic!("broken on purpose") } };
        prefetch(0..100, draw, |results| assert_eq!(results.count(), 2));
    }

    #[test]
    #[should_panic(expected = "broken by its user")]
    fn a_panic_here_leaves_no_thread_behind() {
        prefetch(0..100, Ok::<u64, ()>, |_| panic!("broken by its user"));
    }
}
