//! Steps of built-in environments allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use amago_env::{Action, Env, EnvError, Observation, Role, registry, rng};

/// Episodes played before counting, which may grow buffers that are kept.
const WARM_UP: u64 = 20;
const EPISODES: u64 = 100;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting the calls of each thread.
struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted<T>(total: &mut usize, f: impl FnOnce() -> T) -> T {
    let before = ALLOCATIONS.get();
    let value = f();
    *total += ALLOCATIONS.get() - before;
    value
}

/// Allocations of all resets and of all steps.
fn play(env: &mut dyn Env, actions: &[Action]) -> Result<(usize, usize), EnvError> {
    let mut obs = Observation::new(env.observation_space());
    let (mut resets, mut steps) = (0, 0);
    let mut actions = actions.iter().cycle();
    for episode in 0..WARM_UP + EPISODES {
        if episode == WARM_UP {
            (resets, steps) = (0, 0);
        }
        counted(&mut resets, || env.reset(episode, &mut obs))?;
        let mut over = false;
        while !over {
            let action = actions.next().expect("endless");
            over = counted(&mut steps, || env.step(action, &mut obs))?.done();
        }
    }
    Ok((resets, steps))
}

#[test]
fn the_counter_counts() {
    let mut total = 0;
    let mut list = counted(&mut total, || Vec::<u8>::with_capacity(1));
    assert_eq!(total, 1);
    counted(&mut total, || list.reserve(100));
    assert_eq!(total, 2);
}

#[test]
fn steps_allocate_nothing() -> Result<(), EnvError> {
    for spec in registry::specs() {
        let mut env = registry::make(spec.id, &toml::Table::new())?;
        let mut choices = rng(0, Role::Policy, 0, 0);
        let actions: Vec<Action> =
            (0..997).map(|_| Action::random(env.action_space(), &mut choices)).collect();
        let (resets, steps) = play(env.as_mut(), &actions)?;
        assert_eq!(steps, 0, "{}: allocations in steps", spec.id);
        if spec.id.contains("popgym") {
            assert_eq!(resets, 0, "{}: allocations in resets", spec.id);
        }
    }
    Ok(())
}
