//! Tokens of a Supabase project, from its published keys to the answer of a route. The
//! project is mapped to a server on loopback.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Api, send},
    origin::{Origin, refusal, reply},
};

const USER: &str = "00000000-0000-4000-8000-000000000001";
const PROJECT: &str = "https://project.supabase.co";
const KEYS: &str = "project.supabase.co/auth/v1/.well-known/jwks.json";
const SECRET: &str = "a shared secret of at least 32 bytes";
const ME: &str = "/api/v1/auth/me";

/// A project whose published keys may change; none when it is out of order.
struct Project {
    origin: Origin,
    keys: Arc<Mutex<Option<Value>>>,
}

/// A key of the project.
struct Key {
    algorithm: Algorithm,
    id: &'static str,
    signing: EncodingKey,
}

impl Project {
    async fn start(keys: &[&Key]) -> Self {
        let published = Arc::new(Mutex::new(Some(set(keys))));
        let keys = published.clone();
        let origin = Origin::start(move |asked| match &*published.lock().unwrap() {
            Some(set) if asked.url == KEYS => reply("application/json", set.to_string()),
            _ => refusal(503, &Value::Null),
        })
        .await;
        Self { origin, keys }
    }

    /// A host that takes tokens of this project.
    async fn host(&self, settings: &[&str]) -> Api {
        let mapping = self.origin.mapping(PROJECT);
        let api = Api::start_with(&[&[&*mapping, "--supabase-url", PROJECT], settings].concat()).await;
        api.database.sign_up(USER, "ann@example.org").await;
        api
    }

    /// How often the keys were asked for.
    fn asked(&self) -> usize {
        self.origin.asked().len()
    }
}

impl Key {
    fn es256(id: &'static str) -> Self {
        use aws_lc_rs::{
            rand::SystemRandom,
            signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
        };
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self { algorithm: Algorithm::ES256, id, signing: EncodingKey::from_ec_der(key.unwrap().as_ref()) }
    }

    fn rs256(id: &'static str) -> Self {
        use aws_lc_rs::{
            encoding::{AsDer as _, Pkcs8V1Der},
            rsa::{KeyPair, KeySize},
        };
        let key: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        // The library wants the key alone (PKCS #1), which is all that follows the algorithm in PKCS #8.
        let begin = key.as_ref().windows(4).position(|bytes| bytes == [2, 1, 0, 2]).unwrap() - 4;
        let signing = EncodingKey::from_rsa_der(&key.as_ref()[begin..]);
        Self { algorithm: Algorithm::RS256, id, signing }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }
}

#[tokio::test]
async fn tokens_of_published_keys_are_accepted() {
    let (curve, rsa) = (Key::es256("curve"), Key::rs256("rsa"));
    let project = Project::start(&[&curve, &rsa]).await;
    let api = project.host(&[]).await;
    for key in [&curve, &rsa] {
        let profile = me(&api, &key.sign(&claims())).await.expect(200).json();
        assert_eq!(profile["id"], claims()["sub"]);
        assert_eq!((&profile["email"], &profile["full_name"]), (&json!("ann@example.org"), &json!("Ann")));
    }
    let verified = api.request("POST", "/api/v1/auth/verify-token").bearer_auth(rsa.sign(&claims()));
    assert_eq!(send(verified).await.expect(200).json()["valid"], true);
    assert_eq!(project.asked(), 1, "keys are kept");

    // It lives on for a while when its user is gone, marked as deleted or deleted.
    for end in ["update auth.users set deleted_at = now()", "delete from auth.users"] {
        sqlx::query(end).execute(&api.database.pool).await.unwrap();
        let told = me(&api, &rsa.sign(&claims())).await.expect(401).json();
        assert_eq!(told["detail"], "The user of this token was deleted.");
        let left: i64 =
            sqlx::query_scalar("select count(*) from profiles").fetch_one(&api.database.pool).await.unwrap();
        assert_eq!(left, 0, "{end}");
    }
    api.stop().await;
}

#[tokio::test]
async fn a_project_on_a_private_address_is_reached() {
    let key = Key::es256("known");
    let published = set(&[&key]).to_string();
    let origin = Origin::start(move |_| reply("application/json", published.clone())).await;
    let project = origin.base();
    let api = Api::start_with(&["--supabase-url", &project]).await;
    api.database.sign_up(USER, "ann@example.org").await;
    let mut claims = claims();
    claims["iss"] = json!(format!("{project}/auth/v1"));
    me(&api, &key.sign(&claims)).await.expect(200);
    assert!(api.app.fetcher.check(&project).is_err(), "a user may not have it crawled");
    api.stop().await;
}

#[tokio::test]
async fn other_tokens_are_refused() {
    let (known, stranger) = (Key::es256("known"), Key::es256("known"));
    let project = Project::start(&[&known]).await;
    let api = project.host(&[]).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        known.sign(&claims)
    };
    let good = known.sign(&claims());
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT","kid":"known"}"#);
    for (what, token) in [
        ("iss", with("iss", json!("https://other.supabase.co/auth/v1"))),
        ("aud", with("aud", json!("anon"))),
        ("role", with("role", json!("service_role"))),
        ("expired", with("exp", json!(Utc::now().timestamp() - 3600))),
        ("stranger", stranger.sign(&claims())),
        ("none", format!("{none}.{payload}.")),
        ("HS256", hs256(SECRET, &claims())),
        ("garbage", "sb_publishable_abc".to_owned()),
    ] {
        refused(&me(&api, &token).await, what);
    }
    api.get("/api/v1/health/").await.expect(200);
    me(&api, &good).await.expect(200);
    api.stop().await;
}

#[tokio::test]
async fn a_new_key_is_fetched_once() {
    let (old, new, never) = (Key::es256("old"), Key::es256("new"), Key::es256("never"));
    let project = Project::start(&[&old]).await;
    let api = project.host(&[]).await;
    refused(&me(&api, &new.sign(&claims())).await, "not yet published");
    assert_eq!(project.asked(), 1);
    api.stop().await;

    // Keys may be fetched again half a minute later; a fresh host may at once.
    let api = project.host(&[]).await;
    *project.keys.lock().unwrap() = Some(set(&[&old, &new]));
    let tokens = [new.sign(&claims()), old.sign(&claims())];
    let answers = futures_util::future::join_all((0..8).map(|number| me(&api, &tokens[number % 2]))).await;
    for answer in answers {
        answer.expect(200);
    }
    for _ in 0..3 {
        refused(&me(&api, &never.sign(&claims())).await, "unknown key");
    }
    assert_eq!(project.asked(), 2, "eight callers at once are one fetch, and strangers cause none");
    api.stop().await;
}

#[tokio::test]
async fn without_keys_nobody_is_blamed() {
    let key = Key::es256("known");
    let project = Project::start(&[]).await;
    *project.keys.lock().unwrap() = None;
    let api = project.host(&[]).await;
    let answer = me(&api, &key.sign(&claims())).await.expect(503);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(
        (answer.json()["code"].as_str(), answer.header("www-authenticate")),
        (Some("keys-unavailable"), None)
    );
    api.get("/api/v1/health/").await.expect(200);
    api.stop().await;
}

#[tokio::test]
async fn a_secret_takes_the_place_of_published_keys() {
    let key = Key::es256("known");
    let project = Project::start(&[&key]).await;
    let api = project.host(&["--supabase-jwt-secret", SECRET]).await;
    me(&api, &hs256(SECRET, &claims())).await.expect(200);
    refused(&me(&api, &hs256("another secret of at least 32 bytes", &claims())).await, "other secret");
    refused(&me(&api, &key.sign(&claims())).await, "ES256");
    assert_eq!(project.asked(), 0);
    api.stop().await;
}

#[tokio::test]
async fn with_a_project_there_is_no_issuer_here() {
    let local = Api::start().await;
    let token = local.user("ann@example.org").token;
    me(&local, &token).await.expect(200);
    local.get("/auth/v1/.well-known/jwks.json").await.expect(200);
    local.stop().await;

    let project = Project::start(&[&Key::es256("known")]).await;
    let api = project.host(&[]).await;
    assert!(api.app.auth.issuer().is_none());
    refused(&me(&api, &token).await, "token of a host");
    api.get("/auth/v1/.well-known/jwks.json").await.expect(404);
    api.stop().await;
}

async fn me(api: &Api, token: &str) -> Answer {
    send(api.request("GET", ME).bearer_auth(token)).await
}

fn refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {answer:?}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
    assert_eq!(answer.json()["code"], "unauthorized", "{what}");
}

fn set(keys: &[&Key]) -> Value {
    let public = keys.iter().map(|key| {
        let mut public = json!(Jwk::from_encoding_key(&key.signing, key.algorithm).unwrap());
        public["kid"] = json!(key.id);
        public
    });
    json!({ "keys": public.collect::<Vec<_>>() })
}

fn hs256(secret: &str, claims: &Value) -> String {
    let header = Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": format!("{PROJECT}/auth/v1"),
        "aud": "authenticated",
        "role": "authenticated",
        "sub": USER,
        "exp": Utc::now().timestamp() + 3600,
        "email": "ann@example.org",
        "user_metadata": { "full_name": "Ann" },
    })
}
