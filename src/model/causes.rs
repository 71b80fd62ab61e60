//! An error and its causes in one line.

/// Formats an error and its causes in one line, without repetitions.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let reported = inner.to_string();
        let reported = reported.trim_end();
        if !text.ends_with(reported) {
            text.push_str(": ");
            text.push_str(reported);
        }
        source = inner.source();
    }
    text
}
