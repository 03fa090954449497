//! What a source says of itself.

use crate::{HostKind, HostRule, Info, Input, OptionKind, OptionSpec};

impl Info {
    /// A source that is searched with keywords. `version` is semantic.
    #[must_use]
    pub fn keywords(id: &str, name: &str, version: &str) -> Self {
        Self::new(id, name, version, Input::Keywords)
    }

    /// A source that is given an address. `version` is semantic.
    #[must_use]
    pub fn address(id: &str, name: &str, version: &str) -> Self {
        Self::new(id, name, version, Input::Address)
    }

    /// Asks a documented API under that host name.
    #[must_use]
    pub fn api(self, pattern: &str) -> Self {
        self.host(pattern, HostKind::Api)
    }

    /// Asks for pages made for people under that host name.
    #[must_use]
    pub fn web(self, pattern: &str) -> Self {
        self.host(pattern, HostKind::Web)
    }

    fn host(mut self, pattern: &str, kind: HostKind) -> Self {
        self.hosts.push(HostRule { pattern: pattern.to_owned(), kind });
        self
    }

    fn new(id: &str, name: &str, version: &str, input: Input) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            description: String::new(),
            homepage: None,
            terms_url: None,
            input,
            hosts: Vec::new(),
            ignores_robots: false,
            restriction: None,
            options: Vec::new(),
            credentials: Vec::new(),
            requests_per_minute: None,
            max_results: None,
            extra: Vec::new(),
        }
    }
}

impl OptionSpec {
    /// An option that may be left out, without choices; `help` is one sentence.
    #[must_use]
    pub fn new(name: &str, label: &str, help: &str, kind: OptionKind) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            help: help.to_owned(),
            kind,
            required: false,
            default: None,
            choices: Vec::new(),
        }
    }

    /// An option that is one of these values, each given with its label.
    #[must_use]
    pub fn choice(name: &str, label: &str, help: &str, choices: &[(&str, &str)]) -> Self {
        Self::new(name, label, help, OptionKind::Choice).with(choices)
    }

    /// An option that is any of these values, each given with its label.
    #[must_use]
    pub fn choices(name: &str, label: &str, help: &str, choices: &[(&str, &str)]) -> Self {
        Self::new(name, label, help, OptionKind::Choices).with(choices)
    }

    fn with(self, choices: &[(&str, &str)]) -> Self {
        let choices = choices.iter().map(|&(value, label)| (value.to_owned(), label.to_owned())).collect();
        Self { choices, ..self }
    }

    /// With that value where the user says nothing.
    #[must_use]
    pub fn default(self, value: &str) -> Self {
        Self { default: Some(value.to_owned()), ..self }
    }
}
