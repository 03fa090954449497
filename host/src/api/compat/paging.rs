//! How the original asks for a part of a list, and what its envelopes say beside `items` and `next`.

use poem_openapi::{Object, types::Example};

use crate::api::error::Problem;

/// Rows in an answer when nobody says how many.
const DEFAULT_LIMIT: u8 = 50;
/// Rows in an answer that the original takes for the whole list.
const WHOLE: u16 = 1_000;

/// Which rows of a list are asked for: those after a row, or those after a number of rows.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Window<I = i32> {
    /// Most rows in the answer.
    pub(in crate::api) limit: u16,
    /// `next` of the page before.
    pub(in crate::api) after: Option<I>,
    /// Rows to leave out, from the first; 0 with `after`.
    pub(in crate::api) skip: i64,
    /// Number of the page; 1 with `after`, because nobody counts what lies before.
    page: i32,
}

/// Numbers of a page, as the original has them.
#[derive(Clone, Object)]
#[oai(example)]
pub(in crate::api) struct PageNumbers {
    /// Rows of the whole list.
    #[oai(deprecated)]
    total: i64,
    /// `page` of the request; 1 where `after` was given.
    #[oai(deprecated)]
    page: i32,
    /// Most rows in the answer.
    #[oai(deprecated)]
    size: i32,
    /// Pages of the whole list.
    #[oai(deprecated)]
    pages: i64,
}

/// What the original says of a part of a list.
#[derive(Clone, Object)]
#[oai(example)]
pub(in crate::api) struct ListMeta {
    /// Rows of the whole list.
    total: i64,
    /// Rows that were left out before the first; 0 where `after` was given.
    skip: i64,
    /// Most rows in the answer.
    limit: i32,
}

impl<I> Window<I> {
    /// Of a list with `limit` and `after`, and with the original's `page`, from 1, and `size`.
    ///
    /// # Errors
    /// When two of them say the same.
    pub(in crate::api) fn of_pages(
        limit: Option<u8>,
        after: Option<I>,
        page: Option<i32>,
        size: Option<u8>,
    ) -> Result<Self, Problem> {
        if limit.is_some() && size.is_some() {
            return Err(Problem::parameter("size", "must not be given with `limit`, which says the same"));
        }
        if after.is_some() && page.is_some() {
            return Err(Problem::parameter(
                "page",
                "must not be given with `after`, which says where to begin",
            ));
        }
        let limit: u16 = limit.or(size).unwrap_or(DEFAULT_LIMIT).into();
        let page = page.unwrap_or(1);
        Ok(Self { limit, after, skip: (i64::from(page) - 1) * i64::from(limit), page })
    }

    /// Of a list with `limit` and `after`, and with the original's `skip`.
    ///
    /// # Errors
    /// When two of them say the same.
    pub(in crate::api) fn of_skip(
        limit: Option<u8>,
        after: Option<I>,
        skip: Option<i32>,
    ) -> Result<Self, Problem> {
        if after.is_some() && skip.is_some() {
            return Err(Problem::parameter(
                "skip",
                "must not be given with `after`, which says where to begin",
            ));
        }
        let skip = i64::from(skip.unwrap_or_default());
        Ok(Self { limit: limit.unwrap_or(DEFAULT_LIMIT).into(), after, skip, page: 1 })
    }

    /// [`Self::of_skip`] of a list that the original asks for as a whole, without any of these.
    ///
    /// # Errors
    /// When two of them say the same.
    pub(in crate::api) fn whole_or_of_skip(
        limit: Option<u8>,
        after: Option<I>,
        skip: Option<i32>,
    ) -> Result<Self, Problem> {
        let is_whole = limit.is_none() && after.is_none() && skip.is_none();
        let window = Self::of_skip(limit, after, skip)?;
        Ok(if is_whole { Self { limit: WHOLE, ..window } } else { window })
    }

    /// Rows to read: one more than are shown, to see whether there are more.
    pub(in crate::api) fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// What the original is told of a list of `total` rows with pages.
    pub(in crate::api) fn numbers(&self, total: i64) -> PageNumbers {
        let size = i32::from(self.limit);
        let pages = (total + i64::from(size) - 1) / i64::from(size);
        PageNumbers { total, page: self.page, size, pages }
    }

    /// What the original is told of a list of `total` rows that are skipped.
    pub(in crate::api) fn meta(&self, total: i64) -> ListMeta {
        ListMeta { total, skip: self.skip, limit: i32::from(self.limit) }
    }
}

impl Example for PageNumbers {
    fn example() -> Self {
        Self { total: 1, page: 1, size: i32::from(DEFAULT_LIMIT), pages: 1 }
    }
}

impl Example for ListMeta {
    fn example() -> Self {
        Self { total: 1, skip: 0, limit: i32::from(DEFAULT_LIMIT) }
    }
}
