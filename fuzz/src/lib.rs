//! What the fuzz targets share. Inputs are text, so that seeds and crashes can be read: see [`input`]. What must
//! hold is stated a second time in [`rules`], in words other than the engine's.

pub mod input;
pub mod rules;
