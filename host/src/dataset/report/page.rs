//! The HTML of a report. Everything that users and sources wrote is text in it, or an address of `http` or `https`;
//! a browser is told to load nothing and to run nothing.

use std::{fmt::Write as _, sync::LazyLock};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use crate::{
    dataset::export::facts::ExportFacts,
    db::{
        report::PictureRow,
        statistics::{self, Bins},
    },
    model::DatasetId,
};

/// By this a file is known as a report that may be written anew.
pub(super) const MARK: &str = "<meta name=\"generator\" content=\"PixCrawler dataset report\">";
/// What ends the pictures of a label.
pub(super) const CLOSE_LABEL: &str = "</ul>\n</div>\n";
/// What ends the whole.
pub(super) const FOOT: &str = "</main>\n<footer class=\"page\"><p>Made by PixCrawler. Licences are what the sources \
    say, and nobody has checked them. The small copies are in this file; it loads nothing.</p></footer>\n</body>\n</html>\n";
/// How it looks.
const STYLE: &str = include_str!("style.css");
/// Longest text of a source that is shown, in characters.
const LONGEST: usize = 160;
/// Keywords that are shown.
const MOST_WORDS: usize = 30;
/// Width of a histogram.
const WIDTH: f64 = 320.0;
/// Height of the longest column in it, and where columns stand.
const TALLEST: f64 = 96.0;
const FLOOR: f64 = 114.0;

/// A number with its name.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// A name with a number of pictures.
pub(super) struct Bar {
    pub(super) name: String,
    /// What the name means.
    pub(super) meaning: Option<&'static str>,
    pub(super) images: i64,
    /// All others together.
    pub(super) is_rest: bool,
}

/// How many pictures have how much of something.
pub(super) struct Histogram {
    pub(super) title: &'static str,
    pub(super) meaning: &'static str,
    /// How the bounds of bins are said.
    pub(super) unit: fn(f64) -> String,
    pub(super) bins: Bins,
    /// Of each bin.
    pub(super) counts: Vec<i64>,
}

/// A picture.
pub(super) struct Tile<'a> {
    pub(super) row: &'a PictureRow,
    /// Address of its small copy, or why there is none.
    pub(super) copy: Result<&'a str, &'static str>,
    /// What became of it, where that is to be told.
    pub(super) state: &'static str,
}

impl Fact {
    pub(super) fn count(name: &'static str, value: i64) -> Self {
        Self { name, value: grouped(value) }
    }
}

/// What stands before the pictures.
pub(super) fn head(dataset: DatasetId, facts: &ExportFacts, overview: &[Fact]) -> String {
    static HASH: LazyLock<String> = LazyLock::new(|| BASE64_STANDARD.encode(Sha256::digest(STYLE)));
    let (name, style) = (text(&facts.name), &*HASH);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{MARK}\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src \
         'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name} – dataset report</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<a class=\"skip\" href=\"#labels\">Skip to the pictures</a>\n\
         <header class=\"page\">\n<p class=\"kicker\">Dataset {dataset}</p>\n<h1><bdi>{name}</bdi></h1>\n"
    );
    if let Some(description) = facts.description.as_deref().filter(|text| !text.trim().is_empty()) {
        let _ = writeln!(html, "<p class=\"lead\"><bdi>{}</bdi></p>", text(description.trim()));
    }
    if !facts.keywords.is_empty() {
        html += "<ul class=\"words\">\n";
        for word in facts.keywords.iter().take(MOST_WORDS) {
            let _ = writeln!(html, "<li><bdi>{}</bdi></li>", short(word));
        }
        if facts.keywords.len() > MOST_WORDS {
            let _ = writeln!(html, "<li>{} more</li>", facts.keywords.len() - MOST_WORDS);
        }
        html += "</ul>\n";
    }
    html += "<dl class=\"facts\">\n";
    for Fact { name, value } in overview {
        let _ = writeln!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    html += "</dl>\n</header>\n<nav class=\"sections\" aria-label=\"Sections\"><ul class=\"page\">\n";
    for (id, name) in [
        ("labels", "Pictures by label"),
        ("look-alikes", "Look-alikes"),
        ("figures", "Figures"),
        ("refused", "Refused"),
    ] {
        let _ = writeln!(html, "<li><a href=\"#{id}\">{name}</a></li>");
    }
    html + "</ul></nav>\n<main class=\"page\">\n"
}

/// Begins the contact sheets, of which so many labels are shown.
pub(super) fn open_labels(labels: usize, shown: usize) -> String {
    let note = match labels {
        0 => "The dataset has kept no picture.".to_owned(),
        _ if shown < labels => format!(
            "Some pictures of each of the {shown} labels that have most, of {}, by chance. The first label of a \
             picture counts.",
            grouped(labels as i64)
        ),
        _ => "Some pictures of each label, by chance. The first label of a picture counts.".to_owned(),
    };
    open("labels", "Pictures by label", &note)
}

/// The labels that are shown, with how many pictures each has.
pub(super) fn index(labels: &[(&str, i64)]) -> String {
    let mut html = "<nav aria-label=\"Labels\"><ul class=\"index\">\n".to_owned();
    for (number, (label, images)) in labels.iter().enumerate() {
        let (label, images) = (named(label), grouped(*images));
        let _ = writeln!(html, "<li><a href=\"#label-{number}\">{label}</a> <span>{images}</span></li>");
    }
    html + "</ul></nav>\n"
}

/// Begins the contact sheet of a label.
pub(super) fn open_label(number: usize, label: &str, images: i64, shown: usize) -> String {
    let of = if shown as i64 == images { String::new() } else { format!("{shown} of ") };
    format!(
        "<div class=\"label\" id=\"label-{number}\">\n<h3>{}<small>{of}{}</small></h3>\n<ul class=\"sheet\">\n",
        named(label),
        counted(images, "picture"),
    )
}

/// Begins the groups of pictures that look alike, of which so many are shown; ends the contact sheets.
pub(super) fn open_groups(groups: i64, shown: usize) -> String {
    let note = if groups == 0 {
        "No picture that was found looks like a kept one in another size, quality, format or border."
            .to_owned()
    } else {
        let which = if (shown as i64) < groups {
            format!(" The {shown} with most are shown, of {}.", grouped(groups))
        } else {
            String::new()
        };
        format!(
            "{} looked like others, which were not kept beside {}: the same in another size, quality, format or \
             border.{which} Of those that were not kept the bytes need not be stored any more.",
            counted(groups, "kept picture"),
            if groups == 1 { "it" } else { "them" },
        )
    };
    format!("</section>\n{}", open("look-alikes", "Look-alikes", &note))
}

/// Begins a group.
pub(super) fn open_group(label: &str, others: i64) -> String {
    format!(
        "<div class=\"group\">\n<h3>{}<small>{} like it</small></h3>\n<ul class=\"sheet\">\n",
        named(label),
        counted(others, "picture"),
    )
}

/// Ends a group, of which so many are not shown.
pub(super) fn close_group(hidden: i64) -> String {
    let more = match hidden {
        ..=0 => String::new(),
        _ => format!("<p class=\"more\">and {} more</p>\n", grouped(hidden)),
    };
    format!("</ul>\n{more}</div>\n")
}

/// The histograms and the tables of names; ends the groups.
pub(super) fn figures(histograms: &[Histogram], tables: &[(&str, Vec<Bar>)]) -> String {
    let mut html = format!(
        "</section>\n{}<div class=\"cards\">\n",
        open("figures", "Figures", "Of the pictures that were kept. The bounds of columns are below them.")
    );
    for (number, histogram) in histograms.iter().enumerate() {
        html += &histogram.html(number);
    }
    for (title, bars) in tables.iter().filter(|(_, bars)| !bars.is_empty()) {
        let _ = writeln!(html, "<div class=\"card\">\n{}</div>", table(title, bars, ""));
    }
    html + "</div>\n"
}

/// What was refused, by code; ends the figures.
pub(super) fn refusals(bars: &[Bar], refused: i64) -> String {
    let note = match refused {
        0 => "Nothing that was found was refused.".to_owned(),
        _ => {
            format!("{} that sources named and that could not be kept, by why.", counted(refused, "picture"))
        }
    };
    let mut html = format!("</section>\n{}", open("refused", "Refused", &note));
    if !bars.is_empty() {
        html += &format!("<div class=\"card\">\n{}</div>\n", table("By code", bars, " class=\"codes\""));
    }
    html + "</section>\n"
}

fn open(id: &str, title: &str, note: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n<p class=\"note\">{note}</p>\n"
    )
}

/// A table of names with bars.
fn table(title: &str, bars: &[Bar], class: &str) -> String {
    let most = bars.iter().map(|bar| bar.images).max().unwrap_or_default().max(1);
    let mut html = format!("<table{class}>\n<caption>{title}</caption>\n<tbody>\n");
    for Bar { name, meaning, images, is_rest } in bars {
        // Something is to be seen of the least, too.
        let wide = (100.0 * *images as f64 / most as f64).max(0.6);
        let rest = if *is_rest { " rest" } else { "" };
        let name = match meaning {
            Some(meaning) => format!(
                "<code>{}</code> <span class=\"meaning\">{}</span>",
                short(name),
                text(&meaning.replace('`', ""))
            ),
            None => format!("<bdi>{}</bdi>", short(name)),
        };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{name}<svg class=\"meter\" viewBox=\"0 0 100 5\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"5\"/><rect class=\"bar{rest}\" \
             width=\"{wide:.2}\" height=\"5\"/></svg></th><td class=\"count\">{}</td></tr>",
            grouped(*images),
        );
    }
    html + "</tbody>\n</table>\n"
}

impl Histogram {
    fn html(&self, number: usize) -> String {
        let Self { title, meaning, unit, bins, counts } = self;
        let most = counts.iter().copied().max().unwrap_or_default().max(1);
        let step = WIDTH / bins.len().max(1) as f64;
        let (mut said, mut columns) = (Vec::new(), String::new());
        for (at, ((from, below), images)) in statistics::ranges(bins).zip(counts).enumerate() {
            let left = at as f64 * step;
            let _ = writeln!(
                columns,
                "<text x=\"{x:.1}\" y=\"130\">{}</text>",
                unit(from),
                // The first is not cut off at the side.
                x = if at == 0 { 7.0 } else { left },
            );
            if *images == 0 {
                continue;
            }
            let range = match below {
                Some(below) => format!("{} to {}", unit(from), unit(below)),
                None => format!("from {}", unit(from)),
            };
            said.push(format!("{range}: {}", grouped(*images)));
            let high = (TALLEST * *images as f64 / most as f64).max(1.5);
            let (top, wide) = (FLOOR - high, step - 3.0);
            let _ = writeln!(
                columns,
                "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" rx=\"1.5\"><title>{range}: \
                 {}</title></rect>\n<text class=\"count\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left + 1.5,
                counted(*images, "picture"),
                left + step / 2.0,
                top - 4.0,
                brief(*images),
            );
        }
        let said = if said.is_empty() { "nothing is known".to_owned() } else { said.join("; ") };
        format!(
            "<div class=\"card\">\n<h3>{title}</h3>\n<p class=\"meaning\">{meaning}</p>\n<svg class=\"chart\" \
             viewBox=\"0 0 320 136\" role=\"img\" aria-labelledby=\"chart-{number}\">\n<title id=\"chart-{number}\">\
             {title}, {meaning}. Pictures: {said}.</title>\n<line x1=\"0\" y1=\"{FLOOR}\" x2=\"320\" y2=\"{FLOOR}\"/>\n\
             {columns}</svg>\n</div>\n"
        )
    }
}

impl Tile<'_> {
    pub(super) fn html(&self) -> String {
        let Self { row, copy, state } = self;
        let size = match (row.width, row.height) {
            (Some(width), Some(height)) => format!("{width} × {height}"),
            _ => "size not known".to_owned(),
        };
        let title = row.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
        let picture = match copy {
            Ok(address) => {
                let label = if row.label.is_empty() { "no label" } else { &row.label };
                let alt = title.map_or_else(|| format!("{}, {size}", short(label)), short);
                format!("<img src=\"{address}\" alt=\"{alt}\" loading=\"lazy\" decoding=\"async\">")
            }
            Err(why) => (*why).to_owned(),
        };
        let class = if copy.is_ok() { "picture" } else { "picture gone" };
        // The page that shows it, or else itself.
        let page = [row.page_url.as_deref(), Some(&*row.url)];
        let picture = match page.into_iter().flatten().find(|url| is_web(url)) {
            Some(url) => format!(
                "<a class=\"{class}\" href=\"{}\" rel=\"noreferrer noopener\">{picture}</a>",
                text(url)
            ),
            None => format!("<span class=\"{class}\">{picture}</span>"),
        };
        let mut caption = String::new();
        if let Some(title) = title {
            let _ = write!(caption, "<span class=\"name\"><bdi>{}</bdi></span> ", short(title));
        }
        let mark = match state {
            &"" => String::new(),
            state => format!("<span class=\"mark {}\">{state}</span> ", state.replace(' ', "-")),
        };
        let _ = write!(caption, "<span class=\"meta\">{mark}{size}</span>");
        for said in [row.license.as_deref(), row.source.as_deref()].into_iter().flatten() {
            let _ = write!(caption, " <span class=\"meta\"><bdi>{}</bdi></span>", short(said));
        }
        if copy.is_err() {
            // Where it was to be had.
            let _ = write!(caption, " <span class=\"address\"><bdi>{}</bdi></span>", short(&row.url));
        }
        format!("<li><figure class=\"tile\">{picture}<figcaption>{caption}</figcaption></figure></li>\n")
    }
}

/// Whether a link may lead there: what else there is may do something.
fn is_web(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

fn named(label: &str) -> String {
    if label.is_empty() { "<em>no label</em>".to_owned() } else { format!("<bdi>{}</bdi>", short(label)) }
}

/// Text that means nothing else in HTML, between tags or in quotes.
fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            // What HTML has no place for.
            letter if letter.is_control() || u32::from(letter) & 0xfffe == 0xfffe => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

/// The beginning of a long text.
fn short(of: &str) -> String {
    match of.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text(&of[..end])),
        None => text(of),
    }
}

/// A number with narrow spaces between thousands.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn counted(number: i64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number where there is little place.
fn brief(number: i64) -> String {
    match number {
        ..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", number / 1000),
        _ => format!("{:.1}M", number as f64 / 1e6),
    }
}

/// A number as it is.
pub(super) fn number(of: f64) -> String {
    of.to_string()
}

/// A number of bytes.
pub(super) fn bytes(of: f64) -> String {
    let mut of = of;
    for unit in ["B", "KiB", "MiB"] {
        if of < 1024.0 {
            return format!("{} {unit}", rounded(of));
        }
        of /= 1024.0;
    }
    format!("{} GiB", rounded(of))
}

/// With one digit behind the point, where that says something.
fn rounded(of: f64) -> String {
    if of < 10.0 && of.fract() > 0.05 { format!("{of:.1}") } else { format!("{of:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(title: &str, url: &str) -> PictureRow {
        PictureRow {
            sha256: None,
            format: None,
            width: Some(4),
            height: Some(3),
            size: None,
            label: "cat".to_owned(),
            title: Some(title.to_owned()),
            license: None,
            source: None,
            url: url.to_owned(),
            page_url: Some("javascript:alert(1)".to_owned()),
        }
    }

    #[test]
    fn what_others_wrote_is_text() {
        let hostile = "\"><script>alert('x')</script>&\u{0}\u{ffff}";
        let safe = "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;  ";
        let row = row(hostile, "HTTPS://x.example/?a=\"><b>&c");
        let html = Tile { row: &row, copy: Ok("data:image/png;base64,AA=="), state: "" }.html();
        assert!(html.contains(&format!("alt=\"{safe}\"")), "{html}");
        assert!(html.contains("href=\"HTTPS://x.example/?a=&quot;&gt;&lt;b&gt;&amp;c\""), "{html}");
        assert!(!html.contains("<script") && !html.contains("javascript:"), "{html}");
        let facts = ExportFacts {
            name: hostile.to_owned(),
            description: Some(hostile.to_owned()),
            keywords: vec![hostile.to_owned()],
            ..ExportFacts::default()
        };
        let html = head(DatasetId(1), &facts, &[]);
        assert!(html.matches("&lt;script&gt;").count() == 4 && !html.contains("<script"), "{html}");
        // A link to what is no page is none.
        let ftp = PictureRow { url: "ftp://x.example".to_owned(), ..row };
        let html = Tile { row: &ftp, copy: Err("not stored any more"), state: "not kept" }.html();
        assert!(
            !html.contains("href") && html.contains("ftp://x.example") && html.contains("mark not-kept"),
            "{html}"
        );
        assert_eq!(short(&"é".repeat(200)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            [1, 999, 1000, 1_234_567].map(grouped),
            ["1", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
        assert_eq!([9_999, 12_345, 3_400_000].map(brief), ["9999", "12k", "3.4M"]);
        assert_eq!(
            [0.0, 16_384.0, 1_600.0, 5e6, 3e12].map(bytes),
            ["0 B", "16 KiB", "1.6 KiB", "4.8 MiB", "2794 GiB"]
        );
    }

    #[test]
    fn a_histogram_says_what_it_shows() {
        let counts = vec![0, 30, 1];
        let histogram =
            Histogram { title: "Width", meaning: "pixels", unit: number, bins: &[0.0, 128.0, 0.5], counts };
        let html = histogram.html(3);
        assert!(html.contains("Width, pixels. Pictures: 128 to 0.5: 30; from 0.5: 1."), "{html}");
        assert_eq!(html.matches("<rect ").count(), 2);
    }
}
