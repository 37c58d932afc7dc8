//! What engines log of their work.

/// Logs a text that is about to be sent, for who looks for a fault (`-vv`). No password of a target is in it: connections are opened by
/// options, not by text.
pub(super) fn sent(text: &str) {
    tracing::debug!(sql = text, "sent");
}
