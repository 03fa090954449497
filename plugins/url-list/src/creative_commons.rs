//! Names of Creative Commons licences, taken to their parts.

use pixcrawler_sdk::License;

/// What a name says.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The parts of the id, each once.
    pub(crate) parts: Vec<&'static str>,
    pub(crate) versions: Vec<String>,
    /// Whether there is a word that means nothing here, or one that alone means too little.
    is_unclear: bool,
}

/// Words that are looked at; no name has more.
const MOST_WORDS: usize = 40;

impl Reading {
    /// Reads words in lower case.
    #[must_use]
    pub(crate) fn of(words: &[&str]) -> Self {
        // Not only Creative Commons asks for attribution.
        let is_unclear = words.len() > MOST_WORDS || words == ["attribution"];
        let mut reading = Self { is_unclear, ..Self::default() };
        let mut words = &words[..words.len().min(MOST_WORDS)];
        let mut is_ported = false;
        while let [word, rest @ ..] = words {
            let known = PARTS.iter().find_map(|(phrase, part)| {
                let rest = phrase.split(' ').try_fold(words, |rest, word| rest.strip_prefix(&[word]))?;
                Some((rest, *part))
            });
            let was_ported = std::mem::replace(&mut is_ported, false);
            words = rest;
            if let Some((rest, part)) = known {
                words = rest;
                if !part.is_empty() && !reading.parts.contains(&part) {
                    reading.parts.push(part);
                }
            } else if word.starts_with(|c: char| c.is_ascii_digit()) {
                let version = if word.len() == 1 { format!("{word}.0") } else { (*word).to_owned() };
                is_ported = version != "4.0";
                if !reading.versions.contains(&version) {
                    reading.versions.push(version);
                }
            } else if *word != "version" && !(was_ported && COUNTRIES.split(' ').any(|code| code == *word)) {
                reading.is_unclear = true;
            }
        }
        reading
    }

    /// The id, where every word is understood and they do not contradict each other.
    #[must_use]
    pub(crate) fn id(mut self) -> Option<String> {
        if self.is_unclear || self.versions.len() > 1 {
            return None;
        }
        self.parts.sort_unstable();
        // CC0 is a dedication to the public domain, and says so.
        let code = if self.parts == ["cc0", "pdm"] { "cc0".to_owned() } else { self.parts.join("-") };
        let id = License::creative_commons_id(&code, self.versions.first().map(String::as_str));
        Some(id).filter(|id| id != "unknown")
    }
}

/// What the names of Creative Commons are made of, with what each part means: nothing more, or a
/// part of the id. What begins with another comes before it.
const PARTS: [(&str, &str); 38] = [
    ("creative commons zero", "cc0"),
    ("creative commons", ""),
    ("creativecommons", ""),
    ("cc zero", "cc0"),
    ("cc", ""),
    ("attribution", "by"),
    ("by", "by"),
    ("non commercial", "nc"),
    ("noncommercial", "nc"),
    ("nc", "nc"),
    ("no derivative works", "nd"),
    ("no derivatives", "nd"),
    ("no derivs", "nd"),
    ("noderivative works", "nd"),
    ("noderivativeworks", "nd"),
    ("noderivatives", "nd"),
    ("noderivs", "nd"),
    ("nd", "nd"),
    ("share alike", "sa"),
    ("sharealike", "sa"),
    ("sa", "sa"),
    ("cc0", "cc0"),
    ("in the public domain", "pdm"),
    ("public domain dedication", "pdm"),
    ("public domain mark", "pdm"),
    ("public domain", "pdm"),
    ("publicdomain", "pdm"),
    ("pdm", "pdm"),
    ("pd", "pdm"),
    ("public licence", ""),
    ("public license", ""),
    ("licensed under", ""),
    ("licence", ""),
    ("license", ""),
    ("generic", ""),
    ("international", ""),
    ("universal", ""),
    ("unported", ""),
];

/// The countries for which versions before 4.0 were written anew; the ids leave them out.
const COUNTRIES: &str = "ar at au be bg br ca ch cl cn co cr cz de dk ec ee eg es fi fr ge gr gt hk hr hu ie igo il in \
    it jp kr lu mk mt mx my nl no nz pe ph pl pr pt ro rs scotland se sg si th tw ug uk us ve vn za";
