//! Slips in settings files: whoever makes one is told where it is and what to write, in no parser's words.

/// A file, what it says by mistake, where that is, and what the program has to answer.
type Slip = (&'static str, &'static str, &'static str, &'static str);

const ROUTE: &str = "[[route]]\nname = \"r\"\n";

/// By file, the command that reads it; `config/` is read by whatever needs it.
const READERS: [(&str, &str); 11] = [
    ("config/console.toml", "snapshot overview --log small.jsonl"),
    ("config/keys.toml", "snapshot overview --log small.jsonl"),
    ("config/themes/own.toml", "snapshot overview --log small.jsonl --theme own"),
    ("config/gateway.toml", "serve --listen nowhere"),
    ("config/providers.toml", "serve --listen nowhere"),
    ("config/parameters.toml", "serve --listen nowhere"),
    ("config/budgets.toml", "budgets list"),
    ("policy.toml", "replay small.jsonl --policy policy.toml"),
    ("book.toml", "prices list --prices book.toml"),
    ("map.toml", "replay small.jsonl --map map.toml"),
    ("day.toml", "scenario day.toml"),
];

const SLIPS: [Slip; 46] = [
    ("config/console.toml", "mouse = \"yes\"", "1:9", "mouse is \"yes\"; write true or false"),
    (
        "config/console.toml",
        "\nrefresh-hz = 300",
        "2:14",
        "refresh-hz is 300; write a whole number from 0 to 255",
    ),
    ("config/console.toml", "theme = \"drak\"", "1:9", "theme is \"drak\"; did you mean `dark`?"),
    ("config/console.toml", "theme = drak", "1:9", "a value is missing or not in quotes"),
    ("config/console.toml", "glyphs = \"asci\"", "1:10", "glyphs is \"asci\"; did you mean `ascii`?"),
    ("config/console.toml", "them = \"dark\"", "1:1", "`them` is no setting; did you mean `theme`?"),
    ("config/console.toml", "copy-limit = \"1k\"", "1:14", "write a whole number from 0 on"),
    ("config/console.toml", "mouse", "1:6", "a name without a value; write name = value"),
    ("config/console.toml", "mouse = true\nmouse = true", "2:1", "this name stands twice"),
    ("config/keys.toml", "[tune]\nnudge-upp = \"k\"", "2", "did you mean `tune.nudge-up`?"),
    ("config/keys.toml", "[tune]\nnudge-up = 3", "2", "wants a key or a list of keys"),
    ("config/keys.toml", "[tune\n", "1:6", "the head of a table is not closed; write [name]"),
    ("config/themes/own.toml", "mode = \"dusk\"", "1", "write dark, light or either"),
    ("config/themes/own.toml", "text = red", "1", "a value is missing or not in quotes"),
    (
        "config/gateway.toml",
        "attempts = -1",
        "1:12",
        "attempts is -1; write a whole number from 0 to 4294967295",
    ),
    ("config/gateway.toml", "threads = 0", "1:11", "write \"cores\" or a whole number from 1 on"),
    ("config/gateway.toml", "on-disconnect = \"drian\"", "1:17", "did you mean `drain`?"),
    (
        "config/gateway.toml",
        "[limits]\nbody = \"32MB\"",
        "2:8",
        "limits.body is \"32MB\"; write a whole number from 0 on",
    ),
    ("config/gateway.toml", "[limits]\nbody = 0", "2:8", "limits.body must be at least 1"),
    ("config/gateway.toml", "limits = 3", "1:10", "write a table, [name] with settings below it"),
    ("config/gateway.toml", "[cors]\norigins = \"x\"", "2:11", "cors.origins is \"x\"; write a list"),
    ("config/gateway.toml", "[reports]\nby = [\"taem\"]", "2:6", "did you mean `team`?"),
    ("config/providers.toml", "[[providers]]\nname = \"x\"", "1:3", "did you mean `provider`?"),
    (
        "config/providers.toml",
        "[[provider]]\nname = \"x\"\nkey = \"sk-1234\"",
        "3:7",
        "a key itself never stands in this file",
    ),
    (
        "config/providers.toml",
        "[[provider]]\nname = \"x\"\nmodels = \"sk-1234\"",
        "3:10",
        "models is a text; write a list",
    ),
    (
        "config/providers.toml",
        "[[provider]]\nname = \"x\"\ntimeouts = { connect = 5 }",
        "3:24",
        "write a length of time such as",
    ),
    ("config/providers.toml", "[simulated]\nslow = 0.2", "2:8", "write a share in thousandths, 0 to 1000"),
    ("config/providers.toml", "[simulated]\nslow = 2000", "2:8", "write a share in thousandths, 0 to 1000"),
    ("config/parameters.toml", "trust = \"x\"", "1:9", "trust is \"x\"; write a list"),
    (
        "config/parameters.toml",
        "checked = 2026-11-28",
        "1:11",
        "checked is 2026-11-28; write a text in quotes",
    ),
    ("config/budgets.toml", "[budget.a]\nlimit = 900", "2:9", "budget.a.limit is 900; write a table"),
    (
        "config/budgets.toml",
        "[budget.a]\nlimt = { day = 9 }",
        "2:1",
        "`limt` is no setting of budget.a; did you mean `limit`?",
    ),
    ("config/budgets.toml", "[budget.a]\nlimit = { mnth = 9 }", "2", "did you mean `month`?"),
    ("config/budgets.toml", "[budget.a]\nmode = \"hard\"", "1:1", "budget.a lacks `limit`"),
    ("policy.toml", "[route]\nname = \"r\"", "1:1", "write [[route]], once for each"),
    (
        "policy.toml",
        "<route>ladder = [{ model = \"m\", threshold = 0.5 }]",
        "3:38",
        "threshold is 0.5; write a whole number from 0 to 1000",
    ),
    ("policy.toml", "<route>ladder = [{ model = \"m\", treshold = 5 }]", "3:26", "did you mean `threshold`?"),
    ("policy.toml", "<route>ladder = [{ threshold = 5 }]", "3:11", "route[0].ladder[0] lacks `model`"),
    ("policy.toml", "mode = \"activ\"", "1", "did you mean `active`?"),
    (
        "book.toml",
        "name = \"x\"\ndated = \"2026-11-01\"\nmodels = 3",
        "3",
        "expected a table, found a number",
    ),
    ("book.toml", "nme = \"x\"", "1", "did you mean `name`?"),
    ("map.toml", "model = 3", "1:9", "write a path in quotes, \"usage.in\", or a list of them"),
    ("map.toml", "at = \"ts\"\nmodl = \"m\"", "2", "did you mean `model`?"),
    ("map.toml", "at \"ts\"", "1:4", "a name without a value"),
    ("day.toml", "name = 3", "1:8", "name is 3; write a text in quotes"),
    ("day.toml", "nam = \"x\"", "1:1", "did you mean `name`?"),
];

#[test]
fn a_slip_in_any_settings_file_is_told_with_its_place_and_what_to_write() {
    for (file, reader) in READERS {
        assert!(SLIPS.iter().any(|slip| slip.0 == file), "{file} has no slip here");
        for (_, text, place, said) in SLIPS.iter().filter(|slip| slip.0 == file) {
            let sandbox = super::sandbox();
            sandbox.write(file, text.replace("<route>", ROUTE));
            // The folder's name is random and may spell anything.
            let err = sandbox.run(reader).err.replace(&sandbox.path("").display().to_string(), "");
            let name = file.rsplit('/').next().unwrap();
            assert!(err.contains(&format!("{name}:{place}: ")), "{file} {text:?} at {place}: {err}");
            assert!(err.contains(said), "{file} {text:?}: `{said}` is not in {err}");
            for word in [
                "expected a sequence",
                "u32",
                "usize",
                "u8",
                "i64",
                "invalid type",
                "untagged",
                "sk-1234",
                "struct",
            ] {
                assert!(!err.contains(word), "{file} {text:?}: `{word}` is a word of the parser's: {err}");
            }
        }
    }
}
