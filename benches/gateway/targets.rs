//! What is measured: the mock alone, and what can stand in front of it, each with a configuration written for the run.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::process::{Process, free_address};

/// Starts the mock: this program once more, in its other role.
pub(crate) fn mock() -> anyhow::Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("mock");
    Process::that_says_its_port(command)
}

/// Finds nginx; the script beside this bench says how to get it.
pub(crate) fn nginx_binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|place| place.join("nginx")).find(|file| file.is_file())
}

/// Starts nginx as a plain proxy.
pub(crate) fn nginx(binary: &Path, folder: &Path, mock: SocketAddr) -> anyhow::Result<Process> {
    let address = free_address()?;
    let folder = folder.join(format!("nginx-{}", address.port()));
    fs::create_dir_all(&folder)?;
    let at = folder.display();
    let config = format!(
        "daemon off;\npid {at}/pid;\nerror_log {at}/error.log warn;\nworker_processes auto;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log {at}/access.log;\n  client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n\
         \x20 fastcgi_temp_path {at}/fastcgi;\n  uwsgi_temp_path {at}/uwsgi;\n  scgi_temp_path {at}/scgi;\n\
         \x20 keepalive_requests 100000000;\n  client_body_buffer_size 64k;\n\
         \x20 upstream mock {{ server {mock}; keepalive 128; keepalive_requests 100000000; }}\n\
         \x20 server {{\n    listen {address};\n    location / {{\n      proxy_pass http://mock;\n\
         \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      proxy_buffering off;\n    }}\n  }}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let mut command = Command::new(binary);
    command
        .arg("-p")
        .arg(&folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .arg("-e")
        .arg(folder.join("error.log"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Process::start(command, address)
}

/// The release binary that cargo built for this bench.
pub(crate) fn pointsman_binary() -> PathBuf {
    std::env::var_os("POINTSMAN_BIN").map_or_else(|| env!("CARGO_BIN_EXE_pointsman").into(), PathBuf::from)
}

/// Four limits that every request draws on and none exhausts.
const BUDGETS: &str = "[budget.all]\nlimit = { month = 1000000000 }\n[budget.teams]\neach = \"team\"\nlimit = { day = 1000000000 }\n\
    [budget.users]\neach = \"user\"\nlimit = { day = 1000000000 }\n[budget.models]\neach = \"model\"\nlimit = { hour = 1000000000 }\n";

/// Starts Pointsman on a configuration and a data folder of its own, ledger and telemetry on.
pub(crate) fn pointsman(folder: &Path, mock: SocketAddr, budgets: bool) -> anyhow::Result<Process> {
    let address = free_address()?;
    let folder = folder.join(format!("pointsman-{}", address.port()));
    let config = folder.join("config");
    fs::create_dir_all(&config)?;
    fs::create_dir_all(folder.join("data"))?;
    let providers = format!(
        "[defaults]\nbreaker = {{ failures = 1000000, window = \"1s\", cool_down = \"1s\" }}\n\
         retries = {{ attempts = 1, base = \"1ms\", max_wait = \"1s\" }}\n\n\
         [[provider]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = \"http://{mock}/v1\"\n\
         models = [\"gpt-*\", \"claude-*\", \"gemini-*\", \"mistral-*\"]\n"
    );
    fs::write(config.join("providers.toml"), providers)?;
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.toml"), config.join("policy.toml"))?;
    if budgets {
        fs::write(config.join("budgets.toml"), BUDGETS)?;
    }
    let mut command = Command::new(pointsman_binary());
    command.arg("serve").arg("--listen").arg(address.to_string());
    command.env_clear().env("POINTSMAN_CONFIG_DIR", &config).env("POINTSMAN_DATA_DIR", folder.join("data"));
    command.env("HOME", &folder).env("LANG", "C.UTF-8").current_dir(&folder);
    let log = File::create(folder.join("log"))?;
    command.stdout(log.try_clone()?).stderr(log);
    Process::start(command, address)
}

/// Starts LiteLLM's proxy from the environment that the script made.
pub(crate) fn litellm(binary: &Path, folder: &Path, mock: SocketAddr) -> anyhow::Result<Process> {
    let address = free_address()?;
    let config = folder.join("litellm.yaml");
    let text = format!(
        "model_list:\n  - model_name: auto\n    litellm_params:\n      model: openai/gpt-4.1\n      api_base: http://{mock}/v1\n\
         \x20     api_key: none\n"
    );
    fs::write(&config, text)?;
    let mut command = Command::new(binary);
    command
        .arg("--config")
        .arg(&config)
        .arg("--host")
        .arg("127.0.0.1")
        .arg("--port")
        .arg(address.port().to_string());
    command.arg("--num_workers").arg("1").current_dir(folder);
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LITELLM_TELEMETRY", "False");
    // It serves the loopback alone, and like the others it asks nobody for a key.
    command.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
    let log = File::create(folder.join("litellm.log")).context("a log")?;
    command.stdout(log.try_clone()?).stderr(log);
    Process::start(command, address)
}
