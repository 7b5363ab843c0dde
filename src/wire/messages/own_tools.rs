//! Tools that Anthropic defines and the client executes, as functions: what their models know by training, others are told.

/// A tool of Anthropic's that a client executes.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnTool {
    pub(super) description: &'static str,
    /// A JSON schema.
    pub(super) parameters: &'static str,
}

const BASH: OwnTool = OwnTool {
    description: "Runs a command in a bash session that keeps its state.",
    parameters: r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run."},"restart":{"type":"boolean","description":"Starts the session anew instead."}}}"#,
};
const EDITOR: OwnTool = OwnTool {
    description: "Views, creates and edits text files.",
    parameters: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string","description":"The file or folder."},"file_text":{"type":"string","description":"For create: the whole content."},"old_str":{"type":"string","description":"For str_replace: the text to replace, which occurs once."},"new_str":{"type":"string","description":"For str_replace and insert (older form): the new text."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert."},"insert_text":{"type":"string","description":"For insert: the text."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: first and last line."}},"required":["command","path"]}"#,
};
const MEMORY: OwnTool = OwnTool {
    description: "Keeps notes in files below /memories, to be found again in later conversations.",
    parameters: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}"#,
};
const COMPUTER: OwnTool = OwnTool {
    description: "Uses mouse, keyboard and screen of a computer.",
    parameters: r#"{"type":"object","properties":{"action":{"type":"string","enum":["key","hold_key","type","cursor_position","mouse_move","left_mouse_down","left_mouse_up","left_click","left_click_drag","right_click","middle_click","double_click","triple_click","scroll","wait","screenshot","zoom"]},"coordinate":{"type":"array","items":{"type":"integer"},"description":"x and y in pixels."},"start_coordinate":{"type":"array","items":{"type":"integer"}},"text":{"type":"string"},"duration":{"type":"number"},"scroll_direction":{"type":"string","enum":["up","down","left","right"]},"scroll_amount":{"type":"integer"},"region":{"type":"array","items":{"type":"integer"}}},"required":["action"]}"#,
};

/// Returns the tool for a type, whatever its date.
pub(super) fn own_tool(kind: &str) -> Option<OwnTool> {
    let (family, date) = kind.rsplit_once('_')?;
    if date.is_empty() || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match family {
        "bash" => BASH,
        "text_editor" => EDITOR,
        "memory" => MEMORY,
        "computer" => COMPUTER,
        _ => return None,
    })
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
        for tool in [BASH, EDITOR, MEMORY, COMPUTER] {
            assert!(
                serde_json::from_str::<serde_json::Value>(tool.parameters).is_ok(),
                "{}",
                tool.description
            );
        }
    }
}
