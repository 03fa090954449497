//! Tokens of a Supabase project, from its published keys to the answer of a route. The
//! project is mapped to a server on loopback.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use pixcrawler::auth::key_set::NO_KEYS;
use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Api, send},
    database,
    events::Events,
    origin::{Origin, refusal, reply},
    process::System,
    site::{Reply, Site},
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
        assert_eq!(
            told["detail"],
            "The user of this token is not in this database: deleted, or of another project."
        );
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
    me(&api, &old.sign(&claims())).await.expect(200);
    let before = project.asked();
    *project.keys.lock().unwrap() = Some(set(&[&old, &new]));
    let tokens = [new.sign(&claims()), old.sign(&claims())];
    let answers = futures_util::future::join_all((0..8).map(|number| me(&api, &tokens[number % 2]))).await;
    for answer in answers {
        answer.expect(200);
    }
    assert_eq!(project.asked(), before + 1, "eight callers at once are one fetch");
    for _ in 0..20 {
        refused(&me(&api, &never.sign(&claims())).await, "unknown key");
    }
    assert!(project.asked() <= before + 6, "strangers cause few: {}", project.asked());
    api.stop().await;
}

/// A token lives on for up to an hour when its user has signed out; what cannot be undone is not done.
#[tokio::test]
async fn who_signed_out_begins_and_deletes_nothing() {
    let key = Key::es256("known");
    let project = Project::start(&[&key]).await;
    let api = project.host(&[]).await;
    const SESSION: &str = "0b6a3c9e-7b0c-4a39-9a55-0d4a0d0f2a11";
    let run = async |statement: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&api.database.pool).await.unwrap();
    };
    run(format!("insert into auth.sessions (id, user_id) values ('{SESSION}', '{USER}')")).await;
    let mut claims = claims();
    claims["session_id"] = json!(SESSION);
    let token = key.sign(&claims);
    let call = async |method: &str, path: &str| {
        let body = json!({ "name": "x", "keywords": ["a"] });
        send(api.request(method, path).bearer_auth(&token).json(&body)).await
    };
    let job = call("POST", "/api/v1/crawl-jobs").await.expect(201).json()["id"].clone();
    let path = format!("/api/v1/crawl-jobs/{job}");
    call("POST", &format!("{path}/cancel")).await.expect(200);

    // Over, or gone.
    for end in [
        format!("update auth.sessions set not_after = now() - interval '1 s' where id = '{SESSION}'"),
        format!("delete from auth.sessions where id = '{SESSION}'"),
    ] {
        run(end.clone()).await;
        for (method, path) in [
            ("POST", "/api/v1/crawl-jobs"),
            ("DELETE", &path),
            ("POST", &format!("{path}/retry")),
            ("POST", "/api/v1/sources/openverse/preview"),
        ] {
            let told = call(method, path).await;
            refused(&told, &format!("{end}: {method} {path}"));
            assert_eq!(told.json()["detail"], "The user of this token has signed out.");
        }
        call("GET", &path).await.expect(200);
    }
    run("delete from auth.users".to_owned()).await;
    let told = call("DELETE", &path).await.expect(401).json();
    assert_eq!(
        told["detail"],
        "The user of this token is not in this database: deleted, or of another project."
    );
    api.stop().await;
}

#[tokio::test]
async fn a_project_without_keys_is_explained() {
    let site = Site::start().await;
    let none = Reply::Json(r#"{"keys": []}"#.to_owned());
    site.on("//project.supabase.co/auth/v1/.well-known/jwks.json", [none]);
    let settings = [("SUPABASE_URL", PROJECT), ("HOST", "127.0.0.1")];
    let system = System::with(&site, database().await, &settings).await;
    assert_eq!(system.door().logged("no-keys").await["message"], NO_KEYS);
    let doctor = async |more: &[(&str, &str)]| {
        let mapping = site.mapping();
        let settings = [&[("PIXCRAWLER_MAP_ORIGIN", &*mapping)], more].concat();
        let output = system.run(&["doctor"], &settings).await;
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = doctor(&[]).await;
    let line = format!("WRONG  tokens             {PROJECT}/: {NO_KEYS}");
    assert!(code == Some(1) && told.contains(&line), "{told}");
    let (code, told) = doctor(&[("SUPABASE_JWT_SECRET", SECRET)]).await;
    assert!(code == Some(0) && told.contains("by SUPABASE_JWT_SECRET"), "{told}");
    let (code, told) = doctor(&[("SUPABASE_URL", "https://other.example")]).await;
    assert!(
        code == Some(1) && told.contains("the keys of https://other.example/ cannot be fetched: "),
        "{told}"
    );
}

#[tokio::test]
async fn anonymous_users_begin_jobs_where_they_may() {
    let key = Key::es256("known");
    let project = Project::start(&[&key]).await;
    let mut claims = claims();
    claims["is_anonymous"] = json!(true);
    let token = key.sign(&claims);
    for (settings, expect) in [(&[][..], 403), (&["--anonymous-jobs"], 201)] {
        let api = project.host(settings).await;
        me(&api, &token).await.expect(200);
        let body = json!({ "name": "x", "keywords": ["a"] });
        let told = send(api.request("POST", "/api/v1/crawl-jobs").bearer_auth(&token).json(&body)).await;
        let told = told.expect(expect).json();
        assert_eq!(told["code"] == "anonymous", expect == 403, "{told:#}");
        api.stop().await;
    }
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

/// While a project goes over from the one to the others.
#[tokio::test]
async fn a_secret_with_an_end_stands_beside_published_keys() {
    let key = Key::es256("known");
    let project = Project::start(&[&key]).await;
    let tokens = [hs256(SECRET, &claims()), key.sign(&claims())];
    let secret = ["--supabase-jwt-secret", SECRET, "--supabase-jwt-secret-until"];
    for (until, expected) in [("2999-01-01T00:00:00Z", [200, 200]), ("2001-01-01T00:00:00Z", [401, 200])] {
        let api = project.host(&[&secret[..], &[until]].concat()).await;
        for (token, expected) in tokens.iter().zip(expected) {
            me(&api, token).await.expect(expected);
        }
        refused(&me(&api, &hs256("another secret of at least 32 bytes", &claims())).await, "another secret");
        api.stop().await;
    }
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

/// What is still accepted after its end, because clocks differ, is followed to its end and no further.
#[tokio::test]
async fn events_end_with_the_token() {
    let api = Api::start_with(&["--supabase-url", PROJECT, "--supabase-jwt-secret", SECRET]).await;
    api.database.sign_up(USER, "ann@example.org").await;
    let token = |seconds: i64| {
        let mut claims = claims();
        claims["exp"] = json!(Utc::now().timestamp() + seconds);
        hs256(SECRET, &claims)
    };
    let create = api.request("POST", "/api/v1/crawl-jobs").bearer_auth(token(3600));
    let body = json!({ "name": "x", "keywords": ["a"] });
    let path = format!("/api/v1/crawl-jobs/{}", send(create.json(&body)).await.expect(201).json()["id"]);
    let follow = async |seconds| {
        let request = api.request("GET", &format!("{path}/events")).bearer_auth(token(seconds));
        let mut events = Events::open(request).await;
        assert_eq!(events.next().await.unwrap().1["status"], "pending");
        events
    };
    let mut longer = follow(3600).await;
    for seconds in [1, -1] {
        assert!(follow(seconds).await.next().await.is_none());
    }

    // Whoever may still see the job sees it go on.
    let cancel = api.request("POST", &format!("{path}/cancel")).bearer_auth(token(3600));
    send(cancel).await.expect(200);
    assert_eq!(longer.next().await.unwrap().1["status"], "cancelled");
    api.stop().await;
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
