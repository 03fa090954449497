//! `README.md` of a folder: how to load it, what is in it, under which licences, and how it was made. Its
//! head is that of the dataset cards of Hugging Face. The same rows give the same text.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{CARD, ExportError, LISTING, ListedImage, REFUSALS, cannot_write, refusals::Refused};
use crate::{
    atomic_write,
    db::jobs::{Inputs, JobRow},
    model::Format,
    private,
};

/// By this line a card is known as one that may be written anew.
const MARK: &str =
    "<!-- Written by PixCrawler, and written anew by it: to keep changes of your own, delete this line. -->";
/// Keywords and addresses that the command shows.
const MOST_INPUTS: usize = 20;
/// Numbers of pictures and what Hugging Face calls datasets with fewer.
const SIZES: [(usize, &str); 3] = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")];
/// A larger dataset; a job has at most 100 000 pictures.
const LARGEST: &str = "100K<n<1M";
/// Punctuation that means something in Markdown.
const MARKUP: &str = "\\`*_{}[]<>#|!~&$";

/// The pictures of a folder, counted.
#[derive(Debug, Default)]
pub(super) struct KeptCounts {
    /// Folder and number, by class.
    by_class: BTreeMap<String, (String, usize)>,
    /// None where the source does not say.
    by_license: BTreeMap<Option<String>, usize>,
    by_source: BTreeMap<String, usize>,
}

impl KeptCounts {
    /// Counts a picture that is in the folder of its class.
    pub(super) fn add(&mut self, ListedImage { file_name, record, .. }: &ListedImage) {
        let folder = || file_name.split('/').next().unwrap_or_default().to_owned();
        self.by_class.entry(record.label.clone()).or_insert_with(|| (folder(), 0)).1 += 1;
        *self.by_license.entry(record.provenance.license.clone()).or_default() += 1;
        *self.by_source.entry(record.source.clone().unwrap_or_default()).or_default() += 1;
    }

    fn all(&self) -> usize {
        self.by_class.values().map(|(_, pictures)| pictures).sum()
    }
}

/// Writes the card, where there is none or one of ours.
pub(super) fn write(
    folder: &Path,
    job: &JobRow,
    kept: &KeptCounts,
    refused: &Refused,
) -> Result<(), ExportError> {
    let path: PathBuf = folder.join(CARD);
    let before = match std::fs::read(&path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        // What cannot be read is not ours.
        Err(_) => return Ok(()),
    };
    let text = text(folder, job, kept, refused);
    if before.is_some_and(|before| before == text || !before.contains(MARK)) {
        return Ok(());
    }
    atomic_write::write(&path, text.as_bytes())
        .and_then(|()| private::share(&path))
        .map_err(cannot_write(&path))
}

fn text(folder: &Path, job: &JobRow, kept: &KeptCounts, refused: &Refused) -> String {
    let (all, classes) = (kept.all(), kept.by_class.len());
    let size = SIZES.iter().find(|(more, _)| all < *more).map_or(LARGEST, |(_, name)| name);
    let mut head = format!("pretty_name: {}\n", serde_json::json!(job.name));
    let mut licenses = kept.by_license.keys();
    if let (Some(Some(only)), None) = (licenses.next(), licenses.next()) {
        head += &format!("license: {}\n", serde_json::json!(only));
    }
    if classes > 1 {
        head += "task_categories:\n- image-classification\n";
    }
    let named = |names: (&str, &str), rows: &BTreeMap<String, usize>| {
        table(&[names.0, names.1], rows.iter().map(|(name, count)| [escaped(name), count.to_string()]))
    };
    let class_rows = kept
        .by_class
        .iter()
        .map(|(class, (folder, count))| [escaped(class), escaped(folder), count.to_string()]);
    let license_rows = kept.by_license.iter().map(|(license, count)| {
        let license = license.as_deref().map_or_else(|| "not known".to_owned(), escaped);
        [license, count.to_string()]
    });
    let not_kept = if refused.by_code.is_empty() {
        String::new()
    } else {
        let rows = named(("Why", "Pictures"), &refused.by_code);
        let where_to = if refused.is_listed { format!(" `{REFUSALS}` has each.") } else { String::new() };
        format!("## Not kept\n\nWhat the sources named, too.{where_to}\n\n{rows}\n")
    };
    format!(
        "---
{head}size_categories:
- {size}
---

{MARK}

# {name}

Pictures: {all}, classes: {classes}. Crawled with PixCrawler from {begun} on. Each class is a folder with the \
original files; `{LISTING}` has for each where it came from, its title, creator, licence, size and hashes.

## Load

```python
from datasets import load_dataset  # Hugging Face

pictures = load_dataset(\"imagefolder\", data_dir=\"path/to/this/folder\", split=\"train\")
pictures = pictures.class_encode_column(\"label\")
```

```python
from torchvision.datasets import ImageFolder

pictures = ImageFolder(\"path/to/this/folder\")
```

## Classes

{class_table}
## Licences

The pictures are their makers'. The licences are what the sources say, and nobody has checked them: look at \
`license`, `license_url` and `attribution` of each picture before you publish it or what you made of it, and \
name its maker where the licence asks for that.

{license_table}
## Sources

{source_table}
{not_kept}## Made by

{command}",
        name = escaped(&job.name),
        begun = job.created_at.0.format("%Y-%m-%d"),
        class_table = table(&["Class", "Folder", "Pictures"], class_rows),
        license_table = table(&["Licence", "Pictures"], license_rows),
        source_table = named(("Source", "Pictures"), &kept.by_source),
        command = command(job, folder),
    )
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
fn command(job: &JobRow, folder: &Path) -> String {
    let (options, rules) = (&job.options.0, &job.rules.0);
    let Inputs { urls, labels } = job.input.as_ref().map(|input| input.0.clone()).unwrap_or_default();
    let (keywords, sources) = (&job.keywords.0.0, &job.sources.0.0);
    let inputs = keywords.len() + urls.len();
    let mut words: Vec<String> = keywords.iter().take(MOST_INPUTS).cloned().collect();
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    for keyword in keywords.iter().take(MOST_INPUTS) {
        labels.get(keyword).into_iter().for_each(|label| option("--label", format!("{keyword}={label}")));
    }
    for url in urls.into_iter().take(MOST_INPUTS.saturating_sub(keywords.len())) {
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
    if !job.max_is_default {
        option("--max", job.max_images.to_string());
    }
    for (source, values) in &options.sources {
        values.iter().for_each(|(name, value)| option("--option", format!("{source}.{name}={value}")));
    }
    rules.licenses.iter().for_each(|license| option("--license", license.clone()));
    rules.formats.iter().for_each(|format| option("--format", Format::name(*format).to_owned()));
    if rules.min_width > 0 || rules.min_height > 0 {
        option("--min-size", format!("{}x{}", rules.min_width, rules.min_height));
    }
    options.language.iter().for_each(|language| option("--language", language.clone()));
    if !options.safe_search {
        words.push("--unsafe".to_owned());
    }
    if let Some(name) = folder.canonicalize().ok().as_deref().and_then(Path::file_name) {
        words.extend(["--out".to_owned(), name.to_string_lossy().into_owned()]);
    }
    let quoted = words.iter().map(|word| {
        let word: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        shlex::try_quote(&word).map_or_else(|_| word.clone(), std::borrow::Cow::into_owned)
    });
    let quoted: Vec<String> = quoted.collect();
    let mut text = format!("    pixcrawler crawl {}\n", quoted.join(" "));
    if inputs > MOST_INPUTS {
        let _ = writeln!(text, "\nand {} more keywords or addresses.", inputs - MOST_INPUTS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_wrote_is_text() {
        assert_eq!(escaped("a|b <img src=x> *c*\n# [d](e)"), r"a\|b \<img src=x\> \*c\* \# \[d\](e)");
        assert_eq!(escaped("Černý kůň, 貓"), "Černý kůň, 貓");
        let rows =
            [["a|b".to_owned(), "1".to_owned()]].into_iter().map(|[name, count]| [escaped(&name), count]);
        assert_eq!(
            table(&["Class", "Pictures"], rows),
            "| Class | Pictures |\n| --- | --- |\n| a\\|b | 1 |\n"
        );
    }
}
