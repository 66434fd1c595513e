//! The snapshot store: segments, index, custody.
