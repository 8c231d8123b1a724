//! The style sheet.

/// It goes into the page as it is, so it holds neither `<` nor `&`.
pub(super) const STYLE: &str = include_str!("style.css");
