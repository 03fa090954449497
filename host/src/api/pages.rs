//! A page about each code that the API answers: the `type` of a problem leads to it, and people and
//! programs can read it without a token. Browsers get HTML, everybody else JSON.

use std::fmt::Write as _;

use poem::{Request, Response, Route, endpoint::make_sync, error::NotFoundError, get, http::header};
use serde::Serialize;

use super::error::{PAGES, ProblemCode, ProblemHelp};
use crate::model::{Refusal, RefusalHelp};

/// What the page about a code says. Texts are Markdown with nothing in it but code in backticks.
#[derive(Clone, Serialize)]
struct CodePage {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    meaning: &'static str,
    what_to_do: &'static str,
    /// Whether a retry of the job tries the picture again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retried: Option<bool>,
    /// Whether an update of the job tries such a picture again.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<bool>,
}

/// A list of codes: `{items}`, each with its page below.
#[derive(Clone, Serialize)]
struct CodePages {
    #[serde(skip)]
    title: &'static str,
    /// Path of the list.
    #[serde(skip)]
    path: &'static str,
    items: Vec<CodePage>,
}

/// Of `code` in problem documents.
pub(super) fn of_problems() -> Route {
    let items = ProblemCode::ALL.map(|code| {
        let ProblemHelp { code, status, title, meaning, advice } = code.help();
        let (status, title) = (Some(status.as_u16()), Some(title));
        CodePage { code, status, title, meaning, what_to_do: advice, retried: None, updated: None }
    });
    routes(CodePages {
        title: "What the API answers when something is wrong",
        path: PAGES,
        items: items.into(),
    })
}

/// Of `reason` of refused images.
pub(super) fn of_refusals() -> Route {
    let items = Refusal::ALL.map(|refusal| {
        let RefusalHelp { meaning, advice } = refusal.help();
        let (retried, updated) = (refusal.may_pass(), refusal.may_pass() || refusal.may_be_mended());
        CodePage {
            code: refusal.code(),
            status: None,
            title: None,
            meaning,
            what_to_do: advice,
            retried: Some(retried),
            updated: Some(updated),
        }
    });
    routes(CodePages { title: "Why a picture is refused", path: "/refusals", items: items.into() })
}

fn routes(pages: CodePages) -> Route {
    let list = pages.clone();
    let all = make_sync(move |request| {
        let items: String =
            list.items.iter().map(|page| page.html(&format!("{}/{}", list.path, page.code))).collect();
        answer(&request, &list, list.title, &items)
    });
    let one = make_sync(move |request: Request| {
        let code = request.raw_path_param("code").unwrap_or_default();
        let page = pages.items.iter().find(|page| page.code == code).ok_or(NotFoundError)?;
        let all = format!("<p><a href=\"{}\">{}</a></p>\n", pages.path, pages.title);
        Ok::<_, poem::Error>(answer(&request, page, page.code, &(page.html("") + &all)))
    });
    Route::new().at("/", get(all)).at("/:code", get(one))
}

fn answer(request: &Request, json: &impl Serialize, title: &str, body: &str) -> Response {
    let reads_html = request.header(header::ACCEPT).is_some_and(|accepted| accepted.contains("text/html"));
    let response = Response::builder().header(header::VARY, "Accept");
    if reads_html {
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} – PixCrawler</title>\n\
             <h1>{title}</h1>\n{body}</html>\n"
        );
        let response = response.content_type("text/html; charset=utf-8");
        return response.header(header::CONTENT_SECURITY_POLICY, "default-src 'none'").body(page);
    }
    let json = serde_json::to_string_pretty(json).unwrap_or_default();
    response.content_type("application/json").body(json + "\n")
}

impl CodePage {
    /// In HTML, with a heading that leads to `link`, if any.
    fn html(&self, link: &str) -> String {
        let mut html = String::new();
        if !link.is_empty() {
            // Writing to a string does not fail.
            let _ = writeln!(html, "<h2><a href=\"{link}\">{}</a></h2>", self.code);
        }
        let title =
            self.title.map(|title| format!("{title} (HTTP status {})", self.status.unwrap_or_default()));
        let retried = self.retried.map(|retried| match (retried, self.updated) {
            (true, _) => "A retry of the job tries the picture again.",
            (false, Some(true)) => "An update of the job tries the picture again, another retry does not.",
            (false, _) => "A retry of the job does not try the picture again.",
        });
        let parts = [title.as_deref(), Some(self.meaning), Some(self.what_to_do), retried];
        for part in parts.into_iter().flatten() {
            let _ = writeln!(html, "<p>{}</p>", code_in_html(part));
        }
        html
    }
}

/// Writes text with code in backticks as HTML. None of ours has anything else that means something there.
fn code_in_html(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_need_no_escaping() {
        let problems =
            ProblemCode::ALL.map(|code| code.help()).map(|help| [help.title, help.meaning, help.advice]);
        let refusals = Refusal::ALL.map(|refusal| refusal.help()).map(|help| [help.meaning, help.advice, ""]);
        for text in problems.into_iter().chain(refusals).flatten() {
            assert!(!text.contains(['<', '>', '&', '|']) && text.matches('`').count() % 2 == 0, "{text}");
        }
        assert_eq!(code_in_html("see `a`, `b`"), "see <code>a</code>, <code>b</code>");
    }
}
