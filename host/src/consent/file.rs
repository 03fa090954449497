//! What a picture carries within its file: XMP with fields of PLUS, IPTC and the TDM Reservation Protocol, and
//! a C2PA manifest, of which only the presence is seen. IPTC's older IIM and Exif have no fields for any of it.

use quick_xml::{
    NsReader,
    events::{BytesStart, Event},
    name::{QName, ResolveResult},
};

use super::tdm;
use crate::model::{ConsentMeaning, ConsentPlace, ConsentSignal, ConsentVocabulary, add_signals};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const PLUS: &str = "http://ns.useplus.org/ldf/xmp/1.0/";
const IPTC: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const TDM: &str = "http://www.w3.org/ns/tdmrep/";

/// Nesting beyond this is no metadata. Together with the bytes of a packet, which `validate` bounds, these
/// bound the work; entities are never expanded.
const MAX_DEPTH: usize = 64;
const MAX_NAMESPACES: usize = 64;
/// Names that are looked up, each among all namespaces that are declared around it. There are a handful, as no
/// other has the letters of one that is read.
const MAX_LOOK_UPS: usize = 1000;
/// Longest value that is read, in bytes.
const LONGEST_VALUE: usize = 4096;

/// What a file says: by its XMP packets, as they stand there, and by a C2PA manifest.
#[must_use]
pub fn in_file(packets: &[Vec<u8>], has_c2pa: bool) -> Vec<ConsentSignal> {
    let mut signals = Vec::new();
    for packet in packets {
        let mut properties = Vec::new();
        let read = read(packet, &mut properties);
        let policy = properties.iter().find(|(property, _)| *property == Property::Policy);
        let policy = policy.and_then(|(_, value)| tdm::policy(value));
        // What was read before the fault counts.
        add_signals(
            &mut signals,
            properties.iter().filter_map(|(property, value)| property.signal(value, policy.as_deref())),
        );
        if let Err(fault) = read {
            let meaning = ConsentMeaning::Unreadable;
            add_signals(&mut signals, [signal(ConsentVocabulary::Xmp, &fault, meaning)]);
        }
    }
    if has_c2pa {
        add_signals(&mut signals, [signal(ConsentVocabulary::C2pa, "manifest", ConsentMeaning::Noted)]);
    }
    signals
}

fn signal(vocabulary: ConsentVocabulary, value: &str, meaning: ConsentMeaning) -> ConsentSignal {
    ConsentSignal::new(vocabulary, ConsentPlace::File, None, value, meaning)
}

/// The properties of XMP that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    DataMining,
    DigitalSourceType,
    Reservation,
    Policy,
}

impl Property {
    const ALL: [(Self, &str, &str); 4] = [
        (Self::DataMining, PLUS, "DataMining"),
        (Self::DigitalSourceType, IPTC, "DigitalSourceType"),
        (Self::Reservation, TDM, "reservation"),
        (Self::Policy, TDM, "policy"),
    ];

    /// The property of this name, by its namespace.
    ///
    /// # Errors
    /// Of [`Packet::is_in`].
    fn named(name: QName<'_>, packet: &mut Packet<'_>, is_attribute: bool) -> Result<Option<Self>, String> {
        let local = name.local_name();
        // Looking up a namespace costs more than looking at a name.
        for (property, namespace, _) in
            Self::ALL.into_iter().filter(|(.., name)| local.as_ref() == name.as_bytes())
        {
            if packet.is_in(name, namespace, is_attribute)? {
                return Ok(Some(property));
            }
        }
        Ok(None)
    }

    /// What a value says.
    fn signal(self, value: &str, policy: Option<&str>) -> Option<ConsentSignal> {
        // Terms of PLUS and IPTC are addresses whose last part is the term.
        let term = value.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let is = |known: &str| term.eq_ignore_ascii_case(known);
        Some(match self {
            Self::DataMining => {
                let meaning = match term.get(..14) {
                    // Also where a constraint or an expression of rights may permit something.
                    Some(start) if start.eq_ignore_ascii_case("DMI-PROHIBITED") => ConsentMeaning::Reserved,
                    _ if is("DMI-ALLOWED") => ConsentMeaning::Allowed,
                    _ if is("DMI-UNSPECIFIED") => ConsentMeaning::Noted,
                    _ => ConsentMeaning::Unreadable,
                };
                signal(ConsentVocabulary::DataMining, term, meaning)
            }
            Self::DigitalSourceType => {
                let is_generated =
                    is("trainedAlgorithmicMedia") || is("compositeWithTrainedAlgorithmicMedia");
                let meaning = if is_generated { ConsentMeaning::Generated } else { ConsentMeaning::Noted };
                signal(ConsentVocabulary::DigitalSourceType, term, meaning)
            }
            Self::Reservation => tdm::signal(value, policy.map(str::to_owned), ConsentPlace::File, None),
            Self::Policy => return None,
        })
    }
}

/// A packet while it is read.
struct Packet<'a> {
    reader: NsReader<&'a [u8]>,
    /// Names that were looked up.
    look_ups: usize,
}

impl<'a> Packet<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = NsReader::from_reader(text.as_bytes());
        reader.config_mut().expand_empty_elements = true;
        reader.resolver_mut().set_max_declarations_per_element(MAX_NAMESPACES);
        Self { reader, look_ups: 0 }
    }

    /// Whether a name is of this namespace.
    ///
    /// # Errors
    /// When too many were looked up.
    fn is_in(&mut self, name: QName<'_>, namespace: &str, is_attribute: bool) -> Result<bool, String> {
        self.look_ups += 1;
        if self.look_ups > MAX_LOOK_UPS {
            return Err(format!("more than {MAX_LOOK_UPS} names that may be of a namespace"));
        }
        let resolver = self.reader.resolver();
        let (found, _) =
            if is_attribute { resolver.resolve_attribute(name) } else { resolver.resolve_element(name) };
        Ok(matches!(found, ResolveResult::Bound(found) if found.as_ref() == namespace.as_bytes()))
    }
}

/// Reads the properties of what the packet describes, and not those of parts of it, such as of a picture that it
/// was made of: attributes of the nodes directly below `rdf:RDF`, and elements directly in these.
///
/// # Errors
/// Why it is no XML to the end.
fn read(packet: &[u8], properties: &mut Vec<(Property, String)>) -> Result<(), String> {
    // UTF-8, or what a byte order mark says. Files have padding behind it.
    let (text, ..) = encoding_rs::UTF_8.decode(packet);
    let mut packet = Packet::new(text.trim_end_matches('\0'));
    let (mut depth, mut root, mut open): (usize, Option<usize>, Option<Property>) = (0, None, None);
    let mut value = String::new();
    loop {
        match packet.reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(element) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!("more than {MAX_DEPTH} elements within each other"));
                }
                let name = element.name();
                match root.map(|root| depth - root) {
                    None if name.local_name().as_ref() == b"RDF" => {
                        root = packet.is_in(name, RDF, false)?.then_some(depth);
                    }
                    None => {}
                    Some(1) => of_node(&element, &mut packet, properties)?,
                    Some(level) => {
                        if level == 2 {
                            open = Property::named(name, &mut packet, false)?;
                        }
                        value.clear();
                        if let Some(property) = open {
                            properties
                                .extend(resource(&element, &mut packet)?.map(|value| (property, value)));
                        }
                    }
                }
            }
            Event::End(_) => {
                if let Some(property) = open.filter(|_| !value.trim().is_empty()) {
                    properties.push((property, std::mem::take(&mut value)));
                }
                if root.is_some_and(|root| depth <= root + 2) {
                    open = None;
                }
                root = root.filter(|root| *root != depth);
                depth = depth.saturating_sub(1);
            }
            Event::Text(text) if open.is_some() => add(&mut value, &text),
            Event::CData(text) if open.is_some() => add(&mut value, &text),
            Event::GeneralRef(reference) if open.is_some() => {
                if let Ok(Some(letter)) = reference.resolve_char_ref() {
                    value.push(letter);
                }
            }
            Event::Eof if depth > 0 => return Err("ends within an element".to_owned()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn add(value: &mut String, text: &[u8]) {
    if value.len() + text.len() <= LONGEST_VALUE {
        value.push_str(&String::from_utf8_lossy(text));
    }
}

/// Properties that stand as attributes of a node.
fn of_node(
    node: &BytesStart<'_>,
    packet: &mut Packet<'_>,
    properties: &mut Vec<(Property, String)>,
) -> Result<(), String> {
    for attribute in node.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if let Some(property) = Property::named(attribute.key, packet, true)? {
            let mut value = String::new();
            add(&mut value, &attribute.value);
            properties.push((property, value));
        }
    }
    Ok(())
}

/// The value of a property that is an address: `rdf:resource`.
fn resource(element: &BytesStart<'_>, packet: &mut Packet<'_>) -> Result<Option<String>, String> {
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.local_name().as_ref() == b"resource" && packet.is_in(attribute.key, RDF, true)? {
            let mut value = String::new();
            add(&mut value, &attribute.value);
            return Ok(Some(value));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet around the content of its description.
    fn packet(attributes: &str, content: &str) -> String {
        format!(
            "<?xpacket begin='\u{feff}' id='W5M0MpCehiHzreSzNTczkc9d'?>\
             <x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='{RDF}' xmlns:plus='{PLUS}' xmlns:ext='{IPTC}' \
             xmlns:tdm='{TDM}' xmlns:other='http://other.test/'>\
             <r:Description r:about='' {attributes}>{content}</r:Description></r:RDF></x:xmpmeta>\
             <?xpacket end='w'?>   \0\0"
        )
    }

    fn said(packet: &str) -> Vec<(String, ConsentMeaning)> {
        let signals = in_file(&[packet.as_bytes().to_vec()], false);
        signals.into_iter().map(|signal| (signal.value, signal.meaning)).collect()
    }

    #[test]
    fn fields_as_programs_write_them() {
        use ConsentMeaning::{Allowed, Generated, Noted, Reserved, Unreadable};
        let mining = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-GENAIMLTRAINING";
        for (attributes, content) in [
            (String::new(), format!("<plus:DataMining>{mining}</plus:DataMining>")),
            (String::new(), format!("<plus:DataMining>\n  {mining}/ \n</plus:DataMining>")),
            (String::new(), format!("<plus:DataMining r:resource='{mining}'/>")),
            (
                String::new(),
                format!(
                    "<plus:DataMining><r:Description><r:value>{mining}</r:value></r:Description></plus:DataMining>"
                ),
            ),
            (
                String::new(),
                format!("<plus:DataMining><r:Bag><r:li>{mining}</r:li></r:Bag></plus:DataMining>"),
            ),
            (String::new(), format!("<p:DataMining xmlns:p='{PLUS}'><![CDATA[{mining}]]></p:DataMining>")),
            (format!("plus:DataMining='{mining}'"), String::new()),
            (format!("xmlns:p='{PLUS}' p:DataMining=\"{mining}\""), "<other:a>b</other:a>".to_owned()),
        ] {
            let packet = packet(&attributes, &content);
            let expect = [("DMI-PROHIBITED-GENAIMLTRAINING".to_owned(), Reserved)];
            assert_eq!(said(&packet), expect, "{packet}");
            let wide: Vec<u8> =
                std::iter::once(0xfeff).chain(packet.encode_utf16()).flat_map(u16::to_be_bytes).collect();
            assert_eq!(in_file(&[wide], false)[0].value, expect[0].0, "{packet}");
        }
        for (term, expect) in [
            ("DMI-PROHIBITED", Reserved),
            ("DMI-PROHIBITED-AIMLTRAINING", Reserved),
            ("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", Reserved),
            ("DMI-PROHIBITED-SEECONSTRAINT", Reserved),
            ("DMI-ALLOWED", Allowed),
            ("DMI-UNSPECIFIED", Noted),
            ("no", Unreadable),
        ] {
            let packet = packet(&format!("plus:DataMining='http://ns.useplus.org/ldf/vocab/{term}'"), "");
            assert_eq!(said(&packet), [(term.to_owned(), expect)]);
        }
        for (term, expect) in [
            ("trainedAlgorithmicMedia", Generated),
            ("compositeWithTrainedAlgorithmicMedia", Generated),
            ("algorithmicMedia", Noted),
            ("digitalCapture", Noted),
        ] {
            let value = format!("http://cv.iptc.org/newscodes/digitalsourcetype/{term}");
            let packet = packet("", &format!("<ext:DigitalSourceType>{value}</ext:DigitalSourceType>"));
            assert_eq!(said(&packet), [(term.to_owned(), expect)]);
        }
        let policy = "<tdm:reservation>1</tdm:reservation><tdm:policy>https://a.test/p</tdm:policy>";
        let signals = in_file(&[packet("", policy).into_bytes()], true);
        assert_eq!(signals[0].policy.as_deref(), Some("https://a.test/p"));
        assert_eq!((signals[0].meaning, signals[1].signal), (Reserved, ConsentVocabulary::C2pa));
    }

    #[test]
    fn what_is_said_of_something_else_does_not_count() {
        let mining = "<plus:DataMining>DMI-PROHIBITED</plus:DataMining>";
        for content in [
            format!(
                "<other:Pantry><r:Bag><r:li><r:Description>{mining}</r:Description></r:li></r:Bag></other:Pantry>"
            ),
            format!("<!-- {mining} -->"),
            "<other:DataMining>DMI-PROHIBITED</other:DataMining>".to_owned(),
            "<plus:DataMinings>DMI-PROHIBITED</plus:DataMinings>".to_owned(),
            "<plus:DataMining/>".to_owned(),
            "<p xmlns:plus='http://other.test/'/><DataMining>DMI-PROHIBITED</DataMining>".to_owned(),
        ] {
            assert_eq!(said(&packet("", &content)), [], "{content}");
        }
        assert_eq!(said(mining), [], "no RDF");
    }

    #[test]
    fn broken_and_hostile_packets() {
        let unreadable = |text: &str| {
            let said = said(text);
            matches!(&said[..], [(_, ConsentMeaning::Unreadable)])
        };
        assert!(unreadable("<a>") && unreadable("<a></b>") && unreadable(&"<a>".repeat(100_000)));
        assert!(!unreadable("") && !unreadable("no XML"));
        // What was read before counts.
        let whole = packet("plus:DataMining='DMI-PROHIBITED'", "");
        let said_of = said(&whole[..whole.len() - 60]);
        assert_eq!(said_of[0].1, ConsentMeaning::Reserved);
        // Entities mean nothing.
        let laughs = format!(
            "<!DOCTYPE x [<!ENTITY a 'DMI-'><!ENTITY b '&a;&a;&a;'>]>{}",
            packet("", "<plus:DataMining>&b;&b;</plus:DataMining>")
        );
        assert_eq!(said(&laughs), []);
        let reference = packet("", "<plus:DataMining>DMI&#45;PROHIBITED</plus:DataMining>");
        assert_eq!(said(&reference), [("DMI-PROHIBITED".to_owned(), ConsentMeaning::Reserved)]);
        let many: String = (0..9999).map(|number| format!(" xmlns:a{number}='b'")).collect();
        assert!(unreadable(&format!("<a{many}/>")));
        let wide: String = (0..99_999).map(|number| format!(" a{number}='b'")).collect();
        assert_eq!(said(&packet(&wide, "")), []);
        // Very many names that are of another namespace: what came before them counts.
        for (attributes, content) in [
            (r#" x:policy="""#.repeat(2000), String::new()),
            (String::new(), "<x:policy/>".repeat(2000)),
            (
                String::new(),
                format!("<plus:DataMining>{}</plus:DataMining>", "<a x:resource=''/>".repeat(2000)),
            ),
        ] {
            let said = said(&packet(&format!("plus:DataMining='DMI-PROHIBITED' {attributes}"), &content));
            let meanings: Vec<_> = said.iter().map(|(_, meaning)| *meaning).collect();
            assert_eq!(meanings, [ConsentMeaning::Reserved, ConsentMeaning::Unreadable], "{said:?}");
            assert_eq!(said[1].0, format!("more than {MAX_LOOK_UPS} names that may be of a namespace"));
        }
        assert!(unreadable(&"<RDF/>".repeat(2000)) && !unreadable(&"<RDF/>".repeat(1000)));
        let long = packet("", &format!("<plus:DataMining>{}</plus:DataMining>", "<a>x</a>".repeat(50_000)));
        assert!(said(&long).len() <= 64);
    }

    proptest::proptest! {
        #[test]
        fn any_packet_is_read(
            noise: Vec<u8>,
            likely in "(<r:RDF xmlns:r='http://www\\.w3\\.org/1999/02/22-rdf-syntax-ns#' xmlns:plus='http://ns\\.useplus\\.org/ldf/xmp/1\\.0/'>|<r:Description( plus:DataMining='x')?>|<plus:DataMining/?>|</(plus:DataMining|r:Description|r:RDF)>|DMI-PROHIBITED|&(a|#0|#x41|lt);?|<!\\[CDATA\\[|\\]\\]>|<!DOCTYPE a \\[|\\]>|<\\?|\\?>|'|>){0,20}",
        ) {
            let _ = in_file(&[noise, likely.into_bytes()], false);
        }
    }
}
