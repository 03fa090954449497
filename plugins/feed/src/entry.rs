//! One entry of a feed, and the pictures in it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use pixcrawler_sdk::html::{self, LeftOut, picture};
use pixcrawler_sdk::{Candidate, License};

use crate::body;
use crate::media::{Media, Said};
use crate::reader::MOST_IN_ENTRY;

/// What an entry says.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Where an `xml:base` says what addresses are relative to.
    pub(crate) base: Option<String>,
    pub(crate) link: Option<String>,
    /// The address before somebody counts who follows it.
    pub(crate) original_link: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) published: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) author_url: Option<String>,
    pub(crate) license: Option<License>,
    pub(crate) rights: Option<License>,
    pub(crate) tags: Vec<String>,
    pub(crate) media: Vec<Media>,
    /// Of all its media.
    pub(crate) said: Said,
    /// HTML, each with what addresses in it are relative to, where an `xml:base` says so.
    pub(crate) texts: Vec<(Option<String>, String)>,
}

/// What is true of all entries of a feed.
#[derive(Debug, Default)]
pub(crate) struct Around {
    pub(crate) link: Option<String>,
    pub(crate) license: Option<License>,
    pub(crate) rights: Option<License>,
    pub(crate) said: Said,
}

/// Other copies of a picture.
const ALTERNATES: usize = 8;

impl Entry {
    /// Whether only adults should see it.
    pub(crate) fn is_adult(&self, around: &Around) -> bool {
        around.said.is_adult || self.said.is_adult || self.media.iter().any(|media| media.said.is_adult)
    }

    /// Whether it has previews.
    pub(crate) fn has_previews(&self) -> bool {
        let mut all = self.media.iter().map(|media| &media.said).chain([&self.said]);
        all.any(|said| !said.thumbnails.is_empty())
    }

    /// The pictures, where `document` is the feed's address. `with_previews`: where there are no
    /// others, the previews are taken.
    pub(crate) fn candidates(
        mut self,
        around: &Around,
        document: &str,
        with_previews: bool,
    ) -> (Vec<Candidate>, LeftOut) {
        let link = self.link.as_ref().or(around.link.as_ref());
        let base = self.base.as_ref().or(link).cloned().unwrap_or_else(|| document.to_owned());
        let texts = std::mem::take(&mut self.texts);
        let mut media = std::mem::take(&mut self.media);
        let mut previews = std::mem::take(&mut self.said.thumbnails);
        let (pictures, others): (Vec<_>, Vec<_>) = media.drain(..).partition(|media| media.is_picture);
        let in_others = others.iter().flat_map(|media| &media.said.thumbnails);
        let small: Vec<_> =
            previews.iter().chain(in_others).filter_map(|preview| preview.url.clone()).collect();
        let mut found = self.named(pictures, &mut previews);
        let mut left_out = LeftOut::default();
        let mut in_texts = Vec::new();
        for (own, html) in texts {
            let (pictures, more) = body::pictures(&html, own.as_ref().unwrap_or(&base));
            in_texts.extend(pictures);
            left_out.too_long += more.too_long;
            left_out.rubbish += more.rubbish;
        }
        let mut known = BTreeMap::new();
        for (index, candidate) in found.iter().enumerate() {
            for url in std::iter::once(&candidate.url).chain(&candidate.alternates) {
                known.entry(picture::identity(url)).or_insert(index);
            }
        }
        for candidate in in_texts.into_iter().take(MOST_IN_ENTRY) {
            // A text may show what the entry calls a preview.
            if small.contains(&candidate.url) {
                continue;
            }
            let place = *known.entry(picture::identity(&candidate.url)).or_insert(found.len());
            match found.get_mut(place) {
                // What the entry says of a picture is more than what stands around it in a text.
                Some(known) => html::complete(known, Candidate { title: None, ..candidate }),
                None => found.push(candidate),
            }
        }
        if let [only] = &mut found[..] {
            only.thumbnail_url = only.thumbnail_url.take().or_else(|| small.first().cloned());
        }
        if found.is_empty() && with_previews {
            for Media { mut said, .. } in others {
                let own = std::mem::take(&mut said.thumbnails);
                previews.extend(own.into_iter().map(|preview| Media { said: said.clone(), ..preview }));
            }
            found.extend(largest_first(previews));
        }
        for candidate in &mut found {
            let Candidate { alternates, thumbnail_url, .. } = candidate;
            alternates.retain(|url| Some(url) != thumbnail_url.as_ref());
            self.complete(candidate, around);
        }
        (found, left_out)
    }

    /// The pictures that are named as such, each once, with its other sizes.
    fn named(&self, mut pictures: Vec<Media>, previews: &mut Vec<Media>) -> Vec<Candidate> {
        let mut sets: Vec<Vec<Media>> = Vec::new();
        // Of one group, or at one address but for what names a size.
        let (mut groups, mut identities) = (BTreeMap::new(), BTreeMap::new());
        for media in pictures.drain(..) {
            let identity = media.url.as_deref().map(picture::identity).unwrap_or_default();
            let of_group = media.group.and_then(|group| groups.get(&group));
            let place = of_group.or_else(|| identities.get(&identity)).copied().unwrap_or(sets.len());
            groups.extend(media.group.map(|group| (group, place)));
            identities.insert(identity, place);
            match sets.get_mut(place) {
                Some(set) => set.push(media),
                None => sets.push(vec![media]),
            }
        }
        // The preview of a thing with one picture is that of the picture.
        if let [set] = &mut sets[..] {
            set.iter_mut().for_each(|media| {
                if media.said.thumbnails.is_empty() {
                    media.said.thumbnails.clone_from(previews);
                }
            });
            previews.clear();
        }
        sets.into_iter().filter_map(largest_first).collect()
    }

    /// Says of a picture what is true of the entry, where the picture says nothing itself.
    fn complete(&self, candidate: &mut Candidate, around: &Around) {
        let fill =
            |own: &mut Option<String>, value: &Option<String>| *own = own.take().or_else(|| value.clone());
        fill(&mut candidate.title, &self.said.title);
        fill(&mut candidate.title, &self.title);
        fill(&mut candidate.description, &self.said.description);
        fill(&mut candidate.creator, &self.said.credit);
        fill(&mut candidate.creator, &around.said.credit);
        if candidate.creator.is_none() {
            candidate.creator.clone_from(&self.author);
            candidate.creator_url.clone_from(&self.author_url);
        }
        // What is said of an entry is true of it, whatever the feed allows.
        let reserved = self.rights.as_ref().filter(|rights| rights.id == "all-rights-reserved");
        let said = [
            self.said.license.as_ref(),
            self.license.as_ref(),
            reserved,
            around.said.license.as_ref(),
            around.license.as_ref(),
            self.rights.as_ref(),
            around.rights.as_ref(),
        ];
        candidate.license = candidate.license.take().or_else(|| said.into_iter().flatten().next().cloned());
        candidate.page_url = self.original_link.clone().or_else(|| self.link.clone());
        candidate.id.clone_from(&self.id);
        candidate.published.clone_from(&self.published);
        for tag in self.said.tags.iter().chain(&self.tags) {
            if !candidate.tags.contains(tag) {
                candidate.tags.push(tag.clone());
            }
        }
    }
}

/// The largest of several sizes, the others as its copies.
fn largest_first(mut set: Vec<Media>) -> Option<Candidate> {
    set.sort_by_key(|media| Reverse(media.area()));
    let mut set = set.into_iter();
    let best = set.next()?;
    let others = set.filter_map(|media| media.url).filter(|url| Some(url) != best.url.as_ref());
    let alternates = others.take(ALTERNATES).collect();
    Some(Candidate { alternates, ..best.candidate()? })
}
