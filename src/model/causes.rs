//! An error and its causes in one line.

/// An error and its causes in one line, each said once.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let told = inner.to_string();
        let told = told.trim_end();
        if !text.ends_with(told) {
            text.push_str(": ");
            text.push_str(told);
        }
        source = inner.source();
    }
    text
}
