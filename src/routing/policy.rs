//! The policy in force: routes, their ladders and thresholds, names resolved and all of it checked.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{
    Adapt, Caching, Canary, Effort, Explore, Facts, Labels, MAX_RUNGS, Matcher, Mode, Parameters,
    PolicyError, PolicySpec, RouteSpec, RungSpec, Rungs, Signals, StreamLimits, WhenFailed, WhenFull,
    adapt::Beside,
    canary::inherit,
    drawn::{capped, held_out},
    facts::{by_identity, labels, said_of},
    limits::check_limits,
};
use crate::checks::Checks;
use crate::classifier::TaskClass;
use crate::units::{ModelId, Names, PerMille, RouteTag, choice};

/// The model name by which a client leaves the choice to the policy; `auto/ROUTE` names the route.
pub const AUTO: &str = "auto";

/// The thresholds of one ladder, one for every rung but the last.
pub type Thresholds = ArrayVec<PerMille, MAX_RUNGS>;

/// The place of a route in its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RouteId(pub u8);

impl RouteId {
    /// Returns the index in the policy's list of routes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A policy in force: names resolved, thresholds checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The policy's name.
    pub name: Arc<str>,
    /// Counts up with every change.
    pub version: u32,
    /// The model that savings are measured against.
    pub baseline: ModelId,
    /// The hash of the classifier that its thresholds belong to, where it names one.
    pub classifier: Option<Arc<str>>,
    /// The classifier that judged under it, where the log that brought it tells.
    pub judged_by: Option<Arc<str>>,
    /// What is said of models, as written; rungs carry theirs.
    pub models: Vec<(ModelId, Facts)>,
    /// What is known of models under all their names, by the id that stands for each.
    pub known: Vec<(ModelId, Facts)>,
    /// Routes in order of precedence; the last one takes all that is left.
    pub routes: Vec<Route>,
}

/// A route in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The route's name.
    pub name: Arc<str>,
    /// That name as an id, the same in every policy.
    pub tag: RouteTag,
    /// What it takes.
    pub matcher: Matcher,
    /// Of which route it decides a share; none for a route of its own.
    pub canary: Option<Canary>,
    /// What becomes of requests that name a model.
    pub mode: Mode,
    /// Labels that whoever serves it has to carry.
    pub require: Labels,
    /// What becomes of requests whose model is full.
    pub when_full: WhenFull,
    /// Rungs, cheapest first; never empty.
    pub ladder: Vec<Rung>,
    /// Index of the rung for requests without a confidence.
    pub no_signal: u8,
    /// What becomes of requests whose strongest rung failed.
    pub when_failed: WhenFailed,
    /// Whether it minds what prompt caches hold.
    pub cache: Caching,
    /// How much more than never changing a session's changes may cost.
    pub switch_cap: Option<PerMille>,
    /// The share of sessions that go to the strongest rung whatever their confidence; none where nobody is drawn.
    pub holdout: Option<PerMille>,
    /// How requests near a threshold are explored; not at all where nothing is said.
    pub explore: Option<Explore>,
    /// How it learns from verdicts; not at all where nothing is said.
    pub adapt: Option<Adapt>,
    /// The model name by which a client asks for this very route: `auto/NAME`.
    pub alias: ModelId,
    /// How slow its streams may be.
    pub stream: StreamLimits,
    /// What is checked of its answers; none where nothing but what always is.
    pub checks: Option<Arc<Checks>>,
}

/// A rung in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// The rung's name.
    pub name: Arc<str>,
    /// The model that serves it.
    pub model: ModelId,
    /// The id that stands for that model under all its names.
    pub known_as: ModelId,
    /// The least confidence it serves; zero on the last rung, and 1000 on a fallback, which no confidence reaches.
    pub threshold: PerMille,
    /// Whether it serves only where no other rung can.
    pub fallback: bool,
    /// How slow its streams may be, where that differs from its route.
    pub stream: StreamLimits,
    /// What is known of its model.
    pub facts: Facts,
    /// What this rung says of it, over what is known anyway.
    own_facts: Facts,
    /// What is written into the request.
    pub with: Parameters,
}

fn wrong(field: String, problem: impl Into<String>) -> PolicyError {
    PolicyError { field, problem: problem.into() }
}

impl Policy {
    /// Checks a spec and resolves its names; ids of teams, projects and models are made where they are new.
    ///
    /// # Errors
    /// The first thing wrong, with its field.
    pub fn compile(spec: &PolicySpec, version: u32, names: &mut Names) -> Result<Self, PolicyError> {
        if spec.routes.is_empty() {
            return Err(wrong("route".into(), "a policy needs at least one [[route]]"));
        }
        if spec.routes.len() > usize::from(u8::MAX) {
            return Err(wrong("route".into(), "at most 255 routes"));
        }
        let mut models: Vec<(ModelId, Facts)> = Vec::with_capacity(spec.models.len());
        for (name, facts) in &spec.models {
            let field = format!("model.{name}");
            if name.is_empty() {
                return Err(wrong("model".into(), "names no model"));
            }
            let facts = Facts::compile(facts, &field, names)?;
            let model = names.intern_model(name);
            if models.iter().any(|(known, _)| *known == model) {
                return Err(wrong(field, "stands there twice"));
            }
            models.push((model, facts));
        }
        let known = by_identity(&models, names);
        let mut routes = Vec::with_capacity(spec.routes.len());
        for (at, route) in inherit(&spec.routes)?.iter().enumerate() {
            if route.name.is_empty() {
                return Err(wrong(format!("route[{at}].name"), "every route needs a name"));
            }
            if spec.routes[..at].iter().any(|earlier| earlier.name == route.name) {
                return Err(wrong(
                    format!("route.{}.name", route.name),
                    "another route has this name already",
                ));
            }
            routes.push(Route::compile(route, spec.mode, &models, names)?);
        }
        let last = routes.len() - 1;
        if let Some(early) = routes[..last].iter().find(|one| one.matcher.takes_all() && one.canary.is_none())
        {
            return Err(wrong(
                format!("route.{}.match", early.name),
                "takes every request, so the routes after it can never be used; move it to the end or narrow it",
            ));
        }
        if !routes[last].matcher.takes_all() {
            return Err(wrong(
                format!("route.{}.match", routes[last].name),
                "the last route must take everything that is left; remove its match or add a route without one",
            ));
        }
        let strongest = routes[last].strongest().model;
        let baseline = match &spec.baseline {
            Some(name) if name.is_empty() => return Err(wrong("baseline".into(), "names no model")),
            Some(name) => names.intern_model(name),
            None => strongest,
        };
        // Last, so that a policy's own models keep the first ids.
        for route in routes.iter_mut().filter(|route| route.canary.is_none()) {
            route.alias = names.intern_model(&format!("{AUTO}/{}", route.name));
        }
        let classifier = spec.classifier.as_deref().map(Into::into);
        let (name, judged_by) = (spec.name.as_str().into(), None);
        Ok(Self { name, version, baseline, classifier, judged_by, models, known, routes })
    }

    /// Writes the policy as a spec that compiles to it again.
    pub fn spec(&self, names: &Names) -> PolicySpec {
        let route = |route: &Route| {
            let lists = route.matcher.lists(names);
            // A canary takes what its route takes, and may differ from it in being like any other.
            let is_own = route.canary.is_none();
            let list = |key: &str| {
                let found = lists.iter().find(|(name, _)| *name == key && is_own);
                found.map_or_else(Vec::new, |(_, list)| list.iter().map(|&name| name.to_owned()).collect())
            };
            let last = route.ladder.len() - 1;
            let rung = |(at, rung): (usize, &Rung)| {
                let model = names.model(rung.model).to_owned();
                RungSpec {
                    name: (*rung.name != *model).then(|| rung.name.to_string()),
                    model,
                    threshold: (at < last && !rung.fallback).then(|| i64::from(rung.threshold.get())),
                    fallback: rung.fallback,
                    stream: rung.stream,
                    facts: rung.own_facts.spec(names),
                    with: rung.with.clone(),
                }
            };
            RouteSpec {
                name: route.name.to_string(),
                teams: list("team"),
                projects: list("project"),
                tasks: list("task"),
                asked: list("model"),
                canary: route.canary.as_ref().map(Canary::spec),
                mode: (route.mode != Mode::default() || !is_own).then_some(route.mode),
                require: route.require.names(names),
                when_full: (route.when_full != WhenFull::default() || !is_own).then_some(route.when_full),
                ladder: route.ladder.iter().enumerate().map(rung).collect(),
                no_signal: (usize::from(route.no_signal) != last || !is_own)
                    .then(|| route.ladder.get(usize::from(route.no_signal)).map(|rung| rung.name.to_string()))
                    .flatten(),
                when_failed: (route.when_failed != WhenFailed::default() || !is_own)
                    .then_some(route.when_failed),
                cache: (route.cache != Caching::default() || !is_own).then_some(route.cache),
                switch_cap: route.switch_cap.map(|cap| i64::from(cap.get())),
                holdout: route.holdout.map(|share| i64::from(share.get())),
                explore: route.explore.map(Explore::spec),
                adapt: route.adapt.as_ref().map(Adapt::spec),
                stream: route.stream,
                check: route.checks.as_ref().map(|checks| checks.when),
                checks: route.checks.iter().flat_map(|checks| checks.specs().cloned()).collect(),
            }
        };
        PolicySpec {
            name: self.name.to_string(),
            baseline: self.baseline.is_some().then(|| names.model(self.baseline).to_owned()),
            classifier: self.classifier.as_deref().map(str::to_owned),
            mode: None,
            models: self
                .models
                .iter()
                .map(|(model, facts)| (names.model(*model).to_owned(), facts.spec(names)))
                .collect(),
            routes: self.routes.iter().map(route).collect(),
        }
    }

    /// Returns a route by id; ids come from this policy, so a stranger's falls to the last route.
    pub fn route(&self, id: RouteId) -> &Route {
        self.routes.get(id.index()).unwrap_or(&self.routes[self.routes.len() - 1])
    }

    /// Says whether a client that asks by a name chooses its model: the name leaves the choice neither to the policy, nor to
    /// one of its routes, nor to a route that lists it.
    pub fn is_choice(&self, name: &str, names: &Names) -> bool {
        let is_alias = |asked| self.routes.iter().any(|route| route.alias == asked);
        let is_listed = |asked| self.routes.iter().any(|route| route.matcher.names_asked(asked));
        !name.is_empty()
            && name != AUTO
            && !names.find_model(name).is_some_and(|asked| is_alias(asked) || is_listed(asked))
    }

    /// Returns what is known of a model that no rung names here, by the id that stands for it.
    pub fn facts(&self, known_as: ModelId) -> Facts {
        self.known.iter().find(|(known, _)| *known == known_as).map(|(_, facts)| *facts).unwrap_or_default()
    }

    /// Finds a route by name.
    pub fn find_route(&self, name: &str) -> Option<RouteId> {
        self.routes
            .iter()
            .position(|route| &*route.name == name)
            .and_then(|at| u8::try_from(at).ok())
            .map(RouteId)
    }

    /// Moves one threshold, keeping the version.
    ///
    /// # Errors
    /// Where the route or rung does not exist, or the threshold would rise along the ladder.
    pub fn set_threshold(&mut self, route: RouteId, rung: usize, to: PerMille) -> Result<(), PolicyError> {
        let Some(route) = self.routes.get_mut(route.index()) else {
            return Err(wrong("route".into(), "there is no such route"));
        };
        if let Some(why) = route.unmovable(rung) {
            return Err(wrong(format!("route.{}.ladder[{rung}].threshold", route.name), why));
        }
        let mut thresholds = route.thresholds();
        if let Some(slot) = thresholds.get_mut(rung) {
            *slot = to;
        }
        route.set_thresholds(&thresholds)
    }

    /// Says whether any of its routes only observes.
    pub fn observes(&self) -> bool {
        self.routes.iter().any(|route| route.mode == Mode::Observe)
    }

    /// Says whether any of its routes is another's canary.
    pub fn has_canaries(&self) -> bool {
        self.routes.iter().any(|route| route.canary.is_some())
    }

    /// Says whether any of its routes limits how slow a stream may be.
    pub fn limits_streams(&self) -> bool {
        let limits =
            |route: &Route| !route.stream.is_none() || route.ladder.iter().any(|rung| !rung.stream.is_none());
        self.routes.iter().any(limits)
    }
}

impl Route {
    fn compile(
        spec: &RouteSpec,
        mode: Option<Mode>,
        models: &[(ModelId, Facts)],
        names: &mut Names,
    ) -> Result<Self, PolicyError> {
        let field = |tail: &str| format!("route.{}.{tail}", spec.name);
        if spec.ladder.is_empty() {
            return Err(wrong(field("ladder"), "needs at least one rung"));
        }
        if spec.ladder.len() > MAX_RUNGS {
            return Err(wrong(
                field("ladder"),
                format!("has {} rungs, at most {MAX_RUNGS} are allowed", spec.ladder.len()),
            ));
        }
        let mut tasks = 0u16;
        for task in &spec.tasks {
            let class: TaskClass = task.parse().map_err(|()| {
                let known: Vec<&str> = TaskClass::ALL.iter().map(|class| class.name()).collect();
                wrong(field("match.task"), format!("`{task}` is no task class; {}", choice(task, &known)))
            })?;
            tasks |= 1 << class.index();
        }
        let matcher = Matcher {
            teams: spec.teams.iter().map(|name| names.intern_team(name)).collect(),
            projects: spec.projects.iter().map(|name| names.intern_project(name)).collect(),
            tasks,
            asked: spec.asked.iter().map(|name| names.intern_model(name)).collect(),
        };
        let last = spec.ladder.len() - 1;
        let mut ladder: Vec<Rung> = Vec::with_capacity(spec.ladder.len());
        for (at, rung) in spec.ladder.iter().enumerate() {
            let here = |tail: &str| field(&format!("ladder[{at}].{tail}"));
            if rung.model.is_empty() {
                return Err(wrong(here("model"), "names no model"));
            }
            if rung.fallback && (at > 0 || at == last) {
                return Err(wrong(
                    here("fallback"),
                    "is the first rung's alone, with at least one rung after it that serves otherwise",
                ));
            }
            let threshold = match (rung.threshold, at == last) {
                (None, true) => PerMille::ZERO,
                (None, false) if rung.fallback => PerMille::ONE,
                (Some(_), false) if rung.fallback => {
                    return Err(wrong(
                        here("threshold"),
                        "is none of a fallback, which no confidence reaches; remove it",
                    ));
                }
                (Some(_), true) => {
                    return Err(wrong(
                        here("threshold"),
                        "the last rung takes whatever is left; remove its threshold",
                    ));
                }
                (None, false) => {
                    return Err(wrong(
                        here("threshold"),
                        "is missing; every rung but the last needs one, 0 to 1000",
                    ));
                }
                (Some(value), false) => {
                    u16::try_from(value).ok().and_then(PerMille::new).ok_or_else(|| {
                        wrong(here("threshold"), format!("{value} is outside 0 to 1000 per mille"))
                    })?
                }
            };
            let name = rung.name.as_deref().unwrap_or(&rung.model);
            if ladder.iter().any(|earlier| &*earlier.name == name) {
                return Err(wrong(here("rung"), format!("`{name}` is on this ladder already")));
            }
            check_limits(rung.stream).map_err(|problem| wrong(here("stream"), problem))?;
            if let Err((key, problem)) = rung.with.check() {
                return Err(wrong(here(&format!("with.{key}")), problem));
            }
            let model = names.intern_model(&rung.model);
            if rung.facts.max_in_flight.is_some() {
                return Err(wrong(
                    here("max_in_flight"),
                    format!(
                        "is a model's, whichever rung calls it; write it under [model.\"{}\"]",
                        rung.model
                    ),
                ));
            }
            let own_facts = Facts::compile(&rung.facts, &field(&format!("ladder[{at}]")), names)?;
            ladder.push(Rung {
                name: name.into(),
                model,
                known_as: names.identity(model),
                threshold,
                fallback: rung.fallback,
                stream: rung.stream,
                facts: own_facts.over(&said_of(model, models, names), names),
                own_facts,
                with: rung.with.clone(),
            });
        }
        let no_signal = match spec.no_signal.as_deref() {
            None | Some("strongest") => last,
            Some(name) => ladder.iter().position(|rung| &*rung.name == name).ok_or_else(|| {
                let known: Vec<&str> = ladder.iter().map(|rung| &*rung.name).chain(["strongest"]).collect();
                wrong(
                    field("no_signal"),
                    format!("`{name}` is no rung of this ladder; {}", choice(name, &known)),
                )
            })?,
        };
        if ladder.get(no_signal).is_some_and(|rung| rung.fallback) {
            return Err(wrong(
                field("no_signal"),
                "is a fallback, which serves where no other rung can; name another rung",
            ));
        }
        check_limits(spec.stream).map_err(|problem| wrong(field("stream"), problem))?;
        let checks = Checks::compile(spec.check, &spec.checks);
        let checks =
            checks.map_err(|(at, key, problem)| wrong(field(&format!("checks[{at}].{key}")), problem))?;
        let mut route = Self {
            name: spec.name.as_str().into(),
            tag: names.intern_route(&spec.name),
            matcher,
            canary: spec.canary.as_ref().map(|one| Canary::compile(&spec.name, one, names)).transpose()?,
            mode: spec.mode.or(mode).unwrap_or_default(),
            require: labels(&spec.require, &field("require"), names)?,
            when_full: spec.when_full.unwrap_or_default(),
            ladder,
            no_signal: u8::try_from(no_signal).unwrap_or(0),
            when_failed: spec.when_failed.unwrap_or_default(),
            cache: spec.cache.unwrap_or_default(),
            switch_cap: spec
                .switch_cap
                .map(|cap| capped(cap, spec.cache == Some(Caching::Aware), &field("switch_cap")))
                .transpose()?,
            holdout: spec.holdout.map(|share| held_out(share, &field("holdout"))).transpose()?,
            explore: spec.explore.map(|spec| Explore::compile(spec, &field("explore"))).transpose()?,
            adapt: None,
            alias: ModelId::NONE,
            stream: spec.stream,
            checks,
        };
        let thresholds = route.thresholds();
        route.set_thresholds(&thresholds)?;
        let beside = Beside {
            minds_caches: route.cache == Caching::Aware,
            has_checks: route.checks.is_some(),
            rungs: route.ladder[..last].iter().map(|rung| (Arc::clone(&rung.name), rung.threshold)).collect(),
        };
        let adapt = spec.adapt.as_ref().map(|spec| Adapt::compile(spec, &beside, &field("adapt")));
        route.adapt = adapt.transpose()?;
        Ok(route)
    }

    /// Returns how slow a stream of a rung may be; the route's own limits where the client pinned its model.
    pub fn limits(&self, rung: u8) -> StreamLimits {
        self.ladder.get(usize::from(rung)).map_or(self.stream, |rung| rung.stream.over(self.stream))
    }

    /// Returns the thresholds of every rung but the last.
    pub fn thresholds(&self) -> Thresholds {
        self.ladder[..self.ladder.len() - 1].iter().map(|rung| rung.threshold).collect()
    }

    /// Sets all thresholds at once; that of a fallback stays.
    ///
    /// # Errors
    /// Where they rise along the ladder or are of another number.
    pub fn set_thresholds(&mut self, thresholds: &[PerMille]) -> Result<(), PolicyError> {
        if thresholds.len() + 1 != self.ladder.len() {
            return Err(wrong(
                format!("route.{}.ladder", self.name),
                "one threshold for every rung but the last",
            ));
        }
        for at in 1..thresholds.len() {
            if thresholds[at] > thresholds[at - 1] {
                return Err(wrong(
                    format!("route.{}.ladder[{at}].threshold", self.name),
                    format!(
                        "thresholds must descend along the ladder: {} (rung `{}`) is above {} (rung `{}`)",
                        thresholds[at],
                        self.ladder[at].name,
                        thresholds[at - 1],
                        self.ladder[at - 1].name
                    ),
                ));
            }
        }
        for (rung, &threshold) in self.ladder.iter_mut().zip(thresholds).filter(|(rung, _)| !rung.fallback) {
            rung.threshold = threshold;
        }
        Ok(())
    }

    /// Returns the range in which a rung's threshold may move without crossing its neighbours.
    pub fn threshold_range(&self, rung: usize) -> (PerMille, PerMille) {
        let highest = if rung == 0 { PerMille::ONE } else { self.ladder[rung - 1].threshold };
        let lowest = self.ladder.get(rung + 1).map_or(PerMille::ZERO, |next| next.threshold);
        (lowest, highest)
    }

    /// Finds a rung by name, model name or number from 1.
    pub fn find_rung(&self, text: &str, names: &Names) -> Option<usize> {
        self.ladder
            .iter()
            .position(|rung| &*rung.name == text)
            .or_else(|| self.ladder.iter().position(|rung| names.model(rung.model) == text))
            .or_else(|| {
                text.parse::<usize>().ok().filter(|n| (1..=self.ladder.len()).contains(n)).map(|n| n - 1)
            })
    }

    /// Returns the rung that serves a confidence among those that may: the first of them whose threshold it reaches, else the
    /// last of them; `None` where none may.
    pub fn place(&self, confidence: Option<PerMille>, open: Rungs) -> Option<usize> {
        let wanted = self.rung_for(confidence);
        open.at_or_after(wanted).or_else(|| open.last())
    }

    /// Returns the rung that serves a confidence where all may.
    pub fn rung_for(&self, confidence: Option<PerMille>) -> usize {
        match confidence {
            None => self.no_signal as usize,
            Some(value) => {
                let takes = |rung: &Rung| !rung.fallback && value >= rung.threshold;
                self.ladder.iter().position(takes).unwrap_or(self.ladder.len() - 1)
            }
        }
    }

    /// Says whether what is told of a rung's model is told of this rung. Where several rungs are one model, asked in several ways, it
    /// is told of the one that served: by the effort of the call where that is known, else by the confidence.
    pub fn answers_alone(&self, rung: usize, confidence: PerMille, effort: Option<Effort>) -> bool {
        let Some(own) = self.ladder.get(rung) else { return false };
        let others = self.ladder.iter().enumerate();
        let mut others =
            others.filter(|(at, other)| *at != rung && other.known_as == own.known_as).peekable();
        if others.peek().is_none() {
            return true;
        }
        if effort.is_some() && others.all(|(_, other)| other.with.effort != own.with.effort) {
            return own.with.effort == effort;
        }
        self.rung_for(Some(confidence)) == rung
    }

    /// Says whether the client's own model serves a request that names one, and nothing else is asked of the ladder.
    /// Embeddings of different models do not compare, so that is so for them in every mode.
    pub fn pins(&self, class: TaskClass) -> bool {
        self.mode == Mode::Pinned || class == TaskClass::Embedding
    }

    /// Says whether the model that a client named serves its request here.
    pub fn serves_as_named(&self, signals: &Signals) -> bool {
        signals.pinned && (self.mode == Mode::Observe || self.pins(signals.class))
    }

    /// Returns the last rung.
    pub fn strongest(&self) -> &Rung {
        &self.ladder[self.ladder.len() - 1]
    }
}
