//! What the classifier's confidences are worth.
//!
//! Invariant: nothing is said of weights that nobody has measured.

use std::sync::LazyLock;

use crate::classifier::Classifier;
use crate::console::text;
use crate::session::Snapshot;

/// The hashes of the weights whose worth elsewhere CLASSIFIER.md tells; read once.
static BUILTIN: LazyLock<u64> = LazyLock::new(|| Classifier::builtin().hash());
static PUBLIC: LazyLock<u64> = LazyLock::new(|| Classifier::shipped("public").map_or(0, |one| one.hash()));

/// Says what the classifier's confidences are worth beside the length of the prompt alone; nothing where nobody has measured it.
pub(super) fn of(snapshot: &Snapshot) -> Option<String> {
    let classifier = snapshot.log.judge.as_ref()?;
    let Some(about) = classifier.about() else {
        let is_own = classifier.name() == "builtin" && classifier.hash() == *BUILTIN;
        return is_own.then(|| {
            "weights set by hand: on public sets no better than prompt length (CLASSIFIER.md)".to_owned()
        });
    };
    let (apgr, length) = (about.apgr?, about.length_only?);
    let name = text::clean(classifier.name());
    let beside = format!("gap recovered .{:03}, by prompt length alone .{length:03}", apgr[0]);
    // The lower end of its interval has to lie above.
    let verdict = if apgr[1] > length { "on questions like those learned from" } else { "no better" };
    let elsewhere = if classifier.name() == "public" && classifier.hash() == *PUBLIC {
        "; on other kinds no better than length (CLASSIFIER.md)"
    } else {
        ""
    };
    Some(format!("weights {name}: {beside}, {verdict}{elsewhere}"))
}
