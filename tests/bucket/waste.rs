//! Waste in a bucket, where nothing can be deleted on condition that nobody puts it meanwhile.

use bytes::Bytes;
use hyper::Method;
use pixcrawler::{
    model::{Format, Sha256, UserId},
    services::objects::{KeepError, Sweep, sweep},
    store::Store,
};
use sha2::{Digest as _, Sha256 as Hash};
use uuid::Uuid;

use crate::support::{
    api::Api,
    bucket::{BucketServer, Fault},
};

/// Notes are as old as they must be.
const LATER: &str = "update pixcrawler.object_to_delete set noted_at = noted_at - interval '11 minutes'";

async fn swept(api: &Api, dry_run: bool) -> (u64, u64, u64) {
    let Sweep { swept, noted, spared, .. } = sweep(&api.app.db, &api.app.store, dry_run).await.unwrap();
    (swept, noted, spared)
}

/// An object of these bytes that nobody names, put so many hours ago.
async fn waste(
    api: &Api,
    bucket: &BucketServer,
    bytes: &'static [u8],
    hours: u64,
) -> (UserId, Sha256, String) {
    let (user, sha256) = (UserId(Uuid::from_u128(7)), Sha256(Hash::digest(bytes).into()));
    api.app.keep_object(user, &sha256, Format::Png, Bytes::from_static(bytes)).await.unwrap();
    let key = Store::path(user, &sha256, Format::Png);
    bucket.age(&key, hours);
    (user, sha256, key)
}

#[tokio::test]
async fn waste_goes_when_nobody_puts_it_again() {
    let bucket = BucketServer::start().await;
    let flags = bucket.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let api = Api::start_with(&flags).await;
    let database = std::fs::read_dir(bucket.folder().join("databases")).unwrap().next().unwrap().unwrap();
    bucket.age(&format!("databases/{}", database.file_name().to_str().unwrap()), 100);
    let later = async || {
        sqlx::query(LATER).execute(&api.app.db).await.unwrap();
    };
    let is_there = |key: &str| bucket.folder().join(key).exists();

    let (user, sha256, old) = waste(&api, &bucket, b"old", 25).await;
    let (_, _, young) = waste(&api, &bucket, b"young", 23).await;
    assert_eq!(swept(&api, true).await, (0, 1, 1));
    assert_eq!(swept(&api, false).await, (0, 1, 1), "it is noted");
    assert_eq!(swept(&api, false).await, (0, 1, 1), "a moment later it is no different");
    later().await;
    assert_eq!(swept(&api, true).await, (1, 0, 1));
    assert!(is_there(&old));
    assert_eq!(swept(&api, false).await, (1, 0, 1));
    assert!(!is_there(&old) && is_there(&young));
    assert_eq!(swept(&api, false).await, (0, 0, 1));

    // Put again after it was noted: whatever its time, it is noted no more.
    let put = async || api.app.keep_object(user, &sha256, Format::Png, Bytes::from_static(b"old")).await;
    waste(&api, &bucket, b"old", 25).await;
    assert_eq!(swept(&api, false).await, (0, 1, 1));
    later().await;
    put().await.unwrap();
    bucket.age(&old, 25);
    assert_eq!(swept(&api, false).await, (0, 1, 1), "it is noted anew");

    // Begun to be put before it was noted, and there by the time that it may go.
    later().await;
    api.app.store.put(user, &sha256, Format::Png, Bytes::from_static(b"old")).await.unwrap();
    assert_eq!(swept(&api, false).await, (0, 0, 2));
    assert!(is_there(&old));

    // While it is being deleted it is not put: the request that is on its way would take it, too.
    bucket.age(&old, 25);
    bucket.fault(Some(Method::DELETE), &old, Fault::Hold);
    let app = api.app.clone();
    let sweeping = tokio::spawn(async move { sweep(&app.db, &app.store, false).await.unwrap().swept });
    bucket.asked(|request| *request == format!("DELETE pictures/{old}")).await;
    assert!(matches!(put().await, Err(KeepError::Deleting)));
    bucket.mend();
    assert_eq!(sweeping.await.unwrap(), 1);
    put().await.unwrap();
    assert!(is_there(&old));

    // A deletion of which it is not known whether it was done, or will be.
    bucket.age(&old, 25);
    assert_eq!(swept(&api, false).await, (0, 1, 1));
    later().await;
    bucket.fault(Some(Method::DELETE), &old, Fault::Answer(500, "InternalError"));
    sweep(&api.app.db, &api.app.store, false).await.unwrap_err();
    bucket.mend();
    assert!(matches!(put().await, Err(KeepError::Deleting)));
    sqlx::query("update pixcrawler.object_to_delete set deleting_at = deleting_at - interval '6 minutes'")
        .execute(&api.app.db)
        .await
        .unwrap();
    put().await.unwrap();
    assert_eq!(swept(&api, false).await, (0, 0, 2));
    assert!(is_there(&old));
    // One that is locked holds up no other, and is tried again.
    let (_, _, locked) = waste(&api, &bucket, b"locked", 25).await;
    let (_, _, free) = waste(&api, &bucket, b"free", 25).await;
    assert_eq!(swept(&api, false).await.1, 2);
    later().await;
    bucket.fault(Some(Method::DELETE), &locked, Fault::Answer(403, "AccessDenied"));
    let Sweep { swept: gone, undeletable, undeletable_reason, .. } =
        sweep(&api.app.db, &api.app.store, false).await.unwrap();
    assert_eq!((gone, undeletable), (1, 1));
    assert!(undeletable_reason.unwrap().contains("403 AccessDenied"));
    assert!(is_there(&locked) && !is_there(&free));
    bucket.mend();
    assert_eq!(swept(&api, false).await.1, 1);
    later().await;
    assert_eq!(swept(&api, false).await.0, 1);
    assert!(!is_there(&locked));

    let left: i64 = sqlx::query_scalar("select count(*) from pixcrawler.object_to_delete")
        .fetch_one(&api.app.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
    api.stop().await;
}
