//! Tokens that are accepted, and each way in which one is not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use jsonwebtoken::{EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::config::Supabase;

const PROJECT: &str = "https://project.example.org";
const SECRET: &[u8] = b"a shared secret of at least 32 bytes";

/// A P-256 key as a project would have it.
struct TestKey {
    signing: EncodingKey,
    public: Value,
}

fn key(id: &str) -> TestKey {
    let pkcs8 = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &aws_lc_rs::rand::SystemRandom::new(),
    )
    .unwrap();
    let signing = EncodingKey::from_ec_der(pkcs8.as_ref());
    let mut public = json!(Jwk::from_encoding_key(&signing, Algorithm::ES256).unwrap());
    public["kid"] = json!(id);
    TestKey { signing, public }
}

/// Answers with the set that is there at the time, and counts.
fn publisher(set: Arc<std::sync::Mutex<Result<Value, String>>>, asked: Arc<AtomicUsize>) -> FetchKeys {
    Box::new(move |url| {
        assert_eq!(url, format!("{PROJECT}/auth/v1/.well-known/jwks.json"));
        asked.fetch_add(1, Ordering::SeqCst);
        let set = set.lock().unwrap().clone();
        async move { set.map(|set| set.to_string().into_bytes()) }.boxed()
    })
}

fn settings(secret: Option<&str>) -> Supabase {
    Supabase {
        supabase_url: Some(PROJECT.parse().unwrap()),
        supabase_jwt_issuer: None,
        supabase_jwt_secret: secret.map(|secret| secret.to_owned().into()),
        supabase_jwt_secret_until: None,
        anonymous_jobs: false,
        supabase_service_role_key: None,
        supabase_anon_key: None,
    }
}

fn local() -> Supabase {
    Supabase { supabase_url: None, ..settings(None) }
}

fn project(set: Value) -> Auth {
    let fetch = publisher(Arc::new(std::sync::Mutex::new(Ok(set))), Arc::default());
    Auth::new(&settings(None), Path::new("/nonexistent"), |_| fetch).unwrap()
}

fn never(_: &Url) -> FetchKeys {
    unreachable!("the keys are here")
}

fn with_secret(secret: &str) -> Result<Auth, AuthSetupError> {
    let fetch =
        |_: &Url| publisher(Arc::new(std::sync::Mutex::new(Ok(json!({ "keys": [] })))), Arc::default());
    Auth::new(&settings(Some(secret)), Path::new("/nonexistent"), fetch)
}

fn claims() -> Value {
    json!({
        "iss": format!("{PROJECT}/auth/v1"),
        "aud": "authenticated",
        "role": "authenticated",
        "sub": "00000000-0000-4000-8000-000000000001",
        "exp": now() + 3600,
        "email": "ann@example.org",
        "user_metadata": { "full_name": "Ann Example", "picture": "https://example.org/ann.png" },
        "app_metadata": { "provider": "email" },
    })
}

fn now() -> i64 {
    Utc::now().timestamp()
}

fn sign(header: Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn header(algorithm: Algorithm, id: Option<&str>) -> Header {
    Header { kid: id.map(str::to_owned), ..Header::new(algorithm) }
}

#[tokio::test]
async fn a_project_token_says_who_is_calling() {
    let key = key("k1");
    let auth = project(json!({ "keys": [key.public] }));
    let caller =
        auth.verify(&sign(header(Algorithm::ES256, Some("k1")), &claims(), &key.signing)).await.unwrap();
    assert_eq!(caller.user.to_string(), "00000000-0000-4000-8000-000000000001");
    assert_eq!(caller.email.as_deref(), Some("ann@example.org"));
    assert_eq!(caller.name.as_deref(), Some("Ann Example"));
    assert_eq!(caller.avatar_url.as_deref(), Some("https://example.org/ann.png"));
    assert!(!caller.is_anonymous);
}

#[tokio::test]
async fn claims_are_required_and_compared() {
    let key = key("k1");
    let auth = project(json!({ "keys": [key.public] }));
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, expected) in [
        (with("aud", json!(["other", "authenticated"])), None),
        (with("exp", json!(now() - 20)), None),
        (with("user_metadata", json!(null)), None),
        (with("user_metadata", json!({ "full_name": 5 })), None),
        (with("exp", json!(now() - 40)), Some(AuthError::Expired)),
        (with("nbf", json!(now() + 40)), Some(AuthError::Expired)),
        (with("iss", json!("https://other.example.org/auth/v1")), Some(AuthError::Claim("iss"))),
        (with("iss", json!([format!("{PROJECT}/auth/v1"), "other"])), Some(AuthError::Claim("iss"))),
        (with("aud", json!("other")), Some(AuthError::Claim("aud"))),
        (with("role", json!("service_role")), Some(AuthError::Claim("role"))),
        (with("role", json!("anon")), Some(AuthError::Claim("role"))),
        (with("sub", json!("not-a-uuid")), Some(AuthError::Claim("sub"))),
        (without("exp"), Some(AuthError::Claim("exp"))),
        (without("iss"), Some(AuthError::Claim("iss"))),
        (without("aud"), Some(AuthError::Claim("aud"))),
        (without("sub"), Some(AuthError::Claim("sub"))),
        (without("role"), Some(AuthError::Claim("role"))),
    ] {
        let token = sign(header(Algorithm::ES256, Some("k1")), &claims, &key.signing);
        assert_eq!(auth.verify(&token).await.err(), expected, "{claims}");
    }
}

#[tokio::test]
async fn only_the_project_signs() {
    let (known, stranger) = (key("k1"), key("k1"));
    let auth = project(json!({ "keys": [known.public] }));
    // Algorithm confusion: the public key, which everyone has, taken for a shared secret.
    let public = EncodingKey::from_secret(known.public["x"].as_str().unwrap().as_bytes());
    let good = sign(header(Algorithm::ES256, Some("k1")), &claims(), &known.signing);
    let (body, _) = good.rsplit_once('.').unwrap();
    let (_, payload) = body.split_once('.').unwrap();
    use base64::Engine as _;
    let none = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#);
    for (token, expected) in [
        (sign(header(Algorithm::ES256, Some("k1")), &claims(), &stranger.signing), AuthError::Signature),
        (sign(header(Algorithm::HS256, Some("k1")), &claims(), &public), AuthError::Algorithm),
        (sign(header(Algorithm::ES256, Some("k2")), &claims(), &known.signing), AuthError::UnknownKey),
        (sign(header(Algorithm::ES256, None), &claims(), &known.signing), AuthError::UnknownKey),
        (format!("{none}.{payload}."), AuthError::Malformed),
        (format!("{body}."), AuthError::Signature),
        ("sb_secret_abc".to_owned(), AuthError::Malformed),
        (String::new(), AuthError::Malformed),
        ("a.".repeat(20_000), AuthError::Malformed),
    ] {
        assert_eq!(auth.verify(&token).await, Err(expected), "{token:.80}");
    }
}

#[tokio::test]
async fn keys_that_are_not_for_this_are_left_out() {
    let key = key("k1");
    let token = sign(header(Algorithm::ES256, Some("k1")), &claims(), &key.signing);
    let change = |name: &str, value: Value| {
        let mut public = key.public.clone();
        public[name] = value;
        public
    };
    let shared = json!({ "kty": "oct", "kid": "k1", "k": "c2VjcmV0", "alg": "HS256" });
    for (keys, accepted) in [
        (json!([change("use", json!("sig"))]), true),
        (json!([change("key_ops", json!(["verify"]))]), true),
        (json!([{ "kty": "new", "kid": "k0" }, { "half": "a key" }, key.public]), true),
        (json!([]), false),
        (json!([change("use", json!("enc"))]), false),
        (json!([change("key_ops", json!(["sign"]))]), false),
        (json!([change("alg", json!("ES384"))]), false),
        (json!([shared]), false),
    ] {
        let verified = project(json!({ "keys": keys })).verify(&token).await;
        assert_eq!(verified.is_ok(), accepted, "{keys}");
        assert!(accepted || verified == Err(AuthError::UnknownKey), "{verified:?}");
    }
}

#[tokio::test]
async fn a_secret_accepts_its_own_algorithm_only() {
    let auth = with_secret(std::str::from_utf8(SECRET).unwrap()).unwrap();
    let signing = EncodingKey::from_secret(SECRET);
    assert!(auth.verify(&sign(header(Algorithm::HS256, None), &claims(), &signing)).await.is_ok());
    let ec = key("k1");
    for (token, expected) in [
        (sign(header(Algorithm::ES256, Some("k1")), &claims(), &ec.signing), AuthError::Algorithm),
        (sign(header(Algorithm::HS512, None), &claims(), &signing), AuthError::Algorithm),
        (
            sign(header(Algorithm::HS256, None), &claims(), &EncodingKey::from_secret(b"other")),
            AuthError::Signature,
        ),
    ] {
        assert_eq!(auth.verify(&token).await, Err(expected));
    }
    assert!(with_secret("32 bytes are just enough for this").is_ok());
    assert!(matches!(with_secret("31 bytes are not enough for tha"), Err(AuthSetupError::ShortSecret)));
}

#[tokio::test]
async fn a_secret_with_an_end_stands_beside_published_keys() {
    let ec = key("k1");
    let published = json!({ "keys": [ec.public] });
    let auth = |until: DateTime<Utc>| {
        let settings = Supabase {
            supabase_jwt_secret_until: Some(until),
            ..settings(Some(std::str::from_utf8(SECRET).unwrap()))
        };
        let fetch = publisher(Arc::new(std::sync::Mutex::new(Ok(published.clone()))), Arc::default());
        Auth::new(&settings, Path::new("/nonexistent"), |_| fetch).unwrap()
    };
    let by_secret = sign(header(Algorithm::HS256, None), &claims(), &EncodingKey::from_secret(SECRET));
    let by_key = sign(header(Algorithm::ES256, Some("k1")), &claims(), &ec.signing);
    // A public key, taken for a secret.
    let confused = EncodingKey::from_secret(ec.public.to_string().as_bytes());
    let confused = sign(header(Algorithm::HS256, Some("k1")), &claims(), &confused);
    let minute = chrono::TimeDelta::minutes(1);
    let during = auth(Utc::now() + minute);
    assert!(during.verify(&by_secret).await.is_ok() && during.verify(&by_key).await.is_ok());
    assert_eq!(during.verify(&confused).await, Err(AuthError::Signature));
    let after = auth(Utc::now() - minute);
    assert!(after.verify(&by_key).await.is_ok());
    for token in [by_secret, confused] {
        assert_eq!(after.verify(&token).await, Err(AuthError::Algorithm));
    }
    let alone = Supabase { supabase_jwt_secret_until: Some(Utc::now()), ..settings(None) };
    let refused = Auth::new(&alone, Path::new("/nonexistent"), never);
    assert!(matches!(refused, Err(AuthSetupError::WithoutSecret)));
}

#[tokio::test]
async fn a_local_token_is_for_this_host() {
    let dir = tempfile::tempdir().unwrap();
    let auth = Auth::new(&local(), dir.path(), never).unwrap();
    let issue = |auth: &Auth, email| auth.issuer().unwrap().issue(email, Duration::from_secs(60)).unwrap();
    let caller = auth.verify(&issue(&auth, " Ann@Example.org ")).await.unwrap();
    assert_eq!(caller.email.as_deref(), Some("ann@example.org"));
    assert_eq!(caller.user, issuer::user_of("ann@example.org"));

    // It ends when it says, to the second.
    let key = EncodingKey::from_ec_der(&std::fs::read(dir.path().join("keys/issuer.pk8")).unwrap());
    let id = auth.issuer().unwrap().key_id();
    let mut claims = claims();
    claims["iss"] = issuer::ISSUER.into();
    for (ends, expected) in [(60, None), (-2, Some(AuthError::Expired))] {
        claims["exp"] = (now() + ends).into();
        let token = sign(header(Algorithm::ES256, Some(&id)), &claims, &key);
        assert_eq!(auth.verify(&token).await.err(), expected);
    }

    // Another process with the same data folder has the same key; another folder has not.
    let again = Auth::new(&local(), dir.path(), never).unwrap();
    assert!(again.verify(&issue(&auth, "ann@example.org")).await.is_ok());
    // It takes up another key as soon as it meets it.
    let before = issue(&auth, "ann@example.org");
    issuer::Issuer::rotate(dir.path(), false).unwrap();
    let issued = Issuer::open(dir.path()).unwrap().issue("ann@example.org", Duration::from_secs(60)).unwrap();
    assert!(again.verify(&issued).await.is_ok() && again.verify(&before).await.is_ok());
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = Auth::new(&local(), elsewhere.path(), never).unwrap();
    assert_eq!(stranger.verify(&issue(&auth, "ann@example.org")).await, Err(AuthError::UnknownKey));
}

/// Keys of a project whose time goes on as it is told.
struct Timed {
    keys: KeySet,
    set: Arc<std::sync::Mutex<Result<Value, String>>>,
    asked: Arc<AtomicUsize>,
    seconds: Arc<AtomicUsize>,
}

impl Timed {
    fn new(published: &[&TestKey]) -> Self {
        let set = Arc::new(std::sync::Mutex::new(Ok(Self::set(published))));
        let (asked, seconds) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (begin, passed) = (Instant::now(), seconds.clone());
        let clock = move || begin + Duration::from_secs(passed.load(Ordering::SeqCst) as u64);
        let url = format!("{PROJECT}/auth/v1/.well-known/jwks.json");
        let keys = KeySet::with_clock(url, publisher(set.clone(), asked.clone()), Box::new(clock));
        Self { keys, set, asked, seconds }
    }

    fn set(published: &[&TestKey]) -> Value {
        json!({ "keys": published.iter().map(|key| &key.public).collect::<Vec<_>>() })
    }

    fn publish(&self, published: &[&TestKey]) {
        *self.set.lock().unwrap() = Ok(Self::set(published));
    }

    fn pass(&self, seconds: usize) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn found(&self, id: &str) -> Result<(), AuthError> {
        self.keys.find(id).await.map(drop)
    }
}

#[tokio::test]
async fn a_new_key_works_at_once_and_a_removed_one_ends() {
    let (first, second) = (key("k1"), key("k2"));
    let project = Timed::new(&[&first]);
    assert_eq!(project.found("k1").await, Ok(()));
    project.pass(299);
    assert_eq!(project.found("k1").await, Ok(()));
    assert_eq!(project.asked(), 1, "a key that is there is not fetched again");

    project.publish(&[&second]);
    assert_eq!(project.found("k2").await, Ok(()));
    assert_eq!(project.found("k1").await, Err(AuthError::UnknownKey), "nobody signs with it any more");

    // Where no unknown key brings it to light, the next refresh does.
    project.publish(&[&first]);
    assert_eq!(project.found("k2").await, Ok(()));
    assert!(project.keys.refresh().await <= Duration::from_secs(590));
    assert_eq!(project.found("k2").await, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_a_fetch_in_ten_seconds() {
    let (first, second) = (key("k1"), key("k2"));
    let project = Timed::new(&[&first]);
    project.keys.refresh().await;
    for number in 0..100 {
        project.pass(usize::from(number == 50));
        assert_eq!(project.found(&format!("unknown {number}")).await, Err(AuthError::UnknownKey));
    }
    let at_once = project.asked();
    assert!((2..=6).contains(&at_once), "{at_once}");
    project.publish(&[&first, &second]);
    assert_eq!(project.found("k2").await, Err(AuthError::UnknownKey));
    project.pass(10);
    assert_eq!(project.found("k2").await, Ok(()), "whoever asks brings it");
    for number in 0..100 {
        assert_eq!(project.found(&format!("unknown {number}")).await, Err(AuthError::UnknownKey));
    }
    assert_eq!(project.asked(), at_once + 1);
}

#[tokio::test]
async fn keys_outlive_a_project_that_is_out_of_reach_for_an_hour() {
    let key = key("k1");
    let project = Timed::new(&[&key]);
    project.keys.refresh().await;
    *project.set.lock().unwrap() = Err("out of reach".to_owned());
    project.pass(3599);
    assert!(project.keys.refresh().await <= Duration::from_secs(10));
    assert_eq!(project.found("k1").await, Ok(()));
    project.pass(2);
    assert_eq!(project.found("k1").await, Err(AuthError::KeysUnavailable), "it may have been revoked");
    project.publish(&[&key]);
    project.pass(10);
    assert_eq!(project.found("k1").await, Ok(()));
}

#[tokio::test]
async fn a_project_with_the_legacy_secret_publishes_nothing() {
    let project = Timed::new(&[]);
    assert_eq!(project.keys.count().await, Ok(0));
    assert_eq!(project.found("k1").await, Err(AuthError::UnknownKey));
    *project.set.lock().unwrap() = Ok(json!("a page"));
    assert!(project.keys.count().await.unwrap_err().contains("is no set of keys"));
}

#[tokio::test]
async fn a_project_may_name_its_issuer() {
    let key = key("k1");
    let fetch = publisher(Arc::new(std::sync::Mutex::new(Ok(Timed::set(&[&key])))), Arc::default());
    let settings =
        Supabase { supabase_jwt_issuer: Some("https://auth.example.org".to_owned()), ..settings(None) };
    let auth = Auth::new(&settings, Path::new("/nonexistent"), |_| fetch).unwrap();
    let mut claims = claims();
    let verify = async |claims: &Value| {
        auth.verify(&sign(header(Algorithm::ES256, Some("k1")), claims, &key.signing)).await
    };
    assert_eq!(verify(&claims).await, Err(AuthError::Claim("iss")));
    claims["iss"] = "https://auth.example.org".into();
    claims["session_id"] = "6f9a3c9e-7b0c-4a39-9a55-0d4a0d0f2a11".into();
    assert_eq!(verify(&claims).await.unwrap().session.unwrap().to_string(), claims["session_id"]);
    let alone = Supabase { supabase_url: None, ..settings };
    assert!(matches!(
        Auth::new(&alone, Path::new("/nonexistent"), never),
        Err(AuthSetupError::WithoutProject)
    ));
}

#[tokio::test]
async fn what_a_user_wrote_is_cleaned() {
    let key = key("k1");
    let auth = project(json!({ "keys": [key.public] }));
    let long = format!("https://example.org/{}", "x".repeat(2_048));
    for (name, picture, expect) in [
        ("Ann", "https://example.org/a.png", (Some("Ann"), Some("https://example.org/a.png"))),
        ("A\u{0}n\nn ", "HTTP://example.org", (Some("Ann"), Some("http://example.org/"))),
        ("\u{0}", "javascript:alert(1)", (None, None)),
        ("", "data:image/png;base64,AA==", (None, None)),
        (&"é".repeat(200), &long, (Some(&*"é".repeat(100)), None)),
        ("x", "https://example.org/\u{0}a", (Some("x"), Some("https://example.org/%00a"))),
    ] {
        let mut claims = claims();
        claims["user_metadata"] = json!({ "full_name": name, "avatar_url": picture });
        claims["email"] = json!("ann\u{0}@example.org");
        let token = sign(header(Algorithm::ES256, Some("k1")), &claims, &key.signing);
        let caller = auth.verify(&token).await.unwrap();
        assert_eq!((caller.name.as_deref(), caller.avatar_url.as_deref()), expect);
        assert_eq!(caller.email.as_deref(), Some("ann@example.org"));
    }
}

#[tokio::test]
async fn many_callers_fetch_keys_once() {
    let key = key("k1");
    let asked = Arc::new(AtomicUsize::new(0));
    let set = Arc::new(std::sync::Mutex::new(Ok(json!({ "keys": [key.public] }))));
    let fetch = publisher(set, asked.clone());
    let slow: FetchKeys = Box::new(move |url| {
        let body = fetch(url);
        async move {
            tokio::task::yield_now().await;
            body.await
        }
        .boxed()
    });
    let keys = KeySet::new(format!("{PROJECT}/auth/v1/.well-known/jwks.json"), slow);
    let found = futures_util::future::join_all((0..10).map(|_| keys.find("k1"))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
