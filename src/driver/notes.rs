//! Notes of runs as lines of the log.

use crate::model::TenantName;
use crate::reconcile::Note;

/// Logs a note at the level that it deserves.
pub fn log(tenant: &TenantName, note: &Note) {
    let text = note.to_string();
    match note {
        Note::OutOfPlace { .. } => tracing::error!(%tenant, "{text}"),
        Note::ForeignEdit { .. }
        | Note::Overwrote { .. }
        | Note::Mixed { .. }
        | Note::LeftOut { .. }
        | Note::GaveUp { .. }
        | Note::Unclear { .. } => {
            tracing::warn!(%tenant, "{text}");
        }
        Note::Wrote { .. } | Note::Conflict { .. } | Note::AnswerLost { .. } | Note::Landed { .. } => {
            tracing::info!(%tenant, "{text}");
        }
        _ => tracing::debug!(%tenant, "{text}"),
    }
}
