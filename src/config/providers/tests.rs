//! What a user may write into `providers.toml`, and what the program says where it is wrong.

use std::time::Duration;

use super::*;

fn fails(text: &str) -> String {
    parse(&[("p.toml", text)]).unwrap_err().to_string()
}

fn one<'a>(spec: &'a ProvidersSpec, name: &str) -> &'a ProviderSpec {
    spec.providers.iter().find(|provider| provider.name == name).unwrap()
}

#[test]
fn the_file_that_comes_with_the_program_says_the_defaults() {
    let spec = parse(&[]).unwrap();
    assert_eq!(spec.simulated, SimulatedSpec::default());
    for provider in &spec.providers {
        assert_eq!(provider.timeouts, Timeouts::default());
        assert_eq!(provider.retries, Retries::default());
        assert_eq!(provider.limits, Limits::default());
        assert_eq!(provider.breaker, BreakerSpec::default());
    }
    let names: Vec<_> = spec.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["openai", "anthropic", "google", "mistral", "simulated"]);
    assert_eq!(one(&spec, "openai").key, Some(KeySource::Env("OPENAI_API_KEY".into())));
    assert!(one(&spec, "openai").responses);
    // Every setting is explained to the user.
    for setting in [
        "enabled",
        "key_header",
        "rename",
        "insecure",
        "responses",
        "completions",
        "platform",
        "auth",
        "renew",
        "region",
        "project",
        "api_version",
        "accounts",
        "drain",
        "fallback",
        "patience",
        "concurrent",
        "per",
        "slow",
    ] {
        assert!(BUILTIN.contains(setting), "{setting} should be in the file");
    }
}

#[test]
fn a_users_file_changes_one_setting_and_keeps_the_rest() {
    let text = "[defaults]\nretries = { attempts = 4 }\n\
                [[provider]]\nname = \"openai\"\nlimits = { concurrent = 3 }\ntimeouts = { idle = \"9s\" }\n\
                [[provider]]\nname = \"mistral\"\nenabled = false\n\
                [[provider]]\nname = \"mine\"\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:8000/v1/\"\n\
                rename = { \"gpt-4.1\" = \"my-deployment\" }\nretries = { base = \"1s\" }\n";
    let spec = parse(&[("p.toml", text)]).unwrap();
    let openai = one(&spec, "openai");
    assert_eq!(openai.base_url, "https://api.openai.com/v1");
    assert_eq!((openai.limits.concurrent, openai.timeouts.idle), (3, Duration::from_secs(9)));
    assert_eq!((openai.retries.attempts, openai.timeouts.total), (4, Duration::from_secs(600)));
    assert!(spec.providers.iter().all(|provider| provider.name != "mistral"));
    let mine = one(&spec, "mine");
    assert_eq!(mine.base_url, "http://127.0.0.1:8000/v1");
    assert_eq!((mine.retries.base, mine.retries.attempts), (Duration::from_secs(1), 4));
    assert_eq!(mine.origin, "p.toml:10");
    assert_eq!(spec.providers[0].name, "openai", "the user's own come first, in the order of the files");
    assert_eq!(spec.providers[1].name, "mine");
}

#[test]
fn errors_name_line_field_and_way_out() {
    let head = "[[provider]]\nname = \"x\"\ndialect = \"openai\"\nmodels = [\"a\"]\n";
    let cases = [
        ("nam = 1".to_owned(), "p.toml:1:1: `nam` is no setting"),
        ("[[provider]]\nname = \"x\"\ndialect = \"klingon\"".into(), "p.toml:3: provider.x.dialect: unknown"),
        ("[[provider]]\nname = \"x\"".into(), "p.toml:1: provider.x.dialect: missing"),
        (head.into(), "p.toml:1: provider.x.base_url: missing"),
        (format!("{head}base_url = \"https://u:p@h/v1\""), "p.toml:5: provider.x.base_url: has a name"),
        (format!("{head}base_url = \"https://h/v1?key=1\""), "p.toml:5: provider.x.base_url: has a query"),
        (format!("{head}base_url = \"ftp://h\""), "p.toml:5: provider.x.base_url: is neither"),
        (format!("{head}base_url = \"http://10.0.0.1\"\nkey = {{ env = \"K\" }}"), "would send the key"),
        (
            format!("{head}base_url = \"https://h\"\ntimeouts = {{ idle = 5 }}"),
            "p.toml:6:21: provider[0].timeouts.idle is a number; write",
        ),
        (
            format!("{head}base_url = \"https://h\"\nlimits = {{ per = \"day\" }}"),
            "p.toml:6:18: provider[0].limits.per is a text",
        ),
        (format!("{head}base_url = \"https://h\"\nheaders = {{ Authorization = \"B\" }}"), "carries a key"),
        (format!("{head}base_url = \"https://h\"\n{head}"), "p.toml:7: provider.x: stands here twice"),
        (
            format!("{head}base_url = \"https://h\"\ntimeouts = {{ idle = \"0s\" }}"),
            "p.toml:1: provider.x.timeouts: no time",
        ),
        (
            format!("{head}base_url = \"https://h\"\nplatform = \"vertx\""),
            "p.toml:6: provider.x.platform: unknown\nhint: did you mean `vertex`?",
        ),
        (
            format!("{head}base_url = \"https://h\"\nauth = \"gogle\""),
            "p.toml:6: provider.x.auth: unknown\nhint: did you mean `google`?",
        ),
        (format!("{head}platform = \"bedrock\""), "p.toml:1: provider.x.region: missing"),
        (
            format!("{head}platform = \"vertex\"\nregion = \"eu-west/1\"\nproject = \"p\""),
            "p.toml:6: provider.x.region: cannot stand in an address",
        ),
        (
            format!("{head}platform = \"vertex\"\nregion = \"us-east5\""),
            "p.toml:1: provider.x.project: missing",
        ),
        (
            format!("{head}base_url = \"https://h\"\nproject = \"p\""),
            "p.toml:6: provider.x.project: is for platform = \"vertex\" alone",
        ),
        (
            format!("{head}platform = \"azure\"").replace("openai", "anthropic"),
            "p.toml:3: provider.x.dialect: is not spoken at azure",
        ),
        (
            format!("{head}base_url = \"https://h\"").replace("openai", "converse"),
            "p.toml:3: provider.x.dialect: converse is spoken at Bedrock alone",
        ),
        (format!("{head}base_url = \"https://h\"\nauth = \"token\""), "p.toml:1: provider.x.key: missing"),
        (
            format!("{head}base_url = \"https://h\"\nfallback = \"opnai\""),
            "p.toml:6: provider.x.fallback: is no other provider\nhint: did you mean `openai`?",
        ),
        (
            format!(
                "{head}base_url = \"https://h\"\nresponses = true\naccounts = [{{ name = \"a\", key = {{ env = \"A\" }} }}]"
            ),
            "p.toml:1: provider.x.accounts: cannot be beside responses",
        ),
        (
            format!(
                "{head}base_url = \"https://h\"\naccounts = [{{ name = \"a\", key = {{ env = \"A\" }} }}, {{ name = \"a\", key = {{ env = \"B\" }} }}]"
            ),
            "p.toml:6: provider.x.accounts: names one twice",
        ),
        ("[simulated]\ncut = 1001".into(), "p.toml:2:7: simulated.cut:"),
        ("[[provider]]\nname = \"a b\"".into(), "p.toml:2: provider.name:"),
        ("[[provider".into(), "p.toml:1:"),
    ];
    for (text, wanted) in cases {
        let error = fails(&text);
        assert!(error.contains(wanted), "wanted {wanted}\nin {error}\nfor {text}");
        assert!(error.contains("\nhint: "), "{error}");
    }
}

#[test]
fn a_cloud_is_where_its_region_says_and_signs_as_it_does() {
    let of = |platform: &str, dialect: &str, region: &str| {
        let text = format!(
            "[[provider]]\nname = \"x\"\nplatform = \"{platform}\"\ndialect = \"{dialect}\"\nregion = \"{region}\"\n\
             models = [\"a\"]\n{}",
            if platform == "vertex" { "project = \"p\"" } else { "" }
        );
        let spec = parse(&[("p.toml", &text)]).unwrap();
        let provider = one(&spec, "x");
        (provider.base_url.clone(), provider.hosting.auth, provider.key.clone())
    };
    let google = (Auth::Google, Some(KeySource::GoogleDefault));
    for (region, host) in [
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ] {
        let (url, auth, key) = of("vertex", "anthropic", region);
        assert_eq!((url, (auth, key)), (format!("https://{host}"), google.clone()));
    }
    let (url, auth, key) = of("bedrock", "converse", "eu-west-1");
    assert_eq!(url, "https://bedrock-runtime.eu-west-1.amazonaws.com");
    assert_eq!((auth, key), (Auth::Aws, Some(KeySource::AwsEnv)));
}

#[test]
fn a_key_in_the_wrong_place_is_never_repeated() {
    let secret = "sk-topsecret";
    let head =
        "[[provider]]\nname = \"x\"\ndialect = \"openai\"\nmodels = [\"a\"]\nbase_url = \"https://h\"\n";
    for line in [
        format!("key = \"{secret}\""),
        format!("key = {{ value = \"{secret}\" }}"),
        format!("key = {{ keyring = \"{secret}\" }}"),
        format!("key = {{ command = \"{secret}\" }}"),
        format!("timeouts = {{ idle = \"{secret}\" }}"),
        format!("timeouts = \"{secret}\""),
        format!("insecure = \"{secret}\""),
        format!("headers = {{ Authorization = \"Bearer {secret}\" }}"),
        format!("headers = {{ \"X-Key\" = \"{secret}\\n\" }}"),
        format!("limits = {{ per = \"{secret}\" }}"),
        format!("dialect = \"{secret}\""),
        format!("base_url = \"https://{secret}@h\""),
        format!("key = \"{secret}"),
        format!("key = {secret}"),
        format!("key {secret}"),
        secret.to_owned(),
    ] {
        let error = fails(&format!("{head}{line}\n"));
        assert!(!error.contains(secret), "{error}");
        let debug = format!("{:?}", parse(&[("p.toml", &format!("{head}{line}\n"))]));
        assert!(!debug.contains(secret), "{debug}");
    }
    let fine = format!("{head}headers = {{ \"X-Key\" = \"{secret}\" }}\n");
    assert!(!format!("{:?}", parse(&[("p.toml", &fine)]).unwrap()).contains(secret));
}

#[test]
fn a_key_over_plain_http_stays_at_home_unless_one_insists() {
    let text = |url: &str, more: &str| {
        format!(
            "[[provider]]\nname = \"x\"\ndialect = \"openai\"\nmodels = [\"a\"]\nkey = {{ env = \"K\" }}\nbase_url = \"{url}\"\n{more}"
        )
    };
    for url in ["http://localhost:1/v1", "http://127.0.0.1/v1", "http://[::1]:4/v1", "https://example.com"] {
        assert!(parse(&[("p.toml", &text(url, ""))]).is_ok(), "{url}");
    }
    for url in ["http://example.com", "http://localhost.example.com", "http://127.0.0.1.example.com"] {
        assert!(parse(&[("p.toml", &text(url, ""))]).is_err(), "{url}");
        assert!(parse(&[("p.toml", &text(url, "insecure = true"))]).is_ok(), "{url}");
    }
}
