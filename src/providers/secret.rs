//! Keys, fetched from where the operator keeps them.
//!
//! Invariant: a key leaves this file only as a [`SecretString`]; no error, warning or `Debug` form holds a part of one.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::providers::KeySource;

/// The longest that a key's program may take; it may have to ask a person.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest key.
const LONGEST: u64 = 64 * 1024;

/// A key that was found.
#[derive(Debug)]
pub struct FoundKey {
    /// The key.
    pub key: SecretString,
    /// What is not as it should be with its place, for people.
    pub warning: Option<String>,
}

/// Why a key was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none there.
    #[error("{0} is not set")]
    Unset(String),
    /// Its place cannot be read.
    #[error("{place}: {why}")]
    Unreadable {
        /// Where it should be.
        place: String,
        /// What the system says.
        why: String,
    },
    /// What is there is no key.
    #[error("{0} holds no key: it should be one line of printable characters")]
    NoKey(String),
}

/// Fetches keys from this machine: its environment, files, keyring and programs.
pub fn from_system(source: &KeySource) -> Result<FoundKey, KeyError> {
    let place = source.to_string();
    match source {
        KeySource::Env(name) => match std::env::var(name) {
            Ok(text) if !text.trim().is_empty() => found(text, &place, None),
            Ok(_) | Err(std::env::VarError::NotPresent) => Err(KeyError::Unset(name.clone())),
            Err(std::env::VarError::NotUnicode(_)) => Err(KeyError::NoKey(place)),
        },
        KeySource::File(path) => found(read_file(path, &place)?, &place, open_to_others(path)),
        KeySource::Command(words) => {
            let (program, arguments) = words.split_first().ok_or_else(|| KeyError::NoKey(place.clone()))?;
            found(run(program, arguments, &place)?, &place, None)
        }
        KeySource::Keyring { service, account } => {
            let (program, arguments) = keyring(service, account);
            found(run(program, &arguments, &place)?, &place, None)
        }
        KeySource::AwsEnv => {
            let said = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
            let need = |name: &str| said(name).ok_or_else(|| KeyError::Unset(name.to_owned()));
            let (id, secret) = (need("AWS_ACCESS_KEY_ID")?, need("AWS_SECRET_ACCESS_KEY")?);
            found(aws(&id, &secret, said("AWS_SESSION_TOKEN").as_deref()), &place, None)
        }
        KeySource::AwsProfile(name) => {
            let path = named_or_at_home("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
            let path = path.ok_or_else(|| unreadable(&place, &"no home directory is known"))?;
            let text = read_file(&path, &path.display().to_string())?;
            let keys = profile(&text, name)
                .ok_or_else(|| unreadable(&place, &format!("{} has no keys of that name", path.display())))?;
            found(keys, &place, open_to_others(&path))
        }
        KeySource::GoogleDefault => {
            let at_home = ".config/gcloud/application_default_credentials.json";
            let path = named_or_at_home("GOOGLE_APPLICATION_CREDENTIALS", at_home);
            let unset = || KeyError::Unset("GOOGLE_APPLICATION_CREDENTIALS".to_owned());
            let path = path.filter(|path| path.exists()).ok_or_else(unset)?;
            found(read_file(&path, &place)?, &place, open_to_others(&path))
        }
    }
}

/// Returns the file that a variable names, or the one that tools keep in the home directory.
fn named_or_at_home(variable: &str, at_home: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|name| !name.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(directories::BaseDirs::new()?.home_dir().join(at_home)))
}

/// Writes keys of AWS as its tools do.
fn aws(id: &str, secret: &str, session: Option<&str>) -> String {
    let text = |text: &str| serde_json::Value::from(text.trim()).to_string();
    let session = session.map_or(String::new(), |session| format!(",\"SessionToken\":{}", text(session)));
    format!("{{\"AccessKeyId\":{},\"SecretAccessKey\":{}{session}}}", text(id), text(secret))
}

/// Finds a profile in AWS's file of credentials.
fn profile(file: &str, name: &str) -> Option<String> {
    let heading = |line: &str| Some(line.strip_prefix('[')?.strip_suffix(']')?.trim().to_owned());
    let lines = file.lines().map(str::trim).skip_while(|line| heading(line).as_deref() != Some(name)).skip(1);
    let pairs = lines.take_while(|line| heading(line).is_none()).filter_map(|line| line.split_once('='));
    let (mut id, mut secret, mut session) = (None, None, None);
    for (key, value) in pairs {
        match key.trim() {
            "aws_access_key_id" => id = Some(value.trim()),
            "aws_secret_access_key" => secret = Some(value.trim()),
            "aws_session_token" => session = Some(value.trim()),
            _ => {}
        }
    }
    Some(aws(id?, secret?, session))
}

/// The keyring is asked by the system's own program, which knows how to unlock it.
fn keyring(service: &str, account: &str) -> (&'static str, Vec<String>) {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    if cfg!(target_os = "macos") {
        ("security", words(&["find-generic-password", "-s", service, "-a", account, "-w"]))
    } else {
        ("secret-tool", words(&["lookup", "service", service, "account", account]))
    }
}

fn found(text: String, place: &str, warning: Option<String>) -> Result<FoundKey, KeyError> {
    let text = SecretString::from(text);
    let line = secrecy::ExposeSecret::expose_secret(&text).trim();
    let printable = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_graphic());
    if !printable && !is_object(line) {
        return Err(KeyError::NoKey(place.to_owned()));
    }
    Ok(FoundKey { key: SecretString::from(line), warning })
}

fn unreadable(place: &str, why: &impl ToString) -> KeyError {
    KeyError::Unreadable { place: place.to_owned(), why: why.to_string() }
}

fn read_file(path: &Path, place: &str) -> Result<String, KeyError> {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.map(|_| text).map_err(|error| unreadable(place, &error))
}

/// Says so where others on this machine may read a key's file.
fn open_to_others(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = fs::metadata(path).ok()?.mode() & 0o777;
        (mode & 0o077 != 0).then(|| {
            let path = path.display();
            format!("the key in {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")
        })
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Runs a program and returns the first line that it prints.
fn run(program: &str, arguments: &[String], place: &str) -> Result<String, KeyError> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| unreadable(place, &format!("cannot run {program}: {error}")))?;
    let (send, receive) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = String::new();
            let read = out.take(LONGEST).read_to_string(&mut text).map(|_| text);
            // Where nobody waits any more, the text goes with the channel.
            drop(send.send(read));
        });
    }
    let Ok(read) = receive.recv_timeout(PATIENCE) else {
        // It may have ended by itself meanwhile.
        drop(child.kill());
        drop(child.wait());
        return Err(unreadable(place, &format!("{program} did not answer within {} s", PATIENCE.as_secs())));
    };
    let ended = child.wait().map_err(|error| unreadable(place, &error))?;
    if !ended.success() {
        return Err(unreadable(place, &format!("{program} failed ({ended})")));
    }
    let text = read.map_err(|error| unreadable(place, &error))?;
    Ok(if is_object(&text) { text } else { text.lines().next().unwrap_or_default().to_owned() })
}

/// Says whether what is kept is no key, but an object of several things: the file of an account.
fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_key_comes_from_a_file_and_an_open_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "sk-123\n").unwrap();
        for (mode, warned) in [(0o600, false), (0o644, true), (0o640, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = from_system(&KeySource::File(path.clone())).unwrap();
            assert_eq!(found.key.expose_secret(), "sk-123");
            assert_eq!(found.warning.is_some(), warned, "{:?}", found.warning);
            assert!(!format!("{found:?}").contains("sk-123"));
        }
    }

    #[test]
    fn a_key_comes_from_a_programs_first_line() {
        let words = |text: &str| KeySource::Command(text.split(' ').map(str::to_owned).collect());
        let found = from_system(&words("printf sk-9\\nlogin:me\\n")).unwrap();
        assert_eq!(found.key.expose_secret(), "sk-9");
        for (command, wanted) in
            [("false", "failed"), ("no-such-program-here", "cannot run"), ("true", "holds no key")]
        {
            let error = from_system(&words(command)).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "  \n", "two words", "a\nb", "schl\u{fc}ssel"] {
            let path = folder.path().join("key");
            fs::write(&path, text).unwrap();
            let error = from_system(&KeySource::File(path)).unwrap_err().to_string();
            assert!(error.contains("holds no key"), "{error}");
            assert!(text.trim().is_empty() || !error.contains(text), "{error}");
        }
        let missing = from_system(&KeySource::File(folder.path().join("none"))).unwrap_err();
        assert!(matches!(missing, KeyError::Unreadable { .. }));
        let unset = from_system(&KeySource::Env("POINTSMAN_TEST_NO_SUCH_KEY".into())).unwrap_err();
        assert_eq!(unset, KeyError::Unset("POINTSMAN_TEST_NO_SUCH_KEY".into()));
    }
}
