//! The pages as pure functions of what they show: value → HTML.
//!
//! Nothing here reads the store, a clock or a request. Every text that an author or a target wrote goes through
//! [`crate::text`]; maud escapes the rest.

mod alerts;
mod asked;
mod banner;
mod chart;
mod difference;
mod explorer;
mod facts;
mod failures;
mod filters;
mod fleet;
mod layout;
mod login;
mod mark;
mod message;
mod overview;
mod own;
mod promise;
mod public;
mod review;
mod run;
mod scenario;
mod source;
mod waterfall;

pub(crate) use alerts::{Asker, page as alerts};
pub(crate) use banner::{Banner, banners, doubts};
pub(crate) use explorer::page as explorer;
pub(crate) use layout::{CHARTS, CHARTS_STYLE, SCRIPT, STYLE};
pub(crate) use login::page as login;
pub(crate) use message::{choice, message};
pub(crate) use overview::page as overview;
pub(crate) use own::{config, page as own};
pub(crate) use promise::page as slo;
pub(crate) use public::{badge, page as status};
pub(crate) use review::{markdown as review_markdown, page as review};
pub(crate) use run::page as run;
pub(crate) use scenario::page as scenario;

pub(crate) use mark::FAVICON;
