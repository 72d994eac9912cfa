//! What the pages are told: who may look, the prober's own numbers, the weekly review.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dashboard::{Access, OwnFact, Review, SchemaFn, Sources, Tls};
use model::time::{Clock as _, SystemClock};
use scenario::compile::Options;

use super::files::Place;
use super::fleet::shown;
use super::load::Loader;
use super::metrics::MetricsPage;
use crate::exit::Stop;

/// Makes the weekly review of a project by what is stored in a directory.
pub(crate) type ReviewMaker = dyn Fn(&Place, &Options, &Path) -> Result<Review, String> + Send + Sync;

/// What the command line decides of the pages.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) access: Access,
    pub(crate) tls: Option<Tls>,
    /// A proxy in front has the certificate, and only it can connect.
    pub(crate) behind_proxy: bool,
    /// Whether everybody may see what is public.
    pub(crate) public_status: bool,
    /// Names that the pages answer to beside loopback's.
    pub(crate) hosts: Vec<String>,
    pub(crate) review: Arc<ReviewMaker>,
    /// The schemas for editors, by their names.
    pub(crate) schemas: Vec<(String, SchemaFn)>,
}

impl Pages {
    /// Whether pages may be served at `address`: elsewhere than on loopback only encrypted and to whoever is known.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub(crate) fn may_listen(&self, address: SocketAddr) -> Result<(), Stop> {
        let is_private = address.ip().to_canonical().is_loopback() && !self.behind_proxy;
        let port = address.port();
        let refuse =
            |why: &str| Err(Stop::environment(format!("{address}: {why}; or choose 127.0.0.1:{port}")));
        if self.access.user_header.is_some() && !self.behind_proxy {
            return Err(Stop::environment("--user-header is believed only with --behind-proxy"));
        }
        if is_private {
            return Ok(());
        }
        if self.tls.is_none() && !self.behind_proxy {
            return refuse("pages outside of this machine need --tls-cert and --tls-key, or --behind-proxy");
        }
        if self.access.is_open() {
            return refuse(
                "pages outside of this machine need --viewer-token-file or --operator-token-file, or --user-header with a proxy",
            );
        }
        Ok(())
    }

    /// Where people find the pages, for links: the first of the names, behind a proxy without a port.
    pub(crate) fn origin(&self, at: SocketAddr) -> String {
        match (self.hosts.first(), self.behind_proxy, self.tls.is_some()) {
            (Some(host), true, _) => format!("https://{host}"),
            (Some(host), false, true) => format!("https://{host}:{}", at.port()),
            (_, _, true) => format!("https://{at}"),
            _ => format!("http://{at}"),
        }
    }

    /// Tells the pages what only the root knows.
    pub(crate) fn fill(
        self,
        sources: &mut Sources,
        (loader, page, data): (&Arc<Loader>, MetricsPage, PathBuf),
    ) {
        sources.settings.access = self.access;
        sources.settings.tls = self.tls;
        sources.settings.public_status = self.public_status;
        sources.settings.hosts = self.hosts;
        sources.schemas = self.schemas;
        sources.own = Arc::new(move || own(&page));
        let (loader, review) = (Arc::clone(loader), self.review);
        sources.review = Arc::new(move || review(&loader.place, &loader.options, &data));
    }
}

/// What the process says of itself, for people.
fn own(page: &MetricsPage) -> Vec<OwnFact> {
    let mut all = Vec::new();
    let mut add = |group: &'static str, name: &str, value: String, is_bad: bool| {
        all.push(OwnFact { group, name: name.to_owned(), value, is_bad });
    };
    let (gauges, stats) = (&page.gauges, page.store.stats());
    let uptime = SystemClock.now().since(page.started);
    add("Process", "version", env!("CARGO_PKG_VERSION").to_owned(), false);
    add("Process", "up for", format!("{} min", uptime.as_secs() / 60), false);
    if let Some(process) = super::metrics::process(page.started) {
        let files = format!("{} of {}", process.open_fds, process.max_fds);
        add(
            "Process",
            "open files",
            files,
            process.open_fds.saturating_mul(5) > process.max_fds.saturating_mul(4),
        );
        add("Process", "memory", format!("{} MiB", process.resident_bytes >> 20), false);
        add("Process", "processor time", format!("{:.1} s", process.cpu_seconds), false);
    }
    add("Runner", "streams", gauges.streams.load(Ordering::Relaxed).to_string(), false);
    add("Runner", "runs in flight", gauges.in_flight.load(Ordering::Relaxed).to_string(), false);
    add("Runner", "runs started", gauges.started.load(Ordering::Relaxed).to_string(), false);
    add(
        "Runner",
        "bad runs held until the prober's own fault is ruled out",
        gauges.held.load(Ordering::Relaxed).to_string(),
        false,
    );
    let waiting = gauges.misses_waiting.load(Ordering::Relaxed);
    add("Runner", "missed slots that the store has not taken", waiting.to_string(), waiting > 0);
    add("Store", "events written", stats.events().to_string(), false);
    add("Store", "size", format!("{} MiB", stats.bytes() >> 20), false);
    add("Store", "records in the queue", stats.queue().to_string(), false);
    add("Store", "last commit took", format!("{:.1} ms", stats.last_commit().as_secs_f64() * 1e3), false);
    add("Store", "commits that failed", stats.failed_commits().to_string(), stats.failed_commits() > 0);
    let given_up = stats.given_up();
    add("Store", "slots given up before the hub had them", given_up.to_string(), given_up > 0);
    add("Store", "events lost to a reader", stats.lost().to_string(), stats.lost() > 0);
    for (name, sink) in page.sinks.borrow().iter() {
        let trouble = sink.trouble();
        let numbers =
            format!("{} sent, {} wait, {} dropped", sink.sent(), sink.queue_length(), sink.dropped());
        let delivered = sink.last_success().map(|at| format!("last delivery {at}"));
        let parts: Vec<String> = [Some(numbers), delivered, trouble.clone()].into_iter().flatten().collect();
        let value = parts.join("; ");
        add("Exporters", name, value, trouble.is_some() || sink.dropped() > 0);
    }
    for route in page.board.numbers() {
        let waiting = route.waiting.unwrap_or_default();
        let value = format!("{} delivered, {} failed, {waiting} wait", route.accepted, route.failed);
        add(
            "Alert routes",
            &format!("{} ({})", route.route, route.integration),
            value,
            waiting > 0 && route.failed > 0,
        );
    }
    all.extend(page.fleet.borrow().as_ref().map(|view| shown::facts(view)).unwrap_or_default());
    all.extend(distrust(page));
    all
}

/// What it doubts of itself.
fn distrust(page: &MetricsPage) -> Vec<OwnFact> {
    let mut all = Vec::new();
    let mut add = |name: &str, value: String, is_bad: bool| {
        all.push(OwnFact { group: "Self-distrust", name: name.to_owned(), value, is_bad });
    };
    for doubt in page.doubts.standing() {
        let place = if doubt.region.is_empty() { String::new() } else { format!(" ({})", doubt.region) };
        let value = format!("{} looks, {} failed", doubt.looks, doubt.failed);
        add(&format!("{}{place}", doubt.signal), value, doubt.doubted);
    }
    for one in page.doubts.suspensions().all() {
        let reason = one.cause.reason().as_str().replace('_', " ");
        let is_bad = one.why.is_some();
        let value = one.why.unwrap_or_else(|| format!("slots are run; they were not {} times", one.times));
        add(&format!("suspension ({reason})"), value, is_bad);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(access: Access, behind_proxy: bool) -> Pages {
        let review: Arc<ReviewMaker> = Arc::new(|_, _, _| Ok(Review::default()));
        Pages {
            access,
            tls: None,
            behind_proxy,
            public_status: false,
            hosts: Vec::new(),
            review,
            schemas: Vec::new(),
        }
    }

    #[test]
    fn pages_elsewhere_than_on_loopback_are_for_whoever_is_known() {
        let open = Access::default;
        let token = || Access { viewer_token: Some("t".to_owned()), ..Access::default() };
        let named = || Access { user_header: Some("x-user".to_owned()), ..Access::default() };
        for (address, access, proxy, says) in [
            ("127.0.0.1:1", open(), false, None),
            ("[::1]:1", open(), false, None),
            ("127.0.0.1:1", token(), false, None),
            ("127.0.0.1:1", open(), true, Some("viewer-token")),
            ("127.0.0.1:1", named(), true, None),
            ("127.0.0.1:1", named(), false, Some("--behind-proxy")),
            ("0.0.0.0:1", open(), false, Some("--tls-cert")),
            ("0.0.0.0:1", token(), false, Some("--tls-cert")),
            ("0.0.0.0:1", open(), true, Some("viewer-token")),
            ("0.0.0.0:1", token(), true, None),
        ] {
            let shown = pages(access.clone(), proxy).origin(address.parse().unwrap());
            assert_eq!(shown, format!("http://{address}"));
            let found = pages(access, proxy).may_listen(address.parse().unwrap());
            match (found, says) {
                (Ok(()), None) => {}
                (Err(stop), Some(says)) => {
                    assert!(stop.message.contains(says), "{address}: {}", stop.message);
                }
                (found, says) => panic!("{address} {proxy}: {found:?} {says:?}"),
            }
        }
    }
}
