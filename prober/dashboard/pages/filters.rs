//! The filters of the overview, all of them in its address.

use maud::{Markup, html};

use crate::state::State;
use crate::text::{NAME_MAX, clean, encoded};
use crate::view::{Filter, Overview, ROWS_MAX, StateCounts};

/// The filters as links and a form.
pub(super) fn show(view: &Overview) -> Markup {
    let counts = view.counts;
    let number = |word: &str| match word {
        "broken" => counts.broken,
        "unknown" => counts.unknown,
        "waiting" => counts.waiting,
        _ => counts.good,
    };
    let link = |word: &str| {
        address(&view.filter, |filter| {
            word.clone_into(&mut filter.state);
            filter.page = 0;
        })
    };
    html! {
        div.filters {
            nav aria-label="States" {
                a.on[view.filter.state.is_empty()] href=(link("")) { "all " (counts.sum()) }
                @for word in State::WORDS {
                    @if number(word) > 0 || view.filter.state == word {
                        a.on[view.filter.state == word] href=(link(word)) { (word) " " (number(word)) }
                    }
                }
            }
            form action="/" method="get" role="search" {
                @if !view.filter.state.is_empty() { input type="hidden" name="state" value=(view.filter.state); }
                @if !view.filter.refresh { input type="hidden" name="refresh" value="off"; }
                (choice("owner", "Owner", &view.owners, &view.filter.owner))
                (choice("region", "Region", &view.regions, &view.filter.region))
                input type="search" name="q" value=(clean(&view.filter.search, NAME_MAX)) maxlength="100"
                    aria-label="Find scenarios" placeholder="name, aim, label=value";
                button { "Find" }
            }
        }
    }
}

fn choice(name: &str, label: &str, all: &[std::sync::Arc<str>], chosen: &str) -> Markup {
    html! {
        @if all.len() > 1 || !chosen.is_empty() {
            select name=(name) aria-label=(label) {
                option value="" { "any " (name) }
                @for one in all {
                    option value=(one) selected[**one == *chosen] { (clean(one, 60)) }
                }
            }
        }
    }
}

impl StateCounts {
    pub(crate) const fn sum(self) -> usize {
        self.broken + self.unknown + self.waiting + self.good
    }
}

/// The links to other pages of the table.
pub(super) fn pages(view: &Overview) -> Markup {
    let last = view.found.saturating_sub(1) / ROWS_MAX;
    let page = view.filter.page;
    let link = |page: usize| address(&view.filter, |filter| filter.page = page);
    html! {
        @if last > 0 {
            nav.pages aria-label="More rows" {
                @if page > 0 { a rel="prev" href=(link(page - 1)) { "‹ before" } }
                span { "rows " (page * ROWS_MAX + 1) "–" (page * ROWS_MAX + view.rows.len()) " of " (view.found) }
                @if page < last { a rel="next" href=(link(page + 1)) { "next ›" } }
            }
        }
    }
}

/// The address of the overview with a change.
pub(super) fn address(filter: &Filter, change: impl FnOnce(&mut Filter)) -> String {
    let mut filter = filter.clone();
    change(&mut filter);
    let mut parts = Vec::new();
    for (name, value) in [
        ("q", &filter.search),
        ("owner", &filter.owner),
        ("region", &filter.region),
        ("state", &filter.state),
    ] {
        if !value.is_empty() {
            parts.push(format!("{name}={}", encoded(value)));
        }
    }
    if filter.page > 0 {
        parts.push(format!("page={}", filter.page + 1));
    }
    if !filter.refresh {
        parts.push("refresh=off".to_owned());
    }
    if parts.is_empty() { "/".to_owned() } else { format!("/?{}", parts.join("&")) }
}
