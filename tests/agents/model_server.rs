//! A real model server for the gateway: llama.cpp with the tiny model that `tiny_model.py` makes.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::kit::{Kit, beside, must};

/// What the model is called.
pub(crate) const MODEL: &str = "tiny-made-up";

/// The server while it runs.
pub(crate) struct ModelServer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl ModelServer {
    pub(crate) fn start(kit: &Kit) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("tiny.gguf");
        let root = env!("CARGO_MANIFEST_DIR");
        let corpus = ["README.md", "ARCHITECTURE.md"].map(|name| format!("{root}/{name}"));
        let made = Command::new(kit.python())
            .arg(beside("tiny_model.py"))
            .arg(&model)
            .args(corpus)
            .output()
            .unwrap();
        must(&made);
        // The namespace is this test's alone, so nobody takes the port in between.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(kit.python())
            .arg(beside("model_server.py"))
            .arg(&model)
            .args([MODEL, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let listens = lines.take(10_000).any(|line| line.starts_with("listening on "));
        let server = Self { child, port, _folder: folder };
        assert!(listens, "llama.cpp did not start");
        server
    }

    /// Returns the providers.toml that has models served from here: the tiny one's name over chat completions, `claude-*` and
    /// `gpt-*` over the server's own Messages and Responses APIs, so that clients of these are not translated.
    pub(crate) fn providers(&self) -> String {
        let provider = |name: &str, dialect: &str, version: &str, models: &str, more: &str| {
            let url = format!("http://127.0.0.1:{}{version}", self.port);
            format!(
                "[[provider]]\nname = \"{name}\"\ndialect = \"{dialect}\"\nbase_url = \"{url}\"\nmodels = [\"{models}\"]\n{more}\n"
            )
        };
        [
            provider("llama", "openai", "/v1", "tiny-*", ""),
            provider("llama-messages", "anthropic", "", "claude-*", ""),
            provider("llama-responses", "openai", "/v1", "gpt-*", "responses = true\n"),
        ]
        .concat()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
