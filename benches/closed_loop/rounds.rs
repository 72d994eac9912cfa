//! Rounds: every subject in turn, again and again, so that the machine's mood is the same for all.

use std::time::{Duration, Instant};

use crate::common::cpu::{self, Look, NOISE_MAX};
use crate::common::figures::Spread;
use crate::common::process::Role;
use crate::common::say;

/// Something that makes probes.
pub(crate) struct Subject {
    name: &'static str,
    /// Who is told how many probes to make.
    driver: Role,
    /// Whose CPU time counts; the driver's own if `None`.
    measured: Option<u32>,
}

impl Subject {
    /// A subject that is driven and measured in one process.
    pub(crate) fn of(name: &'static str, arguments: &[&str]) -> Self {
        Self { name, driver: Role::start(arguments), measured: None }
    }

    /// A subject that `driver` asks for probes; only the process `measured` counts.
    pub(crate) fn driven(name: &'static str, driver: Role, measured: u32) -> Self {
        Self { name, driver, measured: Some(measured) }
    }

    fn pid(&self) -> u32 {
        self.measured.unwrap_or_else(|| self.driver.pid())
    }

    /// Makes `probes` probes; all of them must have been right.
    fn probe(&mut self, probes: u64) {
        let answer = self.driver.ask(&format!("probe {probes}"));
        assert_eq!(answer, format!("{probes} right"), "{}", self.name);
    }
}

/// How much is measured.
pub(crate) struct Size {
    pub(crate) rounds: u64,
    /// About how long a window is.
    pub(crate) window: Duration,
    /// The fewest probes in a window; also the warm-up.
    pub(crate) probes_min: u64,
}

/// What came of one subject.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) micros: Spread,
    pub(crate) ours_over_it: Spread,
    pub(crate) it_over_ours: Spread,
    pub(crate) noisy: usize,
}

/// Measures `subjects`, ours first; `others` are the bench's processes that do not count.
pub(crate) fn run(kind: &str, subjects: &mut [Subject], others: &[u32], size: &Size) -> Vec<Row> {
    let mut pids: Vec<u32> = others.to_vec();
    for subject in &*subjects {
        pids.extend([subject.driver.pid(), subject.pid()]);
    }
    pids.sort_unstable();
    pids.dedup();
    let counts: Vec<u64> = subjects.iter_mut().map(|subject| warm_up(subject, size)).collect();
    let mut costs = vec![Vec::new(); subjects.len()];
    let mut noisy = vec![0; subjects.len()];
    for round in 0..size.rounds {
        for (index, subject) in subjects.iter_mut().enumerate() {
            let look = Look::now(&pids);
            let before = cpu::of_process(subject.pid());
            subject.probe(counts[index]);
            let spent = cpu::of_process(subject.pid()).saturating_sub(before);
            let others = look.others_since(&pids);
            let micros = spent.as_secs_f64() * 1e6 / counts[index] as f64;
            let is_noisy = size.window > Duration::ZERO && others > NOISE_MAX;
            noisy[index] += usize::from(is_noisy);
            costs[index].push(micros);
            if size.window > Duration::ZERO {
                let mark = if is_noisy { "  NOISY" } else { "" };
                let (round, name, count) = (round + 1, subject.name, counts[index]);
                say(&format!(
                    "{kind} round {round}: {name:<17} {micros:>7.1} µs a probe, {count} probes, others {others:.2} of a core{mark}"
                ));
            }
        }
    }
    let rows = subjects.iter().zip(&costs).zip(noisy).map(|((subject, of_it), noisy)| {
        // A window of a smoke-run may be shorter than a tick.
        let pairs = || costs[0].iter().zip(of_it).map(|(ours, it)| (ours.max(0.001), it.max(0.001)));
        Row {
            name: subject.name,
            micros: Spread::of(of_it.iter().copied()),
            ours_over_it: Spread::of(pairs().map(|(ours, it)| ours / it)),
            it_over_ours: Spread::of(pairs().map(|(ours, it)| it / ours)),
            noisy,
        }
    });
    rows.collect()
}

/// Warms up, and gives how many probes make a window.
fn warm_up(subject: &mut Subject, size: &Size) -> u64 {
    subject.probe(size.probes_min);
    let began = Instant::now();
    subject.probe(size.probes_min);
    let windows = size.window.as_secs_f64() / began.elapsed().as_secs_f64().max(1e-6);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive, small number")]
    let probes = (windows * size.probes_min as f64) as u64;
    probes.max(size.probes_min)
}
