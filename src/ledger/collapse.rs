//! Names that explode collapse to their common shape.
