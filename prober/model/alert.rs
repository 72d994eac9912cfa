//! An alert: what whoever is woken up is told, and what makes it the same alert as before.
//!
//! Data only. Deliberately absent: when an alert fires (`slo`), and how it is delivered (`alert`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::time::Timestamp;

/// How soon somebody must look.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Within days.
    Ticket,
    /// Now.
    Page,
}

impl Severity {
    /// The value of the label `severity`, and the key under `alerts` in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }

    /// The severity with that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Ticket, Self::Page].into_iter().find(|severity| severity.as_str() == word)
    }
}

/// Which rule of the policy an alert comes from.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Enough regions have only bad runs.
    Outage,
    /// The error budget burns too fast.
    BudgetBurn,
    /// One region has only bad runs.
    RegionDown,
    /// No eligible event for too long.
    Blind,
    /// Too few of the expected slots are eligible.
    EligibilityLow,
}

impl Rule {
    /// Every rule, in the order of the policy.
    pub const ALL: [Self; 5] =
        [Self::Outage, Self::BudgetBurn, Self::RegionDown, Self::Blind, Self::EligibilityLow];

    /// The value of the label `alertname`; the exported Prometheus rules use the same.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outage => "SLOOutage",
            Self::BudgetBurn => "SLOBudgetBurn",
            Self::RegionDown => "SLORegionDown",
            Self::Blind => "SLOBlind",
            Self::EligibilityLow => "SLOEligibilityLow",
        }
    }

    /// The rule with that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

/// What makes an alert the same one from its start to its end, and over restarts.
///
/// These are its labels: constant for its life, so that a receiver recognises it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId {
    /// The rule that it comes from.
    pub rule: Rule,
    /// Page and ticket of one rule are two alerts.
    pub severity: Severity,
    /// The objective's name; of a scenario without one its own.
    pub slo: Arc<str>,
    /// The monitored service.
    pub service: Arc<str>,
    /// The owner; empty if none is declared.
    pub team: Arc<str>,
    /// The region, of alerts that are about a single one.
    pub region: Option<Arc<str>>,
}

impl AlertId {
    /// The labels as pairs in the order of their names, empty ones left out.
    pub fn labels(&self) -> Vec<(&'static str, &str)> {
        let region = self.region.as_deref().unwrap_or_default();
        let all = [
            ("alertname", self.rule.as_str()),
            ("region", region),
            ("service", &*self.service),
            ("severity", self.severity.as_str()),
            ("slo", &*self.slo),
            ("team", &*self.team),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// An alert as it stands: firing while `ends` is `None`, resolved after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Which alert.
    pub id: AlertId,
    /// Since when it fires.
    pub starts: Timestamp,
    /// When it was resolved.
    pub ends: Option<Timestamp>,
    /// What is worth knowing, by name: `summary`, `description`, `runbook_url`, `dashboard_url`, the sum that it
    /// was made of. May change while it fires.
    pub annotations: BTreeMap<Arc<str>, String>,
}

impl Alert {
    /// Whether it still fires.
    pub const fn is_firing(&self) -> bool {
        self.ends.is_none()
    }

    /// Names this episode of the alert: the same in every delivery, another one when it fires again.
    pub fn episode(&self) -> String {
        let id = &self.id;
        let region = id.region.as_deref().unwrap_or_default();
        let (rule, severity) = (id.rule.as_str(), id.severity.as_str());
        format!("{rule}/{severity}/{}/{region}/{}", id.slo, self.starts.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_never_empty() {
        let mut id = AlertId {
            rule: Rule::Outage,
            severity: Severity::Page,
            slo: "checkout".into(),
            service: "shop".into(),
            team: "".into(),
            region: None,
        };
        let names = |id: &AlertId| id.labels().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&id), "alertname service severity slo");
        (id.team, id.region) = ("team-checkout".into(), Some("eu".into()));
        assert_eq!(names(&id), "alertname region service severity slo team");
    }

    #[test]
    fn words_are_found_again() {
        for rule in Rule::ALL {
            assert_eq!(Rule::of(rule.as_str()), Some(rule));
        }
        assert_eq!(Severity::of("page"), Some(Severity::Page));
        assert_eq!((Rule::of("SLO"), Severity::of("Page")), (None, None));
    }
}
