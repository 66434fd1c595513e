//! RTSP sessions of the fleet and the ladder that says why one fails.
