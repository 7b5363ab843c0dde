//! Keys from the operator's hand to the request's check, through a real file.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::units::{Instant, Span};

const NOW: Instant = Instant(1_795_000_000_000_000);

struct House {
    _folder: TempDir,
    path: PathBuf,
}

impl House {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("deep/below").join(FILE_NAME);
        Self { _folder: folder, path }
    }

    fn file(&self) -> KeyFile {
        KeyFile::at(&self.path)
    }

    fn add(&self, name: &str, expires: Option<Instant>) -> String {
        let new = NewKey {
            name: name.into(),
            team: "payments".into(),
            project: "api".into(),
            require: Vec::new(),
            tags: Vec::new(),
            scopes: Scopes::default().with(Scope::Route),
            expires,
            note: String::new(),
        };
        reveal(&add(&self.file(), new, NOW).unwrap().1).to_owned()
    }
}

#[test]
fn a_key_opens_the_door_and_says_who_pays() {
    let house = House::new();
    let access = Access::open(&house.path).unwrap();
    assert!(access.is_empty());
    let secret = house.add("ci", None);
    assert!(!access.is_empty(), "a key that is added guards a gateway that runs already");
    let caller = access.check(&secret, NOW).unwrap();
    assert_eq!((&*caller.name, &*caller.team, &*caller.project), ("ci", "payments", "api"));
    assert_eq!(caller.may(Scope::Route), Ok(()));
    let refused = caller.may(Scope::Operate).unwrap_err();
    assert!(refused.is_forbidden() && refused.to_string().contains("`operate`"));
    assert!(!format!("{access:?}{caller:?}").contains(&secret[3..20]));
    assert!(!fs::read_to_string(&house.path).unwrap().contains(&secret[3..20]), "the secret is kept nowhere");
}

#[test]
fn without_any_key_everyone_on_this_machine_is_let_in_and_with_one_nobody_else() {
    let house = House::new();
    let access = Access::open(&house.path).unwrap();
    let mut headers = http::HeaderMap::new();
    let stranger = access.admit(&headers, false, NOW).unwrap();
    assert_eq!((stranger.scopes, stranger.id.as_ref()), (Scopes::ALL, ""));
    headers.insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(
        access.admit(&headers, false, NOW),
        Err(Denied::Elsewhere),
        "a page that is merely visited spends nothing"
    );
    headers.clear();
    let secret = house.add("ci", None);
    assert_eq!(access.admit(&headers, false, NOW), Err(Denied::Missing));
    headers.insert("x-api-key", secret.parse().unwrap());
    assert_eq!(access.admit(&headers, false, NOW).unwrap().name.as_ref(), "ci");
    fs::remove_file(&house.path).unwrap();
    assert_eq!(access.admit(&headers, false, NOW), Err(Denied::Unknown));
}

#[test]
fn revoking_holds_from_the_next_request_on() {
    let house = House::new();
    let (one, two) = (house.add("one", None), house.add("two", None));
    let access = Access::open(&house.path).unwrap();
    // Many rounds, so that some fall within one tick of the file system's clock.
    for round in 0..40 {
        let secret = house.add(&format!("k{round}"), None);
        assert!(access.check(&secret, NOW).is_ok());
        revoke(&house.file(), &format!("k{round}"), NOW).unwrap();
        assert_eq!(access.check(&secret, NOW), Err(Denied::Revoked));
    }
    assert!(access.check(&one, NOW).is_ok());
    fs::remove_file(&house.path).unwrap();
    assert_eq!(access.check(&two, NOW), Err(Denied::Unknown));
    assert!(!access.is_empty(), "a file that vanishes does not open the door");
}

#[test]
fn each_refusal_says_what_is_wrong() {
    let house = House::new();
    let access = Access::open(&house.path).unwrap();
    let secret = house.add("short", Some(NOW + Span::hours(1)));
    assert_eq!(access.check("", NOW), Err(Denied::Missing));
    assert_eq!(access.check("sk-whatever", NOW), Err(Denied::Malformed));
    assert_eq!(access.check(&secret[..49], NOW), Err(Denied::Malformed));
    let elsewhere = House::new().add("short", None);
    assert_eq!(access.check(&elsewhere, NOW), Err(Denied::Unknown));
    assert!(access.check(&secret, NOW + Span::mins(59)).is_ok());
    assert_eq!(access.check(&secret, NOW + Span::hours(1)), Err(Denied::Expired));
}

#[test]
fn a_broken_file_keeps_the_last_good_keys_and_lets_nobody_else_in() {
    let house = House::new();
    let secret = house.add("ci", None);
    let access = Access::open(&house.path).unwrap();
    let good = fs::read_to_string(&house.path).unwrap();
    fs::write(&house.path, "version = 1\n[[key]]\nid = \"sk-abcdefghijklmnopqrst").unwrap();
    assert!(access.check(&secret, NOW).is_ok());
    let trouble = access.trouble().unwrap();
    assert!(trouble.contains("line 3") && !trouble.contains("abcdefgh"), "{trouble}");
    assert!(Access::open(&house.path).is_err(), "a start with a broken file is refused");
    let other = house.file();
    assert!(add(&other, NewKey { name: "x".into(), ..NewKey::default() }, NOW).is_err());
    fs::write(&house.path, good).unwrap();
    assert!(access.check(&secret, NOW).is_ok());
    assert_eq!(access.trouble(), None);
}

#[test]
fn wrong_fields_are_named_and_nothing_is_taken_from_such_a_file() {
    let house = House::new();
    house.add("ci", None);
    let good = fs::read_to_string(&house.path).unwrap();
    for (from, to, said) in [
        ("sha256:", "md5:", "hash"),
        ("\"route\"", "\"rout\"", "scopes"),
        ("version = 1", "version = 2", "newer"),
        ("\"payments\"", "\"pay\\u001bments\"", "team"),
        ("name =", "nome =", "nome"),
    ] {
        assert!(good.contains(from), "{good}");
        fs::write(&house.path, good.replace(from, to)).unwrap();
        let error = house.file().read().unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("access.toml"), "{error}");
    }
}

#[test]
fn rotation_gives_a_new_secret_with_the_same_tags() {
    let house = House::new();
    let access = Access::open(&house.path).unwrap();
    let first = house.add("ci", None);
    let (key, second) = rotate(&house.file(), "ci", None, None, NOW).unwrap();
    assert_eq!(access.check(&first, NOW), Err(Denied::Revoked));
    assert_eq!(access.check(reveal(&second), NOW).unwrap().team.as_ref(), "payments");
    let (_, third) = rotate(&house.file(), &key.id, Some(Span::hours(1)), None, NOW + Span::secs(1)).unwrap();
    assert!(access.check(reveal(&second), NOW).is_ok(), "both work while clients change over");
    assert!(access.check(reveal(&third), NOW).is_ok());
    assert_eq!(access.check(reveal(&second), NOW + Span::hours(2)), Err(Denied::Expired));
    assert_eq!(revoke(&house.file(), "ci", NOW).unwrap().len(), 2);
    assert_eq!(access.check(reveal(&third), NOW), Err(Denied::Revoked));
    assert!(matches!(rotate(&house.file(), "ci", None, None, NOW), Err(AccessError::NotFound(_))));
}

#[test]
fn names_are_told_apart_and_kept_clean() {
    let house = House::new();
    house.add("ci", None);
    let named = |name: &str| {
        let new = NewKey { name: name.into(), ..NewKey::default() };
        add(&house.file(), new, NOW).map(|(key, _)| key)
    };
    assert!(matches!(named("ci"), Err(AccessError::Taken(_))));
    for bad in ["", " a", "a\nb", "pmk_1a2b3c4d", &"x".repeat(129)] {
        assert!(matches!(named(bad), Err(AccessError::Text { field: "name", .. })), "{bad:?}");
    }
    revoke(&house.file(), "ci", NOW).unwrap();
    named("ci").unwrap();
}

#[test]
fn many_writers_lose_no_key() {
    let house = House::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let house = &house;
            scope.spawn(move || (0..5).for_each(|n| drop(house.add(&format!("{writer}-{n}"), None))));
        }
    });
    assert_eq!(house.file().read().unwrap().len(), 20);
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::new();
    house.add("ci", None);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&house.path), 0o600);
    assert_eq!(mode(house.path.parent().unwrap()), 0o700);
    let left: Vec<_> =
        fs::read_dir(house.path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".new")), "{left:?}");
    let refused = || Access::open(&house.path).unwrap_err().to_string();
    let folder = house.path.parent().unwrap();
    for (path, loose, strict, word) in [
        (&*house.path, 0o620, 0o600, "written"),
        (&*house.path, 0o602, 0o600, "written"),
        (folder, 0o777, 0o700, "replaced"),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(loose)).unwrap();
        assert!(refused().contains(word) && refused().contains("chmod"), "{}", refused());
        fs::set_permissions(path, fs::Permissions::from_mode(strict)).unwrap();
        Access::open(&house.path).unwrap();
    }
    // Only who may give files away can try the last.
    if std::os::unix::fs::chown(&house.path, Some(12_345), None).is_ok() {
        assert!(refused().contains("belongs to another user"), "{}", refused());
    }
}

#[test]
fn a_key_without_a_team_is_bound_to_one_and_to_no_second() {
    let house = House::new();
    let new =
        NewKey { name: "free".into(), scopes: Scopes::default().with(Scope::Route), ..NewKey::default() };
    let secret = reveal(&add(&house.file(), new, NOW).unwrap().1).to_owned();
    let access = Access::open(&house.path).unwrap();
    assert_eq!(&*access.check(&secret, NOW).unwrap().team, "");
    limit(&house.file(), "free", "search", "index").unwrap();
    let caller = access.check(&secret, NOW).unwrap();
    assert_eq!(
        (&*caller.team, &*caller.project),
        ("search", "index"),
        "it holds at once, with the secret it has"
    );
    assert!(access.names_team("search") && access.names_project("index") && access.has_teams());
    assert!(matches!(limit(&house.file(), "free", "payments", ""), Err(AccessError::Bound { .. })));
    assert!(matches!(limit(&house.file(), "free", "", ""), Err(AccessError::Text { field: "team", .. })));
    assert!(matches!(limit(&house.file(), "nobody", "search", ""), Err(AccessError::NotFound(_))));
}

#[test]
fn what_a_team_paid_for_is_its_own() {
    let of = |id: &str, name: &str, team: &str, scopes| Caller {
        id: id.into(),
        name: name.into(),
        team: team.into(),
        scopes,
        ..Caller::local()
    };
    let route = Scopes::default().with(Scope::Route);
    for (caller, team, key, owns) in [
        (of("pmk_1", "a", "search", route), "search", "b", true),
        (of("pmk_1", "a", "search", route), "payments", "a", false),
        (of("pmk_1", "a", "search", route), "", "a", false),
        (of("pmk_1", "a", "", route), "search", "b", false),
        (of("pmk_1", "a", "", route), "search", "a", true),
        (of("pmk_1", "a", "", route), "", "b", true),
        (of("pmk_1", "a", "", route.with(Scope::Read)), "search", "b", false),
        (of("pmk_1", "a", "", route.with(Scope::Operate)), "search", "b", true),
        (Caller::local(), "search", "b", true),
    ] {
        assert_eq!(caller.owns(team, key), owns, "{caller:?} {team} {key}");
    }
}
