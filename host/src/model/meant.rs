//! Which name was meant by one that is none.

/// How alike two names must be, by Jaro's measure of 0 to 1.
const ALIKE: f64 = 0.75;
/// Longest name that is compared, in bytes.
const LONGEST_COMPARED: usize = 100;

/// Asks in brackets whether the one of `known` was meant that is most like what was `given`, to follow what
/// is said of that; nothing where none is alike.
#[must_use]
pub fn meant<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let given = given.trim().to_lowercase();
    if given.len() > LONGEST_COMPARED {
        return String::new();
    }
    let alike = known.into_iter().map(|name| (strsim::jaro(&given, &name.to_lowercase()), name));
    let nearest =
        alike.filter(|(alike, _)| *alike > ALIKE).max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_alike() {
        let known = ["openverse", "webpage", "wikimedia-commons"];
        for (given, expect) in [
            ("openvrse", " (did you mean `openverse`?)"),
            (" Web-Page", " (did you mean `webpage`?)"),
            ("wikimedia", " (did you mean `wikimedia-commons`?)"),
            ("banana", ""),
            ("", ""),
            (&"openverse".repeat(20), ""),
        ] {
            assert_eq!(meant(given, known), expect, "{given}");
        }
    }
}
