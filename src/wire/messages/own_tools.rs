//! Tools that Anthropic defines and the client executes, as functions: what their models know by training, others are told.

/// Tools of Anthropic's that a client executes: their types without the date, what they do, and their JSON schemas.
const OWN: [(&str, &str, &str); 4] = [
    (
        "bash",
        "Runs a command in a bash session that keeps its state.",
        r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run."},"restart":{"type":"boolean","description":"Starts the session anew instead."}}}"#,
    ),
    (
        "text_editor",
        "Views, creates and edits text files.",
        r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string","description":"The file or folder."},"file_text":{"type":"string","description":"For create: the whole content."},"old_str":{"type":"string","description":"For str_replace: the text to replace, which occurs once."},"new_str":{"type":"string","description":"For str_replace and insert (older form): the new text."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert."},"insert_text":{"type":"string","description":"For insert: the text."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: first and last line."}},"required":["command","path"]}"#,
    ),
    (
        "memory",
        "Keeps notes in files below /memories, to be found again in later conversations.",
        r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}"#,
    ),
    (
        "computer",
        "Uses mouse, keyboard and screen of a computer.",
        r#"{"type":"object","properties":{"action":{"type":"string","enum":["key","hold_key","type","cursor_position","mouse_move","left_mouse_down","left_mouse_up","left_click","left_click_drag","right_click","middle_click","double_click","triple_click","scroll","wait","screenshot","zoom"]},"coordinate":{"type":"array","items":{"type":"integer"},"description":"x and y in pixels."},"start_coordinate":{"type":"array","items":{"type":"integer"}},"text":{"type":"string"},"duration":{"type":"number"},"scroll_direction":{"type":"string","enum":["up","down","left","right"]},"scroll_amount":{"type":"integer"},"region":{"type":"array","items":{"type":"integer"}}},"required":["action"]}"#,
    ),
];

/// Returns what the tool of a type does, whatever its date, and its JSON schema.
pub(super) fn own_tool(kind: &str) -> Option<(&'static str, &'static str)> {
    let (family, date) = kind.rsplit_once('_')?;
    let is_date = !date.is_empty() && date.bytes().all(|byte| byte.is_ascii_digit());
    let own = OWN.iter().find(|(name, ..)| is_date && *name == family);
    own.map(|(_, description, parameters)| (*description, *parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_known_whatever_its_date() {
        assert!(
            ["bash_20241022", "bash_20250124", "memory_20250818"].iter().all(|kind| own_tool(kind).is_some())
        );
        assert!(
            ["bash", "bash_", "bash_code_execution", "web_search_20250305"]
                .iter()
                .all(|kind| own_tool(kind).is_none())
        );
        for (name, _, parameters) in OWN {
            assert!(serde_json::from_str::<serde_json::Value>(parameters).is_ok(), "{name}");
        }
    }
}
