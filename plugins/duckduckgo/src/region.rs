//! Regions, by which results differ.

/// No region.
const WORLD: &str = "wt-wt";

/// All regions: country and language. Of those with one language the first is
/// taken when no country is named.
const REGIONS: &str = "us-en uk-en au-en ca-en ie-en in-en nz-en ph-en sg-en za-en id-en my-en xa-en \
    es-es ar-es cl-es co-es mx-es pe-es ve-es ue-es xl-es de-de at-de ch-de fr-fr be-fr ca-fr ch-fr \
    it-it ch-it nl-nl be-nl pt-pt br-pt xa-ar bg-bg ct-ca cz-cs dk-da ee-et fi-fi gr-el hr-hr hu-hu \
    id-id il-he jp-jp kr-kr lt-lt lv-lv my-ms no-no ph-tl pl-pl ro-ro ru-ru se-sv sk-sk sl-sl th-th \
    tr-tr ua-uk vn-vi cn-zh tw-tzh hk-tzh";

/// The region for a language tag (BCP 47): the country and language that it
/// names, else the language alone, else the whole world.
pub(crate) fn of(language: Option<&str>) -> &'static str {
    let Some(tag) = language else { return WORLD };
    let tag = tag.to_ascii_lowercase();
    let mut parts = tag.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let parts: Vec<&str> = parts.collect();
    let country = parts.iter().copied().find(|part| part.len() == 2).unwrap_or_default();
    let traditional = matches!(country, "tw" | "hk") || parts.contains(&"hant");
    let country = if country == "gb" { "uk" } else { country };
    let language = match language {
        "ja" => "jp",
        "ko" => "kr",
        "nb" | "nn" => "no",
        "zh" if traditional => "tzh",
        language => language,
    };
    let regions =
        || REGIONS.split_ascii_whitespace().filter_map(|region| Some((region, region.split_once('-')?)));
    let exact = regions().find(|&(_, known)| known == (country, language));
    let alike = || regions().find(|&(_, (_, known))| known == language);
    exact.or_else(alike).map_or(WORLD, |(region, _)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_become_regions() {
        for (tag, region) in [
            ("de", "de-de"),
            ("de-AT", "at-de"),
            ("de-LI", "de-de"),
            ("en", "us-en"),
            ("en-GB", "uk-en"),
            ("pt-BR", "br-pt"),
            ("ja", "jp-jp"),
            ("nb-NO", "no-no"),
            ("uk", "ua-uk"),
            ("zh", "cn-zh"),
            ("zh-Hant", "tw-tzh"),
            ("zh-Hant-HK", "hk-tzh"),
            ("la", WORLD),
            ("", WORLD),
        ] {
            assert_eq!(of(Some(tag)), region, "{tag}");
        }
        assert_eq!(of(None), WORLD);
    }
}
