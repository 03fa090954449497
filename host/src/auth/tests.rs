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

fn project(set: Value) -> Auth {
    let fetch = publisher(Arc::new(std::sync::Mutex::new(Ok(set))), Arc::default());
    Auth::new(Some(&PROJECT.parse().unwrap()), None, Path::new("/nonexistent"), |_| fetch).unwrap()
}

fn never(_: &Url) -> FetchKeys {
    unreachable!("the keys are here")
}

fn with_secret(secret: &str) -> Result<Auth, SetupError> {
    let secret = SecretString::from(secret.to_owned());
    Auth::new(Some(&PROJECT.parse().unwrap()), Some(&secret), Path::new("/nonexistent"), never)
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
    assert!(matches!(with_secret("31 bytes are not enough for tha"), Err(SetupError::ShortSecret)));
}

#[tokio::test]
async fn a_local_token_is_for_this_host() {
    let dir = tempfile::tempdir().unwrap();
    let auth = Auth::new(None, None, dir.path(), never).unwrap();
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
        let token = sign(header(Algorithm::ES256, Some(id)), &claims, &key);
        assert_eq!(auth.verify(&token).await.err(), expected);
    }

    // Another process with the same data folder has the same key; another folder has not.
    let again = Auth::new(None, None, dir.path(), never).unwrap();
    assert!(again.verify(&issue(&auth, "ann@example.org")).await.is_ok());
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = Auth::new(None, None, elsewhere.path(), never).unwrap();
    assert_eq!(stranger.verify(&issue(&auth, "ann@example.org")).await, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn keys_are_fetched_now_and_then_and_kept_for_a_while() {
    let (first, second) = (key("k1"), key("k2"));
    let set = Arc::new(std::sync::Mutex::new(Ok(json!({ "keys": [first.public] }))));
    let asked = Arc::new(AtomicUsize::new(0));
    let keys = KeySet::new(
        format!("{PROJECT}/auth/v1/.well-known/jwks.json"),
        publisher(set.clone(), asked.clone()),
    );
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let found = async |id, seconds| keys.find(id, at(seconds)).await.map(drop);

    assert_eq!(found("k1", 0).await, Ok(()));
    assert_eq!(found("k1", 500).await, Ok(()));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "fresh keys are not fetched again");

    assert_eq!(found("k2", 500).await, Err(AuthError::UnknownKey));
    assert_eq!(found("k3", 510).await, Err(AuthError::UnknownKey));
    assert_eq!(asked.load(Ordering::SeqCst), 2, "unknown keys are asked for once in 30 s");

    *set.lock().unwrap() = Ok(json!({ "keys": [second.public] }));
    assert_eq!(found("k2", 531).await, Ok(()));
    assert_eq!(found("k1", 531).await, Err(AuthError::UnknownKey), "a revoked key is gone");

    *set.lock().unwrap() = Err("out of reach".to_owned());
    assert_eq!(found("k2", 531 + 700).await, Ok(()), "old keys are used while there are no new ones");
    while asked.load(Ordering::SeqCst) < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(found("k2", 531 + 3601).await, Err(AuthError::KeysUnavailable), "but not for ever");
    *set.lock().unwrap() = Ok(json!({ "keys": [second.public] }));
    assert_eq!(found("k2", 531 + 3607).await, Ok(()));
}

#[tokio::test]
async fn nobody_waits_for_a_key_that_is_merely_old() {
    let key = key("k1");
    let asked = Arc::new(AtomicUsize::new(0));
    let set = Arc::new(std::sync::Mutex::new(Ok(json!({ "keys": [key.public] }))));
    let fetch = publisher(set, asked.clone());
    // Answers the first time only.
    let once: FetchKeys = Box::new(move |url| {
        let first = asked.load(Ordering::SeqCst) == 0;
        let body = fetch(url);
        async move { if first { body.await } else { std::future::pending().await } }.boxed()
    });
    let keys = KeySet::new(format!("{PROJECT}/auth/v1/.well-known/jwks.json"), once);
    let begin = Instant::now();
    for seconds in [0, 700, 700, 3000] {
        assert!(keys.find("k1", begin + Duration::from_secs(seconds)).await.is_ok());
        tokio::task::yield_now().await;
    }
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
    let now = Instant::now();
    let found = futures_util::future::join_all((0..10).map(|_| keys.find("k1", now))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
