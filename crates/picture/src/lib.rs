//! Keyframe to picture to diagnosis, decoded in sandboxed processes.
