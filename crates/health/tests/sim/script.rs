//! Scripts of trouble, drawn from a seed.
