//! `pointsman serve` in a folder of its own, in front of an upstream: started, asked, ended (gently or not), and its
//! ledger read row by row with nothing but SQLite, so that the program is not its own witness.

#![expect(dead_code, reason = "each test target uses its own part of the harness")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// How long a process may take to start or to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Routes everything to a small model first, and to a large one where that fails.
pub(crate) const POLICY: &str = r#"
name = "test"
baseline = "gpt-4.1"

[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 0 },
  { rung = "large", model = "gpt-4.1" },
]
no_signal = "small"
"#;

/// Settings of a gateway.
#[derive(Clone)]
pub(crate) struct Setup {
    /// providers.toml
    pub(crate) providers: String,
    /// policy.toml
    pub(crate) policy: String,
    /// gateway.toml
    pub(crate) gateway: String,
    /// Further arguments of `serve`.
    pub(crate) args: Vec<String>,
    /// Where it listens.
    pub(crate) listen: String,
    /// The certificates it trusts instead of the system's, as PEM; empty for the system's.
    pub(crate) trusts: String,
}

impl Setup {
    /// Serves every family of models from one upstream, each in its own dialect; asks once, waits long.
    pub(crate) fn of(upstream: &str) -> Self {
        Self::with(upstream, "")
    }

    /// Likewise, with these further settings under `[defaults]`.
    pub(crate) fn with(upstream: &str, defaults: &str) -> Self {
        let setting = |name: &str, value: &str| {
            let said = defaults.lines().any(|line| line.trim_start().starts_with(name));
            if said { String::new() } else { format!("{name} = {value}\n") }
        };
        let retries = setting("retries", r#"{ attempts = 1, base = "1ms", max_wait = "1s" }"#);
        let breaker = setting("breaker", r#"{ failures = 1000000, window = "1s", cool_down = "1s" }"#);
        let provider = |name: &str, dialect: &str, url: &str, models: &str| {
            format!(
                "[[provider]]\nname = \"{name}\"\ndialect = \"{dialect}\"\nbase_url = \"{url}\"\nmodels = [{models}]\n\n"
            )
        };
        let versioned = format!("{upstream}/v1");
        let providers = [
            format!("[defaults]\n{retries}{breaker}{defaults}\n\n"),
            provider("up-chat", "openai", &versioned, "\"gpt-*\", \"text-embedding-*\""),
            provider("up-messages", "anthropic", upstream, "\"claude-*\""),
            provider("up-gemini", "gemini", upstream, "\"gemini-*\""),
            provider("up-mistral", "mistral", &versioned, "\"mistral-*\""),
        ];
        Self {
            providers: providers.concat(),
            policy: POLICY.to_owned(),
            gateway: String::new(),
            args: Vec::new(),
            listen: "127.0.0.1:0".to_owned(),
            trusts: String::new(),
        }
    }

    /// Serves by this gateway.toml.
    pub(crate) fn gateway(mut self, text: &str) -> Self {
        text.clone_into(&mut self.gateway);
        self
    }

    /// Adds arguments of `serve`.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }
}

/// A folder with settings and data, which outlives the processes that run in it.
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    pub(crate) fn new(setup: &Setup) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(sandbox.path().join("config")).unwrap();
        fs::create_dir(sandbox.path().join("data")).unwrap();
        fs::write(sandbox.path().join("config/providers.toml"), &setup.providers).unwrap();
        fs::write(sandbox.path().join("config/policy.toml"), &setup.policy).unwrap();
        fs::write(sandbox.path().join("config/gateway.toml"), &setup.gateway).unwrap();
        if !setup.trusts.is_empty() {
            fs::write(sandbox.trusted(), &setup.trusts).unwrap();
        }
        sandbox
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn trusted(&self) -> PathBuf {
        self.path().join("trusted.pem")
    }

    fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command
            .args(args)
            .env_clear()
            .env("POINTSMAN_CONFIG_DIR", self.path().join("config"))
            .env("POINTSMAN_DATA_DIR", self.path().join("data"))
            .env("HOME", self.path())
            .env("LANG", "C.UTF-8")
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.trusted().exists() {
            command.env("SSL_CERT_FILE", self.trusted());
        }
        command
    }

    /// Begins a subcommand.
    pub(crate) fn begin(&self, args: &[&str]) -> Child {
        self.program(args).spawn().unwrap()
    }

    /// Runs a subcommand to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.program(args).output().unwrap()
    }

    /// Runs a subcommand that must succeed; gives what it printed.
    pub(crate) fn must(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "pointsman {args:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// Makes a key; gives its secret.
    pub(crate) fn key(&self, args: &[&str]) -> String {
        let mut all = vec!["keys", "add", "--quiet"];
        all.extend_from_slice(args);
        self.must(&all).trim().to_owned()
    }

    /// Starts the gateway.
    pub(crate) fn serve(&self, setup: &Setup) -> Front<'_> {
        let mut args = vec!["serve", "--listen", &setup.listen];
        args.extend(setup.args.iter().map(String::as_str));
        Front::start(self, &args)
    }

    /// Starts the gateway, which is expected to refuse; gives how it ended and what it said.
    pub(crate) fn refuses(&self, setup: &Setup) -> (ExitStatus, String) {
        let mut args = vec!["serve", "--listen", &setup.listen];
        args.extend(setup.args.iter().map(String::as_str));
        let mut child = self.program(&args).spawn().unwrap();
        let status = ended(&mut child).unwrap_or_else(|| {
            let _ = child.kill();
            panic!("it started all the same");
        });
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    }

    fn ledger_path(&self) -> PathBuf {
        self.path().join("data/ledger.db")
    }

    /// Reads the ledger; the gateway has written everything once it has been stopped.
    pub(crate) fn ledger(&self) -> Vec<Row> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(self.ledger_path(), flags).unwrap();
        file.busy_timeout(PATIENCE).unwrap();
        let mut query = file.prepare(ROWS).unwrap();
        let rows = query.query_map([], |row| {
            let count = |name: &str| row.get::<_, Option<i64>>(name).map(|n| n.map(i64::cast_unsigned));
            Ok(Row {
                operation: row.get("id")?,
                team: row.get("team")?,
                project: row.get("project")?,
                task: row.get("task")?,
                session: row.get("session")?,
                simulated: row.get("simulated")?,
                open: row.get::<_, String>("operation_state")? == "open"
                    || row.get::<_, Option<String>>("state")?.is_some_and(|state| state == "open"),
                operation_status: row.get::<_, Option<String>>("operation_status")?.unwrap_or_default(),
                model: row.get::<_, Option<String>>("model")?.unwrap_or_default(),
                status: row.get::<_, Option<String>>("status")?.unwrap_or_default(),
                error: row.get::<_, Option<String>>("error")?.unwrap_or_default(),
                input: count("input")?,
                cache_read: count("cache_read")?,
                write_5m: count("write_5m")?,
                output: count("output")?,
                estimated: row.get::<_, Option<bool>>("estimated")?.unwrap_or_default(),
                kind: row.get::<_, Option<String>>("kind")?.unwrap_or_default(),
                amount: row.get::<_, Option<i64>>("amount")?.map(i128::from),
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Has the program check its own ledger.
    pub(crate) fn check(&self) {
        self.must(&["ledger", "check"]);
    }
}

const ROWS: &str = "SELECT o.id, o.team, o.project, o.task, o.session, o.simulated, o.state AS operation_state,
    o.status AS operation_status, a.model, a.state, a.status, a.error, a.input, a.cache_read, a.write_5m, a.output,
    a.estimated, c.kind, c.micro * 1000000 + c.pico AS amount
    FROM operations o LEFT JOIN attempts a ON a.seq = o.seq LEFT JOIN charges c ON c.seq = a.seq AND c.n = a.n
    ORDER BY o.seq, a.n";

/// One attempt in the ledger, with its operation and its charge.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) operation: String,
    pub(crate) team: String,
    pub(crate) project: String,
    pub(crate) task: Option<String>,
    pub(crate) session: String,
    pub(crate) simulated: String,
    /// Whether the operation or the attempt is still open.
    pub(crate) open: bool,
    pub(crate) operation_status: String,
    pub(crate) model: String,
    pub(crate) status: String,
    pub(crate) error: String,
    pub(crate) input: Option<u64>,
    pub(crate) cache_read: Option<u64>,
    pub(crate) write_5m: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) estimated: bool,
    /// `known`, `estimated` or `unknown`; empty where nothing was charged.
    pub(crate) kind: String,
    /// Pico-dollars.
    pub(crate) amount: Option<i128>,
}

/// A running gateway.
pub(crate) struct Front<'a> {
    sandbox: &'a Sandbox,
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl<'a> Front<'a> {
    fn start(sandbox: &'a Sandbox, args: &[&str]) -> Self {
        let mut child = sandbox.program(args).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (tell, told) = std::sync::mpsc::channel();
        let out: Box<dyn std::io::Read + Send> = Box::new(child.stdout.take().unwrap());
        let err: Box<dyn std::io::Read + Send> = Box::new(child.stderr.take().unwrap());
        let readers = [out, err].map(|pipe| {
            let (said, tell) = (Arc::clone(&said), tell.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if let Some(address) = address_in(&line) {
                        let _ = tell.send(address);
                    }
                    let mut said = said.lock().unwrap();
                    said.push_str(&line);
                    said.push('\n');
                }
            })
        });
        drop(tell);
        let Ok(address) = told.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the gateway did not say where it listens:\n{}", said.lock().unwrap());
        };
        Self { sandbox, child, address, said, readers: readers.into() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has printed so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        let status = ended(&mut self.child);
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let said = self.said();
        assert!(status.is_some_and(|status| status.success()), "it did not end well: {status:?}\n{said}");
        said
    }

    /// Asks it to end, and does not wait.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> ExitStatus {
        ended(&mut self.child).expect("it never ended")
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Counts its open files.
    pub(crate) fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// Returns its resident memory in KiB; zero where the system does not say.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    }

    /// Stops it and gives the ledger, which must be in order and have nothing open.
    pub(crate) fn settle(self) -> Vec<Row> {
        let sandbox = self.sandbox;
        self.stop();
        sandbox.check();
        let rows = sandbox.ledger();
        assert!(rows.iter().all(|row| !row.open), "left open: {rows:#?}");
        rows
    }
}

impl Drop for Front<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

/// Finds the address in the line that says where it listens.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = line.strip_prefix("listening on ")?;
    let rest = rest.strip_prefix("http://").unwrap_or(rest);
    let end = rest
        .find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']')))
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}
