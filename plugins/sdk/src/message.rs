//! Requests and answers.

use serde::de::DeserializeOwned;

use crate::{Answer, Content, Error, Failure, Method, Query, Request, Response, Result, json, url};

impl Request {
    /// A GET of `address` with `parameters` added to its query, escaped.
    #[must_use]
    pub fn get(address: &str, parameters: &[(&str, &str)]) -> Self {
        let mut full = address.to_owned();
        for (name, value) in parameters {
            full.push(if full.contains('?') { '&' } else { '?' });
            full.push_str(&url::escape(name));
            full.push('=');
            full.push_str(&url::escape(value));
        }
        Self {
            key: String::new(),
            method: Method::Get,
            url: full,
            headers: Vec::new(),
            body: None,
            credential: None,
            item: None,
            keep: false,
            extra: Vec::new(),
        }
    }
}

impl Answer {
    /// An answer with a text, as the host would give it: for tests of a source.
    #[must_use]
    pub fn of(url: &str, status: u16, text: &str) -> Self {
        let body = Content::Text(text.to_owned());
        let response = Response { status, url: url.to_owned(), headers: Vec::new(), body };
        Self { key: String::new(), url: url.to_owned(), outcome: Ok(response) }
    }

    /// Whether the host left the request out, because the crawl has the thing that its `item`
    /// names: there is nothing to read, and nothing is wrong.
    #[must_use]
    pub const fn is_skipped(&self) -> bool {
        matches!(self.outcome, Err(Failure::Skipped))
    }

    /// The response, if the request succeeded (status 200 to 299). A source for
    /// which another status has a meaning looks at `outcome` first; one that gives requests an `item`
    /// asks [`is_skipped`](Self::is_skipped) first.
    ///
    /// # Errors
    ///
    /// - 401: `unauthorized`;
    /// - 429, also after the host's own retries: `rate-limited`, with the seconds of `retry-after`;
    /// - 400, 404, 405, 410, 422: `layout-changed`, because a source asks only
    ///   for what should be there;
    /// - refused by the host's rules or robots.txt, or too large:
    ///   `invalid-query`, because waiting does not help;
    /// - left out because of `item`: `other`, the source's mistake, which waiting does not mend either;
    /// - anything else: `unavailable`, tried again later. So is 403: most sites
    ///   say it to crawlers that they want to be slower.
    pub fn response(self) -> Result<Response> {
        let place = without_query(&self.url);
        let response = self.outcome.map_err(|failure| match failure {
            Failure::Denied(why) => Error::InvalidQuery(format!("{place} was refused: {why}")),
            Failure::Robots(why) => Error::InvalidQuery(format!("robots.txt forbids {place}: {why}")),
            Failure::TooLarge(limit) => Error::InvalidQuery(format!("{place} is larger than {limit} bytes")),
            Failure::Status(status) => refused(status, place, None),
            Failure::Skipped => Error::Other(format!(
                "{place} was left out, because the crawl has its `item` already: look at \
                 `Answer::is_skipped` before `response`, and go on without it"
            )),
            Failure::Timeout => Error::Unavailable(format!("{place} took too long")),
            Failure::Network(why) | Failure::Other(why) => Error::Unavailable(format!("{place}: {why}")),
        })?;
        match response.status {
            200..=299 => Ok(response),
            status => Err(refused(status, place, response.header("retry-after"))),
        }
    }

    /// As [`response`](Self::response), of an address that the user named: what is wrong
    /// with it is for the user to put right. Messages have the whole address.
    ///
    /// # Errors
    ///
    /// - 404, 410: `invalid-query`, it does not exist;
    /// - 401, 403: `invalid-query`, it may not be read;
    /// - any other status from 400 to 499 that does not pass with time (408, 425 and 429 do):
    ///   `invalid-query`, with the status;
    /// - anything else: as of `response`.
    pub fn named_response(self) -> Result<Response> {
        let refused = |why: &str| Err(Error::InvalidQuery(format!("{} {why}", self.url)));
        match self.outcome.as_ref().map(|response| response.status) {
            Ok(404 | 410) => refused("does not exist"),
            Ok(401 | 403) => refused("may not be read without logging in, or not by programs"),
            Ok(408 | 425 | 429) => self.response(),
            Ok(status @ 400..=499) => refused(&format!("cannot be read, the site answers {status}")),
            _ => self.response(),
        }
    }
}

impl Response {
    /// The first header of that name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Errors
    ///
    /// `layout-changed` when it is not text.
    pub fn text(&self) -> Result<&str> {
        match &self.body {
            Content::Text(text) => Ok(text),
            Content::Binary(_) => Err(Error::LayoutChanged(format!(
                "expected text at {}, found binary data",
                without_query(&self.url)
            ))),
        }
    }

    /// The body as text, without a copy.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text).
    pub fn into_text(self) -> Result<String> {
        self.text()?;
        match self.body {
            Content::Text(text) => Ok(text),
            Content::Binary(_) => Ok(String::new()),
        }
    }

    /// The body, read as JSON; halves of characters become U+FFFD.
    ///
    /// # Errors
    ///
    /// `layout-changed` with what was missing and where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&json::mend(self.text()?))
            .map_err(|error| Error::LayoutChanged(format!("answer of {}: {error}", without_query(&self.url))))
    }
}

impl Query {
    /// A query for that text and nothing else: for tests of a source.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            limit: 100,
            safe_search: true,
            language: None,
            options: Vec::new(),
            credentials: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// With these options set, in place of those it had: for tests of a source.
    #[must_use]
    pub fn with(self, options: &[(&str, &str)]) -> Self {
        let options = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { options, ..self }
    }

    /// The value of an option, if it has one.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The options of these names that have a value, for a site that calls them the same.
    pub fn chosen<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        names.iter().filter_map(|name| Some((*name, self.option(name)?)))
    }

    /// Whether the operator has configured that credential.
    #[must_use]
    pub fn has_credential(&self, name: &str) -> bool {
        self.credentials.iter().any(|credential| credential == name)
    }
}

fn refused(status: u16, place: &str, retry_after: Option<&str>) -> Error {
    match status {
        401 => Error::Unauthorized(format!("{place} asks for a credential")),
        429 => Error::RateLimited(retry_after.and_then(|seconds| seconds.trim().parse().ok())),
        400 | 404 | 405 | 410 | 422 => Error::LayoutChanged(format!("{place} answers {status}")),
        _ => Error::Unavailable(format!("{place} answers {status}")),
    }
}

/// What a person was looking for has no place in a message that is logged.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_and_appended() {
        let check = |address: &str, parameters: &[(&str, &str)], expect: &str| {
            assert_eq!(Request::get(address, parameters).url, expect);
        };
        check("https://example.org/", &[], "https://example.org/");
        check("https://example.org/", &[("q", "a b"), ("n", "1")], "https://example.org/?q=a%20b&n=1");
        check("https://example.org/?k=v", &[("q", "ü&=#+")], "https://example.org/?k=v&q=%C3%BC%26%3D%23%2B");
    }

    #[test]
    fn statuses_become_errors() {
        let error =
            |status| Answer::of("https://example.org/list?q=secret", status, "").response().unwrap_err();
        assert_eq!(
            error(401),
            Error::Unauthorized("https://example.org/list asks for a credential".to_owned())
        );
        assert_eq!(error(404), Error::LayoutChanged("https://example.org/list answers 404".to_owned()));
        assert_eq!(error(403), Error::Unavailable("https://example.org/list answers 403".to_owned()));
        assert_eq!(error(503), Error::Unavailable("https://example.org/list answers 503".to_owned()));
        assert_eq!(error(429), Error::RateLimited(None));
        assert!(Answer::of("https://example.org/", 204, "").response().is_ok());
    }

    #[test]
    fn retry_after_is_read_where_it_is_seconds() {
        for (value, expect) in [("30", Some(30)), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)] {
            let mut answer = Answer::of("https://example.org/", 429, "");
            if let Ok(response) = &mut answer.outcome {
                response.headers.push(("retry-after".to_owned(), value.to_owned()));
            }
            assert_eq!(answer.response().unwrap_err(), Error::RateLimited(expect), "{value}");
        }
    }

    #[test]
    fn failures_become_errors() {
        let error = |failure| {
            let answer =
                Answer { key: String::new(), url: "https://example.org/".to_owned(), outcome: Err(failure) };
            answer.response().unwrap_err()
        };
        assert_eq!(error(Failure::Status(429)), Error::RateLimited(None));
        for passing in [
            Failure::Timeout,
            Failure::Status(502),
            Failure::Network("reset".to_owned()),
            Failure::Other("?".to_owned()),
        ] {
            assert!(matches!(error(passing.clone()), Error::Unavailable(_)), "{passing:?}");
        }
        // There is nothing to wait for.
        assert!(matches!(error(Failure::Skipped), Error::Other(why) if why.contains("`Answer::is_skipped`")));
        for lasting in
            [Failure::Denied("not granted".to_owned()), Failure::Robots("*".to_owned()), Failure::TooLarge(9)]
        {
            assert!(matches!(error(lasting.clone()), Error::InvalidQuery(_)), "{lasting:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_named_address_is_said_of_the_query() {
        let of = |status| Answer::of("https://example.org/list?page=2", status, "");
        for (status, why) in [
            (401, "may not be read without logging in, or not by programs"),
            (403, "may not be read without logging in, or not by programs"),
            (404, "does not exist"),
            (410, "does not exist"),
            (400, "cannot be read, the site answers 400"),
            (451, "cannot be read, the site answers 451"),
        ] {
            let expect = Error::InvalidQuery(format!("https://example.org/list?page=2 {why}"));
            assert_eq!(of(status).named_response(), Err(expect));
        }
        for status in [200, 204, 301, 408, 425, 429, 500, 503] {
            assert_eq!(of(status).named_response(), of(status).response());
        }
        let failed = Answer { outcome: Err(Failure::TooLarge(9)), ..of(200) };
        assert_eq!(failed.clone().named_response(), failed.response());
    }

    #[test]
    fn unreadable_bodies_say_what_was_expected() {
        let response = |text| Answer::of("https://example.org/?q=x", 200, text).response().unwrap();
        assert_eq!(response("[1]").json::<Vec<u8>>(), Ok(vec![1]));
        let Err(Error::LayoutChanged(message)) = response("{\"a\":1}").json::<Vec<u8>>() else { panic!() };
        assert!(message.starts_with("answer of https://example.org/: "), "{message}");
        let binary = Response { body: Content::Binary(vec![0xff]), ..response("") };
        assert!(matches!(binary.json::<u8>(), Err(Error::LayoutChanged(_))));
        assert!(matches!(binary.into_text(), Err(Error::LayoutChanged(_))));
    }

    #[test]
    fn an_option_without_a_value_is_not_set() {
        let query = Query::of("").with(&[("a", ""), ("b", "1")]);
        assert_eq!((query.option("a"), query.option("b"), query.option("c")), (None, Some("1"), None));
        assert_eq!(query.chosen(&["a", "b", "c"]).collect::<Vec<_>>(), [("b", "1")]);
    }
}
