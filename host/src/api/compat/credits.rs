//! The original's view of a user's credits and of what is stored for them. Nothing is bought here.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::Query,
    payload::Json,
    types::{Any, Example},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::paging::{ListMeta, Window};
use crate::{
    api::{
        Tag,
        bearer::{Access, READ},
        error::{NOT_FOUND, PARAMETER, Problem, ProblemSet, SIGNED_IN},
        nullable::Nullable,
        word,
    },
    app::App,
    auth::Caller,
    db::{
        self,
        usage::{CreditAccount, CreditTransaction},
    },
};

pub(in crate::api) struct CreditsApi;

/// Days that are looked at when nobody says how many.
const DEFAULT_DAYS: i32 = 30;
/// Bytes of a gigabyte, which is a decimal one.
const GIGABYTE: f64 = 1e9;

/// A row of `credit_accounts`, and what was spent.
#[derive(Object)]
#[oai(example)]
struct CreditBalance {
    /// Names it.
    id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    /// Credits that there are.
    current_balance: i32,
    /// Credits spent in this month, in UTC.
    monthly_usage: i64,
    /// Credits spent a day, over the last 30 days, with two decimals.
    average_daily_usage: String,
    /// As the frontend has it; nothing is bought here.
    auto_refill_enabled: bool,
    /// As the frontend has it.
    refill_threshold: i32,
    /// As the frontend has it.
    refill_amount: i32,
    /// As the frontend has it.
    monthly_limit: i32,
    /// When the account was made.
    created_at: DateTime<Utc>,
    /// When its row last changed.
    updated_at: DateTime<Utc>,
    /// There are fewer than `refill_threshold`.
    is_low_balance: bool,
    /// Days until none is left at this rate; null where none is spent.
    days_until_depleted: Nullable<f64>,
}

/// What was spent.
#[derive(Object)]
#[oai(example)]
struct CreditUsage {
    /// Credits that there are.
    current_balance: i32,
    /// Credits spent in this month, in UTC.
    monthly_usage: i64,
    /// Credits spent within the days that were asked for.
    period_usage: i64,
    /// How many days.
    period_days: i32,
    /// Credits spent a day, over these.
    average_daily_usage: f64,
    /// In so many transactions.
    transaction_count: i64,
    /// As the frontend has it; nothing is bought here.
    auto_refill_enabled: bool,
    /// As the frontend has it.
    refill_threshold: i32,
}

/// What a transaction is for.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "CreditTransactionType", rename_all = "lowercase")]
enum TransactionType {
    /// Credits were bought.
    Purchase,
    /// Images were kept.
    Usage,
    /// Credits were given back.
    Refund,
    /// Credits were given.
    Bonus,
}

/// A row of `credit_transactions`.
#[derive(Object)]
#[oai(rename = "CreditTransaction", example)]
struct Transaction {
    /// Names it.
    id: Uuid,
    /// Of which account.
    account_id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    /// What it is for; what whoever wrote the row calls something else is a bonus or usage.
    #[oai(rename = "type")]
    kind: TransactionType,
    /// For people.
    description: String,
    /// Credits that came; what went is negative.
    amount: i32,
    /// Credits that there were after it.
    balance_after: i32,
    /// `completed`, `pending`, `failed` or `cancelled`.
    status: String,
    /// For one of usage `job_id`, `images` and `credits_per_image`; `uncovered` are credits that were not there.
    metadata: Nullable<Any<Value>>,
    /// When it was.
    created_at: DateTime<Utc>,
    /// Credits came.
    is_credit: bool,
    /// Credits went.
    is_debit: bool,
}

/// Transactions of the caller.
#[derive(Object)]
#[oai(example)]
struct CreditTransactionPage {
    /// Newest first.
    data: Vec<Transaction>,
    /// Where this page stands in the whole list.
    meta: ListMeta,
}

/// What is stored for the caller.
#[derive(Object)]
#[oai(example)]
struct StorageUsage {
    /// Bytes of all images; a picture that several datasets hold is stored once.
    total_size_bytes: i64,
    /// The same in gigabytes of 1000000000 bytes.
    total_size_gb: f64,
    /// Images.
    file_count: i64,
    /// All of it: there is one kind of storage.
    hot_storage_bytes: i64,
    /// Always 0.
    warm_storage_bytes: i64,
    /// Always 0.
    cold_storage_bytes: i64,
    /// When this was counted: now.
    last_updated: DateTime<Utc>,
}

#[OpenApi(tag = "Tag::Compatibility")]
impl CreditsApi {
    /// Show the caller's credits
    #[oai(path = "/credits/balance", method = "get", operation_id = "getCreditBalance", deprecated)]
    async fn balance(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
    ) -> Result<Json<CreditBalance>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        Ok(Json(account(app, &caller, DEFAULT_DAYS).await?.into()))
    }

    /// List the caller's transactions of credits
    #[oai(
        path = "/credits/transactions",
        method = "get",
        operation_id = "listCreditTransactions",
        deprecated
    )]
    async fn transactions(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
        /// Transactions to leave out, from the first.
        #[oai(validator(minimum(value = "0")))]
        Query(skip): Query<Option<i32>>,
        /// Most transactions in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// Only of this type.
        #[oai(name = "type")]
        Query(kind): Query<Option<TransactionType>>,
    ) -> Result<Json<CreditTransactionPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let window = Window::<i32>::of_skip(limit, None, skip)?;
        // A new account, which comes with the profile, may begin with a transaction.
        app.profile(&caller).await?;
        let kind = kind.map(TransactionType::name);
        let limit = i64::from(window.limit);
        let rows = db::usage::transactions(&app.db, caller.user, kind, window.skip, limit).await?;
        let total = db::usage::count_transactions(&app.db, caller.user, kind).await?;
        let data = rows.into_iter().map(Transaction::from).collect();
        Ok(Json(CreditTransactionPage { data, meta: window.meta(total) }))
    }

    /// Show what the caller spent
    #[oai(path = "/credits/usage", method = "get", operation_id = "getCreditUsage", deprecated)]
    async fn usage(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
        /// Days to look at; 30 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "365")))]
        Query(days): Query<Option<i32>>,
    ) -> Result<Json<CreditUsage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let days = days.unwrap_or(DEFAULT_DAYS);
        let account = account(app, &caller, days).await?;
        Ok(Json(CreditUsage {
            current_balance: account.current_balance,
            monthly_usage: account.spent_in_month,
            period_usage: account.spent,
            period_days: days,
            average_daily_usage: account.spent as f64 / f64::from(days),
            transaction_count: account.transactions,
            auto_refill_enabled: account.auto_refill_enabled,
            refill_threshold: account.refill_threshold,
        }))
    }

    /// Show what is stored for the caller
    #[oai(path = "/storage/usage", method = "get", operation_id = "getStorageUsage", deprecated)]
    async fn storage(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
    ) -> Result<Json<StorageUsage>, ProblemSet<SIGNED_IN>> {
        let (bytes, files) = app.stored_for(caller.user).await?;
        Ok(Json(StorageUsage {
            total_size_bytes: bytes,
            total_size_gb: bytes as f64 / GIGABYTE,
            file_count: files,
            hot_storage_bytes: bytes,
            warm_storage_bytes: 0,
            cold_storage_bytes: 0,
            last_updated: Utc::now(),
        }))
    }
}

/// The caller's account. It comes with the profile, which is made now if this is their first call.
async fn account(app: &App, caller: &Caller, days: i32) -> Result<CreditAccount, Problem> {
    if let Some(account) = db::usage::account(&app.db, caller.user, days).await? {
        return Ok(account);
    }
    app.profile(caller).await?;
    let made = db::usage::account(&app.db, caller.user, days).await?;
    made.ok_or_else(|| Problem::not_found("account of credits"))
}

impl TransactionType {
    const fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Usage => "usage",
            Self::Refund => "refund",
            Self::Bonus => "bonus",
        }
    }
}

impl From<CreditAccount> for CreditBalance {
    fn from(row: CreditAccount) -> Self {
        let daily = row.spent as f64 / f64::from(DEFAULT_DAYS);
        Self {
            id: row.id,
            user_id: row.user_id.0,
            current_balance: row.current_balance,
            monthly_usage: row.spent_in_month,
            average_daily_usage: format!("{daily:.2}"),
            auto_refill_enabled: row.auto_refill_enabled,
            refill_threshold: row.refill_threshold,
            refill_amount: row.refill_amount,
            monthly_limit: row.monthly_limit,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            is_low_balance: row.current_balance < row.refill_threshold,
            days_until_depleted: (daily > 0.0).then(|| f64::from(row.current_balance) / daily).into(),
        }
    }
}

impl From<CreditTransaction> for Transaction {
    fn from(row: CreditTransaction) -> Self {
        let other = if row.amount > 0 { TransactionType::Bonus } else { TransactionType::Usage };
        Self {
            id: row.id,
            account_id: row.account_id,
            user_id: row.user_id.0,
            kind: word(&row.kind).unwrap_or(other),
            description: row.description,
            amount: row.amount,
            balance_after: row.balance_after,
            status: row.status,
            metadata: row.metadata.map(|metadata| Any(metadata.0)).into(),
            created_at: row.created_at.into(),
            is_credit: row.amount > 0,
            is_debit: row.amount < 0,
        }
    }
}

impl Example for CreditBalance {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(1),
            user_id: Uuid::from_u128(1),
            current_balance: 1500,
            monthly_usage: 250,
            average_daily_usage: "8.33".to_owned(),
            auto_refill_enabled: false,
            refill_threshold: 100,
            refill_amount: 500,
            monthly_limit: 2000,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            is_low_balance: false,
            days_until_depleted: Some(180.0).into(),
        }
    }
}

impl Example for CreditUsage {
    fn example() -> Self {
        Self {
            current_balance: 1500,
            monthly_usage: 250,
            period_usage: 450,
            period_days: 30,
            average_daily_usage: 15.0,
            transaction_count: 12,
            auto_refill_enabled: false,
            refill_threshold: 100,
        }
    }
}

impl Example for Transaction {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(1),
            account_id: Uuid::from_u128(1),
            user_id: Uuid::from_u128(1),
            kind: TransactionType::Usage,
            description: "200 images of crawl job 1".to_owned(),
            amount: -200,
            balance_after: 1300,
            status: "completed".to_owned(),
            metadata: Some(Any(json!({ "job_id": 1, "images": 200, "credits_per_image": 1 }))).into(),
            created_at: DateTime::UNIX_EPOCH,
            is_credit: false,
            is_debit: true,
        }
    }
}

impl Example for CreditTransactionPage {
    fn example() -> Self {
        Self { data: vec![Transaction::example()], meta: ListMeta::example() }
    }
}

impl Example for StorageUsage {
    fn example() -> Self {
        Self {
            total_size_bytes: 52_000_000,
            total_size_gb: 0.052,
            file_count: 200,
            hot_storage_bytes: 52_000_000,
            warm_storage_bytes: 0,
            cold_storage_bytes: 0,
            last_updated: DateTime::UNIX_EPOCH,
        }
    }
}
