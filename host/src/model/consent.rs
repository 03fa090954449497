//! What the owner of a picture says of its use by machines, where that was read, and what a job makes of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Origin, Url};

use super::{Refusal, Rejection};

/// Longest text of a signal, in characters; what is longer is cut.
const LONGEST_VALUE: usize = 200;
/// Signals of one picture that are in one vocabulary, were read in one kind of place and mean the same; the rest is
/// left out.
const MOST_OF_A_KIND: usize = 8;

/// What a job makes of the signals that are read of a picture. All are recorded in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentPolicy {
    /// Nothing is refused for what is said.
    Record,
    /// What is reserved is refused.
    #[default]
    Respect,
    /// What is reserved is refused, and what is said to be made by a generative model.
    Strict,
}

impl ConsentPolicy {
    /// Every policy, the most permissive first.
    pub const ALL: [Self; 3] = [Self::Record, Self::Respect, Self::Strict];

    /// As in job rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Respect => "respect",
            Self::Strict => "strict",
        }
    }

    /// The policy of this name, in any case.
    ///
    /// # Errors
    /// What it must be, in words that follow the name.
    pub fn understood(name: &str) -> Result<Self, String> {
        let name = name.trim();
        let policy = Self::ALL.into_iter().find(|policy| policy.name().eq_ignore_ascii_case(name));
        policy.ok_or_else(|| format!("must be one of: {}", Self::ALL.map(Self::name).join(", ")))
    }

    /// Whether a picture of which this is said may be kept. One reservation is enough; what something else
    /// allows does not outweigh it, unless its own specification says so.
    ///
    /// # Errors
    /// `opt-out` or `ai-generated`, with the signal in words.
    pub fn check(self, signals: &[ConsentSignal]) -> Result<(), Rejection> {
        let refused = |meaning| signals.iter().find(|signal| signal.counts_as(meaning, signals));
        let reserved = refused(ConsentMeaning::Reserved).filter(|_| self != Self::Record);
        if let Some(signal) = reserved {
            return Err(Rejection::new(Refusal::OptOut, signal.to_string()));
        }
        match refused(ConsentMeaning::Generated).filter(|_| self == Self::Strict) {
            Some(signal) => Err(Rejection::new(Refusal::AiGenerated, signal.to_string())),
            None => Ok(()),
        }
    }

    /// Whether it is what a job has that says nothing. Serde calls it with a reference.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing that is said, as it is recorded with the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentSignal {
    /// In which vocabulary.
    pub signal: ConsentVocabulary,
    /// Where it was read.
    pub place: ConsentPlace,
    /// The address of that file or page, and where the picture came from for what its header says; none for what is
    /// within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// As it is written there, at most 200 characters.
    pub value: String,
    /// What it says.
    pub meaning: ConsentMeaning,
    /// Address of the terms under which what is reserved may be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// The vocabularies that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentVocabulary {
    /// `noai` and `noimageai`, directives for robots.
    Noai,
    /// `Content-Usage`, AI preferences of the IETF.
    ContentUsage,
    /// `Content-Signal` in robots.txt, by Cloudflare.
    ContentSignal,
    /// `tdm-reservation`, the TDM Reservation Protocol.
    TdmReservation,
    /// `plus:DataMining`, of PLUS and IPTC.
    DataMining,
    /// `Iptc4xmpExt:DigitalSourceType`, of IPTC.
    DigitalSourceType,
    /// Content Credentials: a C2PA manifest.
    C2pa,
    /// An XMP packet that cannot be read.
    Xmp,
}

impl ConsentVocabulary {
    /// As in the API and in datasets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noai => "noai",
            Self::ContentUsage => "content-usage",
            Self::ContentSignal => "content-signal",
            Self::TdmReservation => "tdm-reservation",
            Self::DataMining => "data-mining",
            Self::DigitalSourceType => "digital-source-type",
            Self::C2pa => "c2pa",
            Self::Xmp => "xmp",
        }
    }
}

/// Where signals are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentPlace {
    /// robots.txt of the picture's origin, or of one that leads to it.
    RobotsTxt,
    /// `/.well-known/tdmrep.json` of the same.
    TdmrepJson,
    /// The header of the answer with the picture.
    Header,
    /// The file itself.
    File,
    /// The header of the answer with the page, or list, that names the picture.
    PageHeader,
    /// A `meta` element of that page.
    PageMeta,
}

impl ConsentPlace {
    /// As in the API and in datasets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RobotsTxt => "robots-txt",
            Self::TdmrepJson => "tdmrep-json",
            Self::Header => "header",
            Self::File => "file",
            Self::PageHeader => "page-header",
            Self::PageMeta => "page-meta",
        }
    }
}

/// What a signal says of training and of text and data mining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentMeaning {
    /// They are reserved.
    Reserved,
    /// They are allowed.
    Allowed,
    /// The picture was made by a generative model, or partly.
    Generated,
    /// Neither.
    Noted,
    /// It breaks its own specification, and says nothing by that.
    Unreadable,
}

impl ConsentMeaning {
    /// As in the API and in datasets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Allowed => "allowed",
            Self::Generated => "generated",
            Self::Noted => "noted",
            Self::Unreadable => "unreadable",
        }
    }
}

impl ConsentSignal {
    /// What was read at `place`, whose address is `url` where it is not within the picture.
    #[must_use]
    pub fn new(
        signal: ConsentVocabulary,
        place: ConsentPlace,
        url: Option<&str>,
        value: &str,
        meaning: ConsentMeaning,
    ) -> Self {
        // Databases take no zero in a text.
        let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let value = value.trim().chars().take(LONGEST_VALUE).map(visible).collect();
        Self { signal, place, url: url.map(str::to_owned), value, meaning, policy: None }
    }

    /// As datasets have it, on one line: meaning, vocabulary, place and value with a space between, such as
    /// `reserved tdm-reservation header 1`. Only the value may have spaces, or be empty.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { signal, place, value, meaning, .. } = self;
        format!("{} {} {} {value}", meaning.name(), signal.name(), place.name())
    }

    /// The same of all that is said of a picture, sorted and each once: it depends neither on what was read first
    /// nor on how often.
    #[must_use]
    pub fn texts(signals: &[Self]) -> Vec<String> {
        let mut texts: Vec<String> = signals.iter().map(Self::text).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// Whether this is what it comes to.
    fn counts_as(&self, meaning: ConsentMeaning, all: &[Self]) -> bool {
        self.meaning == meaning && !all.iter().any(|other| other.allows_in_spite_of(self))
    }

    /// By the TDM Reservation Protocol the header outweighs the file of its own site, and in a page its `meta`
    /// element the header. What another site or another page says is about something else.
    fn allows_in_spite_of(&self, other: &Self) -> bool {
        let is_of_the_protocol = |signal: &Self| signal.signal == ConsentVocabulary::TdmReservation;
        self.meaning == ConsentMeaning::Allowed
            && is_of_the_protocol(self)
            && is_of_the_protocol(other)
            && match (self.place, other.place) {
                (ConsentPlace::Header, ConsentPlace::TdmrepJson) => {
                    self.origin().is_some_and(|origin| other.origin() == Some(origin))
                }
                (ConsentPlace::PageMeta, ConsentPlace::PageHeader) => self.url == other.url,
                _ => false,
            }
    }

    fn origin(&self) -> Option<Origin> {
        Url::parse(self.url.as_deref()?).ok().map(|url| url.origin())
    }

    /// What stands before the value where it was read.
    const fn name(&self) -> &'static str {
        match (self.signal, self.place) {
            (ConsentVocabulary::Noai, ConsentPlace::PageMeta) => "meta robots",
            (ConsentVocabulary::Noai, _) => "X-Robots-Tag",
            (ConsentVocabulary::ContentUsage, _) => "Content-Usage",
            (ConsentVocabulary::ContentSignal, _) => "Content-Signal",
            (ConsentVocabulary::TdmReservation, _) => "tdm-reservation",
            (ConsentVocabulary::DataMining, _) => "plus:DataMining",
            (ConsentVocabulary::DigitalSourceType, _) => "Iptc4xmpExt:DigitalSourceType",
            (ConsentVocabulary::C2pa, _) => "C2PA",
            (ConsentVocabulary::Xmp, _) => "XMP",
        }
    }
}

/// The signal and where it was read, in words.
impl fmt::Display for ConsentSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.as_deref().unwrap_or_default();
        match self.place {
            ConsentPlace::RobotsTxt | ConsentPlace::TdmrepJson => f.write_str(url)?,
            ConsentPlace::Header => f.write_str("the header of the picture")?,
            ConsentPlace::File => f.write_str("the file of the picture")?,
            ConsentPlace::PageHeader => write!(f, "the header of its page {url}")?,
            ConsentPlace::PageMeta => write!(f, "its page {url}")?,
        }
        write!(f, " says `{}: {}`", self.name(), self.value)
    }
}

/// Adds what is not among them, up to a bound for each kind: nothing that may refuse a picture, or keep it, is left out
/// for what something else says very often.
pub fn add_signals(signals: &mut Vec<ConsentSignal>, more: impl IntoIterator<Item = ConsentSignal>) {
    let kind = |signal: &ConsentSignal| (signal.signal, signal.place, signal.meaning);
    for signal in more {
        let of_its_kind = signals.iter().filter(|other| kind(other) == kind(&signal)).count();
        if of_its_kind < MOST_OF_A_KIND && !signals.contains(&signal) {
            signals.push(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tdm(place: ConsentPlace, meaning: ConsentMeaning) -> ConsentSignal {
        let value = if meaning == ConsentMeaning::Reserved { "1" } else { "0" };
        ConsentSignal::new(ConsentVocabulary::TdmReservation, place, Some("https://a.test/x"), value, meaning)
    }

    #[test]
    fn what_each_policy_refuses() {
        let signal = |vocabulary, value, meaning| {
            ConsentSignal::new(vocabulary, ConsentPlace::File, None, value, meaning)
        };
        let reserved = signal(ConsentVocabulary::DataMining, "DMI-PROHIBITED", ConsentMeaning::Reserved);
        let generated = signal(
            ConsentVocabulary::DigitalSourceType,
            "trainedAlgorithmicMedia",
            ConsentMeaning::Generated,
        );
        let others = [ConsentMeaning::Allowed, ConsentMeaning::Noted, ConsentMeaning::Unreadable];
        let others = others.map(|meaning| signal(ConsentVocabulary::Xmp, "?", meaning));
        let refused = |policy: ConsentPolicy, signals: &[ConsentSignal]| {
            policy.check(signals).err().map(|rejection| rejection.reason)
        };
        for policy in ConsentPolicy::ALL {
            let respects = policy != ConsentPolicy::Record;
            let is_strict = policy == ConsentPolicy::Strict;
            assert_eq!(refused(policy, &others), None);
            let both = [others[0].clone(), generated.clone(), reserved.clone()];
            assert_eq!(refused(policy, &both), respects.then_some(Refusal::OptOut));
            let made = [generated.clone()];
            assert_eq!(refused(policy, &made), is_strict.then_some(Refusal::AiGenerated));
            assert_eq!(ConsentPolicy::understood(&policy.name().to_uppercase()), Ok(policy));
        }
        let must = ConsentPolicy::understood("ignore").unwrap_err();
        assert_eq!(must, "must be one of: record, respect, strict");
        let detail = ConsentPolicy::default().check(&[reserved]).unwrap_err().detail;
        assert_eq!(detail, "the file of the picture says `plus:DataMining: DMI-PROHIBITED`");
    }

    #[test]
    fn what_outweighs_what_by_the_tdm_reservation_protocol() {
        use ConsentMeaning::{Allowed, Reserved};
        use ConsentPlace::{Header, PageHeader, PageMeta, TdmrepJson};
        let check = |said: &[(ConsentPlace, ConsentMeaning)], is_reserved: bool| {
            let signals: Vec<_> = said.iter().map(|(place, meaning)| tdm(*place, *meaning)).collect();
            assert_eq!(ConsentPolicy::Respect.check(&signals).is_err(), is_reserved, "{said:?}");
        };
        check(&[(TdmrepJson, Reserved)], true);
        check(&[(TdmrepJson, Reserved), (Header, Allowed)], false);
        check(&[(TdmrepJson, Allowed), (Header, Reserved)], true);
        check(&[(PageHeader, Reserved), (PageMeta, Allowed)], false);
        check(&[(PageHeader, Allowed), (PageMeta, Reserved)], true);
        // A page and a picture each speak for themselves.
        check(&[(PageMeta, Reserved), (Header, Allowed)], true);
        // So do sites, of which one leads to another, and pages.
        let at = |signal: ConsentSignal, url: Option<&str>| ConsentSignal {
            url: url.map(str::to_owned),
            ..signal
        };
        for (one, other, url, is_reserved) in [
            (TdmrepJson, Header, Some("https://a.test:443/other?b"), false),
            (TdmrepJson, Header, Some("http://a.test/x"), true),
            (TdmrepJson, Header, Some("https://b.test/x"), true),
            (TdmrepJson, Header, Some("data:,"), true),
            (TdmrepJson, Header, None, true),
            (PageHeader, PageMeta, Some("https://a.test/x"), false),
            (PageHeader, PageMeta, Some("https://a.test/y"), true),
        ] {
            let signals = [tdm(one, Reserved), at(tdm(other, Allowed), url)];
            let refused = ConsentPolicy::Respect.check(&signals).is_err();
            assert_eq!(refused, is_reserved, "{one:?} {other:?} {url:?}");
        }
        let noai = ConsentSignal { signal: ConsentVocabulary::Noai, ..tdm(PageHeader, Reserved) };
        assert!(ConsentPolicy::Respect.check(&[noai, tdm(PageMeta, Allowed)]).is_err());
    }

    #[test]
    fn signals_are_texts_of_four_words() {
        use ConsentMeaning::{Allowed, Generated, Noted, Reserved, Unreadable};
        use ConsentPlace::{File, Header, PageHeader, PageMeta, RobotsTxt, TdmrepJson};
        use ConsentVocabulary::{
            C2pa, ContentSignal, ContentUsage, DataMining, DigitalSourceType, Noai, TdmReservation, Xmp,
        };
        // The words are those of the API.
        for vocabulary in
            [Noai, ContentUsage, ContentSignal, TdmReservation, DataMining, DigitalSourceType, C2pa, Xmp]
        {
            assert_eq!(serde_json::to_value(vocabulary).unwrap(), vocabulary.name());
        }
        for place in [RobotsTxt, TdmrepJson, Header, File, PageHeader, PageMeta] {
            assert_eq!(serde_json::to_value(place).unwrap(), place.name());
        }
        for meaning in [Reserved, Allowed, Generated, Noted, Unreadable] {
            assert_eq!(serde_json::to_value(meaning).unwrap(), meaning.name());
        }
        let signals = [
            tdm(Header, Reserved),
            ConsentSignal::new(ContentUsage, RobotsTxt, None, "/p  train-ai=n\n", Reserved),
            ConsentSignal { url: None, ..tdm(Header, Reserved) },
            ConsentSignal::new(TdmReservation, PageMeta, None, "", Unreadable),
        ];
        assert_eq!(
            ConsentSignal::texts(&signals),
            [
                "reserved content-usage robots-txt /p  train-ai=n",
                "reserved tdm-reservation header 1",
                "unreadable tdm-reservation page-meta ",
            ]
        );
    }

    #[test]
    fn signals_are_bounded() {
        let long = ConsentSignal::new(
            ConsentVocabulary::Xmp,
            ConsentPlace::File,
            None,
            &format!(" a\0b{}", "ü".repeat(300)),
            ConsentMeaning::Noted,
        );
        assert_eq!(long.value.chars().count(), LONGEST_VALUE);
        assert!(long.value.starts_with("a\u{fffd}b"));
        let numbered = |number: usize, meaning| ConsentSignal {
            value: number.to_string(),
            ..tdm(ConsentPlace::Header, meaning)
        };
        let mut signals = Vec::new();
        add_signals(&mut signals, (0..100).map(|number| numbered(number % 50, ConsentMeaning::Noted)));
        assert_eq!(signals.len(), MOST_OF_A_KIND);
        add_signals(&mut signals, [numbered(99, ConsentMeaning::Reserved)]);
        assert!(ConsentPolicy::Respect.check(&signals).is_err());
        // However much one file says, what else is said is there, be it what allows.
        for meaning in [ConsentMeaning::Reserved, ConsentMeaning::Allowed] {
            let robots = (0..100).map(|number| ConsentSignal {
                signal: ConsentVocabulary::ContentUsage,
                value: number.to_string(),
                ..tdm(ConsentPlace::RobotsTxt, meaning)
            });
            let mut signals = Vec::new();
            add_signals(&mut signals, robots);
            assert_eq!(signals.len(), MOST_OF_A_KIND);
            for last in [ConsentMeaning::Reserved, ConsentMeaning::Allowed] {
                let last = tdm(ConsentPlace::Header, last);
                add_signals(&mut signals, [last.clone(), last.clone()]);
                assert_eq!(signals.iter().filter(|signal| **signal == last).count(), 1);
            }
        }
    }
}
