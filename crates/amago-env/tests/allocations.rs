//! Stepping a built-in environment allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use amago_env::{Action, Env, Observation, Role, registry, rng};

/// Counts the allocations of its own thread, so that tests may run side by side.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // Gone while the thread ends: nothing is measured then.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const STEPS: usize = 5000;

/// Allocations of the steps, and of the resets after the first episodes, of a random policy.
fn measure(env: &mut dyn Env, obs: &mut Observation) -> (usize, usize) {
    let mut choices = rng(0, Role::Policy, 0, 0);
    let actions: Vec<_> =
        (0..STEPS).map(|_| Action::random(&env.spec().action_space, None, &mut choices)).collect();
    let (mut steps, mut resets, mut episode) = (0, 0, 0);
    let mut over = true;
    for action in &actions {
        if over {
            let before = ALLOCATIONS.get();
            env.reset(episode, obs).expect("a built-in environment resets");
            // The first episodes may set up memory that later ones use again.
            resets += if episode < 3 { 0 } else { ALLOCATIONS.get() - before };
            episode += 1;
        }
        let before = ALLOCATIONS.get();
        over = env.step(action, obs).expect("a legal action").done();
        steps += ALLOCATIONS.get() - before;
    }
    (steps, resets)
}

#[test]
fn no_built_in_environment_allocates_while_it_steps() {
    for spec in registry::specs() {
        for options in ["", "k_shot = 3"] {
            let options = options.parse().expect("a table");
            let mut env = registry::make(spec.id, &options).expect("defaults");
            let mut obs = Observation::new(&env.spec().observation_space);
            let (steps, resets) = measure(env.as_mut(), &mut obs);
            assert_eq!(steps, 0, "{} {options}: allocations in {STEPS} steps", spec.id);
            if spec.id.contains("popgym") {
                assert_eq!(resets, 0, "{} {options}: allocations in resets", spec.id);
            }
        }
    }
}

#[test]
fn mazes_are_drawn_in_place() {
    for (id, options) in [("mazerunner", "time_limit = 20"), ("meta-frozen-lake", "k_episodes = 1")] {
        let mut env = registry::make(id, &options.parse().expect("a table")).expect("legal options");
        let mut obs = Observation::new(&env.spec().observation_space);
        let (_, resets) = measure(env.as_mut(), &mut obs);
        // The search for a way over a lake may still grow its memory a few times.
        assert!(resets <= 4, "{id}: {resets} allocations in resets");
    }
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1_u8; 10]));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}
