//! Asks for a token.

use maud::html;
use model::time::Timestamp;

use super::layout::{self, Frame};

/// The page; `again` if a token was wrong.
pub(crate) fn page(project: &str, now: Timestamp, again: bool) -> String {
    let body = html! {
        div.sentence { h1 { "Who are you?" } }
        @if again { p role="alert" { strong.bad { "That is no token of this prober." } } }
        form.login action="/login" method="post" {
            label { "Token " input type="password" name="token" autocomplete="current-password" required autofocus; }
            button { "Go on" }
        }
        p.note { "The tokens are in the files that were named when the prober was started." }
    };
    layout::page(&Frame { title: "Token", place: "", project, now, refresh: None }, &body)
}
