//! Who is asked in the moment: the system's files are read again when they have changed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::{Resolver, system};

/// How often the system's files are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who is asked for addresses.
#[derive(Clone, Debug, Default)]
pub enum Servers {
    /// The system's: `/etc/resolv.conf` and `/etc/hosts`, read again when they change.
    #[default]
    System,
    /// These, and no hosts file.
    These(Vec<SocketAddr>),
}

/// The resolver of the moment, and when the files behind it were last looked at.
#[derive(Debug)]
pub(crate) struct ResolverSource {
    current: Arc<Resolver>,
    /// `None` if the servers are given. Without stamps the files could not be read yet.
    files: Option<(Instant, Option<[Option<SystemTime>; 2]>)>,
}

impl ResolverSource {
    /// The source that `servers` describes.
    pub(crate) fn new(servers: Servers) -> Self {
        match servers {
            Servers::System => {
                let stamps = stamps();
                let read = system::read();
                let known = read.is_ok().then_some(stamps);
                let current = read.unwrap_or_else(|_| Resolver { dots_min: 1, ..Resolver::default() });
                Self { current: Arc::new(current), files: Some((Instant::now(), known)) }
            }
            Servers::These(servers) => Self {
                current: Arc::new(Resolver { servers, dots_min: 1, ..Resolver::default() }),
                files: None,
            },
        }
    }

    /// The resolver of the moment.
    pub(crate) fn current(&mut self) -> Arc<Resolver> {
        self.at(Instant::now())
    }

    fn at(&mut self, now: Instant) -> Arc<Resolver> {
        if let Some((looked, known)) = &mut self.files
            && (known.is_none() || now.saturating_duration_since(*looked) >= LOOK_EVERY)
        {
            *looked = now;
            let stamps = Some(stamps());
            // A machine that cannot open files goes on with what it knows, and looks again.
            if *known != stamps
                && let Ok(read) = system::read()
            {
                *known = stamps;
                self.current = Arc::new(read);
            }
        }
        Arc::clone(&self.current)
    }
}

fn stamps() -> [Option<SystemTime>; 2] {
    system::FILES.map(|file| std::fs::metadata(file).and_then(|facts| facts.modified()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_read_for_want_of_descriptors_are_not_empty() {
        crate::trial::alone(
            "net::resolve::source::tests::inside_files_that_cannot_be_read_stay_as_they_were",
        );
    }

    #[test]
    #[ignore = "takes all files of the whole process: run by files_that_cannot_be_read_for_want_of_descriptors_are_not_empty"]
    fn inside_files_that_cannot_be_read_stay_as_they_were() {
        let knows = |resolver: &Resolver| {
            format!("{:?} {:?}", resolver.servers, resolver.hosts.addresses("localhost"))
        };
        let mut source = ResolverSource::new(Servers::System);
        let before = knows(&source.current());
        // As if the files had changed since.
        source.files = Some((Instant::now(), Some([None; 2])));
        let mut later = Instant::now() + LOOK_EVERY;
        let taken = crate::trial::take_descriptors();
        let without = knows(&source.at(later));
        let mut new = ResolverSource::new(Servers::System);
        let nothing = new.current();
        drop(taken);
        assert_eq!(without, before);
        assert!(nothing.servers.is_empty());
        // Both look again: the one in its time, the other, which knows nothing, at once.
        later += LOOK_EVERY;
        for found in [knows(&source.at(later)), knows(&new.current())] {
            assert_eq!(found, before);
        }
        assert_eq!(source.files.unwrap().1, Some(stamps()));
    }
}
