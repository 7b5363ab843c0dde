//! `pointsman serve`: the gateway without a console, until a signal ends it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures::FutureExt;

use super::args::ServingArgs;
use super::output;
use crate::app::{Internal, ServeOptions, Serving, Setup, SetupOptions, serve};
use crate::gateway::tell_of_ledger;
use crate::units::{counted, marked_lines};

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
    /// Budgets file (TOML) instead of budgets.toml in the configuration directory; watched while a gateway serves.
    #[arg(long, value_name = "FILE")]
    pub budgets: Option<PathBuf>,
    /// Alerts file (TOML) instead of alerts.toml in the configuration directory; watched while a gateway serves.
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
}

impl GatewayArgs {
    /// Returns what the command line says of a gateway.
    pub fn options(&self, listen: Option<String>, try_classifier: Option<PathBuf>) -> ServeOptions {
        ServeOptions {
            listen,
            try_classifier,
            ledger: self.ledger.clone(),
            no_ledger: self.no_ledger,
            providers: self.providers.clone(),
            budgets: self.budgets.clone(),
            alerts: self.alerts.clone(),
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
    /// Has other weights judge every request besides, which decides nothing; `C` on Tune sets them beside what is in force.
    #[arg(long, value_name = "FILE")]
    pub try_classifier: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    #[command(flatten)]
    pub(crate) engine: ServingArgs,
}

/// Reads what a gateway rests on.
pub(super) fn start(engine: &ServingArgs, gateway: &GatewayArgs) -> anyhow::Result<Setup> {
    let options = SetupOptions { providers: gateway.providers.clone(), ..engine.setup() };
    Setup::new(&options)
}

/// Serves until SIGTERM or Ctrl-C, then drains.
///
/// # Errors
/// Where settings, keys, ledger or address cannot be used.
pub fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let setup = start(&args.engine, &args.gateway)?;
    for remark in &setup.remarks {
        output::remark(remark);
    }
    let serving = serve(setup, &args.gateway.options(args.listen.clone(), args.try_classifier.clone()))?;
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
    // Where stderr is gone there is nobody left to tell.
    let tell = tell_of_ledger(Arc::clone(&serving.gateway), |text| _ = say(text));
    let watching = handle.spawn(FutureExt::boxed(tell));
    handle.block_on(signals.come());
    watching.abort();
    end(serving)
}

/// Ends a gateway and says what did not end well.
///
/// # Errors
/// Where the ledger lost something.
pub fn end(serving: Serving) -> anyhow::Result<()> {
    // Where stderr went with the terminal there is nobody left to tell, and all the same to drain.
    let waiting = serving.gateway.in_flight();
    if waiting > 0 {
        let _ = say(&format!("draining: {} in flight", counted(waiting as u64, "request")));
    }
    #[cfg(unix)]
    serving.handle().spawn(FutureExt::boxed(Signals::end_at_once()));
    let ended = serving.end();
    if ended.unfinished > 0 {
        let _ = say(&format!(
            "{} did not finish in time (drain-seconds in gateway.toml); the next start settles them as estimates",
            counted(ended.unfinished as u64, "request")
        ));
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
    }

    /// Does not wait for those in flight when a second signal comes; one that tells of a terminal that is gone says nothing
    /// new, and often comes twice.
    #[cfg(unix)]
    async fn end_at_once() {
        let Ok(Self { all: [mut terminate, mut interrupt, _] }) = Self::listen() else { return };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
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
