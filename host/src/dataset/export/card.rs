//! `README.md`: what a dataset is, how to load it, under which licences, how it was made and how to cite it.
//! Its head is that of the dataset cards of Hugging Face. What users and sources wrote is text in it and
//! nothing else.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    columns::{Besides, Kind, columns},
    facts::{CrawlFacts, ExportFacts},
    labels::quoted,
};
use crate::model::{
    AspectRatio, Derivative, DerivedFormat, DuplicateScope, ExportFormat, ExportOptions, Fit, Format, Level,
    Pdq, Rules, Split, SplitPart,
};

/// By this line a card is known as one that may be written anew.
pub const MARK: &str =
    "<!-- Written by PixCrawler, and written anew by it: to keep changes of your own, delete this line. -->";
/// Name of the file that lists pictures, beside their class folders.
const LISTING: &str = "metadata.jsonl";
/// Crawls that are described.
const MOST_CRAWLS: usize = 20;
/// Numbers of pictures and what Hugging Face calls datasets with fewer.
const SIZES: [(u64, &str); 4] =
    [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")];
/// A larger dataset.
const LARGEST: &str = "1M<n<10M";
/// Licences of ours that Hugging Face has under the same name.
const LICENSES: [&str; 27] = [
    "apache-2.0",
    "bsd-3-clause",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl-3.0",
    "mit",
    "odc-by",
    "unlicense",
    "mpl-2.0",
    "wtfpl",
    "zlib",
];
/// Licences that it has without a version.
const FAMILIES: [&str; 2] = ["gfdl", "odbl"];
/// Punctuation that means something in Markdown.
const MARKUP: &str = "\\`*_{}[]<>#|!~&$";
/// Punctuation that means something in BibTeX.
const BIBTEX: &str = "#$%&_{}";

/// What a card is about.
#[derive(Clone, Copy, Debug)]
pub struct Card<'a> {
    /// What is in it.
    pub facts: &'a ExportFacts,
    /// How it is packed.
    pub format: ExportFormat,
    /// What was asked besides.
    pub options: &'a ExportOptions,
    /// Name of the folder in which it lies, for the command that makes the same; none where it is not known.
    pub folder: Option<&'a str>,
    /// Name of a file with what was not kept, where there is one.
    pub refusals: Option<&'a str>,
}

impl Card<'_> {
    /// The whole text.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { facts, options, .. } = self;
        let mut text = format!("---\n{}---\n\n{MARK}\n\n# {}\n\n", self.head(), escaped(&facts.name));
        let counts = &facts.counts;
        let (images, classes, bytes) = (counts.images, counts.classes.len(), counts.bytes);
        let _ = writeln!(
            text,
            "Pictures: {images}, classes: {classes}, bytes: {bytes}. Crawled with PixCrawler. {}",
            self.layout()
        );
        if let Some(description) = facts.description.as_deref().filter(|text| !text.trim().is_empty()) {
            let _ = writeln!(text, "\nIn the words of its owner: {}", escaped(description.trim()));
        }
        if let Some(made) = options.pictures.as_ref().filter(|_| self.format.has_pictures()) {
            let _ = writeln!(text, "\n{}", derived(made));
        }
        let _ = write!(text, "\n## Load\n\n{}", self.load());
        if let Some(split) = options.split {
            text += &self.split(split);
        }
        let class_rows = counts
            .classes
            .iter()
            .map(|(class, count)| [escaped(class), escaped(&count.folder), count.images.to_string()]);
        let _ = write!(text, "\n## Classes\n\n{}", table(&["Class", "Folder", "Pictures"], class_rows));
        if counts.with_more_labels > 0 {
            let several = match counts.with_more_labels {
                1 => "1 picture has".to_owned(),
                pictures => format!("{pictures} pictures have"),
            };
            let _ = writeln!(
                text,
                "\n{several} more than one label: the first one is the class, and `labels` has all."
            );
        }
        let license_rows = counts.licenses.iter().map(|(license, count)| {
            let name = if license.is_empty() { "not known".to_owned() } else { escaped(license) };
            [name, count.url.as_deref().map_or_else(String::new, escaped), count.images.to_string()]
        });
        let _ = write!(
            text,
            "\n## Licences\n\nThe pictures are their makers'. The licences are what the sources say, and nobody has \
             checked them: look at `license`, `license_url` and `attribution` of each picture before you publish it \
             or what you made of it, and name its maker where the licence asks for that. `attribution.csv` has the \
             line to print for each.\n\n{}",
            table(&["Licence", "Text", "Pictures"], license_rows)
        );
        text += &self.consent();
        let _ = write!(text, "\n## Sources\n\n{}", named(("Source", "Pictures"), &counts.sources));
        let _ = write!(text, "\n## Fields\n\n{}", self.fields());
        if !facts.refused.is_empty() {
            let each = self.refusals.map_or_else(String::new, |file| format!(" `{file}` has each."));
            let rows = named(("Why", "Pictures"), &facts.refused);
            let _ = write!(text, "\n## Not kept\n\nWhat the sources named, too.{each}\n\n{rows}");
        }
        let alike = if options.split.is_some() {
            "- Of pictures that look alike one is here, unless a crawl was asked for more or had ended before. What \
             still looks alike is in one part of the split."
        } else {
            "- Of pictures that look alike one is here, unless a crawl was asked for more or had ended before. Keep \
             what still looks alike on one side when you split."
        };
        let _ = write!(
            text,
            "\n## Limits\n\n- A label is what was asked for or what the source says, and nobody has looked at the \
             pictures: some show something else.\n- What search engines and collections name first is not a fair \
             sample of the world; people and places that are pictured more often are here more often.\n{alike}\n- \
             Who is in a picture was not asked.\n- Addresses were right when the pictures were fetched, and may not \
             be now.\n"
        );
        let _ = write!(
            text,
            "\n## Cite\n\nAdd the date of your copy.\n\n{}",
            citation(facts).lines().map(|line| format!("    {line}\n")).collect::<String>()
        );
        let _ = write!(text, "\n## Made by\n\n");
        for crawl in facts.crawls.iter().take(MOST_CRAWLS) {
            text += &command(crawl, self.folder);
        }
        if facts.crawls.len() > MOST_CRAWLS {
            let _ = writeln!(text, "\nand {} more crawls.", facts.crawls.len() - MOST_CRAWLS);
        }
        text
    }

    /// What programs read of it, in YAML.
    fn head(&self) -> String {
        let counts = &self.facts.counts;
        let mut head = format!("pretty_name: {}\n", quoted(&self.facts.name));
        let mut licenses: Vec<&str> = counts
            .licenses
            .keys()
            .map(|license| match LICENSES.iter().find(|known| *known == license) {
                Some(known) => known,
                None if license.is_empty() => "unknown",
                None => FAMILIES.iter().find(|family| license.starts_with(**family)).unwrap_or(&"other"),
            })
            .collect();
        licenses.sort_unstable();
        licenses.dedup();
        match licenses[..] {
            [] => {}
            [only] => head += &format!("license: {only}\n"),
            _ => head += &format!("license:\n- {}\n", licenses.join("\n- ")),
        }
        if counts.classes.len() > 1 {
            head += "task_categories:\n- image-classification\n";
        }
        let size = SIZES.iter().find(|(more, _)| counts.images < *more).map_or(LARGEST, |(_, name)| name);
        head += &format!("size_categories:\n- {size}\n");
        let paths: &[&str] = match self.format {
            ExportFormat::Folder | ExportFormat::Zip => &["metadata.jsonl", "*/*"],
            ExportFormat::Webdataset => &["*.tar"],
            ExportFormat::Parquet => &["*.parquet"],
            ExportFormat::Csv => &["data*.csv"],
            ExportFormat::Json => &["data*.json"],
            ExportFormat::Jsonl => &["data*.jsonl"],
            ExportFormat::Txt => &["data*.txt"],
            // No loader reads it.
            ExportFormat::Yaml => return head,
        };
        // A dataset without pictures has no files, and a pattern must have one.
        if counts.images > 0 {
            head += "configs:\n- config_name: default\n  data_files:\n";
            let mut put = |split: &str, paths: &[&str]| {
                let paths: String = paths.iter().map(|path| format!("    - \"{path}\"\n")).collect();
                head += &format!("  - split: {split}\n    path:\n{paths}");
            };
            if self.is_in_parts() {
                for part in counts.splits.keys().map(|part| part.name()) {
                    match self.format {
                        ExportFormat::Webdataset => put(part, &[&format!("{part}-*.tar")]),
                        ExportFormat::Parquet => put(part, &[&format!("{part}-*.parquet")]),
                        _ => put(part, &[&format!("{part}/{LISTING}"), &format!("{part}/*/*")]),
                    }
                }
            } else {
                put("train", paths);
            }
            head += &self.features();
        }
        head
    }

    /// Whether each part of a split is in files of its own.
    fn is_in_parts(&self) -> bool {
        self.options.split.is_some() && self.format.has_pictures()
    }

    /// How it is split.
    fn split(&self, split: Split) -> String {
        let Self { facts, options, format, .. } = self;
        let Split { train, validation, test } = split;
        let place = match format {
            ExportFormat::Folder | ExportFormat::Zip => "Each part is a folder, with the classes in it",
            ExportFormat::Webdataset | ExportFormat::Parquet => "The name of a file begins with its part",
            ExportFormat::Txt => "The third word of a line is its part",
            _ => "`split` says the part",
        };
        let rows = SplitPart::ALL.map(|part| {
            let images = facts.counts.splits.get(&part).copied().unwrap_or_default();
            [part.name().to_owned(), format!("{} %", split.share(part)), images.to_string()]
        });
        format!(
            "\n## Split\n\n{train} % to train, {validation} % to validate and {test} % to test, by chance from the \
             seed {seed}: each class is shared out like the whole, and pictures that look alike are in one part. \
             {place}.\n\n{}",
            table(&["Part", "Asked", "Pictures"], rows.into_iter()),
            seed = options.seed,
        )
    }

    /// What was read of the use of the pictures by machines; nothing where nothing was.
    fn consent(&self) -> String {
        let said = &self.facts.counts.consent;
        if said.is_empty() {
            return String::new();
        }
        format!(
            "\n## Consent\n\nWhat the owners of pictures say of AI training and of text and data mining, as far as \
             it was read when they were fetched. `consent` of each picture says what and where. A picture of which \
             several things are said is in several rows.\n\n{}",
            named(("What was read", "Pictures"), said)
        )
    }

    /// Types of columns where the loader would guess them from the first few pictures, which may lack some.
    fn features(&self) -> String {
        let besides = Besides::of(self.format, self.options);
        let fields = |indent: &str| -> String {
            columns(besides)
                .map(|column| {
                    let kind = match column.kind {
                        Kind::Text => "dtype: string",
                        Kind::Texts => "sequence: string",
                        Kind::Integer => "dtype: int64",
                    };
                    format!("{indent}- name: {}\n{indent}  {kind}\n", column.name)
                })
                .collect()
        };
        match self.format {
            ExportFormat::Webdataset => {
                let pictures: String = self
                    .facts
                    .counts
                    .formats
                    .keys()
                    .map(|extension| format!("  - name: {extension}\n    dtype: image\n"))
                    .collect();
                let key =
                    if self.options.parquet_beside { "    - name: key\n      dtype: string\n" } else { "" };
                format!(
                    "dataset_info:\n  features:\n{pictures}  - name: json\n    struct:\n{key}{}  - name: __key__\n    dtype: \
                     string\n  - name: __url__\n    dtype: string\n",
                    fields("    ")
                )
            }
            ExportFormat::Json | ExportFormat::Jsonl => {
                format!("dataset_info:\n  features:\n{}", fields("  "))
            }
            _ => String::new(),
        }
    }

    /// Where what is.
    fn layout(&self) -> &'static str {
        match self.format {
            ExportFormat::Folder | ExportFormat::Zip if self.is_in_parts() => {
                "In the folder of each part, each class is a folder with the pictures; `metadata.jsonl` there has for \
                 each where it came from, its title, creator, licence, size and hashes."
            }
            ExportFormat::Folder | ExportFormat::Zip => {
                "Each class is a folder with the pictures; `metadata.jsonl` has for each where it came from, its \
                 title, creator, licence, size and hashes."
            }
            ExportFormat::Webdataset => {
                "Each picture is in one of the archives, and beside it a `.json` of the same name, which has where it \
                 came from, its title, creator, licence, size and hashes."
            }
            ExportFormat::Parquet => {
                "Each row of the tables is a picture: its bytes, and where it came from, its title, creator, licence, \
                 size and hashes."
            }
            ExportFormat::Txt => {
                "Each line has the address of a picture and, after a tab, its label. There are no pictures here."
            }
            ExportFormat::Csv | ExportFormat::Json | ExportFormat::Jsonl | ExportFormat::Yaml => {
                "There are no pictures here: each record has where a picture came from, its title, creator, licence, \
                 size and hashes."
            }
        }
    }

    /// Code that loads it.
    fn load(&self) -> String {
        let python = |code: &str| format!("```python\n{code}```\n");
        match self.format {
            ExportFormat::Folder | ExportFormat::Zip => {
                let unpack =
                    if self.format == ExportFormat::Zip { "Unpack the archives first.\n\n" } else { "" };
                let below = if self.is_in_parts() { "/train" } else { "" };
                format!(
                    "{unpack}{}\n{}",
                    python(
                        "from datasets import load_dataset  # Hugging Face\n\npictures = load_dataset(\"imagefolder\", \
                         data_dir=\"path/to/this/folder\", split=\"train\")\npictures = \
                         pictures.class_encode_column(\"label\")\n"
                    ),
                    python(&format!(
                        "from torchvision.datasets import ImageFolder\n\npictures = \
                         ImageFolder(\"path/to/this/folder{below}\")\n"
                    ))
                )
            }
            ExportFormat::Webdataset => {
                let formats = self.facts.counts.formats.len();
                let several = if formats > 1 {
                    "\nThe pictures have several formats, and each is a column of its own there: a picture is in that \
                     of its format, and the others are empty.\n"
                } else {
                    ""
                };
                let stem = if self.is_in_parts() { "train-" } else { "" };
                format!(
                    "{}\n{}{several}",
                    python(&format!(
                        "from glob import glob\n\nimport webdataset\n\narchives = \
                         sorted(glob(\"path/to/this/folder/{stem}*.tar\"))\npictures = \
                         webdataset.WebDataset(archives, shardshuffle=False).decode(\"pil\")\n"
                    )),
                    python(
                        "from datasets import load_dataset  # Hugging Face\n\npictures = \
                         load_dataset(\"path/to/this/folder\", split=\"train\")\n"
                    )
                )
            }
            ExportFormat::Parquet => python(
                "from datasets import load_dataset  # Hugging Face\n\npictures = load_dataset(\"path/to/this/folder\", \
                 split=\"train\")\npictures = pictures.class_encode_column(\"label\")\n",
            ),
            ExportFormat::Csv => python("import pandas\n\nrecords = pandas.read_csv(\"path/to/data.csv\")\n"),
            ExportFormat::Json => {
                python("import pandas\n\nrecords = pandas.read_json(\"path/to/data.json\")\n")
            }
            ExportFormat::Jsonl => {
                python("import pandas\n\nrecords = pandas.read_json(\"path/to/data.jsonl\", lines=True)\n")
            }
            ExportFormat::Yaml => python(
                "import yaml\n\nwith open(\"path/to/data.yaml\", encoding=\"utf-8\") as file:\n    records = \
                 yaml.load(file, yaml.CSafeLoader)\n",
            ),
            ExportFormat::Txt => python(
                "with open(\"path/to/data.txt\", encoding=\"utf-8\", newline=\"\\n\") as file:\n    records = \
                 [line.rstrip(\"\\n\").split(\"\\t\") for line in file]\n",
            ),
        }
    }

    /// What the fields mean.
    fn fields(&self) -> String {
        if self.format == ExportFormat::Txt {
            return "The address of the picture and its first label.\n".to_owned();
        }
        table(
            &["Field", "What it is"],
            columns(Besides::of(self.format, self.options))
                .map(|column| [escaped(column.name), column.meaning.to_owned()]),
        )
    }
}

/// An entry of BibTeX for a dataset.
#[must_use]
pub fn citation(facts: &ExportFacts) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let key: String = facts.name.chars().map(word).collect();
    let words: Vec<&str> = key.split('-').filter(|word| !word.is_empty()).take(6).collect();
    let mut title = String::new();
    for c in facts.name.chars() {
        match c {
            // It has no character that stands for itself after a backslash.
            '\\' => title += "{\\textbackslash}",
            '~' => title += "{\\textasciitilde}",
            '^' => title += "{\\textasciicircum}",
            // A brace counts, escaped or not.
            '{' => title.push('('),
            '}' => title.push(')'),
            c if BIBTEX.contains(c) => title.extend(['\\', c]),
            c if c.is_control() => title.push(' '),
            c => title.push(c),
        }
    }
    let sources: Vec<String> = facts
        .counts
        .sources
        .keys()
        .filter(|source| !source.is_empty())
        .map(|source| source.replace('_', "\\_"))
        .collect();
    let from = if sources.is_empty() { String::new() } else { format!(" from {}", sources.join(", ")) };
    format!(
        "@misc{{{},\n  title = {{{{{title}}}}},\n  howpublished = {{Dataset of {} pictures{from}, crawled with \
         PixCrawler}}\n}}\n",
        [&["pixcrawler"][..], &words].concat().join("-"),
        facts.counts.images,
    )
}

/// What was made of the pictures.
fn derived(made: &Derivative) -> String {
    let Derivative { width, height, fit, enlarge, format, quality } = made;
    let size = match fit {
        Fit::KeepRatio => format!("made to fit into {width}×{height} pixels"),
        Fit::CenterCrop => format!("made to fill {width}×{height} pixels and cut at the sides"),
        Fit::Border => format!("made to fit into {width}×{height} pixels, with white around them"),
        Fit::None => "in their own size".to_owned(),
    };
    let enlarged = match (fit, enlarge) {
        (Fit::None, _) => "",
        (_, true) => ", smaller ones enlarged",
        (_, false) => ", smaller ones not enlarged",
    };
    let format = match format {
        DerivedFormat::Jpeg => format!("JPEG of quality {quality}"),
        DerivedFormat::Png => "PNG".to_owned(),
        DerivedFormat::Webp => "WebP, which loses nothing".to_owned(),
    };
    format!(
        "The pictures are not the files that were found, but made of them: {size}{enlarged}, as {format}. \
         `original_sha256` has the hash of what was found."
    )
}

fn named(names: (&str, &str), rows: &BTreeMap<String, u64>) -> String {
    let name = |name: &str| if name.is_empty() { "not known".to_owned() } else { escaped(name) };
    table(&[names.0, names.1], rows.iter().map(|(key, count)| [name(key), count.to_string()]))
}

/// A table of Markdown.
fn table<const N: usize>(head: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), " --- |".repeat(N));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// Text that means nothing else in Markdown, on one line.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if MARKUP.contains(c) {
            safe.push('\\');
        }
        safe.push(if c.is_control() { ' ' } else { c });
    }
    safe
}

/// The command that asks for the same in a folder of this name, as an indented block, which no text can end.
fn command(crawl: &CrawlFacts, folder: Option<&str>) -> String {
    let CrawlFacts {
        keywords,
        urls,
        inputs,
        labels,
        sources,
        max_images,
        options,
        rules,
        unlike,
        safe_search,
        language,
        ..
    } = crawl;
    let mut words: Vec<String> = keywords.clone();
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    for keyword in keywords {
        labels.get(keyword).into_iter().for_each(|label| option("--label", format!("{keyword}={label}")));
    }
    for url in urls.iter().cloned() {
        match labels.get(&url) {
            None => option("--url", url),
            // Before an address it would be a part of it.
            Some(label) if label.contains([':', '/']) => {
                option("--label", format!("{url}={label}"));
                option("--url", url);
            }
            Some(label) => option("--url", format!("{label}={url}")),
        }
    }
    sources.iter().for_each(|source| option("--source", source.clone()));
    max_images.iter().for_each(|most| option("--max", most.to_string()));
    for (source, values) in options {
        values.iter().for_each(|(name, value)| option("--option", format!("{source}.{name}={value}")));
    }
    rules.licenses.iter().for_each(|license| option("--license", license.clone()));
    rules.formats.iter().for_each(|format| option("--format", Format::name(*format).to_owned()));
    // What is as the level says is said by the level.
    let by_level = rules.level.rules();
    if rules.level != Level::Basic {
        option("--level", rules.level.name().to_owned());
    }
    if (rules.min_width, rules.min_height) != (by_level.min_width, by_level.min_height) {
        option("--min-size", format!("{}x{}", rules.min_width, rules.min_height));
    }
    if rules.max_width.or(rules.max_height).is_some() {
        let most = |side: Option<u32>| side.unwrap_or(Rules::LONGEST_SIDE);
        option("--max-size", format!("{}x{}", most(rules.max_width), most(rules.max_height)));
    }
    let ratio = |rules: &Rules| rules.max_aspect_ratio.map(AspectRatio::value);
    let score = |score: Option<u8>| score.map(u64::from);
    for (name, value, value_by_level) in [
        ("--min-bytes", rules.min_bytes, by_level.min_bytes),
        ("--max-bytes", rules.max_bytes, by_level.max_bytes),
        ("--min-contrast", score(rules.min_contrast), score(by_level.min_contrast)),
        ("--min-brightness", score(rules.min_brightness), score(by_level.min_brightness)),
        ("--max-brightness", score(rules.max_brightness), score(by_level.max_brightness)),
        ("--min-sharpness", score(rules.min_sharpness), score(by_level.min_sharpness)),
        ("--min-jpeg-quality", score(rules.min_jpeg_quality), score(by_level.min_jpeg_quality)),
    ] {
        value.filter(|_| value != value_by_level).iter().for_each(|value| option(name, value.to_string()));
    }
    if let Some(ratio) = ratio(rules).filter(|_| ratio(rules) != ratio(&by_level)) {
        option("--max-aspect-ratio", ratio.to_string());
    }
    if let Some(animation) = rules.animation.filter(|_| rules.animation != by_level.animation) {
        option("--animation", animation.name().to_owned());
    }
    if rules.near_duplicates != Pdq::ALIKE {
        option("--near-duplicates", rules.near_duplicates.to_string());
    }
    if rules.duplicates_within == DuplicateScope::User {
        option("--duplicates-within", "user".to_owned());
    }
    if !rules.consent.is_usual() {
        option("--consent", rules.consent.name().to_owned());
    }
    language.iter().for_each(|language| option("--language", language.clone()));
    if rules.turned_duplicates {
        words.push("--turned-duplicates".to_owned());
    }
    if !safe_search {
        words.push("--unsafe".to_owned());
    }
    folder.iter().for_each(|folder| words.extend(["--out".to_owned(), (*folder).to_owned()]));
    let quoted = words.iter().map(|word| {
        let word: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        shlex::try_quote(&word).map_or_else(|_| word.clone(), std::borrow::Cow::into_owned)
    });
    let quoted: Vec<String> = quoted.collect();
    let mut text = format!("    pixcrawler crawl {}\n", quoted.join(" "));
    let mut besides = Vec::new();
    let shown = keywords.len() + urls.len();
    if *inputs > shown {
        besides.push(format!("and {} more keywords or addresses.", inputs - shown));
    }
    // The list may have a hundred thousand.
    if *unlike > 0 {
        let hashes = if *unlike == 1 { "hash" } else { "hashes" };
        besides.push(format!(
            "Pictures like those of a list of {unlike} {hashes} (`--unlike`), which is not here, were refused."
        ));
    }
    if !besides.is_empty() {
        let _ = writeln!(text, "\n{}\n", besides.join("\n\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ExportRecord, Provenance};

    fn facts() -> ExportFacts {
        let mut facts = ExportFacts {
            name: "a: \"b\" | <img>\n---\n".to_owned(),
            description: Some("- [x](y)\n\n# z".to_owned()),
            refused: BTreeMap::from([("not-found".to_owned(), 2)]),
            crawls: vec![CrawlFacts {
                keywords: vec!["it's".to_owned(), "x\ny".to_owned()],
                inputs: 5,
                sources: vec!["openverse".to_owned()],
                safe_search: true,
                ..CrawlFacts::default()
            }],
            ..ExportFacts::default()
        };
        for (label, extension, license) in
            [("cat|s", "jpg", Some("cc-by-4.0")), ("dog", "png", Some("pdm-1.0")), ("dog", "png", None)]
        {
            facts.counts.add(&ExportRecord {
                file_name: format!("{}/ab.{extension}", label.replace('|', "_")),
                label: label.to_owned(),
                labels: vec![label.to_owned()],
                size: 10,
                source: Some("open_verse".to_owned()),
                consent: license.iter().map(|_| "reserved tdm-reservation header 1".to_owned()).collect(),
                provenance: Provenance { license: license.map(str::to_owned), ..Provenance::default() },
                ..ExportRecord::default()
            });
        }
        facts
    }

    fn text(format: ExportFormat, options: &ExportOptions) -> String {
        Card { facts: &facts(), format, options, folder: Some("out"), refusals: Some("refused.jsonl") }.text()
    }

    #[test]
    fn a_card_says_what_there_is() {
        let card = text(ExportFormat::Folder, &ExportOptions::default());
        for part in [
            "---\npretty_name: \"a: \\\"b\\\" | <img>\\n---\\n\"\nlicense:\n- cc-by-4.0\n- other\n- unknown\ntask_categories:\n",
            "size_categories:\n- n<1K\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path:\n    - \"metadata.jsonl\"\n    - \"*/*\"\n---\n",
            "\n# a: \"b\" \\| \\<img\\> --- \n",
            "\nPictures: 3, classes: 2, bytes: 30. ",
            "\nIn the words of its owner: - \\[x\\](y)  \\# z\n",
            "\n| cat\\|s | cat\\_s | 1 |\n| dog | dog | 2 |\n",
            "\n| not known |  | 1 |\n| cc-by-4.0 |  | 1 |\n",
            "\n## Consent\n\nWhat the owners",
            "\n\n| What was read | Pictures |\n| --- | --- |\n| reserved tdm-reservation | 2 |\n",
            "\n| open\\_verse | 3 |\n",
            "`refused.jsonl` has each.\n\n| Why | Pictures |\n| --- | --- |\n| not-found | 2 |\n",
            "    @misc{pixcrawler-a-b-img,\n      title = {{a: \"b\" | <img> --- }},\n",
            "\n    pixcrawler crawl \"it's\" 'x y' --source openverse --out out\n\nand 3 more keywords",
        ] {
            assert!(card.contains(part), "`{part}` is missing: {card}");
        }
        assert!(!card.contains("dataset_info"));
    }

    #[test]
    fn a_split_is_what_loaders_look_for() {
        let mut facts = facts();
        facts.counts.splits = BTreeMap::from([(SplitPart::Train, 2), (SplitPart::Test, 1)]);
        let split = Split { train: 80, validation: 10, test: 10 };
        let options = ExportOptions { split: Some(split), seed: 7, ..ExportOptions::default() };
        for (format, train, test) in [
            (
                ExportFormat::Folder,
                "\"train/metadata.jsonl\"\n    - \"train/*/*\"",
                "\"test/metadata.jsonl\"\n    - \"test/*/*\"",
            ),
            (ExportFormat::Webdataset, "\"train-*.tar\"", "\"test-*.tar\""),
            (ExportFormat::Parquet, "\"train-*.parquet\"", "\"test-*.parquet\""),
        ] {
            let card = Card { facts: &facts, format, options: &options, folder: None, refusals: None }.text();
            let files = format!(
                "  data_files:\n  - split: train\n    path:\n    - {train}\n  - split: test\n    path:\n    - {test}\n"
            );
            assert!(card.contains(&files), "{card}");
            assert!(
                card.contains("the seed 7: ") && card.contains("\n| validation | 10 % | 0 |\n"),
                "{card}"
            );
            assert!(card.contains("\n| split | part of the split"), "{card}");
        }
        let card = Card {
            facts: &facts,
            format: ExportFormat::Csv,
            options: &options,
            folder: None,
            refusals: None,
        };
        assert!(
            card.text().contains("  - split: train\n    path:\n    - \"data*.csv\"\n---"),
            "{}",
            card.text()
        );
    }

    #[test]
    fn each_format_is_loaded_in_its_own_way() {
        for format in ExportFormat::ALL {
            let options = ExportOptions { parquet_beside: true, ..ExportOptions::default() };
            let card = text(format, &options);
            let head = card.split("---\n").nth(1).unwrap();
            assert_eq!(head.contains("configs:"), format != ExportFormat::Yaml, "{head}");
            let guesses =
                matches!(format, ExportFormat::Webdataset | ExportFormat::Json | ExportFormat::Jsonl);
            assert_eq!(head.contains("dataset_info:"), guesses, "{head}");
            assert_eq!(card.matches("```").count() % 2, 0);
        }
        let card = text(ExportFormat::Webdataset, &ExportOptions::default());
        assert!(card.contains("  - name: jpg\n    dtype: image\n  - name: png\n    dtype: image\n  - name: json\n    struct:\n    - name: file_name\n"));
        // Nothing to load.
        let facts = ExportFacts::default();
        let options = ExportOptions::default();
        let card = Card {
            facts: &facts,
            format: ExportFormat::Parquet,
            options: &options,
            folder: None,
            refusals: None,
        };
        assert!(!card.text().contains("configs:") && !card.text().contains("## Consent"));
    }

    #[test]
    fn a_list_of_unwanted_pictures_is_counted() {
        for (inputs, unlike, end) in [
            (1, 0, "cat\n"),
            (
                1,
                1,
                "cat\n\nPictures like those of a list of 1 hash (`--unlike`), which is not here, were refused.\n\n",
            ),
            (
                3,
                2,
                "cat\n\nand 2 more keywords or addresses.\n\nPictures like those of a list of 2 hashes (`--unlike`), \
                 which is not here, were refused.\n\n",
            ),
        ] {
            let keywords = vec!["cat".to_owned()];
            let crawl = CrawlFacts { keywords, inputs, unlike, safe_search: true, ..CrawlFacts::default() };
            assert_eq!(command(&crawl, None), format!("    pixcrawler crawl {end}"));
        }
    }

    #[test]
    fn what_a_user_wrote_is_text() {
        assert_eq!(escaped("a|b <img src=x> *c*\n# [d](e)"), r"a\|b \<img src=x\> \*c\* \# \[d\](e)");
        assert_eq!(escaped("Černý kůň, 貓"), "Černý kůň, 貓");
        let facts = ExportFacts { name: "50% {of} \\it_".to_owned(), ..ExportFacts::default() };
        assert!(citation(&facts).contains("title = {{50\\% (of) {\\textbackslash}it\\_}}"));
    }
}
