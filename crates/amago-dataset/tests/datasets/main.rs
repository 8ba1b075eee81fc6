//! Datasets that others have recorded.

mod common;
mod convert;
mod damage;
mod kinds;
mod minari;
