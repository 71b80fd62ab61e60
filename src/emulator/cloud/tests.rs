//! Tests of the cloud API.
