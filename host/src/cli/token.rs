//! `token`: a bearer token of the local issuer.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use chrono::{TimeDelta, Utc};
use clap::Args;
use serde_json::json;

use crate::{
    auth::issuer::{Issuer, IssuerError, user_of},
    cli::{say, wrong_usage},
    config::{self, Config},
    private,
};

/// Make a bearer token for the API of this machine
///
/// Only while `SUPABASE_URL` is unset: then the host issues its own tokens, with a key in
/// the data folder. The same address is always the same user. Whoever can read the data
/// folder can make tokens.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler token --email you@example.org\n  \
    curl -H \"Authorization: Bearer $(pixcrawler token --email you@example.org)\" \\\n      \
    http://127.0.0.1:8000/api/v1/auth/me\n  \
    pixcrawler token --email you@example.org --ttl 24h --json")]
pub(super) struct TokenArgs {
    /// Who the token is for
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// How long it is valid
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = config::duration)]
    ttl: Duration,
    /// Print one JSON object instead of the bare token
    #[arg(long)]
    json: bool,
}

impl TokenArgs {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        if config.supabase.supabase_url.is_some() {
            bail!(
                "SUPABASE_URL is set, so tokens come from that project: sign in there; unset it for local tokens"
            );
        }
        let expires = TimeDelta::from_std(self.ttl).ok().and_then(|ttl| Utc::now().checked_add_signed(ttl));
        let expires = expires.ok_or_else(|| wrong_usage("--ttl is too long"))?;
        let folder = config.data_dir();
        private::data_folder(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let token = Issuer::open(&folder)?.issue(&self.email, self.ttl).map_err(|error| match error {
            IssuerError::Email(_) => wrong_usage(format!("--email: {error}")),
            IssuerError::Lifetime => wrong_usage(format!("--ttl: {error}")),
            other => other.into(),
        })?;
        if self.json {
            let email = self.email.trim().to_lowercase();
            let user = user_of(&email);
            say(&json!({"token": token, "user": user, "email": email, "expires_at": expires}).to_string());
        } else {
            say(&token);
        }
        Ok(ExitCode::SUCCESS)
    }
}
