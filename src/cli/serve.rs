//! `pointsman serve`: the gateway without a console, until a signal ends it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::args::EngineArgs;
use crate::app::{Internal, ServeOptions, Serving, Setup, serve};
use crate::gateway::{Gateway, live_status};
use crate::session::LedgerState;
use crate::units::marked_lines;

/// What the gateway is started with; also beside the console.
#[derive(Args, Debug, Clone, Default)]
pub struct GatewayArgs {
    /// Keep the ledger here instead of the data directory.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Keep no ledger: what is spent is forgotten at the end.
    #[arg(long, conflicts_with = "ledger")]
    pub no_ledger: bool,
    /// Providers file (TOML) instead of providers.toml in the configuration directory.
    #[arg(long, value_name = "FILE")]
    pub providers: Option<PathBuf>,
}

impl GatewayArgs {
    /// Gives what the command line says of a gateway.
    pub fn options(&self, listen: Option<String>) -> ServeOptions {
        ServeOptions {
            listen,
            ledger: self.ledger.clone(),
            no_ledger: self.no_ledger,
            providers: self.providers.clone(),
        }
    }
}

/// Serves clients without a console.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  pointsman serve --listen 127.0.0.1:4141\n  pointsman attach http://127.0.0.1:4141"
)]
pub struct ServeArgs {
    /// Where to listen; gateway.toml says 127.0.0.1:4141.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the text would replace the flattened help")]
    pub gateway: GatewayArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the text would replace the flattened help")]
    pub engine: EngineArgs,
}

/// Serves until SIGTERM or Ctrl-C, then drains.
///
/// # Errors
/// Where settings, keys, ledger or address cannot be used.
pub fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let setup = Setup::new(&args.engine.setup())?;
    let serving = serve(setup, &args.gateway.options(args.listen.clone()))?;
    let handle = serving.handle();
    // Listened for before anybody is told the address: whoever knows it may end the program.
    let signals = {
        let _inside = handle.enter();
        Signals::listen().map_err(Internal::from_any)?
    };
    say(&format!("listening on {}", serving.gateway.address()))?;
    for remark in &serving.remarks {
        say(remark)?;
    }
    let simulated = serving.gateway.simulated_models();
    if !simulated.is_empty() {
        say(&format!("SIMULATED, for want of a key: {}", simulated.join(", ")))?;
    }
    let watching = handle.spawn(tell_of_ledger(Arc::clone(&serving.gateway)));
    handle.block_on(signals.come());
    watching.abort();
    end(serving)
}

/// Says on stderr when the ledger can no longer be written, and when it can again.
async fn tell_of_ledger(gateway: Arc<Gateway>) {
    let mut before = live_status(&gateway).ledger.severity;
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    loop {
        clock.tick().await;
        let LedgerState { text, severity } = live_status(&gateway).ledger;
        if std::mem::replace(&mut before, severity) == severity {
            continue;
        }
        let told =
            if text.is_empty() { say("ledger: written again") } else { say(&format!("ledger: {text}")) };
        if told.is_err() {
            return;
        }
    }
}

/// Ends a gateway and says what did not end well.
///
/// # Errors
/// Where stderr is closed, or the ledger lost something.
pub fn end(serving: Serving) -> anyhow::Result<()> {
    let waiting = serving.gateway.in_flight();
    if waiting > 0 {
        say(&format!("draining: {waiting} requests in flight"))?;
    }
    let ended = serving.end();
    if ended.unfinished > 0 {
        say(&format!(
            "{} requests did not finish in time (drain-seconds in gateway.toml); the next start settles them as estimates",
            ended.unfinished
        ))?;
    }
    match ended.ledger {
        Some(trouble) => anyhow::bail!("the ledger: {trouble}"),
        None => Ok(()),
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr().lock(), "{}", marked_lines(text))?)
}

/// What ends the program: SIGTERM, Ctrl-C, a terminal that is gone.
struct Signals {
    #[cfg(unix)]
    all: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let all = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let [terminate, interrupt, hang_up] = all.map(signal);
        Ok(Self { all: [terminate?, interrupt?, hang_up?] })
    }

    #[cfg(unix)]
    async fn come(self) {
        let [mut terminate, mut interrupt, mut hang_up] = self.all;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        // The second signal does not wait for those in flight.
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn come(self) {
        // Where Ctrl-C cannot be listened for, the program ends as the system ends it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
