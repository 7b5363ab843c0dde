//! Clouds on the loopback that check who calls: AWS's signatures, worked out anew from the bytes that came; Google's tokens,
//! given for a signature of a service account alone; Azure's key. Whoever they do not know they refuse as the real ones do.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{digest, hmac, signature};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// The private key of the service account that the clouds know.
pub(crate) const PEM: &str = include_str!("service_account.pem");
/// The keys of AWS that they know: name, secret, session.
pub(crate) const AWS: [&str; 3] =
    ["AKIDTEST", "aws-secret-never-to-be-seen/+=", "aws-session-never-to-be-seen"];

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered: status, further header lines, body.
pub(crate) type Said = (u16, String, Vec<u8>);

/// A running cloud; it answers for as long as the test runs.
pub(crate) struct Cloud {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Came>>>,
    /// The tokens that are good.
    pub(crate) tokens: Arc<Mutex<Vec<String>>>,
}

impl Cloud {
    /// Starts one. Tokens are good for `life` seconds; calls that are let in are answered by `rule`.
    pub(crate) fn start(life: u64, rule: impl Fn(&Came) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, tokens) = (Arc::<Mutex<Vec<Came>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (all, good, here) = (Arc::clone(&seen), Arc::clone(&tokens), url.clone());
        let rule: Arc<dyn Fn(&Came) -> Said + Send + Sync> = Arc::new(move |came: &Came| {
            all.lock().unwrap().push(came.clone());
            match admitted(came, &good, &here, life) {
                Ok(None) => rule(came),
                Ok(Some(token)) => token,
                Err((status, kind, why)) => {
                    let head = format!("x-amzn-errortype: {kind}:http://internal/\r\n");
                    (status, head, json!({ "message": why }).to_string().into_bytes())
                }
            }
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let rule = Arc::clone(&rule);
                std::thread::spawn(move || drop(serve(stream, &*rule)));
            }
        });
        Self { url, seen, tokens }
    }

    /// Returns the requests so far whose path holds this.
    pub(crate) fn seen(&self, part: &str) -> Vec<Came> {
        self.seen.lock().unwrap().iter().filter(|came| came.target.contains(part)).cloned().collect()
    }

    /// Takes all tokens back.
    pub(crate) fn revoke(&self) {
        self.tokens.lock().unwrap().clear();
    }

    /// Returns the file of the service account that asks here for tokens.
    pub(crate) fn account(&self) -> String {
        json!({ "type": "service_account", "client_email": "gateway@example.iam.gserviceaccount.com",
            "private_key_id": "k1", "private_key": PEM, "token_uri": format!("{}/token", self.url) })
        .to_string()
    }
}

/// Lets a call in, or gives a token, or says why not.
fn admitted(
    came: &Came,
    tokens: &Mutex<Vec<String>>,
    here: &str,
    life: u64,
) -> Result<Option<Said>, (u16, &'static str, String)> {
    if came.target == "/token" {
        checked_assertion(came, here).map_err(|why| (400, "invalid_grant", why))?;
        let mut tokens = tokens.lock().unwrap();
        let token = format!("ya29.token-never-to-be-seen-{}", tokens.len());
        tokens.push(token.clone());
        let body = json!({ "access_token": token, "expires_in": life, "token_type": "Bearer" });
        return Ok(Some((200, String::new(), body.to_string().into_bytes())));
    }
    if came.target.starts_with("/model/") {
        return checked_signature(came).map(|()| None).map_err(|why| {
            let kind =
                if why.contains("expired") { "ExpiredTokenException" } else { "InvalidSignatureException" };
            (403, kind, why)
        });
    }
    if came.target.starts_with("/v1/projects/") {
        let token = came.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        let is_good = tokens.lock().unwrap().iter().any(|good| good == token);
        return if is_good { Ok(None) } else { Err((401, "", format!("no such token: {token}"))) };
    }
    let is_known = came.header("api-key").starts_with("azure-key-never-to-be-seen");
    if is_known { Ok(None) } else { Err((401, "", "no such key".to_owned())) }
}

/// Checks that who asks for a token has the service account's key.
fn checked_assertion(came: &Came, here: &str) -> Result<(), String> {
    let form = String::from_utf8_lossy(&came.body).into_owned();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let jwt = form.strip_prefix(grant).ok_or("no such grant")?;
    let (text, signed) = jwt.rsplit_once('.').ok_or("no JWT")?;
    let pair = PrivatePkcs8KeyDer::from_pem_slice(PEM.as_bytes()).unwrap();
    let pair = signature::RsaKeyPair::from_pkcs8(pair.secret_pkcs8_der()).unwrap();
    let signed = URL_SAFE_NO_PAD.decode(signed).map_err(|error| error.to_string())?;
    let how = &signature::RSA_PKCS1_2048_8192_SHA256;
    let public = signature::UnparsedPublicKey::new(how, pair.public().as_ref());
    public.verify(text.as_bytes(), &signed).map_err(|_| "Invalid JWT Signature.".to_owned())?;
    let part = |at: usize| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').nth(at).unwrap()).unwrap()).unwrap()
    };
    let (head, claims) = (part(0), part(1));
    let now = chrono::Utc::now().timestamp();
    let fits = head == json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" })
        && claims["iss"] == "gateway@example.iam.gserviceaccount.com"
        && claims["aud"] == format!("{here}/token")
        && claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
        && claims["exp"].as_i64().is_some_and(|exp| exp > now && exp <= now + 3600)
        && claims["iat"].as_i64().is_some_and(|iat| (now - iat).abs() < 60);
    if fits { Ok(()) } else { Err(format!("wrong claims: {head} {claims}")) }
}

/// Works the signature of a call out anew.
fn checked_signature(came: &Came) -> Result<(), String> {
    let said = came.header("authorization");
    let field = |name: &str| {
        let at = said.split([' ', ',']).find_map(|part| part.strip_prefix(name));
        at.map(str::to_owned).ok_or_else(|| format!("no {name} in {said:?}"))
    };
    let (credential, names, wanted) = (field("Credential=")?, field("SignedHeaders=")?, field("Signature=")?);
    let (id, scope) = credential.split_once('/').ok_or("no scope")?;
    if came.header("x-amz-security-token") == "ended" {
        return Err("The security token included in the request is expired".to_owned());
    }
    if id != AWS[0] || came.header("x-amz-security-token") != AWS[2] {
        return Err(format!("nobody is called {id}"));
    }
    for name in ["host", "x-amz-date", "x-amz-security-token", "content-type"] {
        if !names.split(';').any(|signed| signed == name) {
            return Err(format!("{name} is not signed"));
        }
    }
    let time = came.header("x-amz-date");
    let sent =
        chrono::NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").map_err(|error| error.to_string())?;
    if (chrono::Utc::now().naive_utc() - sent).num_seconds().abs() > 300 {
        return Err("Signature expired".to_owned());
    }
    let (path, query) = came.target.split_once('?').unwrap_or((&came.target, ""));
    let mut canonical = format!("{}\n{}\n{query}\n", came.method, path.replace('%', "%25"));
    for name in names.split(';') {
        let _ = writeln!(canonical, "{name}:{}", came.header(name));
    }
    let hash = |bytes: &[u8]| hex(digest::digest(&digest::SHA256, bytes).as_ref());
    let _ = write!(canonical, "\n{names}\n{}", hash(&came.body));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(canonical.as_bytes()));
    if scope != format!("{}/us-east-1/bedrock/aws4_request", &time[..8]) {
        return Err(format!("another scope: {scope}"));
    }
    let mac = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    };
    let first = format!("AWS4{}", AWS[1]).into_bytes();
    let key = scope.split('/').fold(first, |key, part| mac(&key, part));
    let fits = hex(&mac(&key, &text)) == wanted;
    if fits { Ok(()) } else { Err("The request signature we calculated does not match".to_owned()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |all, byte| all + &format!("{byte:02x}"))
}

fn serve(stream: TcpStream, rule: &dyn Fn(&Came) -> Said) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (status, head, body) = rule(&Came { method, target, headers, body });
        write!(writer, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{head}\r\n", body.len())?;
        writer.write_all(&body)?;
    }
}

/// Writes a stream of AWS's frames: the kind of each event, and its payload.
pub(crate) fn frames(events: &[(&str, Value)]) -> Said {
    let mut out = Vec::new();
    for (kind, payload) in events {
        let (message, name) = if kind.ends_with("Exception") {
            ("exception", ":exception-type")
        } else {
            ("event", ":event-type")
        };
        let mut headers = Vec::new();
        for (name, value) in
            [(name, *kind), (":content-type", "application/json"), (":message-type", message)]
        {
            headers.push(u8::try_from(name.len()).unwrap());
            headers.extend_from_slice(name.as_bytes());
            headers.push(7);
            headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            headers.extend_from_slice(value.as_bytes());
        }
        let payload = payload.to_string();
        let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
        let mut frame = total.to_be_bytes().to_vec();
        frame.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&sum(&frame).to_be_bytes());
        frame.extend_from_slice(&headers);
        frame.extend_from_slice(payload.as_bytes());
        frame.extend_from_slice(&sum(&frame).to_be_bytes());
        out.extend_from_slice(&frame);
    }
    let head = "content-type: application/vnd.amazon.eventstream\r\nx-amzn-requestid: r-1\r\n";
    (200, head.to_owned(), out)
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Wraps an event of Anthropic's as an invoked model of Bedrock's sends it.
pub(crate) fn chunk(event: &Value) -> (&'static str, Value) {
    ("chunk", json!({ "bytes": STANDARD.encode(event.to_string()), "p": "abcd" }))
}

/// Answers with JSON.
pub(crate) fn whole(body: &Value) -> Said {
    (200, "content-type: application/json\r\n".to_owned(), body.to_string().into_bytes())
}
