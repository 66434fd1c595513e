//! HTTP: the API, sign-in and the dashboard.
