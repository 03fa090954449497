//! Pictures in style sheets, read as browsers do (CSS Syntax 3) as far as that needs it.

/// The addresses in a value: of every `url(…)`, of an `image-set` that for the finest screens.
pub(super) fn addresses(value: &str) -> Vec<String> {
    read(value, true)
}

/// Those of the backgrounds that a style, or a whole sheet, declares.
pub(super) fn backgrounds(style: &str) -> Vec<String> {
    read(style, false)
}

/// Those of a whole style sheet that are photographs by their name (JPEG, WebP): the others are
/// arrows, spinners and textures.
pub(super) fn photographs(sheet: &str) -> Vec<String> {
    let mut found = backgrounds(sheet);
    found.retain(|address| {
        let kind = super::address::extension(address).to_ascii_lowercase();
        matches!(kind.as_str(), "jpg" | "jpeg" | "webp")
    });
    found
}

/// Addresses of a style; what has more wants to cost memory.
const MOST: usize = 10_000;

fn read(style: &str, is_value: bool) -> Vec<String> {
    let mut rest = Rest(style);
    // With the density of screens that each is for.
    let mut found: Vec<(f32, String)> = Vec::new();
    // Of the open declaration: its name, whether that is over, whether it is a background's, whether all of
    // it can be read, and where its addresses begin.
    let mut name = String::new();
    let (mut is_named, mut is_background, mut is_broken, mut from) = (is_value, is_value, false, 0);
    let mut depth = 0_usize;
    // How deep the open `url("` and `image-set(` are, and where the addresses of the set begin.
    let mut url = None;
    let mut set: Option<(usize, usize)> = None;
    loop {
        let token = rest.token();
        let ends = token == Token::End;
        if let Some((at, first)) = set
            && (ends || token == Token::Mark(')') && at == depth)
        {
            let finest = found.drain(first..).reduce(|one, next| if next.0 < one.0 { one } else { next });
            found.extend(finest);
            set = None;
        }
        match token {
            Token::Name(word) if !is_named => name = word,
            Token::Mark(':') if !is_named => {
                is_named = true;
                let is = |known| name.eq_ignore_ascii_case(known);
                is_background = is("background") || is("background-image") || name.starts_with("--");
            }
            Token::Function(word) => {
                depth += 1;
                if word.eq_ignore_ascii_case("url") {
                    url = Some(depth);
                } else if set.is_none() && word.to_ascii_lowercase().ends_with("image-set") {
                    set = Some((depth, found.len()));
                }
            }
            Token::Url(address) if found.len() < MOST => found.push((1.0, address)),
            Token::Text(text)
                if found.len() < MOST && (url == Some(depth) || set.is_some_and(|(at, _)| at == depth)) =>
            {
                found.push((1.0, text));
            }
            Token::Number(number) => {
                if let Some((said, _)) = found.last_mut() {
                    *said = density(number);
                }
            }
            Token::Broken => is_broken = true,
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => {
                url = url.filter(|at| *at != depth);
                depth = depth.saturating_sub(1);
            }
            Token::Mark(';' | '{' | '}') | Token::End if depth == 0 || ends => {
                // What stands in front of `{` only selects.
                if !is_background || is_broken || token == Token::Mark('{') {
                    found.truncate(from);
                }
                if ends {
                    return found.into_iter().map(|(_, address)| address).collect();
                }
                from = found.len();
                (is_named, is_background, is_broken) = (false, false, false);
            }
            _ => {}
        }
    }
}

/// Pixels of a screen for one of the style, in `2x`, `2dppx`, `192dpi`, `75dpcm`; 1 for all else.
fn density(number: &str) -> f32 {
    let unit = number.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(number.len());
    let each = match number[unit..].to_ascii_lowercase().as_str() {
        "x" | "dppx" => 1.0,
        "dpi" => 1.0 / 96.0,
        "dpcm" => 2.54 / 96.0,
        _ => return 1.0,
    };
    super::picture::decimal(&number[..unit]).map_or(1.0, |number| number * each)
}

#[derive(Debug, PartialEq)]
enum Token<'a> {
    Name(String),
    /// A name with its `(`.
    Function(String),
    /// What stands in quotes.
    Text(String),
    /// The address in a `url(…)` without quotes.
    Url(String),
    /// With its unit.
    Number(&'a str),
    Mark(char),
    /// What makes a declaration void.
    Broken,
    End,
}

/// What is left of a style.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn token(&mut self) -> Token<'a> {
        while let Some(comment) = self.0.strip_prefix("/*") {
            self.0 = comment.split_once("*/").map_or("", |(_, rest)| rest);
        }
        let before = self.0;
        match self.next() {
            None => Token::End,
            Some(quote @ ('"' | '\'')) => self.text(quote).map_or(Token::Broken, Token::Text),
            Some(c) if c.is_ascii_digit() || c == '.' => {
                let end = self.0.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
                let end = before.len() - self.0.len() + end.unwrap_or(self.0.len());
                self.0 = &before[end..];
                Token::Number(&before[..end])
            }
            Some(c) if is_of_name(c) => {
                self.0 = before;
                self.name()
            }
            Some(c) => Token::Mark(c),
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let next = chars.next();
        self.0 = chars.as_str();
        next
    }

    fn name(&mut self) -> Token<'a> {
        let mut name = String::new();
        while self.0.starts_with(is_of_name) {
            self.one(&mut name);
        }
        let Some(rest) = self.0.strip_prefix('(') else { return Token::Name(name) };
        self.0 = rest;
        let inside = rest.trim_start();
        if !name.eq_ignore_ascii_case("url") || inside.starts_with(['"', '\'']) {
            return Token::Function(name);
        }
        self.0 = inside;
        self.url().map_or(Token::Broken, Token::Url)
    }

    /// The address up to `)`; none where it holds what has to be escaped.
    fn url(&mut self) -> Option<String> {
        let mut address = String::new();
        let (mut is_over, mut is_whole) = (false, true);
        while let Some(c) = self.0.chars().next().filter(|c| *c != ')') {
            is_over |= c.is_ascii_whitespace();
            is_whole &= !matches!(c, '"' | '\'' | '(') && (!is_over || c.is_ascii_whitespace());
            self.one(&mut address);
        }
        self.next();
        address.truncate(address.trim_end().len());
        is_whole.then_some(address)
    }

    /// The text up to its closing quote; none where the line ends before.
    fn text(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.0.chars().next() {
                Some('\n') => return None,
                Some(c) if c != quote => self.one(&mut text),
                _ => break,
            }
        }
        self.next();
        Some(text)
    }

    /// Adds the next character, or what an escape means.
    fn one(&mut self, to: &mut String) {
        let Some(c) = self.next().filter(|c| *c != '\\') else {
            let digits = self.0.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
            let (code, rest) = self.0.split_at(digits);
            if digits > 0 {
                let code = u32::from_str_radix(code, 16).ok().filter(|code| *code != 0);
                to.push(code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                self.0 = rest.strip_prefix(|c: char| c.is_ascii_whitespace()).unwrap_or(rest);
            } else {
                to.extend(self.next().filter(|c| *c != '\n'));
            }
            return;
        };
        to.push(c);
    }
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '\\') || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn backgrounds_are_found() {
        for (style, expect) in [
            ("", &[][..]),
            ("background-image:url('/a.jpg');height:300px", &["/a.jpg"]),
            ("background: #eee URL( \"/b.jpg\" ) center/cover", &["/b.jpg"]),
            (
                "BACKGROUND-IMAGE : linear-gradient(#0008,#0008), url(\n/c.jpg?w=1 )!important",
                &["/c.jpg?w=1"],
            ),
            (
                "background:url(data:image/gif;base64,R0) , url(/d.jpg)",
                &["data:image/gif;base64,R0", "/d.jpg"],
            ),
            ("--image: url(/e.jpg)", &["/e.jpg"]),
            ("cursor: url(/f.png); list-style: url(/g.png);filter:url(#h)", &[]),
            ("background: url(/never", &["/never"]),
            ("background: url('/never", &["/never"]),
            // Quotes, escapes and comments.
            ("background:url('/a;b=1).jpg');color:red", &["/a;b=1).jpg"]),
            ("background:url(\"/it's.jpg\"), url('a\"b')", &["/it's.jpg", "a\"b"]),
            (r"background:url(/a\20 b.jpg)", &["/a b.jpg"]),
            (r"background:url(/a\000020b\'c\)\1F98A\0\110000.jpg)", &["/a b'c)🦊\u{fffd}\u{fffd}.jpg"]),
            (
                r#"background:url("/a\"\41\
b.jpg")"#,
                &["/a\"Ab.jpg"],
            ),
            (r"b\61 ckground:u\72l(a.jpg)", &["a.jpg"]),
            ("color:red;/* url(/no.jpg); */background/**/:/*;*/url(/*a.jpg)", &["/*a.jpg"]),
            ("/* background:url(/no.jpg)", &[]),
            ("content:'background:url(a.jpg)';content:\"}\";background:url(b.jpg)", &["b.jpg"]),
            ("x:(;background:url(a.jpg));background:url(b.jpg)", &["b.jpg"]),
            // What browsers drop.
            ("background:url(a b.jpg)", &[]),
            ("background:url(a'b.jpg)", &[]),
            ("background:url(a(b).jpg);background:url(c.jpg)", &["c.jpg"]),
            ("background:url('a\nb.jpg')", &[]),
            // Of the copies of a set the finest.
            ("background-image: image-set(url(/h.jpg) 1x, url(/i.jpg) 2x)", &["/i.jpg"]),
            ("background:-webkit-image-set('h.jpg' 2x, \"i.jpg\" 1.5x), url(j.jpg)", &["h.jpg", "j.jpg"]),
            ("background:image-set('h.jpg' 96dpi, 'i.jpg' 192dpi,'j.jpg' 1dppx)", &["i.jpg"]),
            ("background:image-set('h.avif' type('image/avif'), 'i.jpg' type('image/jpeg'))", &["i.jpg"]),
            ("background:cross-fade(url(a.jpg), url(b.jpg))", &["a.jpg", "b.jpg"]),
        ] {
            assert_eq!(backgrounds(style), expect, "{style}");
        }
    }

    #[test]
    fn sheets_have_photographs_too() {
        let sheet = ".a{background:url(/a.jpg)} @media print { .b:hover { color:red;background-image: url(b.webp)}} \
            .c{background:url(spinner.gif)} @font-face{src:url(d.jpg)} @import 'e.jpg'; .f{content:'}';background:url('f.jpg')}\
            .g[background='x']{color:red} /* .h{background:url(h.jpg)} */ @import url(i.jpg); .j{background:url(j.jpg";
        assert_eq!(photographs(sheet), ["/a.jpg", "b.webp", "f.jpg", "j.jpg"]);
    }

    #[test]
    fn long_sheets_take_as_long_as_they_are() {
        for piece in
            ["/*", "url(", "url('", "(", "\\", "'", "a{", "background:url(a", "image-set(", "\\\n", "1e", "/"]
        {
            let sheet = piece.repeat((1 << 20) / piece.len());
            assert!(backgrounds(&sheet).len() <= sheet.len(), "{piece}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_style(style in "(background:|url\\(|image-set\\(|/\\*|\\*/|\\\\|'|\"|;|\\)|\\{|\\}|-| |2x|41|a|\\n|\\PC){0,40}") {
            for address in backgrounds(&style).into_iter().chain(addresses(&style)) {
                prop_assert!(address.len() <= 3 * style.len());
            }
        }
    }
}
