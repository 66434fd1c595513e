//! A simulated county of RTSP cameras with faults on demand.
