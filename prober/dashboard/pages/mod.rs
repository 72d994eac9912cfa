//! The pages as pure functions of what they show: value → HTML.
//!
//! Nothing here reads the store, a clock or a request. Every text that an author or a target wrote goes through
//! [`crate::text`]; maud escapes the rest.

mod banner;
mod difference;
mod layout;
mod mark;
mod message;
mod overview;
mod run;
mod scenario;
mod waterfall;

pub(crate) use banner::{Banner, banners, doubts};
pub(crate) use layout::STYLE;
pub(crate) use message::{choice, message};
pub(crate) use overview::page as overview;
pub(crate) use run::page as run;
pub(crate) use scenario::page as scenario;

pub(crate) use mark::FAVICON;
