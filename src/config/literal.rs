//! Values as TOML writes them.

/// Writes a text.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Writes a list of texts.
pub(super) fn list_toml(list: &[String]) -> String {
    format!("[{}]", list.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "))
}
