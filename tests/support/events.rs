//! Following a job by its server-sent events.

use serde_json::Value;

use super::{document::judge_as, site::PATIENCE};

/// The changes of a job, read one by one.
pub(crate) struct Events {
    answer: reqwest::Response,
    read: String,
}

impl Events {
    pub(crate) async fn open(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, read: String::new() }
    }

    /// The next event's id and job; none at the end. Fails when there is none for long.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = field("id: ").zip(field("data: "));
                self.read = rest.to_owned();
                match found {
                    Some((id, data)) => {
                        let job = serde_json::from_str(&data).unwrap();
                        judge_as("CrawlJobDetail", &job);
                        return Some((id, job));
                    }
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await;
            match chunk.expect("no event in time").unwrap() {
                Some(bytes) => self.read.push_str(std::str::from_utf8(&bytes).unwrap()),
                None => return None,
            }
        }
    }

    /// The job as soon as it is like this. Fails when it ends without.
    pub(crate) async fn until(mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        while let Some((_, job)) = self.next().await {
            if wanted(&job) {
                return job;
            }
            last = job;
        }
        panic!("the job ended as {last}");
    }
}
