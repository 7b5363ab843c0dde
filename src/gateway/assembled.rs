//! A gateway put together for tests, of this package and of the console's above it.

use std::sync::Arc;

use crate::access::Access;
use crate::classifier::Classifier;
use crate::config::gateway::GatewaySettings;
use crate::config::{policy, prices, providers};
use crate::gateway::{Gateway, Limits, Parts, Tariff, now};
use crate::ledger::{Ledger, LedgerOptions};
use crate::prompt_cache::Rules;
use crate::providers::{Providers, from_system};
use crate::session::{Live, LiveSetup};
use crate::units::{Instant, Names};

/// Returns live traffic under the built-in policy.
pub(super) fn live(at: Instant) -> Live {
    let mut names = Names::default();
    let policy = policy::parse(policy::BUILTIN, "built-in", &mut names).unwrap();
    Live::new(LiveSetup {
        policy,
        names,
        classifier: Arc::new(Classifier::builtin()),
        book: prices::resolve("list", None).unwrap(),
        next_seq: 1,
        at,
        who: "test".to_owned(),
        gateway: String::new(),
    })
}

/// Puts a gateway together over a ledger in a folder, whose models are simulated at once.
pub(super) fn gateway(folder: &tempfile::TempDir) -> Arc<Gateway> {
    let spec = providers::parse(&[("providers.toml", "[simulated]\nspeed = 0\n")]).unwrap();
    let (ledger, _) = Ledger::open(LedgerOptions::new(folder.path().join("ledger.db"))).unwrap();
    Arc::new(Gateway::new(Parts {
        live: Arc::new(live(now())),
        providers: Arc::new(Providers::build(&spec, &from_system, std::time::Instant::now()).unwrap()),
        ledger,
        access: Access::open(folder.path().join("access.toml")).unwrap(),
        settings: GatewaySettings::default(),
        keeps_ledger: true,
        on_apply: None,
        bills_beside: None,
        limits: Limits::default(),
        tariff: Tariff::default(),
        caching: Rules::default(),
    }))
}
