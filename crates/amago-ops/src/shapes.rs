//! What a function needs of its arguments, said once per call and with its name where it is not so.

/// Panics with the function's name, what it needs and the shapes it got, unless they fit.
macro_rules! require {
    ($fits:expr, $function:expr, $needs:literal $(, $what:ident)+) => {
        assert!(
            $fits,
            concat!("{} needs ", $needs, "; got" $(, " ", stringify!($what), " {:?}")+),
            $function $(, $what)+
        )
    };
}
pub(crate) use require;

/// Number of entries of a shape.
///
/// # Panics
/// When no memory could hold them: the number must not wrap, because arrays are filled by it.
pub(crate) fn entries(dims: &[usize]) -> usize {
    if dims.contains(&0) {
        return 0;
    }
    let all = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let held = all.filter(|n| *n <= isize::MAX as usize / size_of::<f32>());
    held.unwrap_or_else(|| panic!("no memory holds the {dims:?} entries of a tensor"))
}
