//! The one table of what the operator can do. Keymap, palette, help, footer and documentation are made from it.
//!
//! Contexts lie over one another: on a screen the screen's own keys come first, then the player's (in replay), then the
//! global ones. The same key may therefore mean one thing here and another there; help and footer show the one that
//! holds. Where Tune takes the arrows and digits for its thresholds, `<` `>`, `{` `}`, `(` `)` still move in time and
//! F1 to F9 still change screens.

macro_rules! contexts {
    ($(#[doc = $doc:literal] $name:ident $word:literal [$($layer:ident)*],)*) => {
        /// Where an action's keys work.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Context {
            $(#[doc = $doc] $name,)*
        }

        impl Context {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the name that help and messages use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Returns the contexts that hold together, the one that wins first.
            pub const fn layers(self) -> &'static [Self] {
                match self { $(Self::$name => &[$(Self::$layer),*],)* }
            }
        }
    };
}

// Each with its name, and the contexts that hold together with it.
contexts! {
    /// Everywhere but where text is typed.
    Global "everywhere" [Player Global],
    /// In replay, on every screen.
    Player "replay" [Player Global],
    /// On the screen Overview.
    Overview "overview" [Overview Player Global],
    /// On the screen Tune.
    Tune "tune" [Tune Player Global],
    /// On the screen Traffic.
    Traffic "traffic" [Traffic Player Global],
    /// On the screen Models.
    Models "models" [Models Player Global],
    /// On the screen Spend.
    Spend "spend" [Spend Player Global],
    /// On the screen Events.
    Events "events" [Events Player Global],
    /// On the screen Quality.
    Quality "quality" [Quality Player Global],
    /// On the screen Rollout.
    Rollout "rollout" [Rollout Player Global],
    /// On the screen Worlds.
    Worlds "worlds" [Worlds Player Global],
    /// In the view of one request.
    Detail "request" [Detail Player Global],
    /// While a line is typed.
    Prompt "prompt" [Prompt],
    /// In the prompt box.
    Ask "ask" [Ask],
    /// In the palette.
    Palette "palette" [Palette],
    /// In the help.
    Help "help" [Help],
    /// Where something is to be confirmed.
    Confirm "confirm" [Confirm],
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The action.
    pub action: Action,
    /// Its id, as in keys.toml: group and name.
    pub id: &'static str,
    /// What the palette calls it.
    pub name: &'static str,
    /// What the footer calls it: one or two words; nothing where it is not shown, `/` where it is shown with the one above.
    pub hint: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Where its keys work.
    pub contexts: &'static [Context],
    /// Its keys; `0..9` means all ten.
    pub keys: &'static [&'static str],
    /// Other words that find it in the palette.
    pub words: &'static str,
}

macro_rules! actions {
    ($($variant:ident $id:literal [$($context:ident)*] [$($key:literal)*] $hint:literal, $name:literal, $doc:literal, $words:literal;)*) => {
        /// Something the operator can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $(#[doc = $doc] $variant,)*
        }

        /// The table: one row for each [`Action`], in the order of help and palette.
        pub const ACTIONS: &[Spec] = &[$(Spec {
            action: Action::$variant,
            id: $id,
            name: $name,
            hint: $hint,
            doc: $doc,
            contexts: &[$(Context::$context),*],
            keys: &[$($key),*],
            words: $words,
        },)*];
    };
}

actions! {
    NudgeDown "tune.nudge-down" [Tune] ["left" "h"] "1 ‰", "Threshold down by 1", "Lowers the chosen threshold by 1 per mille.", "decrease lower left slider";
    NudgeUp "tune.nudge-up" [Tune] ["right" "l"] "/", "Threshold up by 1", "Raises the chosen threshold by 1 per mille.", "increase higher right slider";
    NudgeDownTen "tune.nudge-down-ten" [Tune] ["shift-left" "H"] "10 ‰", "Threshold down by 10", "Lowers the chosen threshold by 10 per mille.", "decrease lower slider";
    NudgeUpTen "tune.nudge-up-ten" [Tune] ["shift-right" "L"] "/", "Threshold up by 10", "Raises the chosen threshold by 10 per mille.", "increase higher slider";
    TypeValue "tune.type-value" [Tune] ["0..9"] "type", "Type a threshold", "Takes digits as the chosen threshold, 0 to 1000.", "number digits set";
    RungNext "tune.rung-next" [Tune] ["down" "j"] "rung", "Next rung", "Chooses the next threshold, of the next route after the last.", "ladder select";
    RungPrevious "tune.rung-previous" [Tune] ["up" "k"] "/", "Previous rung", "Chooses the threshold before this one.", "ladder select";
    RouteNext "tune.route-next" [Tune] ["r" "pagedown"] "route", "Next route", "Chooses the next route.", "select";
    RoutePrevious "tune.route-previous" [Tune] ["R" "pageup"] "/", "Previous route", "Chooses the route before this one.", "select";
    Apply "tune.apply" [Tune] ["enter"] "apply", "Apply the staged policy", "Puts the staged policy in force.", "commit save deploy";
    Drop "tune.drop" [Tune] ["esc"] "drop", "Drop the staged policy", "Forgets what is staged; the policy in force stays.", "discard reset cancel";
    Aim "tune.aim" [Tune] ["a"] "aim", "Aim for a cost or a quality", "Asks for a cost (-20%, $900 a month, $30/day) or a quality (q .97) and stages the best thresholds of all routes for it; `certified` behind it keeps them within their certificates. `limit teams/day 40` tries a budget's limit.", "optimise optimize budget target best quality";
    TurnOn "tune.turn-on" [Tune] ["O"] "turn on", "Turn the route on", "Stages the ladder of a route that only observes as in force; Enter then applies it.", "observe active adopt start";
    Undo "tune.undo" [Tune] ["u"] "undo", "Undo the last apply", "Puts the policy before the last apply back in force.", "revert rollback previous";
    SavePolicy "tune.save-policy" [Tune] ["P"] "save", "Save the policy", "Writes the policy in force to a new file in the present folder.", "export write file toml";
    Flipped "tune.flipped" [Tune] ["x"] "flips", "List requests that flip", "Lists the requests that the staged policy sends elsewhere.", "changed difference what-if";
    StageClassifier "tune.stage-classifier" [Tune] ["C"] "classifier", "Try another classifier", "Sets what the weights of --try-classifier would make of each request's text beside what was in force; again, or Esc, drops it.", "weights retrain staged second opinion";

    Filter "traffic.filter" [Overview Tune Traffic Models Spend Events Quality Rollout Worlds Detail] ["/"] "filter", "Filter requests", "Narrows the table of Traffic, or the list of Events, while you type; from elsewhere it goes to Traffic.", "search find query";
    ExportCsv "traffic.export-csv" [Traffic] ["X"] "", "Write the list as CSV", "Writes the listed requests with exact figures to a new CSV file in the present folder.", "export save file spreadsheet table";
    ExportJson "traffic.export-json" [Traffic] ["J"] "", "Write the list as JSON", "Writes the listed requests with exact figures to a new JSON file in the present folder.", "export save file table";
    ExportMarkdown "traffic.export-markdown" [Traffic] ["M"] "", "Write the list as Markdown", "Writes the listed requests to a new Markdown file in the present folder.", "export save file table";
    Sort "traffic.sort" [Traffic Models] ["s"] "sort", "Sort by the next column", "Sorts the table by the next column.", "order column";
    SortReverse "traffic.sort-reverse" [Traffic Models] ["S"] "", "Reverse the order", "Turns the order of the table round.", "order ascending descending";
    Why "spend.why" [Overview Spend] ["x"] "why", "Why spend changed", "Compares the window with the time before: what changed its cost, to the last digit. Again: with the same hours a week before.", "explain variance difference compare week cause";
    NextDimension "overview.next-dimension" [Overview Spend] ["b"] "", "Break spend down by the next dimension", "Shows spend by team, project, route or task; on Spend, unit costs by session, too.", "group team project route task";
    AllOn "models.all-on" [Models] ["a"] "all on it", "All on this model", "Says what the window would have cost with the chosen model alone, beside the policy, and what is not known of it.", "what-if single one picker baseline compare";
    AllOnNamed "models.all-on-named" [Overview Models] ["A"] "", "All on any model", "Says the same of any model that has a price, whether or not the traffic saw it; names are completed.", "what-if single one picker baseline compare price book";
    AckAlert "events.acknowledge" [Events] ["a"] "seen", "Acknowledge the alert", "Takes note of the chosen alert, for everybody to see.", "alert ack confirm seen";
    SilenceAlert "events.silence" [Events] ["x"] "silence 1 h", "Silence such alerts for an hour", "Has nobody told of the chosen alert's rule and scope for an hour.", "alert mute quiet snooze";
    HoldRollout "rollout.hold" [Rollout] ["h"] "hold", "Hold the rollout", "Lets no step of the chosen rollout come by itself; asks why.", "canary stage stop pause";
    GoRollout "rollout.go" [Rollout] ["r"] "go on", "Let the rollout go on", "Lets steps of a held rollout come again; asks why.", "canary stage resume continue";
    SkipRollout "rollout.skip" [Rollout] ["s"] "skip", "Take the rollout's next step", "Takes the next step of the chosen rollout, whatever it lacks; asks why, and says what it changes first.", "canary stage advance promote";
    TakeBack "rollout.back" [Rollout] ["b"] "take back", "Take the rollout back", "Puts the route back as it was before the chosen rollout; asks why, and says what it changes first.", "canary rollback revert abort";
    StartRollout "rollout.start" [Rollout] ["S"] "start", "Start a rollout", "Begins the chosen plan of rollouts.toml; says what it changes first.", "canary begin plan";
    AcceptSteering "rollout.accept" [Rollout] ["a"] "accept", "Accept the proposed thresholds", "Brings into force what steering proposes for the chosen limit; says what it changes first.", "steer budget pace threshold";
    BranchWith "worlds.with" [Worlds] ["a"] "beside", "Try a world beside something", "Asks for a world (one of the list, or a file), and for policies (a file) or thresholds (route.rung=588) that are tried in it.", "branch against file policy threshold scenario";
    DropBranches "worlds.drop" [Worlds] ["x"] "cancel", "Stop or forget the branches", "Stops the branches that are run, or forgets what they came to.", "branch cancel clear";
    BranchesMarkdown "worlds.markdown" [Worlds] ["M"] "markdown", "Write the branches as Markdown", "Writes the branches side by side to a new Markdown file in the present folder.", "export save file report";
    BranchesPage "worlds.page" [Worlds] ["H"] "page", "Write the branches as a page", "Writes the branches side by side to a new HTML file in the present folder.", "export save file html report";
    Open "list.open" [Overview Traffic Models Spend Events Quality Worlds] ["enter"] "open", "Open", "Opens what is chosen; on Worlds tries it from the play head on.", "detail why show request";
    Up "list.up" [Overview Traffic Models Spend Events Quality Rollout Worlds Detail] ["up" "k"] "row", "Up", "Goes up one row.", "previous scroll";
    Down "list.down" [Overview Traffic Models Spend Events Quality Rollout Worlds Detail] ["down" "j"] "/", "Down", "Goes down one row.", "next scroll";
    PageUp "list.page-up" [Overview Traffic Models Spend Events Quality Rollout Worlds Detail] ["pageup" "ctrl-b"] "", "Page up", "Goes up one page.", "scroll";
    PageDown "list.page-down" [Overview Traffic Models Spend Events Quality Rollout Worlds Detail] ["pagedown" "ctrl-f"] "", "Page down", "Goes down one page.", "scroll";
    First "list.first" [Overview Traffic Models Spend Events Quality Rollout Worlds Detail] ["home" "g"] "", "First row", "Goes to the first row; where that is the newest, new rows are then followed.", "top begin";
    Last "list.last" [Overview Traffic Models Spend Events Quality Rollout Worlds Detail] ["end"] "", "Last row", "Goes to the last row; where that is the newest, new rows are then followed.", "bottom tail";
    Close "list.close" [Detail] ["esc" "backspace"] "back", "Back to the table", "Closes the view of one request.", "close leave";

    NextRequest "list.next-request" [Detail] ["n"] "next", "Next request", "Shows the next request of the table.", "following neighbour";
    PreviousRequest "list.previous-request" [Detail] ["N"] "/", "Previous request", "Shows the request before this one in the table.", "neighbour";

    Play "player.play" [Player] ["space"] "play", "Play or pause", "Plays the log or pauses it; holds a live view while traffic goes on.", "stop resume run freeze hold";
    StepForward "player.step-forward" [Player] ["."] "step", "Step one event on", "Goes on by one event.", "next single";
    StepBack "player.step-back" [Player] [","] "/", "Step one event back", "Goes back by one event.", "previous single";
    Back10s "player.back-10s" [Player] ["left" "<" "alt-left"] "10 s", "Back 10 seconds", "Goes back 10 seconds of the log.", "seek rewind";
    Forward10s "player.forward-10s" [Player] ["right" ">" "alt-right"] "/", "Forward 10 seconds", "Goes on 10 seconds of the log.", "seek skip";
    Back60s "player.back-60s" [Player] ["shift-left" "{"] "60 s", "Back 1 minute", "Goes back one minute of the log.", "seek rewind";
    Forward60s "player.forward-60s" [Player] ["shift-right" "}"] "/", "Forward 1 minute", "Goes on one minute of the log.", "seek skip";
    Back10m "player.back-10m" [Player] ["ctrl-left" "("] "", "Back 10 minutes", "Goes back ten minutes of the log.", "seek rewind";
    Forward10m "player.forward-10m" [Player] ["ctrl-right" ")"] "", "Forward 10 minutes", "Goes on ten minutes of the log.", "seek skip";
    Slower "player.slower" [Player] ["["] "speed", "Half the speed", "Halves the speed.", "slow";
    Faster "player.faster" [Player] ["]"] "/", "Twice the speed", "Doubles the speed.", "fast";
    JumpTenth "player.jump-tenth" [Player] ["alt-0..9"] "jump", "Jump to a tenth", "Goes to 0, 10, .. 90 % of the log.", "seek percent position";
    LogStart "player.start" [Player] ["home" "alt-home"] "", "Start of the log", "Goes to the first event.", "seek begin";
    LogEnd "player.end" [Player] ["end" "alt-end"] "", "End of the log", "Goes to the last event.", "seek";
    Goto "player.goto" [Player] ["t"] "go to", "Go to a time", "Asks for a time (14:03:20, +5m, -30s), a share (50%) or an event (ev 12000).", "seek jump time";
    NextError "player.next-error" [Player] ["e"] "fault", "Next fault", "Goes to the next request with a failed call, answered in the end or not.", "incident failure seek";
    PreviousError "player.previous-error" [Player] ["E"] "/", "Previous fault", "Goes to the request with a failed call before this.", "incident failure seek";
    Mark "player.mark" [Player] ["m"] "mark", "Set or take a mark", "Sets a mark here, or takes it away.", "bookmark flag";
    NextMark "player.next-mark" [Player] ["'"] "/", "Next mark", "Goes to the next mark.", "bookmark flag seek";
    Loop "player.loop" [Player] ["o"] "loop", "Loop a stretch", "Sets the start of a loop, then its end, then takes it away.", "repeat range";
    Follow "player.follow" [Player] ["G"] "follow", "Follow the newest", "Goes to the newest event and stays there.", "live tail end";

    Overview "app.overview" [Global] ["1" "f1"] "", "Overview", "Shows the screen Overview.", "screen tab home";
    Tune "app.tune" [Global] ["2" "f2"] "", "Tune", "Shows the screen Tune.", "screen tab thresholds";
    Traffic "app.traffic" [Global] ["3" "f3"] "", "Traffic", "Shows the screen Traffic.", "screen tab requests";
    Models "app.models" [Global] ["4" "f4"] "", "Models", "Shows the screen Models.", "screen tab providers";
    Spend "app.spend" [Global] ["5" "f5"] "", "Spend", "Shows the screen Spend.", "screen tab budgets limits";
    Events "app.events" [Global] ["6" "f6"] "", "Events", "Shows the screen Events.", "screen tab alerts incidents anomalies";
    Quality "app.quality" [Global] ["7" "f7"] "", "Quality", "Shows the screen Quality.", "screen tab labels certificate calibration judge drift";
    Rollout "app.rollout" [Global] ["8" "f8"] "", "Rollout", "Shows the screen Rollout.", "screen tab canary stage steering automation";
    Worlds "app.worlds" [Global] ["9" "f9"] "", "Worlds", "Shows the screen Worlds.", "screen tab branch incident scenario compare";
    NextScreen "app.next-screen" [Global] ["n" "ctrl-pagedown"] "", "Next screen", "Shows the next screen.", "tab";
    PreviousScreen "app.previous-screen" [Global] ["N" "ctrl-pageup"] "", "Previous screen", "Shows the screen before this one.", "tab";
    FocusNext "app.focus-next" [Global] ["tab"] "panel", "Next panel", "Gives the keys to the next panel.", "focus";
    FocusPrevious "app.focus-previous" [Global] ["shift-tab"] "", "Previous panel", "Gives the keys to the panel before this one.", "focus";
    Zoom "app.zoom" [Global] ["z"] "zoom", "Zoom the panel", "Shows the panel with the keys over the whole screen, or all panels again.", "expand maximise full";
    Back "app.back" [Global] ["esc"] "", "Back", "Leaves the zoom; goes back to where one came from; leaves the filter.", "close cancel";
    Freeze "app.freeze" [Global] ["space" "f"] "freeze", "Freeze the view", "Holds the picture still; traffic goes on.", "pause hold stop";
    WindowShorter "app.window-shorter" [Global] ["w"] "window", "Shorter window", "Counts over a shorter stretch of time.", "range span";
    WindowLonger "app.window-longer" [Global] ["W"] "/", "Longer window", "Counts over a longer stretch of time.", "range span";
    Reading "app.reading" [Global] ["v"] "reading", "Recorded or routed", "Switches between what the log recorded and what this policy would have done.", "what-if baseline compare";
    Ask "app.ask" [Global] ["i"] "ask", "Ask: type a prompt", "Opens a box for a prompt: how it would be routed, and in live traffic its answer.", "prompt send try chat question";
    Stop "app.stop" [Global] ["K"] "", "Stop someone, or let him go", "Asks whom to stop in live traffic (a key, session, team, project, user, or all) or to let go; Enter does it.", "kill switch freeze lift emergency runaway";
    CopyRow "app.copy-row" [Global] ["y"] "copy", "Copy", "Copies the chosen row on Traffic and the request looked at; elsewhere the panel with the keys, as Markdown.", "yank clipboard";
    CopyPanel "app.copy-panel" [Global] ["Y"] "", "Copy the panel", "Copies the panel with the keys as Markdown; on Traffic the listed requests as a table.", "yank clipboard markdown export table";
    CopyMode "app.copy-mode" [Global] ["c"] "mouse", "Give the mouse back", "Gives the mouse back to the terminal so that text can be selected, or takes it again.", "select text clipboard mouse release";
    NextTheme "app.next-theme" [Global] ["T"] "theme", "Next theme", "Shows everything in the next theme.", "colour color dark light skin";
    NextGlyphs "app.next-glyphs" [Global] ["alt-g"] "", "Next glyphs", "Draws with braille, blocks or ascii.", "font symbols unicode";
    Reload "app.reload" [Global] ["ctrl-r"] "", "Read the settings again", "Reads the settings, keys and themes again.", "config refresh";
    Redraw "app.redraw" [Global] ["ctrl-l"] "", "Draw again", "Draws the whole screen afresh.", "repaint refresh clear";
    Suspend "app.suspend" [Global] ["ctrl-z"] "", "Suspend", "Gives the terminal back to the shell; `fg` returns.", "background job shell";
    Palette "app.palette" [Global] [":" "ctrl-p"] "palette", "Command palette", "Finds any action by name.", "command search run";
    Help "app.help" [Global] ["?"] "help", "Help", "Shows the keys that work here, the language of filters, and what signs and words mean.", "keys manual shortcuts";
    Quit "app.quit" [Global] ["q"] "quit", "Quit", "Leaves the program; a gateway first finishes what is in flight. Ctrl-C leaves at once from anywhere.", "exit leave close";

    PromptAccept "prompt.accept" [Prompt] ["enter"] "accept", "Accept", "Takes what was typed.", "";
    PromptCancel "prompt.cancel" [Prompt] ["esc"] "cancel", "Cancel", "Forgets what was typed.", "";
    PromptComplete "prompt.complete" [Prompt] ["tab"] "complete", "Complete", "Completes the name being typed; again for the next one that fits.", "";
    PromptEarlier "prompt.earlier" [Prompt] ["up"] "earlier", "Earlier line", "Brings back the line typed before.", "history";
    PromptLater "prompt.later" [Prompt] ["down"] "", "Later line", "Brings back the line typed after.", "history";
    AskSend "ask.send" [Ask] ["enter" "ctrl-enter"] "send", "Send", "Sends the prompt to the live gateway.", "";
    AskNewLine "ask.new-line" [Ask] ["alt-enter" "shift-enter"] "new line", "New line", "Starts another line of the prompt.", "";
    AskNextField "ask.next-field" [Ask] ["tab"] "field", "Next field", "Goes to the next field: team, project, task, model.", "";
    AskPreviousField "ask.previous-field" [Ask] ["shift-tab"] "/", "Previous field", "Goes to the field before.", "";
    AskPageUp "ask.page-up" [Ask] ["pageup"] "", "Page up", "Scrolls what is below the prompt up by a page.", "";
    AskPageDown "ask.page-down" [Ask] ["pagedown"] "page", "Page down", "Scrolls what is below the prompt down by a page.", "";
    AskShow "ask.show" [Ask] ["ctrl-t"] "in traffic", "Show the answer's request", "Shows the answered request in Traffic.", "";
    AskClose "ask.close" [Ask] ["esc"] "close", "Close", "Closes the box; what is typed stays.", "";
    PaletteRun "palette.run" [Palette] ["enter"] "run", "Run", "Does what is chosen.", "";
    PaletteClose "palette.close" [Palette] ["esc"] "close", "Close", "Closes the palette.", "";
    PaletteUp "palette.up" [Palette] ["up" "shift-tab" "ctrl-p"] "", "Up", "Chooses the line above.", "";
    PaletteDown "palette.down" [Palette] ["down" "tab" "ctrl-n"] "choose", "Down", "Chooses the line below.", "";
    HelpClose "help.close" [Help] ["esc" "q" "?" "enter"] "close", "Close", "Closes the help.", "";
    HelpUp "help.up" [Help] ["up" "k"] "line", "Up", "Scrolls up by a line.", "";
    HelpDown "help.down" [Help] ["down" "j"] "/", "Down", "Scrolls down by a line.", "";
    HelpPageUp "help.page-up" [Help] ["pageup" "ctrl-b"] "", "Page up", "Scrolls up by a screenful.", "";
    HelpPageDown "help.page-down" [Help] ["pagedown" "space" "ctrl-f"] "screenful", "Page down", "Scrolls down by a screenful.", "";
    HelpNext "help.next" [Help] ["right" "tab" "l"] "page", "Next page", "Shows the next page: keys, filter, signs.", "";
    HelpPrevious "help.previous" [Help] ["left" "shift-tab" "h"] "/", "Previous page", "Shows the page before this one.", "";
    ConfirmYes "confirm.yes" [Confirm] ["y"] "do it", "Do it", "Gives the order that is shown.", "";
    ConfirmNo "confirm.no" [Confirm] ["esc" "n"] "do not", "Do not", "Gives no order.", "";
}

impl Action {
    /// Returns the action's row of the table.
    pub fn spec(self) -> &'static Spec {
        // The table is written in the order of the enum, by the same macro.
        ACTIONS.get(self as usize).unwrap_or(&ACTIONS[0])
    }

    /// Says whether it belongs to one context alone.
    pub fn is_of(self, context: Context) -> bool {
        self.spec().contexts == [context]
    }

    /// Returns the rows that it moves a choice by, a page being ten; what is far enough for any list stands for its ends.
    pub fn rows(self) -> Option<isize> {
        match self {
            Self::Up => Some(-1),
            Self::Down => Some(1),
            Self::PageUp => Some(-10),
            Self::PageDown => Some(10),
            Self::First => Some(isize::MIN / 2),
            Self::Last => Some(isize::MAX / 2),
            _ => None,
        }
    }

    /// Finds an action by its id.
    pub fn by_id(id: &str) -> Option<Self> {
        ACTIONS.iter().find(|spec| spec.id == id).map(|spec| spec.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_found_by_its_action_and_its_id() {
        let mut ids = BTreeSet::new();
        for spec in ACTIONS {
            assert_eq!(spec.action.spec().id, spec.id);
            assert_eq!(Action::by_id(spec.id), Some(spec.action));
            assert!(ids.insert(spec.id), "{} is there twice", spec.id);
            assert!(spec.id.split_once('.').is_some(), "{} needs a group", spec.id);
            assert!(!spec.contexts.is_empty() && spec.doc.ends_with('.'), "{}", spec.id);
        }
    }

    #[test]
    fn names_in_the_palette_tell_actions_apart() {
        let mut names = BTreeSet::new();
        // The palette does not list the keys of overlays.
        let overlays = [Context::Prompt, Context::Ask, Context::Palette, Context::Help, Context::Confirm];
        let is_of_overlay = |spec: &&Spec| spec.contexts.iter().all(|context| overlays.contains(context));
        for spec in ACTIONS.iter().filter(|spec| !is_of_overlay(spec)) {
            assert!(names.insert(spec.name), "two actions are called {}", spec.name);
        }
    }
}
