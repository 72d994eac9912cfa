//! What came back of the pings, as assertions and people see it.

use std::time::{Duration, Instant};

use model::attribute::Attributes;
use model::objective::Share;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

/// The pings of one run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// When each was sent, by its number.
    sent: Vec<Instant>,
    /// The round trip of each that came back, in the order they were sent.
    trips: Vec<Option<Duration>>,
}

impl Tally {
    /// Notes that the next ping is sent now.
    pub(super) fn send(&mut self, at: Instant) {
        self.sent.push(at);
        self.trips.push(None);
    }

    /// Notes that ping `sequence` came back; a second copy of a reply counts once.
    pub(super) fn receive(&mut self, sequence: u16, at: Instant) {
        let index = usize::from(sequence);
        if let (Some(sent), Some(trip @ None)) = (self.sent.get(index), self.trips.get_mut(index)) {
            *trip = Some(at.saturating_duration_since(*sent));
        }
    }

    /// How many were sent.
    pub(super) fn sent(&self) -> usize {
        self.sent.len()
    }

    /// How many came back.
    pub(super) fn replies(&self) -> usize {
        self.trips.iter().flatten().count()
    }

    fn loss(&self) -> Share {
        let (sent, lost) = (self.sent.len().max(1), self.sent.len() - self.replies());
        let millionths = lost * Share::WHOLE as usize / sent;
        let share = u32::try_from(millionths).ok().and_then(Share::of_millionths);
        share.expect("not more are lost than were sent")
    }

    fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.replies()).ok().filter(|count| *count > 0)?;
        Some(self.trips.iter().flatten().sum::<Duration>() / count)
    }

    fn jitter(&self) -> Option<Duration> {
        let trips: Vec<_> = self.trips.iter().flatten().collect();
        let steps: Vec<_> = trips.windows(2).map(|pair| pair[0].abs_diff(*pair[1])).collect();
        let count = u32::try_from(steps.len()).ok().filter(|count| *count > 0)?;
        Some(steps.iter().sum::<Duration>() / count)
    }

    /// Says it in attributes.
    pub(super) fn describe(&self, attributes: &mut Attributes) {
        let int = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        attributes.set("prober.icmp.sent", int(self.sent()));
        attributes.set("prober.icmp.received", int(self.replies()));
        let mut trip = |key: &'static str, trip: Option<Duration>| {
            if let Some(trip) = trip {
                attributes.set(key, trip.as_secs_f64());
            }
        };
        trip("prober.icmp.rtt.min", self.trips.iter().flatten().min().copied());
        trip("prober.icmp.rtt.avg", self.mean());
        trip("prober.icmp.rtt.max", self.trips.iter().flatten().max().copied());
    }
}

impl Evidence for Tally {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        let trip = match subject {
            "replies" => {
                return Reading::One(Value::Int(i64::try_from(self.replies()).unwrap_or(i64::MAX)));
            }
            "loss" => return Reading::One(Value::Share(self.loss())),
            "rtt_min" => self.trips.iter().flatten().min().copied(),
            "rtt_avg" => self.mean(),
            "rtt_max" => self.trips.iter().flatten().max().copied(),
            "jitter" => self.jitter(),
            _ => return Reading::Absent,
        };
        trip.map_or(Reading::Absent, |trip| Reading::One(Value::Duration(trip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_back_is_counted_once() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut tally = Tally::default();
        for ms in [0, 100, 200] {
            tally.send(at(ms));
        }
        tally.receive(2, at(230));
        tally.receive(0, at(10));
        tally.receive(0, at(90));
        tally.receive(7, at(90));
        let read = |subject: &str| tally.read(subject, &Selector::Whole);
        let ms = |ms| Reading::One(Value::Duration(Duration::from_millis(ms)));
        assert_eq!(read("replies"), Reading::One(Value::Int(2)));
        assert_eq!(read("loss"), Reading::One(Value::Share(Share::of_millionths(333_333).unwrap())));
        assert_eq!((read("rtt_min"), read("rtt_avg"), read("rtt_max")), (ms(10), ms(20), ms(30)));
        assert_eq!(read("jitter"), ms(20));
        assert_eq!(Tally::default().read("rtt_avg", &Selector::Whole), Reading::Absent);
    }
}
